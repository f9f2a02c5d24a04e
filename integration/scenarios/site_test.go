package scenarios

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/integration/lab"
)

// fromVNet and fromSite are the traffic of site-to-hub.
var (
	fromVNet = lab.Flow{From: "vm-hub00-b", To: "192.168.60.10"}
	fromSite = lab.Flow{From: "site-host", To: "10.0.0.5"}
)

// TestSiteToHub: a site behind NAT reaches its hub through WireGuard and the internet. One NVA of
// the hub is enough, whichever it is, and the site's public address may change.
func TestSiteToHub(t *testing.T) {
	l := lab.UpScenario(t, "site-to-hub")
	awaitSite(t, l, "203.0.113.9")
	show(t, l)
	for _, f := range []lab.Flow{fromVNet, fromSite} {
		noLoss(t, l, f.From, f.To)
	}
	t.Run("nothing in the clear", func(t *testing.T) { testInternet(t, l) })
	t.Run("vm-hub00 stopped", func(t *testing.T) { testSiteDeath(t, l, "vm-hub00", l.StopNVA, l.StartNVA) })
	t.Run("vm-hub00-2 killed", func(t *testing.T) { testSiteDeath(t, l, "vm-hub00-2", l.KillNVA, l.StartNVA) })
	t.Run("vm-hub00 silent", func(t *testing.T) { testSiteDeath(t, l, "vm-hub00", l.LinkDown, l.LinkUp) })
	t.Run("another address of the NAT", func(t *testing.T) {
		bothWays(t, l, "the move", func() { move(t, l, "203.0.113.77") })
		awaitSite(t, l, "203.0.113.77")
	})
}

// testSiteDeath lets an NVA of the hub die while packets pass, and return.
func testSiteDeath(t *testing.T, l *lab.Lab, victim string, die, revive func(string) error) {
	bothWays(t, l, "death", func() { each(t, []string{victim}, die) })
	bothWays(t, l, "return", func() { each(t, []string{victim}, revive) })
	awaitSite(t, l, "203.0.113.9")
}

// bothWays runs do while packets pass from both sides. It fails the test if nothing got through
// for too long.
func bothWays(t *testing.T, l *lab.Lab, what string, do func()) {
	t.Helper()
	var inner time.Duration
	outer := during(t, l, fromVNet, func() { inner = during(t, l, fromSite, do) })
	t.Logf("%s: %v without traffic from the VNet, %v from the site", what, outer, inner)
	if longest := max(outer, inner); longest > mostOutage {
		t.Errorf("%s: nothing got through for %v", what, longest)
	}
}

// awaitSite waits until both NVAs of the hub have found the site behind an address, the site uses
// both, and so does the VNet.
func awaitSite(t *testing.T, l *lab.Lab, address string) {
	t.Helper()
	lab.Eventually(t, 30*time.Second, func() error {
		for _, nva := range []string{"vm-hub00", "vm-hub00-2"} {
			if out, err := l.Step(t.Context(), nva+"# nvactl tunnels site"); err != nil || !strings.Contains(out, address+":") {
				return fmt.Errorf("%s does not see the site at %s: %s %v", nva, address, out, err)
			}
		}
		for node, prefix := range map[string]string{"site": "10.0.0.0/16", "net-hub00": "192.168.60.0/24"} {
			if out, err := l.Output(node, "ip", "route", "show", prefix); err != nil || strings.Count(out, "nexthop") != 2 {
				return fmt.Errorf("%s has %q: %v", node, out, err)
			}
		}
		return nil
	})
}

// move gives the NAT another address, as a provider does.
func move(t *testing.T, l *lab.Lab, address string) {
	t.Helper()
	for _, command := range []string{
		"addr flush dev wan", "addr add " + address + "/24 dev wan", "route add default via 203.0.113.1",
	} {
		l.Exec(t, "site-nat", append([]string{"ip"}, strings.Fields(command)...)...)
	}
}

// testInternet reads every packet that passes between the site and the hub: all are WireGuard's,
// and what is inside can't be read.
func testInternet(t *testing.T, l *lab.Lab) {
	const count, marker = 10, "read by nobody.."
	traffic := func() {
		out := l.Exec(t, fromSite.From, "ping", "-q", "-c", fmt.Sprint(count), "-i", "0.02", "-W", "1", "-s", "256", "-p", fmt.Sprintf("%x", marker), fromSite.To)
		if !strings.Contains(out, " 0% packet loss") {
			t.Errorf("while capturing:\n%s", out)
		}
	}
	readable := 0
	l.Capture(t, fromSite.From, "eth0", traffic, func(p []byte, _ bool) {
		if bytes.Contains(p, []byte(marker)) {
			readable++
		}
	})
	if readable < 2*count {
		t.Fatalf("only %d packets are readable within the site: this test could not fail", readable)
	}
	encrypted := 0
	l.Capture(t, "internet", "eth0", traffic, func(p []byte, _ bool) {
		switch {
		case p[12] == 8 && p[13] == 6: // ARP
		case bytes.Contains(p, []byte(marker)) || !isWireGuard(p):
			t.Errorf("in the clear on the internet: %x", p)
		default:
			encrypted++
		}
	})
	if encrypted < 2*count {
		t.Errorf("%d encrypted packets, want at least %d", encrypted, 2*count)
	}
}

// isWireGuard reports whether an Ethernet frame has UDP over IPv4 from or to WireGuard's port of an
// NVA of the hub.
func isWireGuard(p []byte) bool {
	if len(p) < 14+20+8 || p[12] != 8 || p[13] != 0 || p[14] != 0x45 || p[14+9] != unix.IPPROTO_UDP {
		return false
	}
	hub := netip.MustParsePrefix("198.51.100.0/24")
	at := func(address, port int) bool {
		return hub.Contains(netip.AddrFrom4([4]byte(p[address:address+4]))) && p[port] == 51820>>8 && p[port+1] == 51820&0xff
	}
	return at(14+12, 14+20) || at(14+16, 14+22)
}
