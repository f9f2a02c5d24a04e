package bfd

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	netbed "github.com/nvad/nvad/integration/bed"
)

// lan is two hosts and a router. The hosts share one link, and each has a link to the router,
// so that there is a path of one hop and one of two. The names are full namespace names.
type lan struct {
	*netbed.Bed
	near, far, router string
}

// Addresses: near has .1, far has .2 (or ::1, ::2).
var (
	direct   = [2]netip.Addr{netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.77.0.2")}
	direct6  = [2]netip.Addr{netip.MustParseAddr("2001:db8:77::1"), netip.MustParseAddr("2001:db8:77::2")}
	distant  = [2]netip.Addr{netip.MustParseAddr("10.77.1.1"), netip.MustParseAddr("10.77.2.2")}
	distant6 = [2]netip.Addr{netip.MustParseAddr("2001:db8:77:1::1"), netip.MustParseAddr("2001:db8:77:2::2")}
)

func newLAN(t *testing.T) lan {
	t.Helper()
	b := netbed.New(t, "near", "far", "router")
	n := lan{b, b.NS("near"), b.NS("far"), b.NS("router")}
	for _, name := range []string{"near", "far", "router"} {
		b.In(name, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	}
	n.joinDirect()
	for i, name := range []string{"near", "far"} {
		own, other := i+1, 2-i
		subnet, subnet6 := fmt.Sprintf("10.77.%d.", own), fmt.Sprintf("2001:db8:77:%d::", own)
		b.Join(name, "wide", []string{fmt.Sprint(subnet, own, "/24"), fmt.Sprint(subnet6, own, "/64")},
			"router", name, []string{subnet + "9/24", subnet6 + "9/64"})
		b.Batch(name, fmt.Sprintf("route add 10.77.%d.0/24 via %s9", other, subnet), fmt.Sprintf("route add 2001:db8:77:%d::/64 via %s9", other, subnet6))
	}
	return n
}

// joinDirect creates the link between the hosts.
func (n lan) joinDirect() {
	n.Join("near", "direct", []string{"10.77.0.1/24", "2001:db8:77::1/64"}, "far", "direct", []string{"10.77.0.2/24", "2001:db8:77::2/64"})
}

// mute drops all BFD packets that leave a namespace, until unmute is called.
func mute(t *testing.T, space string) (unmute func()) {
	t.Helper()
	cmd := exec.Command("ip", "netns", "exec", space, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(`table inet bfdtest {
		chain out { type filter hook output priority 0; udp dport { 3784, 4784 } drop; }
	}`)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
	return func() { sh(t, "ip netns exec "+space+" nft delete table inet bfdtest") }
}

// sh runs a command. Its arguments may not contain spaces.
func sh(t *testing.T, command string) string {
	t.Helper()
	argv := strings.Fields(command)
	out, err := netbed.Try(exec.Command(argv[0], argv[1:]...))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// inside returns a command in a namespace. It runs at a higher priority than the machine's
// other load, as routing daemons do: a starved daemon rightly flaps its peer.
func inside(space string, argv ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", space, "nice", "-n", "-15"}, argv...)...)
}

// process is a daemon in the foreground.
type process struct{ cmd *exec.Cmd }

func spawn(t *testing.T, space string, argv ...string) *process {
	t.Helper()
	p := &process{inside(space, argv...)}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// kill sends SIGKILL. It does nothing if the process has already ended.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// shortDir creates a directory whose path leaves room for the name of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bfd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
