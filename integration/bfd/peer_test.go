package bfd

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/frrouting"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

// peer is another implementation of BFD, at the far end.
type peer interface {
	// start starts it with an interval for both directions and a multiplier of 3.
	start(t *testing.T, interval time.Duration)
	// change changes the interval of the running daemon.
	change(t *testing.T, interval time.Duration)
	// kill sends SIGKILL.
	kill()
	// shut takes the session administratively down; open brings it up again.
	shut(t *testing.T)
	open(t *testing.T)
	// show returns the daemon's view of the session, for failure messages.
	show(t *testing.T) string
	// up reports whether the daemon's session is up.
	up(t *testing.T) bool
}

// ends describes a BFD session from the peer's side.
type ends struct {
	rival         rivals.Rival
	space         string
	dir           string
	device        string // for a path of one hop
	local, remote netip.Addr
	multihop      bool
	test          *testing.T // owns the daemon: a step may restart it
	process       *process
}

func (e *ends) kill() { e.process.kill() }

type frr struct{ ends }

func newPeer(t *testing.T, e ends) peer {
	t.Helper()
	lab.RequireRival(t, e.rival)
	if e.rival.IsFRR() {
		return &frr{e}
	}
	return &bird{e}
}

// name returns the line that begins the peer in FRR's configuration.
func (f *frr) name() string {
	multihop := ""
	if f.multihop {
		multihop = "multihop "
	}
	return fmt.Sprintf("peer %s %slocal-address %s", f.remote, multihop, f.local)
}

func (f *frr) start(t *testing.T, interval time.Duration) {
	t.Helper()
	conf := filepath.Join(f.dir, "bfdd.conf")
	text := fmt.Sprintf("bfd\n %s\n  transmit-interval %[2]d\n  receive-interval %[2]d\n exit\nexit\n", f.name(), interval.Milliseconds())
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	err := frrouting.Start(f.rival, f.dir, []string{"bfdd"}, frrouting.Files(f.dir), func(_ string, argv ...string) error {
		f.process = spawn(f.test, f.space, argv...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (f *frr) vtysh(t *testing.T, commands ...string) string {
	t.Helper()
	var args []string
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	argv := frrouting.Vtysh(f.rival, f.dir, args...)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("vtysh: %v: %s", err, out)
	}
	return string(out)
}

func (f *frr) change(t *testing.T, interval time.Duration) {
	t.Helper()
	ms := interval.Milliseconds()
	f.vtysh(t, "configure terminal", "bfd", f.name(), fmt.Sprintf("transmit-interval %d", ms), fmt.Sprintf("receive-interval %d", ms))
}

func (f *frr) shut(t *testing.T) {
	t.Helper()
	f.vtysh(t, "configure terminal", "bfd", f.name(), "shutdown")
}

func (f *frr) open(t *testing.T) {
	t.Helper()
	f.vtysh(t, "configure terminal", "bfd", f.name(), "no shutdown")
}

func (f *frr) show(t *testing.T) string { t.Helper(); return f.vtysh(t, "show bfd peers") }

func (f *frr) up(t *testing.T) bool { t.Helper(); return strings.Contains(f.show(t), "Status: up") }

type bird struct{ ends }

func (b *bird) write(t *testing.T, interval time.Duration) string {
	t.Helper()
	options := fmt.Sprintf("min rx interval %[1]d ms; min tx interval %[1]d ms; multiplier 3; ", interval.Milliseconds())
	neighbor := fmt.Sprintf(`neighbor %s dev %q local %s;`, b.remote, b.device, b.local)
	if b.multihop {
		neighbor = fmt.Sprintf(`neighbor %s local %s multihop yes;`, b.remote, b.local)
	}
	text := fmt.Sprintf(`router id 10.77.0.2;
protocol device {}
protocol bfd bfd1 {
	interface "*" { %[1]s};
	multihop { %[1]s};
	%[2]s
}
`, options, neighbor)
	conf := filepath.Join(b.dir, "bird.conf")
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return conf
}

func (b *bird) start(t *testing.T, interval time.Duration) {
	t.Helper()
	socket := filepath.Join(b.dir, "bird.ctl")
	if err := os.RemoveAll(socket); err != nil {
		t.Fatal(err)
	}
	b.process = spawn(b.test, b.space, b.rival.Command("", b.rival.Daemon("bird"), "-f", "-c", b.write(t, interval),
		"-s", socket, "-P", filepath.Join(b.dir, "bird.pid"))...)
	lab.Eventually(t, 10*time.Second, func() error { _, err := os.Stat(socket); return err })
}

func (b *bird) birdc(t *testing.T, words ...string) string {
	t.Helper()
	argv := b.rival.Command("", append([]string{b.rival.Client(), "-s", filepath.Join(b.dir, "bird.ctl")}, words...)...)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("birdc: %v: %s", err, out)
	}
	return string(out)
}

func (b *bird) change(t *testing.T, interval time.Duration) {
	t.Helper()
	b.write(t, interval)
	b.birdc(t, "configure")
}

func (b *bird) shut(t *testing.T) { t.Helper(); b.birdc(t, "disable", "bfd1") }
func (b *bird) open(t *testing.T) { t.Helper(); b.birdc(t, "enable", "bfd1") }

func (b *bird) show(t *testing.T) string {
	t.Helper()
	return b.birdc(t, "show", "bfd", "sessions")
}

func (b *bird) up(t *testing.T) bool {
	t.Helper()
	return strings.Contains(b.show(t), " Up ")
}
