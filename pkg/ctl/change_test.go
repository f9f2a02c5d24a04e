package ctl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
)

func TestConfirmAndRollback(t *testing.T) {
	d := apitest.Hub00()
	d.File = filepath.Join(ownDirectory(t), "nvad.toml")
	if err := os.WriteFile(d.File, []byte(d.TOML), 0o640); err != nil {
		t.Fatal(err)
	}
	socket := serve(t, d)
	file := " --config " + d.File
	for _, tt := range []struct{ args, out, did string }{
		{"reload --confirm 60s", "Version 4 runs again in 1m0s unless confirmed: nvactl confirm\n", "reload confirm=1m0s"},
		{"confirm", "version 5 stays\n", "confirm"},
		{"rollback" + file, "Version 3 runs again, as version 6.\n" + d.File + " is what runs.\n", "rollback 0"},
		{"rollback 3" + file, "Version 3 runs again, as version 6.\n" + d.File + " is what runs.\n", "rollback 3"},
	} {
		r := nvactl(t, socket, strings.Fields(tt.args)...)
		if r.code != 0 || r.err != "" || !strings.HasSuffix(r.out, tt.out) {
			t.Errorf("%s: got %+v, want %q", tt.args, r, tt.out)
		}
		if did := d.Commands(); did[len(did)-1] != tt.did {
			t.Errorf("%s: did %q, want %q", tt.args, did[len(did)-1], tt.did)
		}
	}
	for args, want := range map[string]string{
		"rollback 9":                     "version 9 is not kept",
		"rollback last":                  `"last" is not a version (nvactl config history lists them) (see nvactl rollback --help)`,
		"config show --version 9":        "version 9 is not kept",
		"config diff --from 9":           "version 9 is not kept",
		"config diff x --to 3":           "either --to or a file (see nvactl config diff --help)",
		"reload --confirm 0s":            "--confirm: want 1s to 24h0m0s, got 0s (see nvactl reload --help)",
		"reload --confirm 25h":           "--confirm: want 1s to 24h0m0s, got 25h0m0s (see nvactl reload --help)",
		"reload --dry-run --confirm 60s": "if any flags in the group [dry-run confirm] are set none of the others can be; [confirm dry-run] were all set (see nvactl reload --help)",
	} {
		t.Run(args, func(t *testing.T) { wantError(t, nvactl(t, socket, strings.Fields(args)...), want) })
	}
	if r := nvactl(t, socket, "config", "diff", "--from", "2", "--to", "3"); r.out != "No difference.\n" {
		t.Errorf("got %+v", r)
	}
}

// TestRollbackWithoutFile: where the file can't be written, the rollback is done all
// the same, and what is left to do is said.
func TestRollbackWithoutFile(t *testing.T) {
	d := apitest.Hub00()
	d.File = "/nonexistent/nvad.toml"
	r := nvactl(t, serve(t, d), "rollback", "--config", d.File)
	if r.code != 0 || !strings.Contains(r.err, "still holds what was rolled back (no such file or directory)") ||
		!strings.Contains(r.err, "sudo nvactl config restore") {
		t.Errorf("got %+v", r)
	}
}

func TestStatusOfConfig(t *testing.T) {
	d := apitest.Hub00()
	d.At.Config = api.ConfigState{
		Version: 5, Since: apitest.Now.Add(-time.Minute), File: d.File, FileState: "held back",
		Deadline: apitest.Now.Add(45 * time.Second), Fallback: 4,
	}
	show(t, serve(t, d), "status-config", "status")
}
