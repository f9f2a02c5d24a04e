package azure

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	fake "github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/arm/rules"
	"github.com/nvad/nvad/pkg/azure"
)

// harmless are changes to a world that look like faults and are none.
var harmless = map[string]func(testing.TB, *world){
	"a supernet of the VNet": sends("10.0.0.0/8"),
	"a default route, and a user-defined one on the NVA's subnet": func(t testing.TB, w *world) {
		sends("0.0.0.0/0")(t, w)
		user(w, w.ids.table, fake.UserRoute{Name: "out", Prefix: "0.0.0.0/0", Type: "Internet"})
	},
	"a load balancer's frontend as next hop": func(_ testing.TB, w *world) {
		w.nva.routes = append(w.nva.routes, announce("10.140.0.0/16", netip.MustParseAddr("10.0.0.100"), 65001))
	},
	"another NVA with an equal path": func(_ testing.TB, w *world) {
		w.nva.routes = append(w.nva.routes, announce("10.141.0.0/16", w.nva.address, 65001))
		w.other(announce("10.141.0.0/16", otherAddress, 65002))
	},
	"another NVA with a longer path": func(_ testing.TB, w *world) {
		w.nva.routes = append(w.nva.routes, announce("10.142.0.0/16", w.nva.address, 65001))
		w.other(announce("10.142.0.0/16", otherAddress, 65002, 65002))
	},
	"a user-defined route that leads to the NVA": func(_ testing.TB, w *world) {
		user(w, w.ids.spokeTable, fake.UserRoute{Name: "to-nva", Prefix: "10.110.0.0/16", Hops: []string{nvaAddress.String()}})
	},
	"no propagation, and a user-defined default route to the NVA": func(t testing.TB, w *world) {
		change(t, w, w.ids.spokeTable, func(r *armnetwork.RouteTable) { r.Properties.DisableBgpRoutePropagation = p(true) })
		user(w, w.ids.spokeTable, fake.UserRoute{Name: "to-nva", Prefix: "0.0.0.0/0", Hops: []string{nvaAddress.String()}})
	},
	"an ECMP route over both NVAs": func(_ testing.TB, w *world) {
		user(w, w.ids.spokeTable, fake.UserRoute{Name: "ecmp", Prefix: "10.110.0.0/16", Hops: []string{nvaAddress.String(), otherAddress.String()}})
	},
	"a group that drops BGP from outside": denies("no-bgp", true, "Tcp", "179"),
	"a group that drops what the NVA does not use": func(t testing.TB, w *world) {
		denies("no-ssh", true, "Tcp", "22")(t, w)
		denies("no-gwlb", true, "Udp", "10800-10801")(t, w)
		denies("no-bfd", true, "Udp", "3784")(t, w)
	},
	"the other hub's peering without forwarded traffic": func(t testing.TB, w *world) {
		change(t, w, w.ids.hubFar, func(v *peering) { v.Properties.AllowForwardedTraffic = p(false) })
	},
	"no branch-to-branch at the other hub's Route Server": func(t testing.TB, w *world) {
		change(t, w, fake.ID(fake.TypeHub, "rs-hub10"), func(h *armnetwork.VirtualHub) { h.Properties.AllowBranchToBranchTraffic = p(false) })
	},
	"eight peers at the other hub's Route Server": func(_ testing.TB, w *world) {
		for i := range fake.MaxPeers - 1 {
			w.state.Connect(fake.ID(fake.TypeHub, "rs-hub10"), string(rune('a'+i)), netip.AddrFrom4([4]byte{10, 10, 0, byte(100 + i)}).String(), 65100)
		}
	},
	"a VPN gateway that is active-active": func(_ testing.TB, w *world) {
		w.state.Site("", "").Gateway("vpngw-hub00", w.ids.hub, armnetwork.VirtualNetworkGatewayTypeVPN, "10.0.200.5", "10.0.200.6")
	},
	"a NAT gateway in place of a public address": func(t testing.TB, w *world) {
		change(t, w, w.ids.nic, func(n *armnetwork.Interface) { n.Properties.IPConfigurations[0].Properties.PublicIPAddress = nil })
		change(t, w, w.ids.hub+"/subnets/default", func(s *armnetwork.Subnet) {
			s.Properties.DefaultOutboundAccess, s.Properties.NatGateway = p(false), &armnetwork.SubResource{ID: p(fake.ID(fake.TypeNATGateway, "nat"))}
		})
	},
	"half of the limit of routes": func(_ testing.TB, w *world) {
		w.nva.routes = append(w.nva.routes, many(20, 700, w.nva.address, 65001)...)
	},
}

