package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

var debs struct {
	sync.Mutex
	paths map[string]string
}

// Deb builds the Debian package of this tree, as `make deb` does, with a version
// of the caller's choice, once per test binary. [lab.Main] removes it.
func Deb(t testing.TB, version string) string {
	t.Helper()
	debs.Lock()
	defer debs.Unlock()
	if path, ok := debs.paths[version]; ok {
		return path
	}
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(lab.BuildDir(), "deb-"+version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := BuildDeb(t, root, dir, version)
	if debs.paths == nil {
		debs.paths = map[string]string{}
	}
	debs.paths[version] = path
	return path
}

// BuildDeb builds the package of the tree at root into dir and returns its path.
func BuildDeb(t testing.TB, root, dir, version string) string {
	t.Helper()
	cmd := exec.Command("make", "-s", "-C", root, "deb", "DIST="+dir, "VERSION=v"+version, "DEB_VERSION="+version, "SOURCE_DATE_EPOCH=1700000000")
	if err := lab.AsInvoker(cmd, dir); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make deb: %v\n%s", err, out)
	}
	return filepath.Join(dir, "nvad_"+version+"_"+runtime.GOARCH+".deb")
}
