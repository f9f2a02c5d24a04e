package scenarios

import (
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestVXLANStatic: nvad without a neighbor, with a tunnel and static routes only.
func TestVXLANStatic(t *testing.T) {
	t.Parallel()
	l := lab.UpScenario(t, "vxlan-static")
	show(t, l)
	t.Run("paths", func(t *testing.T) {
		// Where the article has no answer, the far NVA has one here: its static
		// route has a source that VNets carry.
		wantHops(t, l, "vm-hub101", "10.100.0.4 10.0.0.4 10.10.0.4")
		wantHops(t, l, "vm-spoke10", "10.0.0.4 10.100.0.4 10.100.0.5")
		noLoss(t, l, "vm-hub101", "10.10.0.4")
		noLoss(t, l, "vm-spoke10", "10.100.0.5")
	})
	t.Run("the NVAs themselves", func(t *testing.T) {
		noLoss(t, l, "vm-hub100", "10.10.0.4")
		noLoss(t, l, "vm-hub00", "10.100.0.5")
	})
	t.Run("routes", func(t *testing.T) {
		routes := step(t, l, "vm-hub00# ip route")
		expect(t, routes, `(?m)^10\.100\.0\.0/16 .*via 169\.254\.0\.2 dev vxlan0 .*src 10\.0\.0\.4`)
		expect(t, routes, `(?m)^10\.100\.0\.4 .*via 10\.0\.0\.1 dev eth0 `)
	})
	t.Run("effective routes", func(t *testing.T) {
		wantEffective(t, l, "vm-spoke10", `
			Default | Active | 10.10.0.0/16  | Virtual network   | -        | -
			Default | Active | 10.0.0.0/16   | VNet peering      | -        | -
			User    | Active | 10.100.0.0/16 | Virtual appliance | 10.0.0.4 | to-onprem`)
		wantEffective(t, l, "vm-hub101", `
			Default                 | Active | 10.100.0.0/16 | Virtual network         | -           | -
			Virtual network gateway | Active | 10.0.0.0/16   | Virtual network gateway | 10.2.146.76 | -
			Virtual network gateway | Active | 10.0.0.0/16   | Virtual network gateway | 10.2.146.77 | -
			User                    | Active | 10.10.0.0/16  | Virtual appliance       | 10.100.0.4  | to-spoke10`)
	})
	t.Run("underlay down and up", func(t *testing.T) { testUnderlay(t, l) })
}

// testUnderlay: the kernel drops every route over a link that goes down, the
// static ones among them; nvad puts them back.
func testUnderlay(t *testing.T, l *lab.Lab) {
	if err := l.LinkDown("vm-hub00"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Output("vm-hub101", "ping", "-c", "1", "-W", "0.3", "10.10.0.4"); err == nil {
		t.Error("traffic passes without the underlay")
	}
	if err := l.LinkUp("vm-hub00"); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, 5*time.Second, func() error {
		_, err := l.Output("vm-hub101", "ping", "-c", "1", "-W", "0.3", "10.10.0.4")
		return err
	})
}
