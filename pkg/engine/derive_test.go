package engine

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
)

// world builds facts: links 2, 3... with an address each, and routes.
func world(addresses []string, routes ...fib.KernelRoute) fib.Facts {
	f := fib.Facts{Routes: routes, Links: []fib.Link{{Index: 1, Name: "lo", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}}}}
	for i, a := range addresses {
		p := netip.MustParsePrefix(a)
		f.Links = append(f.Links, fib.Link{Index: i + 2, Name: fmt.Sprintf("eth%d", i), Up: true, Addresses: []netip.Prefix{p}})
		f.Routes = append(f.Routes, fib.KernelRoute{Prefix: p.Masked(), Protocol: protocolKernel, Hops: []fib.NextHop{{Link: i + 2}}})
	}
	return f
}

func defaultVia(via string, link int, metric uint32) fib.KernelRoute {
	return fib.KernelRoute{
		Prefix: pfx("0.0.0.0/0"), Protocol: 16, Metric: metric,
		Hops: []fib.NextHop{{Via: netip.MustParseAddr(via), Link: link}},
	}
}

func TestDerive(t *testing.T) {
	const file = `
asn = 65001
router-id = "10.0.0.4"
[[tunnel]]
name = "eth9"
vni = 1
device = "eth0"
remotes = ["10.10.0.4"]
[peer-group.rs]
preset = "azure-route-server"
`
	const pair = "neighbors = [\"10.0.210.4\", \"10.0.210.5\"]\n"
	through := func(hop string) []string { return []string{"10.0.210.4/32 " + hop, "10.0.210.5/32 " + hop} }
	dhcp := world([]string{"10.0.0.4/24"}, defaultVia("10.0.0.1", 2, 100))
	for _, c := range []struct {
		name, file string
		facts      fib.Facts
		want       []string
		lost       int
	}{
		{"the default route's gateway", pair, dhcp, through("via 10.0.0.1 dev eth0"), 0},
		{"the lower metric", pair, world([]string{"10.0.0.4/24", "10.0.1.4/24"}, defaultVia("10.0.0.1", 2, 200), defaultVia("10.0.1.1", 3, 100)),
			through("via 10.0.1.1 dev eth1"), 0},
		{"the session's own address", pair + `local-address = "10.0.0.4"`,
			world([]string{"10.0.0.4/24", "10.0.1.4/24"}, defaultVia("10.0.1.1", 3, 100)), through("via 10.0.0.1 dev eth0"), 0},
		{"without a default route, the first address", pair, world([]string{"10.0.0.132/25"}), through("via 10.0.0.129 dev eth0"), 0},
		{"two subnets that it can be", pair, world([]string{"10.0.0.4/24", "10.0.1.4/24"}), nil, 2},
		{"this host is the first address", pair, world([]string{"10.0.0.1/24"}), nil, 2},
		{"no address yet", pair, world(nil), nil, 2},
		{"a static route of the file wins", pair + "[[static-route]]\nprefix = \"10.0.210.0/24\"\nvia = \"10.0.0.9\"\n", dhcp, nil, 0},
		{"a static route for one of the two", pair + "[[static-route]]\nprefix = \"10.0.210.4/32\"\nvia = \"10.0.0.9\"\n", dhcp,
			[]string{"10.0.210.5/32 via 10.0.0.1 dev eth0"}, 0},
		{"another program's route wins", pair, world([]string{"10.0.0.4/24"}, defaultVia("10.0.0.1", 2, 100),
			fib.KernelRoute{Prefix: pfx("10.0.210.0/26"), Protocol: 4, Hops: []fib.NextHop{{Via: netip.MustParseAddr("10.0.0.1"), Link: 2}}}), nil, 0},
		{"no Route Server", `remote-asn = 65002` + "\n" + pair, dhcp, nil, 0},
		{"one hop away", "ebgp-multihop = 1\n" + pair, dhcp, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := config.Parse("nvad.toml", []byte(file+c.file))
			if err != nil {
				t.Fatal(err)
			}
			var v derivation
			if changed := v.derive(cfg, c.facts); changed != (c.want != nil) || v.derive(cfg, c.facts) {
				t.Error("tells of changes where there are none, or not of those that are")
			}
			if diff := cmp.Diff(c.want, texts(v.routes)); diff != "" || len(v.lost) != c.lost {
				t.Errorf("%d lost, want %d (-want +got)\n%s", len(v.lost), c.lost, diff)
			}
		})
	}
}

func texts(list []config.Static) (out []string) {
	for _, s := range list {
		out = append(out, fmt.Sprintf("%s via %s dev %s", s.Prefix, s.Via[0], s.Device))
	}
	return out
}

// Derived routes survive the default route that they come from, as between two DHCP
// leases, and follow a new one to another gateway.
func TestDeriveAgain(t *testing.T) {
	cfg, err := config.Parse("nvad.toml", []byte("asn = 65001\n[peer-group.rs]\npreset = \"azure-route-server\"\nneighbors = [\"10.0.210.4\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	var v derivation
	v.derive(cfg, world([]string{"10.0.0.4/24", "10.0.1.4/24"}, defaultVia("10.0.0.1", 2, 100)))
	if v.derive(cfg, world([]string{"10.0.0.4/24", "10.0.1.4/24"})) {
		t.Errorf("without a default route: %v", texts(v.routes))
	}
	if !v.derive(cfg, world([]string{"10.0.0.4/24", "10.0.1.4/24"}, defaultVia("10.0.1.1", 3, 100))) || v.routes[0].Device != "eth1" {
		t.Errorf("with another default route: %v", texts(v.routes))
	}
}
