package azure

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	fake "github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/arm/rules"
	"github.com/nvad/nvad/pkg/azure"
)

// fault is something that goes wrong in silence.
type fault struct {
	code   azure.Code
	inject func(testing.TB, *world)
	// what distinguishes faults with the same code.
	what string
	// info says that it may be intended: by itself it makes no exit code 1.
	info bool
	// place are the things that the fault changes. Two faults that change one thing can't
	// both be injected.
	place string
	// down says that no session is up, so that nobody knows what nvad would send; then
	// faults with routes do not show.
	down, routes bool
	// large says that it takes a thousand routes: in pairs it is only found, not mended.
	// Ten thousand are too many for pairs.
	large, huge bool
	// mends is the code of a fault that is mended by the same line of nvad.toml.
	mends azure.Code
	// hides are the codes of faults of which this one leaves nothing to see.
	hides []azure.Code
}

func (f fault) name() string {
	if f.what != "" {
		return string(f.code) + ", " + f.what
	}
	return string(f.code)
}

// onPremises is an address behind the circuit.
var onPremises = netip.MustParseAddr("192.168.100.4")

func p[T any](v T) *T { return &v }

// faults are the silent drops of Azure that are known, and what an NVA can do wrong without
// a word from anybody.
var faults = slices.Concat(routeFaults, sessionFaults, limitFaults, vnetFaults, nicFaults)

func sends(prefix string, path ...uint32) func(testing.TB, *world) {
	return func(_ testing.TB, w *world) {
		w.nva.routes = append(w.nva.routes, announce(prefix, w.nva.address, append([]uint32{65001}, path...)...))
	}
}

// user gives a route table a user-defined route.
func user(w *world, table string, r fake.UserRoute) { w.state.UserRoute(table, r) }

var routeFaults = []fault{
	{code: azure.PrefixInVNetSpace, routes: true, inject: sends("10.0.9.0/24"), mends: azure.RouteServerSubnet},
	{code: azure.RouteServerSubnet, routes: true, inject: sends("10.0.210.0/26")},
	{code: azure.RouteServerASNInPath, routes: true, inject: sends("10.130.0.0/16", 65515)},
	{code: azure.NextHopUnreachable, routes: true, inject: func(_ testing.TB, w *world) {
		w.nva.routes = append(w.nva.routes, announce("10.131.0.0/16", netip.MustParseAddr("10.50.0.100"), 65001))
	}},
	{code: azure.UDRWins, routes: true, inject: func(_ testing.TB, w *world) {
		user(w, w.ids.spokeTable, fake.UserRoute{Name: "to-elsewhere", Prefix: "10.110.0.0/16", Hops: []string{"10.0.0.9"}})
	}},
	{code: azure.PropagationOff, what: "in the spoke", routes: true, inject: func(t testing.TB, w *world) {
		change(t, w, w.ids.spokeTable, func(r *armnetwork.RouteTable) { r.Properties.DisableBgpRoutePropagation = p(true) })
	}},
	{code: azure.NoAdvertise, routes: true, info: true, inject: func(_ testing.TB, w *world) {
		r := announce("10.132.0.0/16", w.nva.address, 65001)
		r.NoAdvertise = true
		w.nva.routes = append(w.nva.routes, r)
	}},
	{code: azure.ShorterPathElsewhere, routes: true, info: true, place: "other", inject: func(_ testing.TB, w *world) {
		w.nva.routes = append(w.nva.routes, announce("10.133.0.0/16", w.nva.address, 65001, 65001))
		w.other(announce("10.133.0.0/16", otherAddress, 65002))
	}},
	{code: azure.GatewayWins, routes: true, info: true, inject: func(_ testing.TB, w *world) {
		w.nva.routes = append(w.nva.routes, announce("10.134.0.0/16", w.nva.address, 65001))
		w.circuit = append(slices.Clone(w.circuit), announce("10.134.0.0/16", netip.MustParseAddr("10.2.146.76"), 12076, 64580))
	}},
	{code: azure.DefaultWithoutUDR, routes: true, inject: sends("0.0.0.0/0")},
	{code: azure.TunnelLoop, routes: true, inject: func(_ testing.TB, w *world) {
		w.nva.tunnel.Remotes = append(slices.Clone(w.nva.tunnel.Remotes), onPremises)
		w.nva.routes = append(w.nva.routes, announce("192.168.100.0/25", w.nva.address, 65001))
	}},
	{code: azure.InstancesDiffer, routes: true, inject: func(_ testing.TB, w *world) {
		w.nva.omits = netip.MustParsePrefix("10.110.0.0/16")
	}, place: "neighbors"},
	{code: azure.BranchToBranchOff, routes: true, hides: []azure.Code{azure.VPNGatewayMode, azure.CircuitLimit}, inject: func(t testing.TB, w *world) {
		change(t, w, w.ids.rs, func(h *armnetwork.VirtualHub) { h.Properties.AllowBranchToBranchTraffic = p(false) })
	}},
}

// behind lists the codes that nobody can find out while Route Server refuses the NVA.
var behind = []azure.Code{azure.SessionDown, azure.RoutesPerPeerLimit}

