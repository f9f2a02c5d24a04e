package lab_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/router"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

var (
	nva1 = netip.MustParseAddr("10.0.0.4")
	nva2 = netip.MustParseAddr("10.0.0.6")
)

// announcement is one prefix, with BIRD filter statements that set its attributes.
type announcement struct{ prefix, set string }

// birdNVA returns an NVA that announces exactly the given list.
func birdNVA(t *testing.T, addr netip.Addr, asn int, list ...announcement) lab.NVA {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bird.conf")
	writeBIRD(t, file, addr, asn, list)
	return lab.NVA{Kind: lab.BIRD, Config: file}
}

func writeBIRD(t *testing.T, file string, addr netip.Addr, asn int, list []announcement) {
	t.Helper()
	var routes, filter strings.Builder
	for _, a := range list {
		fmt.Fprintf(&routes, "route %s blackhole;\n", a.prefix)
		if a.set != "" {
			fmt.Fprintf(&filter, "if net = %s then { %s }\n", a.prefix, a.set)
		}
	}
	config := fmt.Sprintf(`log stderr { remote, warning, error, fatal };
router id %[1]s;
protocol device {}
protocol static { ipv4; %[3]s }
filter send { %[4]s accept; }
template bgp route_server {
  local %[1]s as %[2]d;
  multihop 255;
  allow bgp_local_pref on;
  interpret communities off;
  connect delay time 1; connect retry time 1; error wait time 1, 1;
  ipv4 { import none; export filter send; };
}
protocol bgp rs0 from route_server { neighbor 10.0.210.4 as 65515; }
protocol bgp rs1 from route_server { neighbor 10.0.210.5 as 65515; }
`, addr, asn, routes.String(), filter.String())
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
}

func birdc(t *testing.T, l *lab.Lab, vm string, command ...string) string {
	t.Helper()
	return l.Exec(t, vm, append([]string{"birdc", "-s", l.NVASocket(vm)}, command...)...)
}

// find returns the route for a prefix.
func find(routes []router.Route, prefix string) (router.Route, bool) {
	for _, r := range routes {
		if r.Prefix.String() == prefix {
			return r, true
		}
	}
	return router.Route{}, false
}

// effective returns the next hops of a VM's effective route for a prefix.
func effective(t *testing.T, l *lab.Lab, vm, prefix string) (string, bool) {
	t.Helper()
	routes, err := l.EffectiveRoutes(t.Context(), vm)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		if r.Prefix.String() == prefix && r.Source != sdn.SourceDefault {
			return strings.Trim(fmt.Sprint(r.NextHops), "[]"), true
		}
	}
	return "", false
}