// other makes the hub's other NVA announce one more route.
func (w *world) other(r rules.Route) {
	for s, a := range w.others {
		if s.NVA == otherAddress {
			a.Routes = append(slices.Clone(a.Routes), r)
			w.others[s] = a
		}
	}
}

// TestHarmless: what is as it should be, or nobody's business, is no finding.
func TestHarmless(t *testing.T) {
	a := newAsker(t)
	for name, alter := range harmless {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			alter(t, w)
			wantCodes(t, name, a.diff(t, w))
		})
	}
}

// TestStopped: of a spoke whose VM does not run, Azure computes nothing. The comparison says
// so, judges nothing about it, and still finds what is wrong elsewhere.
func TestStopped(t *testing.T) {
	w := newWorld()
	w.state.Power(w.ids.spokeVM, false)
	denies("no-vxlan", true, "Udp", "4789")(t, w)
	r := newAsker(t).diff(t, w)
	if got := codes(r); !slices.Equal(got, []azure.Code{azure.NSGDropsVXLAN}) {
		t.Errorf("got %v\n%s", got, explain(r))
	}
	lacks := func(what azure.What) bool {
		return slices.ContainsFunc(r.NotJudged, func(n azure.NotJudged) bool { return n.What == what && n.Effect != "" })
	}
	if !lacks(azure.WhatEffectiveRoutes) || lacks(azure.WhatNIC) {
		t.Errorf("not judged is %+v", r.NotJudged)
	}
}

// TestStrict: the interpreter of mends refuses what az, nvactl and nvad do not know.
func TestStrict(t *testing.T) {
	const at = " --resource-group rg-nva --subscription " + fake.Subscription
	for _, step := range []azure.Step{
		{In: azure.InShell, Text: "az network routeserver fix --name rs-hub00" + at},
		{In: azure.InShell, Text: "az network routeserver update --name rs-hub00 --allow-branch-to-branch true" + at},
		{In: azure.InShell, Text: "az network routeserver update --name rs-hub00 --allow-b2b-traffic on" + at},
		{In: azure.InShell, Text: "az network routeserver update --allow-b2b-traffic true" + at},
		{In: azure.InShell, Text: "az network routeserver update --name rs-hub00 --allow-b2b-traffic true --resource-group rg-nva --subscription other"},
		{In: azure.InShell, Text: "az network routeserver update --name nothing --allow-b2b-traffic true" + at},
		{In: azure.InShell, Text: "az network routeserver update --name $(reboot) --allow-b2b-traffic true" + at},
		{In: azure.InShell, Text: "az network routeserver update --name 'rs-hub00 --allow-b2b-traffic true" + at},
		{In: azure.InShell, Text: "az network vnet peering update --vnet-name vnet-spoke01 --name to-vnet-hub00 --set allowAll=true" + at},
		{In: azure.InShell, Text: "nvactl mend"},
		{In: azure.InShell, Text: "reboot"},
		{In: azure.InFile, Text: "# In the peer-group of Route Server rs-hub00:\nneighbours = []"},
		{In: azure.InFile, Text: "neighbors = [\"10.0.210.4\"]"},
		{In: azure.InWords, Text: "Be lucky."},
		{In: "elsewhere", Text: "az network routeserver update --name rs-hub00 --allow-b2b-traffic true" + at},
	} {
		if err := newWorld().mend(azure.Finding{Code: "test", Mend: []azure.Step{step}}); err == nil {
			t.Errorf("%s: %s is done", step.In, step.Text)
		}
	}
	if err := newWorld().mend(azure.Finding{Code: "test"}); err == nil {
		t.Error("no mend is enough")
	}
}
