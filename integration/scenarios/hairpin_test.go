package scenarios

import (
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// TestExpressRouteHairpin compares the lab's Azure, without any NVA, with the article's table
// and traces.
func TestExpressRouteHairpin(t *testing.T) {
	t.Parallel()
	l := lab.UpScenario(t, "expressroute-hairpin")
	show(t, l)
	wantEffective(t, l, "vm-spoke10", `
		Default                 | Active | 10.10.0.0/16  | Virtual network         | -           | -
		Default                 | Active | 10.0.0.0/16   | VNet peering            | -           | -
		Virtual network gateway | Active | 10.100.0.0/16 | Virtual network gateway | 10.2.146.76 | -
		Virtual network gateway | Active | 10.100.0.0/16 | Virtual network gateway | 10.2.146.77 | -
		Virtual network gateway | Active | 10.120.0.0/16 | Virtual network gateway | 10.2.146.76 | -
		Virtual network gateway | Active | 10.120.0.0/16 | Virtual network gateway | 10.2.146.77 | -
		Virtual network gateway | Active | 10.110.0.0/16 | Virtual network gateway | 10.2.146.76 | -
		Virtual network gateway | Active | 10.110.0.0/16 | Virtual network gateway | 10.2.146.77 | -`)
	for _, want := range []string{"10.0.0.5", "* 10.100.0.5", "* 10.110.0.5", "* 10.120.0.5"} {
		wantHops(t, l, "vm-spoke10", want)
	}
	if out, err := l.Output("vm-spoke10", "ping", "-c", "1", "-W", "0.5", "10.20.0.5"); err == nil {
		t.Errorf("spokes of one hub reach each other without a route for that:\n%s", out)
	}
}
