package ctl

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/history"
)

func TestConfirmAndRollback(t *testing.T) {
	d := hub00()
	d.File = filepath.Join(ownDirectory(t), "nvad.toml")
	if err := os.WriteFile(d.File, []byte(d.TOML), 0o640); err != nil {
		t.Fatal(err)
	}
	socket := serve(t, d)
	file := " --config " + d.File
	for _, tt := range []struct{ args, out, did string }{
		{"reload --confirm 60s", "Version 4 runs again in 1m0s unless confirmed: nvactl confirm\n", "reload confirm=1m0s"},
		{"confirm", "version 5 stays\n", "confirm"},
		{"rollback" + file, "Version 3 runs again, as version 6.\n" + d.File + " already contains the running configuration.\n", "rollback 0"},
		{"rollback 3" + file, "Version 3 runs again, as version 6.\n" + d.File + " already contains the running configuration.\n", "rollback 3"},
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
		"config diff x --to 3":           "use either --to or a file (see nvactl config diff --help)",
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

// TestRollbackWithoutFile: if the file can't be written, the rollback succeeds all the
// same, and nvactl tells what is left to do.
func TestRollbackWithoutFile(t *testing.T) {
	d := hub00()
	d.File = "/nonexistent/nvad.toml"
	r := nvactl(t, serve(t, d), "rollback", "--config", d.File)
	if r.code != 0 || !strings.Contains(r.err, "still contains the change that was rolled back (no such file or directory)") ||
		!strings.Contains(r.err, "sudo nvactl config restore") {
		t.Errorf("got %+v", r)
	}
}

func TestStatusOfConfig(t *testing.T) {
	d := hub00()
	d.At.Config = api.ConfigState{
		FileState: "held back",
		Record: history.Record{
			Running: 5, Entries: []history.Entry{{Version: 5, Time: apitest.Now.Add(-time.Minute)}}, File: d.File,
			Pending: &history.Pending{Deadline: apitest.Now.Add(45 * time.Second), Fallback: 4},
		},
	}
	show(t, serve(t, d), "status-config", "status")
}

// ownDirectory returns a directory that only the test can change. That of t.TempDir may be
// writable by a group.
func ownDirectory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nvad")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

const before = "# changed\n"

// TestRestore writes a file back and keeps its old content. Mode and owner stay, and nobody
// gets access who had none before.
func TestRestore(t *testing.T) {
	dir := ownDirectory(t)
	path := filepath.Join(dir, "nvad.toml")
	must(t, os.WriteFile(path, []byte(before), 0o640), os.Chmod(path, 0o640))
	owner := os.Getuid()
	if owner == 0 {
		owner = 65534
		must(t, os.Chown(path, owner, owner))
	}
	// New files in the directory inherit an access list with one more user.
	if err := unix.Setxattr(dir, "system.posix_acl_default", listWith(12345), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
		t.Fatal(err)
	}
	d := hub00()
	d.File = path
	d.TOML += strings.Repeat("# more than the 4 MiB that gRPC receives by default\n", 100_000)
	socket := serve(t, d)
	if r := nvactl(t, socket, "config", "restore", "--config", path); r.code != 0 || r.out != path+" contains the running configuration again; its old content is in "+path+".old.\n" {
		t.Errorf("got %+v", r)
	}
	for name, want := range map[string]string{path: d.TOML, path + ".old": before} {
		text, err := os.ReadFile(name)
		if err != nil || string(text) != want {
			t.Errorf("%s: %.99q, %v", name, text, err)
		}
		info, err := os.Stat(name)
		if err != nil || info.Mode() != 0o640 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != owner {
			t.Errorf("%s belongs to %d", name, st.Uid)
		}
		if n, err := unix.Getxattr(name, accessList, nil); n > 0 {
			t.Errorf("%s is open to more users: %d bytes of access list, %v", name, n, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// listWith returns a POSIX access list in the kernel's form that grants a user reading and
// writing, besides the owner.
func listWith(uid uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2) // version
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 6, ^uint32(0)}, {0x02, 6, uid}, {0x04, 6, ^uint32(0)}, {0x10, 6, ^uint32(0)}, {0x20, 0, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

// elsewhere are the ways to have another file written than the operator's.
var elsewhere = []struct {
	name, want string
	root       bool
	// prepare creates the file to name, if any, and returns its path.
	prepare func(t *testing.T, dir, victim string) string
}{
	{name: "the daemon names it", want: "name the file to write with --config", prepare: func(*testing.T, string, string) string { return "" }},
	{name: "link", want: "is a symbolic link", prepare: func(t *testing.T, dir, victim string) string {
		must(t, os.Symlink(victim, filepath.Join(dir, "nvad.toml")))
		return filepath.Join(dir, "nvad.toml")
	}},
	{name: "link on the way", want: "link is a symbolic link", prepare: func(t *testing.T, dir, victim string) string {
		must(t, os.Symlink(filepath.Dir(victim), filepath.Join(dir, "link")))
		return filepath.Join(dir, "link", filepath.Base(victim))
	}},
	{name: "link in the place of the old one", want: "nvad.toml.old is a symbolic link", prepare: func(t *testing.T, dir, victim string) string {
		path := filepath.Join(dir, "nvad.toml")
		must(t, os.WriteFile(path, []byte(before), 0o600), os.Symlink(victim, path+".old"))
		return path
	}},
	{name: "pipe", want: "is not a regular file", prepare: func(t *testing.T, dir, _ string) string {
		must(t, unix.Mkfifo(filepath.Join(dir, "nvad.toml"), 0o600))
		return filepath.Join(dir, "nvad.toml")
	}},
	{name: "directory of a group", want: "others may write to", prepare: func(t *testing.T, dir, _ string) string {
		path := filepath.Join(dir, "nvad.toml")
		must(t, os.WriteFile(path, []byte(before), 0o600), os.Chmod(dir, 0o770))
		return path
	}},
	{name: "directory of another user", want: "belongs to another user", root: true, prepare: func(t *testing.T, dir, _ string) string {
		path := filepath.Join(dir, "nvad.toml")
		must(t, os.WriteFile(path, []byte(before), 0o600), os.Chown(dir, 65534, 65534))
		return path
	}},
	{name: "file of another user in a directory of all", want: "belongs to another user", root: true, prepare: func(t *testing.T, dir, _ string) string {
		path := filepath.Join(dir, "nvad.toml")
		must(t, os.WriteFile(path, []byte(before), 0o600), os.Chown(path, 65534, 65534), os.Chmod(dir, 0o777|fs.ModeSticky))
		return path
	}},
}

// TestRestoreElsewhere: neither a daemon nor somebody who can write near the file can make
// nvactl write another file, by rollback or by config restore.
func TestRestoreElsewhere(t *testing.T) {
	for _, tt := range elsewhere {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root && os.Getuid() != 0 {
				t.Skip("only root can make that file")
			}
			dir := ownDirectory(t)
			victim := filepath.Join(ownDirectory(t), "victim")
			must(t, os.WriteFile(victim, []byte("precious"), 0o600))
			d := hub00()
			d.File = victim
			socket := serve(t, d)
			args := []string{"config", "restore"}
			if path := tt.prepare(t, dir, victim); path != "" {
				args = append(args, "--config", path)
			}
			if r := nvactl(t, socket, args...); r.code != 1 || !strings.Contains(r.err, tt.want) {
				t.Errorf("config restore: %+v", r)
			}
			if r := nvactl(t, socket, append([]string{"rollback"}, args[2:]...)...); r.code != 0 || !strings.Contains(r.err, tt.want) {
				t.Errorf("rollback: %+v", r)
			}
			for path, want := range map[string]string{victim: "precious", filepath.Join(dir, "nvad.toml"): before} {
				if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
					continue
				}
				if text, err := os.ReadFile(path); err != nil || string(text) != want {
					t.Errorf("%s holds %q, %v", path, text, err)
				}
			}
			if left, err := os.ReadDir(filepath.Dir(victim)); err != nil || len(left) != 1 {
				t.Errorf("beside the victim: %v, %v", left, err)
			}
		})
	}
}

// TestRestoreNoConfiguration: nvactl writes nothing that is no valid configuration.
func TestRestoreNoConfiguration(t *testing.T) {
	path := filepath.Join(ownDirectory(t), "nvad.toml")
	must(t, os.WriteFile(path, []byte(before), 0o600))
	d := hub00()
	d.TOML = "root::0:0::/:/bin/sh\n"
	if r := nvactl(t, serve(t, d), "config", "restore", "-c", path); r.code != 1 || !strings.Contains(r.err, "nvad sent a text that is no valid configuration") {
		t.Errorf("got %+v", r)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != before {
		t.Errorf("%q, %v", text, err)
	}
}
