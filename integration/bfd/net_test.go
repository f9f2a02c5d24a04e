package bfd

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// lan is two hosts and a router: the hosts share one link, and each has one to the
// router, so that there is a path of one hop and one of two.
type lan struct{ near, far, router string }

// Addresses: near has .1, far has .2 (or ::1, ::2).
var (
	direct   = [2]netip.Addr{netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.77.0.2")}
	direct6  = [2]netip.Addr{netip.MustParseAddr("2001:db8:77::1"), netip.MustParseAddr("2001:db8:77::2")}
	distant  = [2]netip.Addr{netip.MustParseAddr("10.77.1.1"), netip.MustParseAddr("10.77.2.2")}
	distant6 = [2]netip.Addr{netip.MustParseAddr("2001:db8:77:1::1"), netip.MustParseAddr("2001:db8:77:2::2")}
)

// lans counts them: those of parallel tests stand side by side.
var lans atomic.Int32

func newLAN(t *testing.T) lan {
	t.Helper()
	lab.RequireRoot(t)
	id := fmt.Sprintf("bfd%d-%d", os.Getpid(), lans.Add(1))
	n := lan{id + "n", id + "f", id + "r"}
	for _, space := range []string{n.near, n.far, n.router} {
		sh(t, "ip netns add "+space)
		t.Cleanup(func() { sh(t, "ip netns del "+space) })
		sh(t, "ip -n "+space+" link set lo up")
		sh(t, "ip netns exec "+space+" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
	}
	n.joinDirect(t)
	link(t, n.near, "wide", "10.77.1.1/24 2001:db8:77:1::1/64", n.router, "near", "10.77.1.9/24 2001:db8:77:1::9/64")
	link(t, n.far, "wide", "10.77.2.2/24 2001:db8:77:2::2/64", n.router, "far", "10.77.2.9/24 2001:db8:77:2::9/64")
	for space, net := range map[string][2]string{n.near: {"2", "1"}, n.far: {"1", "2"}} {
		sh(t, fmt.Sprintf("ip -n %s route add 10.77.%s.0/24 via 10.77.%s.9", space, net[0], net[1]))
		sh(t, fmt.Sprintf("ip -n %s route add 2001:db8:77:%s::/64 via 2001:db8:77:%s::9", space, net[0], net[1]))
	}
	return n
}

// joinDirect makes the link between the hosts.
func (n lan) joinDirect(t *testing.T) {
	t.Helper()
	link(t, n.near, "direct", "10.77.0.1/24 2001:db8:77::1/64", n.far, "direct", "10.77.0.2/24 2001:db8:77::2/64")
}

// link joins two namespaces, the ends with their addresses.
func link(t *testing.T, a, nameA, addrsA, b, nameB, addrsB string) {
	t.Helper()
	sh(t, fmt.Sprintf("ip link add %s netns %s type veth peer name %s netns %s", nameA, a, nameB, b))
	for _, end := range [][3]string{{a, nameA, addrsA}, {b, nameB, addrsB}} {
		for _, address := range strings.Fields(end[2]) {
			command := fmt.Sprintf("ip -n %s addr add %s dev %s", end[0], address, end[1])
			if strings.Contains(address, "::") {
				command += " nodad"
			}
			sh(t, command)
		}
		sh(t, fmt.Sprintf("ip -n %s link set %s up", end[0], end[1]))
	}
}

// mute drops all BFD packets that leave a namespace; the returned function ends it.
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

// sh runs a command whose words have no blanks.
func sh(t *testing.T, command string) string {
	t.Helper()
	argv := strings.Fields(command)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// inside is a command in a namespace. It runs above the machine's other
// load, as routing daemons do: a starved one flaps its peer, rightly.
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

// kill is SIGKILL; a process that has ended stays so.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// shortDir is a directory whose path leaves room for the name of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bfd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
