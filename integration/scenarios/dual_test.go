package scenarios

import (
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// TestDualHomed: through one NVA, each of two Route Servers learns what the other knows. The
// paths lack the AS number that both have, and neither learns its own routes back.
func TestDualHomed(t *testing.T) {
	t.Parallel()
	l := lab.UpScenario(t, "dual-homed")
	show(t, l)
	t.Run("announced", func(t *testing.T) {
		for i := range 2 {
			for _, want := range []struct{ vnet, prefix, path string }{
				{"spoke00", "192.168.100.0/24", "65001 12076 64580"},
				{"spoke00", "10.10.0.0/16", "65001"},
				{"hub10", "10.0.0.0/16", "65001"},
			} {
				r := received(t, l, want.vnet, i, "10.10.0.4", want.prefix)
				if r.Path() != want.path || r.NextHop.String() != "10.10.0.4" || !r.Accepted {
					t.Errorf("instance %d of %s was sent %+v, want path %s", i, want.vnet, r, want.path)
				}
			}
			wantSeen(t, l, "spoke00", i, "10.10.0.4", "10.10.0.0/16", "192.168.100.0/24")
			wantSeen(t, l, "hub10", i, "10.10.0.4", "10.0.0.0/16")
		}
	})
	t.Run("effective routes", func(t *testing.T) {
		wantEffective(t, l, "vm-spoke00", `
			Default                 | Active | 10.0.0.0/16      | Virtual network         | -         | -
			Default                 | Active | 10.10.0.0/16     | VNet peering            | -         | -
			Virtual network gateway | Active | 192.168.100.0/24 | Virtual network gateway | 10.10.0.4 | -`)
	})
	t.Run("the site learns the spoke", func(t *testing.T) { wantAtSite(t, l, "site-circuit01", "10.0.0.0/16", "10.10.0.0/16") })
	t.Run("paths", func(t *testing.T) {
		wantHops(t, l, "vm-spoke00", "10.10.0.4 * 192.168.100.4")
		// The peering is a system route and wins over what the NVA announces.
		wantHops(t, l, "site-circuit01", "* 10.0.0.4")
		noLoss(t, l, "vm-spoke00", "192.168.100.4")
		noLoss(t, l, "site-circuit01", "10.0.0.4")
	})
}

// TestSingleHomedUDR is like TestDualHomed, except that the spoke reaches each hub's site
// through user-defined routes, and the NVAs' configurations originate the spoke's prefix.
func TestSingleHomedUDR(t *testing.T) {
	t.Parallel()
	l := lab.UpScenario(t, "single-homed-udr")
	show(t, l)
	t.Run("announced", func(t *testing.T) {
		for vnet, nva := range map[string]string{"hub10": "10.10.0.4", "hub20": "10.20.0.4"} {
			for i := range 2 {
				r := received(t, l, vnet, i, nva, "10.0.0.0/16")
				if r.Path() != "65001" || r.NextHop.String() != nva || !r.Accepted {
					t.Errorf("instance %d of %s was sent %+v", i, vnet, r)
				}
				wantSeen(t, l, vnet, i, nva, "10.0.0.0/16")
			}
		}
	})
	t.Run("effective routes", func(t *testing.T) {
		wantEffective(t, l, "vm-spoke00", `
			Default | Active | 10.0.0.0/16      | Virtual network   | -         | -
			Default | Active | 10.10.0.0/16     | VNet peering      | -         | -
			Default | Active | 10.20.0.0/16     | VNet peering      | -         | -
			User    | Active | 192.168.100.0/24 | Virtual appliance | 10.10.0.4 | to-site1
			User    | Active | 192.168.200.0/24 | Virtual appliance | 10.20.0.4 | to-site2`)
	})
	t.Run("the sites learn the spoke", func(t *testing.T) {
		wantAtSite(t, l, "site-circuit01", "10.0.0.0/16", "10.10.0.0/16")
		wantAtSite(t, l, "site-circuit02", "10.0.0.0/16", "10.20.0.0/16")
	})
	t.Run("paths", func(t *testing.T) {
		wantHops(t, l, "vm-spoke00", "10.10.0.4 * 192.168.100.4")
		wantHops(t, l, "vm-spoke00", "10.20.0.4 * 192.168.200.4")
		noLoss(t, l, "site-circuit01", "10.0.0.4")
		noLoss(t, l, "site-circuit02", "10.0.0.4")
	})
}

// wantAtSite checks which prefixes a site has learned.
func wantAtSite(t *testing.T, l *lab.Lab, site string, want ...string) {
	t.Helper()
	var got []string
	for _, line := range lines(step(t, l, site+"# ip -4 route show proto bird")) {
		if !strings.HasPrefix(line, "blackhole ") {
			got = append(got, strings.Fields(line)[0])
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s has learned %v, want %v", site, got, want)
	}
}
