package arm_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
)

func builtState() (*arm.State, arm.HubIDs) {
	s := arm.NewState()
	b := s.Site("", "")
	h := b.Hub("hub00", 0, 65001)
	spoke := b.VNet("vnet-spoke", []string{"10.1.0.0/16"}, arm.Subnet{Name: "default", Prefix: "10.1.0.0/24", RouteTable: b.RouteTable("rt", false,
		arm.UserRoute{Name: "far", Prefix: "10.110.0.0/16", Hops: []string{"10.0.0.4", "10.0.0.5"}}, arm.UserRoute{Name: "out", Prefix: "0.0.0.0/0", Type: "Internet"})})
	s.Peer(h.VNet, spoke, true)
	b.SecurityGroup("nsg", arm.Rule{Name: "vxlan", Priority: 100, Inbound: true, Allow: true, Protocol: "Udp", Port: "4789"})
	b.Gateway("gw", h.VNet, armnetwork.VirtualNetworkGatewayTypeExpressRoute, "10.0.200.4")
	b.VM(arm.VM{Name: "vm-spoke", Subnet: spoke + "/subnets/default", Addresses: []netip.Addr{netip.MustParseAddr("10.1.0.4")}})
	s.Assign("someone", arm.Role{Name: "reader", Actions: []string{"*/read"}}, "/")
	return s, h
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	check(t, err)
	return string(data)
}

func TestStateSurvivesJSON(t *testing.T) {
	s, h := builtState()
	next := arm.NewState()
	check(t, json.Unmarshal([]byte(text(t, s)), next))
	if text(t, next) != text(t, s) {
		t.Errorf("got  %s\nwant %s", text(t, next), text(t, s))
	}
	if got := next.Hops(arm.ID(arm.TypeRouteTable, "rt", "routes", "far")); !reflect.DeepEqual(got, []string{"10.0.0.4", "10.0.0.5"}) {
		t.Errorf("hops %v", got)
	}
	if !next.Running(h.VM) {
		t.Error("the VM has stopped")
	}
}

func TestAClonedStateIsAnother(t *testing.T) {
	s, h := builtState()
	before := text(t, s)
	c := s.Clone()
	if text(t, c) != before {
		t.Error("the clone differs")
	}
	arm.Change(c, h.NIC, func(n *armnetwork.Interface) { *n.Properties.EnableIPForwarding = false })
	arm.Change(c, h.VNet+"/subnets/default", func(n *armnetwork.Subnet) { *n.Properties.AddressPrefix = "10.0.9.0/24" })
	c.SetHops(arm.ID(arm.TypeRouteTable, "rt", "routes", "far"), "10.0.0.9", "10.0.0.8")
	c.Power(h.VM, false)
	c.Assign("another", arm.Role{}, "/")
	c.Delete(h.RouteServer)
	if text(t, s) != before {
		t.Error("a change of the clone changes the original")
	}
	if len(arm.All[armnetwork.BgpConnection](c)) != 0 || len(arm.All[armnetwork.BgpConnection](s)) != 1 {
		t.Error("a Route Server's peers do not end with it")
	}
}

// What is passed in or out is no way into the State.
func TestValuesAreCopies(t *testing.T) {
	s, h := builtState()
	before := text(t, s)
	nic, _ := arm.Get[armnetwork.Interface](s, strings.ToUpper(h.NIC))
	*nic.Properties.EnableIPForwarding = false
	*arm.All[armnetwork.VirtualHub](s)[0].Properties.AllowBranchToBranchTraffic = false
	*arm.All[armnetwork.VirtualNetwork](s)[0].Properties.Subnets[0].Properties.AddressPrefix = "10.0.9.0/24"
	if text(t, s) != before {
		t.Error("a change of a copy changes the State")
	}
	s.Put(nic)
	*nic.Properties.EnableIPForwarding = true
	if got, _ := arm.Get[armnetwork.Interface](s, h.NIC); *got.Properties.EnableIPForwarding {
		t.Error("a change of what was put changes the State")
	}
}

func TestPartsAreChangedUnderTheirOwnIDs(t *testing.T) {
	s, h := builtState()
	id := h.VNet + "/virtualNetworkPeerings/to-vnet-spoke"
	if !arm.Change(s, id, func(p *armnetwork.VirtualNetworkPeering) { p.Properties.AllowForwardedTraffic = to.Ptr(false) }) {
		t.Fatal("there is no peering")
	}
	vnet, _ := arm.Get[armnetwork.VirtualNetwork](s, h.VNet)
	if *vnet.Properties.VirtualNetworkPeerings[0].Properties.AllowForwardedTraffic {
		t.Error("the VNet does not show it")
	}
	s.Delete(id)
	if _, ok := arm.Get[armnetwork.VirtualNetworkPeering](s, id); ok || arm.Change(s, id, func(*armnetwork.VirtualNetworkPeering) {}) {
		t.Error("it is still there")
	}
	if _, ok := arm.Get[armnetwork.Subnet](s, h.NIC); ok {
		t.Error("a NIC is a subnet")
	}
	defer func() {
		if recover() == nil {
			t.Error("a part without its whole is accepted")
		}
	}()
	s.Put(&armnetwork.Subnet{ID: to.Ptr(arm.ID(arm.TypeVNet, "vnet-none", "subnets", "default"))})
}
