package lifecycle

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nvad/nvad/integration/lab"
)

// TestCommands runs every command that shows something, as JSON and as a table of at most 80
// columns.
func TestCommands(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.plant()
	b.ip("route add default via 9.0.0.2 dev foreign0") // learned routes would divert from it
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16", "10.101.0.0/16", "169.254.169.254/32"}})
	s := ordinary(neighborSettings{peer1, []string{`import = { prefix-list = "in" }`, `export = "accept"`}},
		neighborSettings{peer2, nil})
	s.rest = "[prefix-list]\nin = [\"deny 10.101.0.0/16\", \"permit any\"]\n"
	b.configure(s)
	b.start()
	b.up(peer1)
	b.routed("10.100.0.0/16")
	f.knows("10.20.0.0/16")
	for _, c := range []struct{ command, want string }{
		{"status", "1 of 2 established"},
		{"neighbors", "Established"},
		{"neighbors " + peer1, "prefix-list in"},
		{"neighbors " + peer2, "RFC 8212"},
		{"routes", "*>  10.100.0.0/16"},
		{"routes 10.100.0.0/16", "via 10.0.0.1 dev eth0"},
		{"routes received " + peer1, "10.101.0.0/16"},
		{"routes accepted " + peer1, "10.100.0.0/16"},
		{"routes rejected " + peer1, "prefix-list in seq 5 deny 10.101.0.0/16"},
		{"routes advertised " + peer1, "10.20.0.0/16"},
		{"routes received " + peer2, ""},
		{"routes fib", "Azure's metadata service"},
		{"tunnels", "vxlan0"},
		{"tunnels vxlan0", "00:00:00:00:00:00"},
		{"config show", "router-id"},
		{"reload", "Nothing changed."},
		{"reset " + peer1 + " --soft in", "import policy applied again"},
		{"log-level debug", "debug"},
		{"version", "nvad"},
	} {
		text := b.tell(c.command)
		t.Logf("$ nvactl %s\n%s", c.command, text)
		b.must(contains(text, c.want))
		for line := range strings.Lines(text) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("nvactl %s: more than 80 columns: %s", c.command, line)
			}
		}
		if out := b.tell(c.command + " -o json"); !json.Valid([]byte(out)) {
			t.Errorf("nvactl %s -o json: %s", c.command, out)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		b.must(contains(b.tell("completion "+shell), "nvactl"))
	}
}

// TestRefusedCommands makes mistakes. Each produces one line on stderr.
func TestRefusedCommands(t *testing.T) {
	t.Parallel()
	lab.RequireCommands(t, "setpriv")
	b := newBed(t)
	refused := func(want string, argv ...string) {
		t.Helper()
		r := b.run(append(argv, "--socket", b.socket)...)
		t.Logf("%s", r.err)
		if r.code != 1 || r.out != "" || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%v: %+v", argv[1:], r)
		}
	}
	ctl := lab.Build(t, "./cmd/nvactl")
	refused("nvad is not running", ctl, "status")
	b.configure(ordinary(open(peer1)))
	b.start()
	refused("neighbor 10.0.0.9 is not configured", ctl, "neighbors", "10.0.0.9")
	refused("neighbor 10.0.0.9 is not configured", ctl, "routes", "received", "10.0.0.9")
	refused("neighbor 10.0.0.9 is not configured", ctl, "routes", "advertised", "10.0.0.9")
	refused("tunnel vxlan9 is not configured", ctl, "tunnels", "vxlan9")
	refused("neighbor 10.0.0.1 is not established", ctl, "reset", peer1, "--soft", "out")
	refused("unknown command", ctl, "neighbrs")

	b.must(os.Chmod(lab.Build(t, "./cmd/nvactl"), 0o755))
	nobody := []string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", ctl}
	refused("no permission to open", append(nobody, "status")...)
	b.must(os.Chmod(b.socket, 0o666))
	b.tell("status")
	refused("nvad-admin", append(nobody, "reload")...)
}
