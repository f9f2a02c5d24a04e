package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// Signer signs apt repositories with a key of GnuPG that exists during one test.
type Signer struct {
	home, key string
}

// NewSigner makes a key.
func NewSigner(t testing.TB) Signer {
	t.Helper()
	lab.RequireCommands(t, "make", "aptly", "gpg", "gpg-agent")
	s := Signer{home: t.TempDir()}
	if err := os.Chmod(s.home, 0o700); err != nil {
		t.Fatal(err)
	}
	s.run(t, "gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "test", "ed25519", "sign", "1d")
	t.Cleanup(func() { s.run(t, "gpgconf", "--kill", "gpg-agent") })
	for line := range strings.Lines(s.run(t, "gpg", "--batch", "--list-secret-keys", "--with-colons")) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			s.key = fields[9]
			break
		}
	}
	return s
}

// Repository makes an apt repository of packages, as `make apt-repo` does, and returns its
// directory. The key to trust is the file nvad.gpg in it.
func (s Signer) Repository(t testing.TB, debs ...string) string {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dist := t.TempDir()
	if err := lab.AsInvoker(exec.Command("true"), dist); err != nil {
		t.Fatal(err)
	}
	s.run(t, "make", "-s", "-C", root, "apt-repo", "KEY="+s.key, "DEBS="+strings.Join(debs, " "), "DIST="+dist)
	return filepath.Join(dist, "apt")
}

// run runs a program as the owner of the key, and returns its standard output.
func (s Signer) run(t testing.TB, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "GNUPGHOME="+s.home)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	err := lab.AsInvoker(cmd, s.home)
	var out []byte
	if err == nil {
		out, err = cmd.Output()
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, stderr.String())
	}
	return string(out)
}
