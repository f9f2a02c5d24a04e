package rules

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

func prefixes(text ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, p := range text {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// many returns n routes of an NVA with an AS path.
func many(n int, hop string, path ...uint32) []Route {
	var routes []Route
	for i := range n {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24)
		routes = append(routes, Route{Prefix: p, NextHop: addr(hop), ASPath: path})
	}
	return routes
}

func via(prefix, hop string, path ...uint32) Route {
	return Route{Prefix: netip.MustParsePrefix(prefix), NextHop: addr(hop), ASPath: path}
}

// world is a hub with two NVAs, a gateway, and a spoke.
type world struct {
	Network
	Sent
}

func newWorld() *world {
	w := &world{Sent: Sent{}}
	hub := VNet{
		ID: "hub", Space: prefixes("10.0.0.0/16"),
		Subnets: []Subnet{
			{ID: "hub/default", Name: "default", Prefixes: prefixes("10.0.0.0/24")},
			{ID: "hub/rs", Name: "RouteServerSubnet", Prefixes: prefixes("10.0.210.0/26")},
		},
		Peerings: []Peering{{Remote: "spoke", Connected: true, Space: prefixes("10.1.0.0/16"), AllowGatewayTransit: true}},
	}
	spoke := VNet{
		ID: "spoke", Space: prefixes("10.1.0.0/16"),
		Subnets:  []Subnet{{ID: "spoke/default", Name: "default", Prefixes: prefixes("10.1.0.0/24")}},
		Peerings: []Peering{{Remote: "hub", Connected: true, Space: prefixes("10.0.0.0/16"), UseRemoteGateways: true}},
	}
	nic := func(id, vnet, a string) NIC {
		return NIC{ID: id, VNet: vnet, Subnet: vnet + "/default", Addresses: []netip.Addr{addr(a)}, Running: true}
	}
	w.VNets = []VNet{hub, spoke}
	w.NICs = []NIC{nic("nva", "hub", "10.0.0.4"), nic("nva2", "hub", "10.0.0.6"), nic("vm", "spoke", "10.1.0.4")}
	w.RouteServers = []RouteServer{{
		ID: "rs", VNet: "hub", Addresses: []netip.Addr{addr("10.0.210.4"), addr("10.0.210.5")}, BranchToBranch: true,
		Peers: []Peer{{"c1", addr("10.0.0.4"), 65001}, {"c2", addr("10.0.0.6"), 65002}},
	}}
	w.Gateways = []Gateway{{ID: "gw", VNet: "hub", Circuit: []Route{via("192.168.100.0/24", "10.2.146.76", 12076, 64580)}}}
	w.send("10.0.0.4", 65001, via("10.5.0.0/16", "10.0.0.4", 65001))
	w.send("10.0.0.6", 65002)
	return w
}

// send makes an NVA announce routes to both instances.
func (w *world) send(nva string, asn uint32, routes ...Route) {
	for _, instance := range w.RouteServers[0].Addresses {
		w.Sent[Session{addr(nva), instance}] = Announcement{ASN: asn, Routes: routes}
	}
}

func (w *world) session(nva, instance string) Session { return Session{addr(nva), addr(instance)} }

// learned, advertised and effective write an answer as text.
func (w *world) learned(nva string) string {
	return text(w.Learned(w.session(nva, "10.0.210.4"), w.Sent))
}

func (w *world) advertised(nva string) string {
	return text(w.Advertised(w.session(nva, "10.0.210.4"), w.Sent))
}

func (w *world) effective(nic string) string {
	i := slices.IndexFunc(w.NICs, func(n NIC) bool { return n.ID == nic })
	routes, ok := w.Effective(w.NICs[i], w.Sent)
	if !ok {
		return "not running"
	}
	var rows []string
	for _, r := range routes {
		if r.Source == sdn.SourceDefault && r.NextHopType != sdn.TypePeering || r.State != sdn.StateActive {
			continue
		}
		rows = append(rows, strings.TrimSpace(fmt.Sprint(r.Prefix, " ", strings.Trim(fmt.Sprint(r.NextHops), "[]"))))
	}
	return strings.Join(rows, ", ")
}

func text(routes []Route) string {
	var rows []string
	for _, r := range routes {
		rows = append(rows, fmt.Sprint(r.Prefix, " ", strings.Trim(fmt.Sprint(r.ASPath), "[]")))
	}
	return strings.Join(rows, ", ")
}

// want are the answers of a world for its first NVA and its spoke's VM. They are written with
// the words of short. "-" is none; an empty answer is that of
// the undisturbed world.
type want struct {
	learned, advertised string
	// effective are the NVA's effective routes, spoke those of the spoke's VM. both are the
	// routes for NVAs' prefixes in both.
	effective, spoke, both string
	// count is the number of learned routes, and then circuitGone says whether nothing comes
	// from the circuit; the texts do not count.
	count       int
	circuitGone bool
}

// short are the words of a want.
var short = strings.NewReplacer("HUB", "10.0.0.0/16", "SPOKE", "10.1.0.0/16", "SITE", "192.168.100.0/24 10.2.146.76", "FAR", "192.168.100.0/24 65515 12076 64580")

var clean = want{learned: "10.5.0.0/16 65001", advertised: "HUB 65515, SPOKE 65515, FAR", both: "10.5.0.0/16 10.0.0.4"}

// gone are the answers where the NVA has no session.
var gone = want{learned: "-", advertised: "-", both: "-"}

// ruleCase is one change to a world.
type ruleCase struct {
	name   string
	change func(*world)
	want   want
}

var prefixCases = []ruleCase{
	{"nothing", func(*world) {}, want{}},
	{"a prefix of the VNet", sends(via("10.0.9.0/24", "10.0.0.4", 65001)), want{learned: "10.0.9.0/24 65001", both: "-"}},
	{"the VNet's prefix", sends(via("10.0.0.0/16", "10.0.0.4", 65001)), want{learned: "HUB 65001", both: "-"}},
	{"a supernet", sends(via("10.0.0.0/8", "10.0.0.4", 65001)), want{learned: "10.0.0.0/8 65001", both: "10.0.0.0/8 10.0.0.4"}},
	{"RouteServerSubnet", sends(via("10.0.210.0/26", "10.0.0.4", 65001)), want{learned: "-", both: "-"}},
	{"65515 in the path", sends(via("10.5.0.0/16", "10.0.0.4", 65001, 65515)), want{learned: "-", both: "-"}},
	{"a default route", sends(via("0.0.0.0/0", "10.0.0.4", 65001)), want{learned: "0.0.0.0/0 65001", both: "0.0.0.0/0 10.0.0.4"}},
	{"the gateway's prefix", sends(via("192.168.100.0/24", "10.0.0.4", 65001)), want{learned: "192.168.100.0/24 65001", both: "-"}},
	{"the gateway's prefix, by path", func(w *world) {
		w.RouteServers[0].ByPath = true
		w.send("10.0.0.4", 65001, via("192.168.100.0/24", "10.0.0.4", 65001))
	}, want{
		learned: "192.168.100.0/24 65001", advertised: "HUB 65515, SPOKE 65515",
		effective: "SPOKE, 192.168.100.0/24 10.0.0.4", spoke: "HUB, 192.168.100.0/24 10.0.0.4",
	}},
	{"equal paths", second(via("10.5.0.0/16", "10.0.0.6", 65002)), want{both: "10.5.0.0/16 10.0.0.4 10.0.0.6"}},
	{"another NVA's path is shorter", func(w *world) {
		w.send("10.0.0.4", 65001, via("10.5.0.0/16", "10.0.0.4", 65001, 65001))
		w.send("10.0.0.6", 65002, via("10.5.0.0/16", "10.0.0.6", 65002))
	}, want{learned: "10.5.0.0/16 65001 65001", advertised: "HUB 65515, SPOKE 65515, 10.5.0.0/16 65515 65002, FAR", both: "10.5.0.0/16 10.0.0.6"}},
	{"another NVA's prefix", second(via("10.6.0.0/16", "10.0.0.6", 65002)), want{
		advertised: "HUB 65515, SPOKE 65515, 10.6.0.0/16 65515 65002, FAR", both: "10.5.0.0/16 10.0.0.4, 10.6.0.0/16 10.0.0.6",
	}},
	{"another NVA's no-advertise", func(w *world) {
		r := via("10.6.0.0/16", "10.0.0.6", 65002)
		r.NoAdvertise = true
		w.send("10.0.0.6", 65002, r)
	}, want{both: "10.5.0.0/16 10.0.0.4, 10.6.0.0/16 10.0.0.6"}},
}

var sessionCases = []ruleCase{
	{"no branch-to-branch", func(w *world) { w.RouteServers[0].BranchToBranch = false }, want{advertised: "HUB 65515, SPOKE 65515"}},
	{"no peer", func(w *world) { w.RouteServers[0].Peers = w.RouteServers[0].Peers[1:] }, gone},
	{"the peer's ASN", func(w *world) { w.RouteServers[0].Peers[0].ASN = 65009 }, gone},
	{"the peer's address", func(w *world) { w.RouteServers[0].Peers[0].Address = addr("10.0.0.9") }, gone},
	{"the ninth peer", ninth, gone},
	{"a group that drops BGP", group(noBGP(false)), gone},
	{"a group that drops BGP from outside", group(noBGP(true)), want{}},
	{"a spoke that does not run", func(w *world) { w.NICs[2].Running = false }, want{spoke: "not running"}},
	{"an NVA that does not run", func(w *world) { w.NICs[0].Running = false }, want{learned: "-", advertised: "-", effective: "not running", both: "-"}},
	{"4,000 routes", sends(many(4000, "10.0.0.4", 65001)...), want{count: 4000, circuitGone: true}},
	{"4,001 routes", sends(many(4001, "10.0.0.4", 65001)...), gone},
	{"2,001 routes sent again", again(2001), gone},
	{"2,000 routes sent again", again(2000), want{count: 2000, circuitGone: true}},
	{"998 routes towards the circuit", sends(many(998, "10.0.0.4", 65001)...), want{count: 998}},
	{"999 routes towards the circuit", sends(many(999, "10.0.0.4", 65001)...), want{count: 999, circuitGone: true}},
	{"999 routes, no branch-to-branch", func(w *world) {
		w.RouteServers[0].BranchToBranch = false
		w.send("10.0.0.4", 65001, many(999, "10.0.0.4", 65001)...)
	}, want{count: 999}},
}

var vnetCases = []ruleCase{
	{"a user-defined route", user("10.5.0.0/16"), want{spoke: "HUB, SITE, 10.5.0.0/16 10.0.0.9"}},
	{"another user-defined route", user("10.0.0.0/8"), want{spoke: "HUB, 10.5.0.0/16 10.0.0.4, SITE, 10.0.0.0/8 10.0.0.9"}},
	{"propagation off", func(w *world) { w.VNets[1].Subnets[0].NoPropagation = true }, want{spoke: "HUB"}},
	{"no remote gateways", func(w *world) { w.VNets[1].Peerings[0].UseRemoteGateways = false }, want{advertised: "HUB 65515, FAR", spoke: "HUB"}},
	{"no gateway transit", func(w *world) { w.VNets[0].Peerings[0].AllowGatewayTransit = false }, want{advertised: "HUB 65515, FAR", spoke: "HUB"}},
	{"peering disconnected", func(w *world) {
		w.VNets[0].Peerings[0].Connected, w.VNets[1].Peerings[0].Connected = false, false
	}, want{advertised: "HUB 65515, FAR", effective: "10.5.0.0/16 10.0.0.4, SITE", spoke: "-"}},
	{"peering out of sync", func(w *world) { w.VNets[1].Space = append(w.VNets[1].Space, prefixes("10.8.0.0/16")...) },
		want{advertised: "HUB 65515, SPOKE 65515, 10.8.0.0/16 65515, FAR"}},
	{"subnet peering", func(w *world) { w.VNets[0].Peerings[0].RemoteSubnets = []string{"default"} },
		want{effective: "10.1.0.0/24, 10.5.0.0/16 10.0.0.4, SITE"}},
	{"subnet peering without the subnet", func(w *world) { w.VNets[1].Peerings[0].LocalSubnets = []string{"other"} }, want{spoke: "-"}},
	{"subnet peering with the subnet", func(w *world) { w.VNets[1].Peerings[0].LocalSubnets = []string{"other", "Default"} }, want{}},
}

// TestRules changes one thing in a world and compares all that Azure then does for the first
// NVA and for the spoke.
func TestRules(t *testing.T) {
	for _, tc := range slices.Concat(prefixCases, sessionCases, vnetCases) {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld()
			tc.change(w)
			tc.want.check(t, w)
		})
	}
}

