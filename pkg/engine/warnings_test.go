package engine

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

const warningFile = `
asn = 65001
router-id = "10.0.0.4"
[peer-group.rs]
preset = "azure-route-server"
neighbors = ["10.0.210.4", "10.0.210.5"]
vnet = ["10.0.0.0/16"]
[[neighbor]]
address = "10.0.0.9"
remote-asn = 64580
import = "accept"
export = "deny"
[[network]]
prefix = "10.0.7.0/24"
`

// wantWarnings compares the warnings of run time with want.
func wantWarnings(t *testing.T, e *Engine, want []string) {
	t.Helper()
	synctest.Wait()
	s, err := e.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range s.Warnings {
		if w.Code != "in-vnet" { // the file's own
			got = append(got, w.String())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Some warnings appear only at run time: no route to Route Server, prefixes that Azure
// ignores, a default route that nobody asked for. Each ends with its cause.
func TestRuntimeWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.Parse("nvad.toml", []byte(warningFile))
		if err != nil {
			t.Fatal(err)
		}
		e, p, stop := start(t, cfg, false)
		defer stop()
		warnings := func(want ...string) { t.Helper(); wantWarnings(t, e, want) }
		const lost = ": warning: no route leads to Route Server 10.0.210.X, and the NIC's gateway is not known: " +
			"add a static route for RouteServerSubnet via the first address of this NVA's subnet"
		e.SetFacts(world([]string{"10.0.0.4/24", "10.0.1.4/24"}))
		apply(t, e, cfg)
		warnings("nvad.toml:6: peer-group.rs.neighbors[1]"+strings.Replace(lost, "X", "4", 1),
			"nvad.toml:6: peer-group.rs.neighbors[2]"+strings.Replace(lost, "X", "5", 1))

		e.SetFacts(world([]string{"10.0.0.4/24", "10.0.1.4/24"}, defaultVia("10.0.0.1", 2, 100)))
		warnings()

		rs, branch := netip.MustParseAddr("10.0.210.4"), netip.MustParseAddr("10.0.0.9")
		for _, peer := range []netip.Addr{rs, branch} {
			p.events <- speaker.Established{From: speaker.From{Peer: peer}, LocalAddress: cfg.RouterID, RemoteID: peer, Families: route.IPv4}
		}
		p.events <- speaker.Update{
			From: speaker.From{Peer: branch}, Announced: []netip.Prefix{pfx("0.0.0.0/0")},
			Attrs: &route.Attrs{ASPath: route.NewASPath(64580), NextHop: branch},
		}
		const ignored = "nvad.toml:7: peer-group.rs.vnet: warning: 10.0.7.0/24 is not sent to 10.0.210.4: part of its VNet, which Azure ignores"
		warnings("nvad.toml:11: neighbor.10.0.0.9.import: warning: the default route 0.0.0.0/0 from 10.0.0.9 is not installed: "+
			"kernel.allow-default = true would take it; deny it in import if it is not wanted", ignored)

		p.events <- speaker.Update{From: speaker.From{Peer: branch}, Withdrawn: []netip.Prefix{pfx("0.0.0.0/0")}}
		warnings(ignored)
		p.events <- speaker.Down{From: speaker.From{Peer: branch}}
		p.events <- speaker.Established{From: speaker.From{Peer: branch}, LocalAddress: cfg.RouterID, RemoteID: branch}
		warnings("nvad.toml:8: neighbor.10.0.0.9: warning: "+
			"10.0.0.9 speaks none of the families configured for it, ipv4 unicast: no routes are exchanged", ignored)
		list, err := e.Neighbors(t.Context())
		if err != nil || len(list[1].Warnings) != 1 || !strings.Contains(list[1].Warnings[0], "10.0.7.0/24") {
			t.Errorf("%v: %+v", err, list)
		}
	})
}

// A default route of another program, of the file, or a learned one that is installed
// is a way out.
func TestNoWayOut(t *testing.T) {
	all := netip.MustParsePrefix("0.0.0.0/0")
	for name, tt := range map[string]struct {
		change func(*config.Config)
		routes []fib.KernelRoute
		learn  bool
		want   bool
	}{
		"none":                {want: true},
		"of DHCP":             {routes: []fib.KernelRoute{{Prefix: all, Hops: []fib.NextHop{{Link: 2, Via: netip.MustParseAddr("10.0.0.1")}}}}},
		"unreachable":         {routes: []fib.KernelRoute{{Prefix: all, Kind: fib.Unreachable}}, want: true},
		"of the file":         {change: func(c *config.Config) { c.Statics = append(c.Statics, config.Static{Prefix: all}) }},
		"learned, not taken":  {learn: true, want: true},
		"learned, and taken":  {learn: true, change: func(c *config.Config) { c.Kernel.AllowDefault = true }},
		"allowed, not learnt": {change: func(c *config.Config) { c.Kernel.AllowDefault = true }, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, false, func(t *testing.T, e *Engine, p *ports) {
				p.establish(farNVA, true, false)
				if tt.learn {
					p.announce(farNVA, all)
				}
				var got bool
				_ = e.do(t.Context(), func() {
					cfg := *e.cfg
					if tt.change != nil {
						tt.change(&cfg)
					}
					before, facts := e.cfg, e.kernel
					e.cfg = &cfg
					e.kernel.Routes = append(e.kernel.Routes[:len(e.kernel.Routes):len(e.kernel.Routes)], tt.routes...)
					got = e.noWayOut()
					e.cfg, e.kernel = before, facts
				})
				if got != tt.want {
					t.Errorf("got %t, want %t", got, tt.want)
				}
			})
		})
	}
}

// The NVA at the other end of a tunnel can't take this one's place; one in the same hub
// can, once it has sent routes.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beside := netip.MustParseAddr("10.0.0.5")
		cfg := hub00()
		cfg.Tunnels = []config.Tunnel{{Name: "vxlan0", Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")}}}
		n := cfg.Neighbors[1]
		n.Address, n.Import = beside, policy.Chain{Accept: true}
		cfg.Neighbors = append(cfg.Neighbors, n)
		e, p, stop := start(t, cfg, false)
		defer stop()
		e.SetFacts(reachable())
		apply(t, e, cfg)
		alone := func(want bool) {
			t.Helper()
			if s, err := e.Status(t.Context()); err != nil || s.Alone != want {
				t.Errorf("alone: %t (%v), want %t", s.Alone, err, want)
			}
		}
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		alone(true)
		p.establish(beside, true, false)
		alone(true)
		p.announce(beside, prefix)
		alone(false)
	})
}
