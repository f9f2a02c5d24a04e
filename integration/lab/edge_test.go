package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

const edgeBIRD = `router id 192.168.0.1;
protocol device {}
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol static { ipv4; route 0.0.0.0/0 blackhole; }
protocol bgp msee {
  local 192.168.0.1 as 64580;
  neighbor 192.168.0.2 as 12076;
  connect delay time 1; connect retry time 1; error wait time 1, 1;
  ipv4 { import all; export all; };
}
`

// TestForcedTunneling checks that a default route from beyond the circuit is programmed in the
// VNet and its spoke, that both can still be reached from there, and that the internet has no
// way back to private addresses.
func TestForcedTunneling(t *testing.T) {
	config := filepath.Join(t.TempDir(), "bird.conf")
	if err := os.WriteFile(config, []byte(edgeBIRD), 0o644); err != nil {
		t.Fatal(err)
	}
	l := lab.Up(t, lab.Options{Scenario: "expressroute-edge", NVAs: map[string]lab.NVA{
		"edge": {Kind: lab.BIRD, Config: config},
	}})
	lab.Eventually(t, 20*time.Second, func() error {
		for _, vm := range []string{"vm-er-test", "vm-peered"} {
			if hops, _ := effective(t, l, vm, "0.0.0.0/0"); hops != "10.2.146.76 10.2.146.77" {
				return fmt.Errorf("%s: next hops of the default route are %q", vm, hops)
			}
		}
		for _, addr := range []string{"10.0.0.4", "10.1.0.4"} {
			if _, err := l.Output("edge", "ping", "-c", "1", "-W", "0.5", addr); err != nil {
				return err
			}
		}
		return nil
	})
	if out := l.Exec(t, "edge", "curl", "-sS", "-m", "5", "http://203.0.113.10/"); strings.TrimSpace(out) != "198.51.100.1 asked 203.0.113.10:80" {
		t.Errorf("the internet sees the edge as %q", out)
	}
	if out, err := l.Output("vm-er-test", "ping", "-c", "1", "-W", "0.5", "203.0.113.10"); err == nil {
		t.Errorf("the internet answers a private address:\n%s", out)
	}
	routes, err := l.CircuitRoutes(t.Context(), "vnet00")
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := find(routes, "0.0.0.0/0"); !ok || r.Path() != "12076 64580" || !r.Accepted {
		t.Errorf("the gateway has learned\n%s", lab.RouteTable(routes))
	}
}
