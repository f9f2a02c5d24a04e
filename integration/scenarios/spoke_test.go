package scenarios

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/router"
)

// TestSpokeAdvertise: the NVA announces a spoke's prefix for which it has no route itself, and
// traffic between on-premises and the spoke passes through it in both directions.
func TestSpokeAdvertise(t *testing.T) {
	t.Parallel()
	l := lab.UpScenario(t, "spoke-advertise")
	show(t, l)
	t.Run("announced", func(t *testing.T) {
		for i := range 2 {
			r := received(t, l, "hub00", i, "10.0.0.4", "10.10.0.0/16")
			if r.Path() != "65001" || r.NextHop.String() != "10.0.0.4" || !r.Accepted {
				t.Errorf("instance %d was sent %+v", i, r)
			}
			wantSeen(t, l, "hub00", i, "10.0.0.4", "10.10.0.0/16")
		}
	})
	t.Run("paths", func(t *testing.T) {
		wantHops(t, l, "vm-hub100", "* 10.0.0.4 10.10.0.4")
		wantHops(t, l, "vm-spoke10", "10.0.0.4 * 10.100.0.4")
		noLoss(t, l, "vm-hub100", "10.10.0.4")
		noLoss(t, l, "vm-spoke10", "10.100.0.4")
	})
	t.Run("effective routes", func(t *testing.T) {
		wantEffective(t, l, "vm-hub100", `
			Default                 | Active | 10.100.0.0/16 | Virtual network         | -           | -
			Virtual network gateway | Active | 10.0.0.0/16   | Virtual network gateway | 10.2.146.76 | -
			Virtual network gateway | Active | 10.0.0.0/16   | Virtual network gateway | 10.2.146.77 | -
			Virtual network gateway | Active | 10.10.0.0/16  | Virtual network gateway | 10.2.146.76 | -
			Virtual network gateway | Active | 10.10.0.0/16  | Virtual network gateway | 10.2.146.77 | -`)
		wantEffective(t, l, "vm-spoke10", `
			Default | Active | 10.10.0.0/16  | Virtual network   | -        | -
			Default | Active | 10.0.0.0/16   | VNet peering      | -        | -
			User    | Active | 10.100.0.0/16 | Virtual appliance | 10.0.0.4 | to-onprem`)
	})
	t.Run("no route of the kernel's", func(t *testing.T) {
		if out, err := l.Output("vm-hub00", "ip", "route", "show", "exact", "10.10.0.0/16"); err != nil || out != "" {
			t.Errorf("the announced prefix has the route %q, %v", out, err)
		}
	})
}

// received returns the route for a prefix that an NVA announces to a Route Server instance.
func received(t *testing.T, l *lab.Lab, vnet string, instance int, nva, prefix string) router.Route {
	t.Helper()
	routes, err := l.RouteServer(vnet, instance).Received(t.Context(), netip.MustParseAddr(nva))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		if r.Prefix.String() == prefix {
			return r
		}
	}
	t.Fatalf("instance %d of %s is not sent %s but\n%s", instance, vnet, prefix, lab.RouteTable(routes))
	return router.Route{}
}

// wantSeen checks that an NVA has announced these prefixes to a Route Server instance and
// never any other.
func wantSeen(t *testing.T, l *lab.Lab, vnet string, instance int, nva string, want ...string) {
	t.Helper()
	seen, err := l.RouteServer(vnet, instance).Seen(t.Context(), netip.MustParseAddr(nva))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range seen {
		got = append(got, p.String())
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("instance %d of %s was at some time sent %v, want %v", instance, vnet, got, want)
	}
}
