package engine

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// What only shows at run time: no way to Route Server, prefixes that Azure
// ignores, a default route that nobody asked for. Each ends with its cause.
func TestRuntimeWarnings(t *testing.T) {
	const file = `
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
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.Parse("nvad.toml", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		e, p, stop := start(t, cfg, false)
		defer stop()
		warnings := func(want ...string) {
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
		const lost = ": warning: no route leads to Route Server 10.0.210.X, and the NIC's gateway is not known: " +
			"add a static route for RouteServerSubnet via the first address of the own subnet"
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
