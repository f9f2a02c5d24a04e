package scenarios

import (
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// TestExpressRouteEdge: VMs behind the circuit reach the internet by the default route that
// the edge announces, with the edge's address as source.
func TestExpressRouteEdge(t *testing.T) {
	t.Parallel()
	l := lab.UpScenario(t, "expressroute-edge")
	show(t, l)
	t.Run("with the edge's address", func(t *testing.T) {
		for _, vm := range []string{"vm-er-test", "vm-peered"} {
			if out := step(t, l, vm+"# curl -sS -m 5 http://203.0.113.10/"); strings.TrimSpace(out) != "198.51.100.1 asked 203.0.113.10:80" {
				t.Errorf("%s is seen as %q", vm, out)
			}
		}
		wantHops(t, l, "vm-er-test", "* 192.168.0.1 203.0.113.10")
		noLoss(t, l, "vm-er-test", "203.0.113.10")
	})
	t.Run("private addresses as they are", func(t *testing.T) { noLoss(t, l, "edge", "10.0.0.4") })
	t.Run("routes of the edge", func(t *testing.T) {
		routes := step(t, l, "edge# ip route")
		for _, want := range []string{
			`(?m)^10\.0\.0\.0/16 .*via 192\.168\.0\.2 dev bond0\.1000 proto bgp metric 20`,
			`(?m)^10\.1\.0\.0/16 .*via 192\.168\.0\.2 dev bond0\.1000 proto bgp metric 20`,
			`(?m)^192\.168\.0\.0/24 .*dev bond0\.1000 `,
			`(?m)^blackhole 192\.168\.100\.0/24`,
			`(?m)^default via 198\.51\.100\.0 dev bond0`,
		} {
			expect(t, routes, want)
		}
	})
	t.Run("routes of the gateway", func(t *testing.T) { testGatewayLearned(t, l) })
	t.Run("effective routes", func(t *testing.T) {
		wantEffective(t, l, "vm-er-test", `
			Default                 | Active | 10.0.0.0/16      | Virtual network         | -           | -
			Default                 | Active | 10.1.0.0/16      | VNet peering            | -           | -
			Virtual network gateway | Active | 0.0.0.0/0        | Virtual network gateway | 10.2.146.76 | -
			Virtual network gateway | Active | 0.0.0.0/0        | Virtual network gateway | 10.2.146.77 | -
			Virtual network gateway | Active | 192.168.0.0/24   | Virtual network gateway | 10.2.146.76 | -
			Virtual network gateway | Active | 192.168.0.0/24   | Virtual network gateway | 10.2.146.77 | -
			Virtual network gateway | Active | 192.168.100.0/24 | Virtual network gateway | 10.2.146.76 | -
			Virtual network gateway | Active | 192.168.100.0/24 | Virtual network gateway | 10.2.146.77 | -`)
	})
	t.Run("received by the edge", func(t *testing.T) {
		out := step(t, l, "edge# nvactl routes received 192.168.0.2")
		expect(t, out, `10\.0\.0\.0/16 +192\.168\.0\.2 +12076 i`)
		expect(t, out, `10\.1\.0\.0/16 +192\.168\.0\.2 +12076 i`)
		expect(t, out, `2 prefixes`)
	})
}

// testGatewayLearned: the article's gateway has exactly three prefixes, each with its path.
func testGatewayLearned(t *testing.T, l *lab.Lab) {
	routes, err := l.CircuitRoutes(t.Context(), "vnet00")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range routes {
		if r.Path() != "12076 64580" || !r.Accepted {
			t.Errorf("the gateway has %+v", r)
		}
		got = append(got, r.Prefix.String())
	}
	if want := "0.0.0.0/0 192.168.0.0/24 192.168.100.0/24"; strings.Join(got, " ") != want {
		t.Errorf("the gateway has learned %v, want %s", got, want)
	}
}