func (want want) check(t *testing.T, w *world) {
	t.Helper()
	if want.count > 0 {
		if n := len(w.Learned(w.session("10.0.0.4", "10.0.210.5"), w.Sent)); n != want.count {
			t.Errorf("%d routes are learned, want %d", n, want.count)
		}
		if gone := !strings.Contains(w.effective("vm"), "192.168.100.0/24"); gone != want.circuitGone {
			t.Errorf("the circuit is gone: %t, want %t", gone, want.circuitGone)
		}
		return
	}
	middle := cmp.Or(want.both, clean.both) + ", "
	if middle == "-, " {
		middle = ""
	}
	expect := func(what, got, want string) {
		t.Helper()
		if want = strings.TrimPrefix(short.Replace(want), "-"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
		}
	}
	expect("learned", w.learned("10.0.0.4"), cmp.Or(want.learned, clean.learned))
	expect("advertised", w.advertised("10.0.0.4"), cmp.Or(want.advertised, clean.advertised))
	expect("effective", w.effective("nva"), cmp.Or(want.effective, "SPOKE, "+middle+"SITE"))
	expect("spoke", w.effective("vm"), cmp.Or(want.spoke, "HUB, "+middle+"SITE"))
}

func sends(routes ...Route) func(*world) {
	return func(w *world) { w.send("10.0.0.4", 65001, routes...) }
}

