package ctl

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/tunnel"
)

// Links of the picture, by their index.
const (
	eth0 = 2 + iota
	vxlan0
)

var far = netip.MustParseAddr("169.254.0.2")

// hub00 is the NVA of [apitest.Hub00], with its NAT, its explanations and the effect of
// a reload.
func hub00() *apitest.Daemon {
	d := apitest.Hub00()
	d.Rules, d.Effect, d.Stories, d.Ways = hub00Rules(), hub00Effect(), hub00Stories(d.Kernel), hub00Ways()
	return d
}

func hub00Rules() []nat.Status {
	return []nat.Status{
		{Chain: "prerouting", Rule: nat.Rule{Why: "dnat tcp 8080", In: "eth0", Protocol: nat.TCP, Ports: nat.Ports{Low: 8080, High: 8080}, Do: nat.DestinationTo,
			To: nat.Endpoint{Addr: netip.MustParseAddr("10.100.0.4"), Ports: nat.Ports{Low: 80, High: 80}}}, Hits: nat.Hits{Packets: 12, Bytes: 720}},
		{Chain: "postrouting", Rule: nat.Rule{Why: "masquerade eth0", Out: "eth0", Do: nat.Jump, Chain: "masquerade-1"}, Missing: true},
		{Chain: "masquerade-1", Rule: nat.Rule{Why: "masquerade eth0", Do: nat.MasqueradeSource}, Hits: nat.Hits{Packets: 1234567890, Bytes: 1234567890123}},
		{Chain: "forward", Rule: nat.Rule{Why: "mss-clamp vxlan0", Out: "vxlan0", Protocol: nat.TCP, Do: nat.ClampSize}, Hits: nat.Hits{Packets: 3, Bytes: 180}},
	}
}

// hub00File is the configuration behind the explanations of Hub00.
const hub00File = `
asn       = 65001
router-id = "10.0.0.4"
[peer-group.route-server]
remote-asn = 65515
domain     = "ars-hub00"
import     = { deny-asns = "reserved" }
export     = { prefix-list = "rs-hub00", route-map = "to-azure" }
[peer-group.nva]
remote-asn    = 65001
next-hop-self = true
import        = "accept"
export        = { prefix-list = "vm-hub10" }
[[neighbor]]
address    = "10.0.210.4"
peer-group = "route-server"
[[neighbor]]
address    = "10.0.210.5"
peer-group = "route-server"
[[neighbor]]
address    = "169.254.0.2"
peer-group = "nva"
[prefix-list]
rs-hub00 = ["deny 10.0.0.0/16", "deny 10.100.0.0/16", "permit any"]
vm-hub10 = ["deny 10.0.0.0/16 ge 16", "permit any"]
[as-path-list]
azure-asns = ["permit _65515_"]
[[route-map.to-azure]]
action = "permit"
match  = { as-path-list = "azure-asns" }
set    = { as-path-replace = "any" }
`

// teller is a RIB with the routes of Hub00.
type teller struct {
	cfg *config.Config
	in  *route.Interner
	rib *rib.RIB
	// kernel are the routes of nvad in the kernel.
	kernel []api.FIBRoute
}

func newTeller(kernel []api.FIBRoute) *teller {
	cfg, err := config.Parse("hub00.toml", []byte(hub00File))
	if err != nil {
		panic(err)
	}
	t := &teller{cfg: cfg, in: route.NewInterner(), kernel: kernel}
	t.rib = rib.New(rib.Options{ASN: cfg.ASN, RouterID: cfg.RouterID, Metric: 20, Interner: t.in, Forwarding: rib.Forwarding{MaxPaths: 1}})
	hop := func(prefix string, link int, via netip.Addr) fib.KernelRoute {
		return fib.KernelRoute{Prefix: netip.MustParsePrefix(prefix), Hops: []fib.NextHop{{Link: link, Via: via}}}
	}
	t.rib.SetFacts(fib.Facts{
		Links: []fib.Link{{Index: 2, Name: "eth0", Up: true}, {Index: 3, Name: "vxlan0", Up: true}},
		Routes: []fib.KernelRoute{
			hop("10.0.0.0/24", 2, netip.Addr{}), hop("169.254.0.0/24", 3, netip.Addr{}),
		},
	})
	for _, n := range cfg.Neighbors {
		t.configure(n, n.Import)
		local := netip.MustParseAddr("10.0.0.4")
		if n.Address == far {
			local = netip.MustParseAddr("169.254.0.1")
		}
		t.rib.PeerUp(n.Address, rib.Session{LocalAddress: local, RemoteID: n.Address, Families: route.IPv4}, nil)
	}
	return t
}

