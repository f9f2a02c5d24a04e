package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// TestReplace: a directory that a release or a repository would replace must be one that these
// scripts made, and is there as a whole, the old or the new one.
func TestReplace(t *testing.T) {
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		prepare, want string
	}{
		"absent":      {"", "new"},
		"empty":       {"mkdir out", "new"},
		"made before": {"mkdir out; touch out/nvad.gpg; echo old >out/file", "new"},
		"foreign":     {"mkdir out; echo mine >out/file", "mine"},
		"a file":      {"echo mine >out", "mine"},
		"new is gone": {"mkdir out; touch out/nvad.gpg; echo old >out/file; rm -r new", "old"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command("sh", "-ec", "mkdir new work; echo new >new/file; "+c.prepare+"\n. "+filepath.Join(root, "packaging/replace.sh")+
				"\n! foreign out && replace new out work 2>/dev/null || true; [ -f out ] && cat out || cat out/file")
			cmd.Dir = dir
			out, err := cmd.Output()
			if err != nil || strings.TrimSpace(string(out)) != c.want {
				t.Errorf("%v: out has %q, want %q", err, out, c.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "out")); err != nil {
				t.Error(err)
			}
		})
	}
}
