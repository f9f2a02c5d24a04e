package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

const version = "0.1.0"

// tree is a repository with a copy of this tree, whose directory other releases do not share,
// and the home of a GnuPG that has one key.
type tree struct {
	*testing.T
	dir, gnupg, key string
	env             []string // in addition to the environment of the test
}

// newTree copies this tree as it is, committed or not, and commits it.
func newTree(t *testing.T) *tree {
	t.Helper()
	lab.RequireCommands(t, "make", "git", "gpg", "gpg-agent", "dpkg-deb")
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	r := &tree{T: t, dir: t.TempDir(), gnupg: t.TempDir()}
	if err := os.Chmod(r.gnupg, 0o700); err != nil {
		t.Fatal(err)
	}
	r.env = []string{"GNUPGHOME=" + r.gnupg}
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		r.env = append(r.env, "GIT_"+who+"_NAME=t", "GIT_"+who+"_EMAIL=t@example.org")
	}
	if err := lab.AsInvoker(exec.Command("true"), r.gnupg); err != nil {
		t.Fatal(err)
	}
	r.sh("gpg --batch --quiet --passphrase '' --quick-generate-key test ed25519 sign 1d")
	t.Cleanup(func() { r.sh("gpgconf --kill gpg-agent") })
	r.key = strings.TrimSpace(r.sh(`gpg --batch --list-secret-keys --with-colons 2>/dev/null | awk -F: '$1 == "fpr" {print $10}'`))
	r.sh("tar -C " + root + " --exclude=./.git --exclude=./bin --exclude=./dist -c . | tar -x --no-same-owner && git init -q && git add . && git commit -q -m x")
	return r
}

// clone returns the same commit in another directory.
func (r *tree) clone() *tree {
	r.Helper()
	other := *r
	other.dir = r.TempDir()
	other.sh("git -c safe.directory='*' clone -q " + r.dir + " .")
	return &other
}

// try runs a line of shell in the tree and returns its output.
func (r *tree) try(line string) (string, error) {
	r.Helper()
	cmd := exec.CommandContext(r.Context(), "sh", "-ec", line)
	if r.Context().Err() != nil { // during cleanup
		cmd = exec.Command("sh", "-ec", line)
	}
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), r.env...)
	if err := lab.AsInvoker(cmd, r.dir); err != nil {
		r.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// sh is try for a line that must succeed.
func (r *tree) sh(line string) string {
	r.Helper()
	out, err := r.try(line)
	if err != nil {
		r.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

// write replaces a file of the tree and commits it.
func (r *tree) write(path, text string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, path), []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
	r.sh("git commit -q -m x " + path)
}

func (r *tree) read(path string) string {
	r.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, path))
	if err != nil {
		r.Fatal(err)
	}
	return string(data)
}