func (t *teller) configure(n config.Neighbor, imports policy.Chain) {
	in, err1 := policy.Compile(&t.cfg.Policies, imports, t.cfg.Session(&n, false))
	out, err2 := policy.Compile(&t.cfg.Policies, n.Export, t.cfg.Session(&n, true))
	if err1 != nil || err2 != nil {
		panic("hub00's policies do not compile")
	}
	t.rib.SetPeer(rib.Peer{
		Address:         n.Address,
		SessionSettings: rib.SessionSettings{LocalASN: t.cfg.ASN, RemoteASN: n.RemoteASN},
		SourceSettings:  rib.SourceSettings{Group: n.PeerGroup, Domain: n.Domain},
		ImportSettings:  rib.ImportSettings{Import: in, EnforceFirstAS: n.EnforceFirstAS},
		ExportSettings:  rib.ExportSettings{Export: out, NextHopSelf: n.NextHopSelf},
	})
}

func (t *teller) announce(at time.Time, prefix string, from netip.Addr, a *route.Attrs) {
	t.rib.Update(&speaker.Update{
		From: speaker.From{Peer: from}, Attrs: t.in.Intern(*a), Announced: []netip.Prefix{netip.MustParsePrefix(prefix)},
	}, at)
}

func (t *teller) settle() {
	for t.rib.Flush(100) {
	}
}

// hub00Stories are explanations by a RIB with the routes of Hub00, and some more.
func hub00Stories(kernel []api.FIBRoute) map[netip.Prefix]api.Explanation {
	t := newTeller(kernel)
	t.announce(ago(0, 8, 26), "10.100.0.0/16", rs0, attrs(rs0, 65515, 12076, 65515))
	t.announce(ago(0, 8, 26), "10.100.0.0/16", rs1, attrs(rs1, 65515, 12076, 65515))
	t.announce(ago(0, 8, 25), "10.100.0.0/16", far, internal(attrs(far, 65515, 12076, 12076, 65515)))
	t.announce(ago(0, 8, 25), "10.110.0.0/16", far, internal(attrs(far, 65515, 12076, 65515)))
	t.announce(ago(0, 8, 25), "10.10.0.0/16", far, internal(attrs(far, 65515)))
	t.announce(ago(0, 2, 0), "192.0.2.0/24", rs0, attrs(rs0, 65515, 23456))
	t.announce(ago(0, 2, 0), "192.0.2.0/24", rs1, attrs(rs1, 65515, 65001))
	t.announce(ago(0, 2, 0), "192.0.2.0/24", far, internal(attrs(netip.MustParseAddr("203.0.113.9"), 64500)))
	t.announce(ago(0, 2, 0), "198.51.100.0/24", far, internal(attrs(far, 64500)))
	t.announce(ago(0, 2, 0), "10.0.210.0/24", far, internal(attrs(far, 64500)))
	t.announce(ago(0, 2, 0), "10.50.0.0/16", far, internal(attrs(far, 64500)))
	static := func(prefix, via string, distance uint8) rib.Static {
		return rib.Static{Prefix: netip.MustParsePrefix(prefix), Via: netip.MustParseAddr(via), Distance: distance, Metric: 20}
	}
	t.rib.SetStatics([]rib.Static{
		static("10.0.210.0/24", "10.0.0.1", 1),
		static("10.50.0.0/16", "192.0.2.9", 1), static("10.50.0.0/16", "10.0.0.1", 250), static("10.50.0.0/16", "10.0.0.2", 250),
	})
	t.settle()
	out := map[netip.Prefix]api.Explanation{}
	for _, s := range []string{"10.100.0.0/16", "10.110.0.0/16", "10.10.0.0/16", "192.0.2.0/24", "10.110.7.0/24", "10.0.210.0/24", "10.50.0.0/16"} {
		t.tell(out, s)
	}
	t.configure(t.cfg.Neighbors[2], policy.Chain{PrefixList: "rs-hub00", RouteMap: "to-azure"})
	t.tell(out, "198.51.100.0/24")
	bad := netip.MustParsePrefix("10.120.0.0/16")
	t.tell(out, bad.String())
	x := out[bad]
	x.Malformed = []engine.Treated{{Neighbor: far, At: ago(0, 3, 4), Reason: "COMMUNITIES has 3 octets (RFC 7606 7.8)"}}
	x.NoRoute = "it was announced only in malformed UPDATEs"
	out[bad] = x
	return out
}

// tell adds the explanation of a prefix, with the kernel routes of Hub00.
func (t *teller) tell(out map[netip.Prefix]api.Explanation, s string) {
	prefix := netip.MustParsePrefix(s)
	x := api.Explanation{Explanation: engine.Explanation{Explanation: t.rib.Explain(rib.ExplainQuery{Prefix: prefix})}}
	for _, k := range t.kernel {
		if k.Prefix == prefix {
			x.Kernel = append(x.Kernel, k.Status)
		}
	}
	if s == "10.100.0.0/16" {
		x.Others = []fib.Status{{Prefix: prefix, Protocol: "boot", State: fib.Installed, Hops: []fib.Hop{{Via: netip.MustParseAddr("10.0.0.9"), Device: "eth0", Weight: 1}}}}
	}
	out[prefix] = x
}

