package lifecycle

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// The secrets of TestSecrets: one in the configuration file, one in a password file and one
// that systemd passes, and the values that they are changed to.
var secrets = []string{"rosebud-inline", "xanadu-in-a-file", "kane-of-systemd", "rosebud-changed", "xanadu-changed"}

// shown collects everything that somebody may read about nvad.
type shown struct {
	*bed
	text strings.Builder
}

func (s *shown) add(what, text string) { fmt.Fprintf(&s.text, "== %s\n%s\n", what, text) }

// ask adds the output of a command as text and as JSON, whether it succeeds or not.
func (s *shown) ask(command string) {
	s.Helper()
	for _, args := range []string{command, command + " -o json"} {
		r := s.ctl(strings.Fields(args)...)
		s.add("nvactl "+args, r.out+r.err)
	}
}

// TestSecrets looks for TCP-MD5 keys in everything that nvad shows with the log at debug
// level: command output, errors, log and history.
func TestSecrets(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.must(os.Mkdir(b.Dir+"/credentials", 0o700))
	b.Write("credentials/bgp-key", secrets[2]+"\n")
	b.Write("key", secrets[1]+"\n")
	b.frr(peer1, frrOptions{password: secrets[0]})
	b.frr(peer2, frrOptions{password: secrets[2]})
	const third = "10.0.0.3"
	file := func(inline string) settings {
		s := ordinary(open(peer1, "password = "+inline), open(peer2, `password-file = "bgp-key"`),
			open(third, fmt.Sprintf("password-file = %q", b.Dir+"/key")))
		s.daemon = []string{`log-level = "debug"`}
		return s
	}
	b.configure(file(fmt.Sprintf("%q", secrets[0])))
	n := b.launch([]string{"CREDENTIALS_DIRECTORY=" + b.Dir + "/credentials"})
	n.Logs("msg=ready")
	b.up(peer1)
	b.up(peer2) // with the key that systemd passed

	s := &shown{bed: b}
	s.ask("reload")
	b.Write("key", secrets[4]+"\n")
	b.configure(file(fmt.Sprintf("%q", secrets[3])))
	for _, command := range []string{
		"reload --dry-run", "config diff " + b.config, "config diff", "reload --confirm 5m", "rollback --config " + b.config, "config history", "config diff --from 1 --to 2",
		"config show", "config show --expanded", "config show --version 1", "config show --version 2", "status", "neighbors",
		"neighbors " + peer1, "neighbors " + third, "routes", "version",
	} {
		s.ask(command)
	}
	for _, value := range []string{secrets[3], `"` + secrets[3], `["` + secrets[3] + `"]`, `"` + strings.Repeat(secrets[3], 9) + `"`} {
		b.configure(file(value))
		s.ask("reload")
		s.ask("config check " + b.config)
		check := b.run(lab.Build(t, "./cmd/nvad"), "check", b.config)
		if check.code != 1 {
			t.Errorf("accepted: password = %s", value)
		}
		s.add("nvad check", check.out+check.err)
	}
	s.add("log", b.Read(n.Log))
	for _, secret := range secrets {
		for line := range strings.Lines(s.text.String()) {
			if strings.Contains(line, secret) {
				t.Errorf("%q is shown: %s", secret, line)
			}
		}
	}
	if !strings.Contains(s.text.String(), "level=DEBUG") || !strings.Contains(s.text.String(), "password: changed") {
		t.Errorf("the test looked at too little:\n%s", s.text.String())
	}
	b.keptSafe()
}

// keptSafe fails the test if the history contains the content of password files, or can be
// read by others.
func (b *bed) keptSafe() {
	b.Helper()
	texts := 0
	b.must(filepath.WalkDir(filepath.Join(filepath.Dir(b.socket), "history"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			b.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		if d.IsDir() {
			return nil
		}
		texts++
		text, err := os.ReadFile(path)
		for _, secret := range []string{secrets[1], secrets[2], secrets[4]} {
			if strings.Contains(string(text), secret) {
				b.Errorf("%s contains the content of a password file", path)
			}
		}
		return err
	}))
	if texts < 3 {
		b.Errorf("%d files in the history", texts)
	}
}