var sessionFaults = []fault{
	{code: azure.InstanceWithoutPeer, place: "neighbors", inject: func(_ testing.TB, w *world) { w.nva.neighbors = w.nva.neighbors[:1] }},
	{code: azure.PeerWrongAddress, what: "at nvad", place: "neighbors", inject: func(_ testing.TB, w *world) {
		w.nva.neighbors = []netip.Addr{instance0, netip.MustParseAddr("10.0.210.6")}
	}},
	{code: azure.NoConnection, place: "connection", down: true, hides: behind, inject: func(_ testing.TB, w *world) { w.state.Delete(w.ids.connection) }},
	{code: azure.PeerWrongASN, place: "connection", down: true, hides: behind, inject: func(t testing.TB, w *world) {
		change(t, w, w.ids.connection, func(c *armnetwork.BgpConnection) { c.Properties.PeerAsn = p(int64(65009)) })
	}},
	{code: azure.PeerWrongAddress, what: "at Route Server", place: "connection", down: true, hides: behind, inject: func(t testing.TB, w *world) {
		change(t, w, w.ids.connection, func(c *armnetwork.BgpConnection) { c.Properties.PeerIP = p("10.0.0.9") })
	}},
	{code: azure.ASNRefused, place: "connection neighbors session", down: true, hides: behind, inject: func(_ testing.TB, w *world) { w.nva.asn = 4200000001 }},
	{code: azure.PeerLimit, place: "connection", down: true, hides: behind, inject: func(_ testing.TB, w *world) {
		w.state.Delete(w.ids.connection)
		for i := range fake.MaxPeers - 1 {
			w.state.Connect(w.ids.rs, fmt.Sprintf("spare-%d", i), fmt.Sprintf("10.0.0.%d", 100+i), int64(65100+i))
		}
	}},
	{code: azure.NSGDropsBGP, place: "session", down: true, inject: denies("no-bgp", false, "Tcp", "179")},
	{code: azure.SessionDown, place: "session", down: true, inject: func(_ testing.TB, w *world) { w.nva.astray = "no route to host" }},
	{code: azure.RouteServerNotProvisioned, hides: behind, inject: func(t testing.TB, w *world) {
		change(t, w, w.ids.rs, func(h *armnetwork.VirtualHub) {
			h.Properties.ProvisioningState = to.Ptr(armnetwork.ProvisioningStateUpdating)
		})
	}},
}

// many returns n prefixes from the range with that first octet.
func many(first, n int, hop netip.Addr, path ...uint32) []rules.Route {
	var routes []rules.Route
	for i := range n {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(first), byte(i >> 8), byte(i), 0}), 24)
		routes = append(routes, rules.Route{Prefix: prefix, NextHop: hop, ASPath: path})
	}
	return routes
}

var limitFaults = []fault{
	{code: azure.RoutesPerPeerLimit, what: "exceeded", place: "session neighbors", down: true, inject: func(_ testing.TB, w *world) {
		w.nva.routes = append(w.nva.routes, many(20, 3999, w.nva.address, 65001)...)
	}},
	{code: azure.RoutesPerPeerLimit, what: "exceeded by sending again", place: "session neighbors", down: true, inject: func(_ testing.TB, w *world) {
		w.nva.routes = append(w.nva.routes, many(20, 1999, w.nva.address, 65001)...)
		w.nva.again = true
	}},
	{code: azure.CircuitLimit, large: true, routes: true, hides: []azure.Code{azure.GatewayWins}, inject: func(_ testing.TB, w *world) {
		w.nva.routes = append(w.nva.routes, many(20, 1000, w.nva.address, 65001)...)
	}},
	{code: azure.RoutesTotalLimit, large: true, huge: true, inject: func(_ testing.TB, w *world) {
		for i := range 3 {
			name := fmt.Sprintf("spare-%d", i)
			hop := netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + i)})
			w.state.Site("", "").VM(fake.VM{Name: name, Subnet: w.ids.hub + "/subnets/default", Addresses: []netip.Addr{hop}, Forwarding: true})
			w.state.Connect(w.ids.rs, name, hop.String(), int64(65100+i))
			routes := many(21+i, 3400, hop, uint32(65100+i))
			for j := range routes {
				routes[j].NoAdvertise = true // or the circuit's limit would be exceeded too
			}
			for _, instance := range []netip.Addr{instance0, instance1} {
				w.others[rules.Session{NVA: hop, Instance: instance}] = rules.Announcement{ASN: uint32(65100 + i), Routes: routes}
			}
		}
	}},
}

// denies makes the network security group of the NVA's subnet drop something.
func denies(name string, inbound bool, protocol, port string) func(testing.TB, *world) {
	return func(t testing.TB, w *world) {
		change(t, w, w.ids.group, func(g *armnetwork.SecurityGroup) {
			direction := armnetwork.SecurityRuleDirectionOutbound
			if inbound {
				direction = armnetwork.SecurityRuleDirectionInbound
			}
			g.Properties.SecurityRules = append(g.Properties.SecurityRules, &armnetwork.SecurityRule{
				ID: p(*g.ID + "/securityRules/" + name), Name: &name, Properties: &armnetwork.SecurityRulePropertiesFormat{
					Access: p(armnetwork.SecurityRuleAccessDeny), Direction: &direction, Priority: p(int32(200 + len(g.Properties.SecurityRules))),
					Protocol: p(armnetwork.SecurityRuleProtocol(protocol)), SourceAddressPrefix: p("*"), DestinationAddressPrefix: p("*"),
					SourcePortRange: p("*"), DestinationPortRange: &port,
				},
			})
		})
	}
}