// hub00Ways are the lookups of Hub00.
func hub00Ways() map[netip.Addr]api.Lookup {
	out := map[netip.Addr]api.Lookup{}
	add := func(addr string, w api.Way, t *api.Encapsulation) {
		a := netip.MustParseAddr(addr)
		out[a] = api.Lookup{Address: a, Way: w, Tunnel: t}
	}
	own := func(prefix string, via string, link int, from netip.Addr, path ...uint32) api.Way {
		return api.Way{Own: "bgp", Neighbor: from, ASPath: route.NewASPath(path...), Lookup: fib.Lookup{
			Fate: fib.FateForwarded, Via: netip.MustParseAddr(via), Link: link, Source: netip.MustParseAddr("10.0.0.4"),
			Prefix: netip.MustParsePrefix(prefix), Metric: 20,
		}}
	}
	plain := func(fate fib.Fate, prefix string, protocol, link int, metric uint32) api.Way {
		w := api.Way{Lookup: fib.Lookup{Fate: fate, Link: link, Protocol: protocol, Metric: metric}}
		if prefix != "" {
			w.Prefix = netip.MustParsePrefix(prefix)
		}
		return w
	}
	const kernel, static = 2, 4
	flooding := api.Encapsulation{
		Status: tunnel.Status{Tunnel: tunnel.Tunnel{Name: "vxlan0", VNI: 77, Port: 4789}, Source: netip.MustParseAddr("10.0.0.4"), Actual: 1450},
		Outer: []api.Outer{
			{Remote: netip.MustParseAddr("10.10.0.4"), Way: own("10.10.0.0/16", "10.0.0.1", eth0, rs0, 65515)},
			{Remote: netip.MustParseAddr("10.10.0.5"), Way: plain(fib.FateNoRoute, "", 0, 0, 0)},
		},
	}
	one := flooding
	one.Outer = flooding.Outer[:1]
	way := own("10.110.0.0/16", "169.254.0.2", vxlan0, far, 65515, 12076, 65515)
	add("10.110.0.4", way, &one)
	add("10.110.0.5", way, &flooding)
	add("10.0.0.7", plain(fib.FateForwarded, "10.0.0.0/24", kernel, eth0, 100), nil)
	add("10.0.0.4", plain(fib.FateLocal, "10.0.0.4/32", kernel, eth0, 0), nil)
	add("10.20.0.1", plain(fib.FateDropped, "10.20.0.0/16", static, 0, 20), nil)
	add("10.30.0.1", plain(fib.FateNoRoute, "", 0, 0, 0), nil)
	return out
}

// internal returns attrs with the attributes that iBGP adds.
func internal(a *route.Attrs) *route.Attrs {
	b := *a
	b.LocalPref = route.Some(100)
	return &b
}

// hub00Effect has every kind of effect: both instances of Route Server lose all their
// routes, and the kernel has more than ten changes.
func hub00Effect() *api.Effect {
	pfx := netip.MustParsePrefix
	lost := func(neighbor netip.Addr) rib.EffectGroup {
		return rib.EffectGroup{Stage: rib.Advertised, Neighbor: neighbor, Before: 2, Removed: 2, Added: 1, Routes: []rib.RouteEffect{
			{Prefix: pfx("10.0.0.0/8"), Difference: rib.Added},
			{Prefix: pfx("10.1.0.0/16"), Difference: rib.Removed, Reason: "covered by a summary-only aggregate"},
			{Prefix: pfx("10.2.0.0/16"), Difference: rib.Removed, Reason: "covered by a summary-only aggregate"},
		}}
	}
	kernel := rib.EffectGroup{Stage: rib.Installed, Before: 120, Removed: 1, Changed: 11}
	for i := range 12 {
		r := rib.RouteEffect{Prefix: pfx(fmt.Sprintf("10.10.%d.0/24", i)), Difference: rib.Changed, Reason: "via 10.0.0.1 dev eth0 -> via 169.254.0.2 dev vxlan0"}
		if i == 3 {
			r.Difference, r.Reason = rib.Removed, "no path is left"
		}
		kernel.Routes = append(kernel.Routes, r)
	}
	return &api.Effect{
		Effect: rib.Effect{Groups: []rib.EffectGroup{
			{Stage: rib.Accepted, Neighbor: far, Before: 20, Added: 1, Routes: []rib.RouteEffect{{Prefix: pfx("10.100.0.0/16"), Difference: rib.Added, Reason: "accepted"}}},
			{Stage: rib.Preferred, Changed: 1, Routes: []rib.RouteEffect{
				{Prefix: pfx("10.100.0.0/16"), Difference: rib.Changed, Reason: "10.0.210.4 -> 169.254.0.2: better by local preference"},
			}},
			lost(rs0), lost(rs1),
			{Stage: rib.Advertised, Neighbor: far, Before: 20, Removed: 1, Routes: []rib.RouteEffect{
				{Prefix: pfx("10.100.0.0/16"), Difference: rib.Removed, Reason: "prefix-list vm-hub10 seq 5 deny 10.100.0.0/16"},
			}},
			kernel,
		}},
		Resets: []netip.Addr{rs0, rs1},
	}
}