func ninth(w *world) {
	var others []Peer
	for i := range arm.MaxPeers {
		others = append(others, Peer{"c", netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + i)}), 65100})
	}
	w.RouteServers[0].Peers = append(others, w.RouteServers[0].Peers...)
}

// again sends n routes twice.
func again(n int) func(*world) {
	return func(w *world) {
		w.send("10.0.0.4", 65001, many(n, "10.0.0.4", 65001)...)
		for s, a := range w.Sent {
			a.Again = true
			w.Sent[s] = a
		}
	}
}

// second makes the other NVA send routes.
func second(routes ...Route) func(*world) {
	return func(w *world) { w.send("10.0.0.6", 65002, routes...) }
}

func noBGP(inbound bool) Rule {
	everything := []string{"*"}
	return Rule{
		Name: "no-bgp", Inbound: inbound, Priority: 100, Protocol: "Tcp",
		SourcePorts: everything, Ports: []string{"179"}, Sources: everything, Destinations: everything,
	}
}

func user(prefix string) func(*world) {
	return func(w *world) {
		w.VNets[1].Subnets[0].User = []sdn.UserRoute{{Name: "udr", Prefix: netip.MustParsePrefix(prefix), NextHops: []netip.Addr{addr("10.0.0.9")}}}
	}
}

func group(rules ...Rule) func(*world) {
	return func(w *world) { w.NICs[0].Group = withDefaults(rules...) }
}
