package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// FirstRelease is the version that PreviousDeb gives this tree while there is no release.
const FirstRelease = "0.1.0"

// PreviousDeb builds the package of the release before this commit, from its tag, and returns
// its path and version. Before the first release, or in a copy of the tree without tags, it
// builds this tree as [FirstRelease].
func PreviousDeb(t testing.TB) (path, version string) {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	// When root works in another user's tree, git reads it only if it is told so.
	git := func(args ...string) *exec.Cmd {
		return exec.Command("git", append([]string{"-c", "safe.directory=*", "-C", root}, args...)...)
	}
	out, err := git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^").Output()
	tag := strings.TrimSpace(string(out))
	if err != nil {
		t.Logf("there is no release before this commit: this tree is built as %s", FirstRelease)
		return Deb(t, FirstRelease), FirstRelease
	}
	version = strings.TrimPrefix(tag, "v")
	tree, dir := t.TempDir(), filepath.Join(lab.BuildDir(), "deb-"+version)
	archive, unpack := git("archive", tag), exec.Command("tar", "-x", "-C", tree)
	if unpack.Stdin, err = archive.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := lab.AsInvoker(unpack, tree); err != nil {
		t.Fatal(err)
	}
	if err := unpack.Start(); err != nil {
		t.Fatal(err)
	}
	if err := archive.Run(); err != nil {
		t.Fatalf("tree of %s: %v", tag, err)
	}
	if err := unpack.Wait(); err != nil {
		t.Fatalf("unpack %s: %v", tag, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return BuildDeb(t, tree, dir, version), version
}
