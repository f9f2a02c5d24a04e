package lab_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestNVAInPeeredVNet checks that a Route Server peers with an NVA in a peered VNet and
// programs its routes, and that packets get there.
func TestNVAInPeeredVNet(t *testing.T) {
	nva := netip.MustParseAddr("10.10.0.4")
	l := lab.Up(t, lab.Options{Scenario: "dual-homed", NVAs: map[string]lab.NVA{
		"vm-hub10": birdNVA(t, nva, 65001, announcement{"10.200.0.0/16", ""}),
	}})
	lab.Eventually(t, 20*time.Second, func() error {
		if hops, _ := effective(t, l, "vm-spoke00", "10.200.0.0/16"); hops != "10.10.0.4" {
			return fmt.Errorf("next hops of 10.200.0.0/16 are %q", hops)
		}
		return nil
	})
	if hops, ok := effective(t, l, "vm-hub10", "10.200.0.0/16"); ok {
		t.Errorf("the NVA's own VNet has the route through %s, although the NVA announces nothing to its Route Server", hops)
	}
	l.AwaitFirstHop(t, "vm-spoke00", "10.200.0.1", "10.10.0.4")
}

// TestRemoteGateway checks that a hub's gateway announces the spokes that use it, and that the
// spokes get the routes that it learns.
func TestRemoteGateway(t *testing.T) {
	l := lab.Up(t, lab.Options{Scenario: "expressroute-hairpin"})
	l.AwaitSessions(t, 20*time.Second)
	lab.Eventually(t, 10*time.Second, func() error {
		for _, node := range []string{"vm-hub00", "vm-spoke10", "vm-spoke20"} {
			for _, prefix := range []string{"10.100.0.0/16", "10.110.0.0/16", "10.120.0.0/16"} {
				if hops, _ := effective(t, l, node, prefix); hops != "10.2.146.76 10.2.146.77" {
					return fmt.Errorf("%s: next hops of %s are %q", node, prefix, hops)
				}
			}
		}
		return nil
	})
	if hops, ok := effective(t, l, "vm-spoke10", "10.20.0.0/16"); ok {
		t.Errorf("a spoke learns the other spoke of its hub, by %s", hops)
	}
	l.AwaitAnswer(t, "vm-spoke10", "10.110.0.5")
}

// TestUserRoutes checks that a user-defined route applies only to its own subnet, wins over a
// peering, and leads to a next hop in a peered VNet whatever that VNet's own routes are.
func TestUserRoutes(t *testing.T) {
	l := lab.Up(t, lab.Options{Scenario: "spoke-advertise"})
	l.AwaitSessions(t, 20*time.Second)
	lab.Eventually(t, 10*time.Second, func() error {
		_, err := l.Output("vm-hub00", "ping", "-c", "1", "-W", "1", "10.100.0.4")
		return err
	})
	l.Exec(t, "vm-hub00", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	t.Run("next hop in a peered VNet", func(t *testing.T) {
		l.AwaitFirstHop(t, "vm-spoke10", "10.100.0.4", "10.0.0.4")
	})
	t.Run("own subnet only", func(t *testing.T) {
		for node, want := range map[string]string{"ergw-hub00": "10.0.0.4", "vm-hub00": ""} {
			if hops, _ := effective(t, l, node, "10.10.0.0/16"); hops != want {
				t.Errorf("%s: next hop of the spoke is %q, want %q", node, hops, want)
			}
		}
		for from, want := range map[string]string{"10.0.200.4 iif ergw-hub00": "via 10.0.0.4 ", "10.0.0.4 iif vm-hub00": "dev peer-spoke10"} {
			argv := append([]string{"ip", "route", "get", "10.10.0.4", "from"}, strings.Fields(from)...)
			if out := l.Exec(t, "net-hub00", argv...); !strings.Contains(out, want) {
				t.Errorf("packets from %s take %q, want %q", from, out, want)
			}
		}
	})
	t.Run("not the peer's routes", func(t *testing.T) {
		routes, err := l.EffectiveRoutes(t.Context(), "vm-spoke10")
		if err != nil {
			t.Fatal(err)
		}
		if len(routes) != 3 {
			t.Errorf("the spoke has more than its own route, the peering's and the user-defined one:\n%s", lab.EffectiveTable(routes))
		}
	})
}
