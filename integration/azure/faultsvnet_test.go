package azure

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	fake "github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/arm/rules"
	"github.com/nvad/nvad/pkg/azure"
)

// flag changes a side of a peering.
func flag(side func(*world) string, alter func(*armnetwork.VirtualNetworkPeeringPropertiesFormat)) func(testing.TB, *world) {
	return func(t testing.TB, w *world) {
		change(t, w, side(w), func(v *peering) { alter(v.Properties) })
	}
}

func spokeToHub(w *world) string { return w.ids.spokeToHub }
func hubToSpoke(w *world) string { return w.ids.hubToSpoke }

var vnetFaults = []fault{
	{code: azure.PeeringNoForwardedTraffic, place: "flags", inject: flag(spokeToHub, func(v *armnetwork.VirtualNetworkPeeringPropertiesFormat) { v.AllowForwardedTraffic = p(false) })},
	{code: azure.PeeringNoAccess, what: "into the spoke", place: "flags", inject: flag(spokeToHub, func(v *armnetwork.VirtualNetworkPeeringPropertiesFormat) { v.AllowVirtualNetworkAccess = p(false) })},
	{code: azure.SpokeNoRemoteGateways, what: "at the spoke", place: "gateways", inject: flag(spokeToHub, func(v *armnetwork.VirtualNetworkPeeringPropertiesFormat) { v.UseRemoteGateways = p(false) })},
	{code: azure.SpokeNoRemoteGateways, what: "at the hub", place: "gateways", inject: func(t testing.TB, w *world) {
		// Azure lets nobody forbid transit that is used: the spoke's side lacks its flag too.
		flag(hubToSpoke, func(v *armnetwork.VirtualNetworkPeeringPropertiesFormat) { v.AllowGatewayTransit = p(false) })(t, w)
		flag(spokeToHub, func(v *armnetwork.VirtualNetworkPeeringPropertiesFormat) { v.UseRemoteGateways = p(false) })(t, w)
	}},
	{code: azure.PeeringNotConnected, place: "gateways flags space", inject: func(t testing.TB, w *world) {
		disconnected := func(v *armnetwork.VirtualNetworkPeeringPropertiesFormat) {
			v.PeeringState = p(armnetwork.VirtualNetworkPeeringStateDisconnected)
		}
		flag(hubToSpoke, disconnected)(t, w)
		w.state.Delete(w.ids.spokeToHub)
	}},
	{code: azure.PeeringOutOfSync, place: "space", inject: func(t testing.TB, w *world) {
		change(t, w, w.ids.spoke, func(v *armnetwork.VirtualNetwork) {
			v.Properties.AddressSpace.AddressPrefixes = append(v.Properties.AddressSpace.AddressPrefixes, p("10.8.0.0/16"))
		})
		flag(hubToSpoke, func(v *armnetwork.VirtualNetworkPeeringPropertiesFormat) {
			v.PeeringSyncLevel = p(armnetwork.VirtualNetworkPeeringLevelLocalNotInSync)
		})(t, w)
		flag(spokeToHub, func(v *armnetwork.VirtualNetworkPeeringPropertiesFormat) {
			v.PeeringSyncLevel = p(armnetwork.VirtualNetworkPeeringLevelRemoteNotInSync)
		})(t, w)
	}},
	{code: azure.PeeringLeavesOutSubnet, place: "flags gateways", inject: func(t testing.TB, w *world) {
		parts := func(local, remote string) func(*armnetwork.VirtualNetworkPeeringPropertiesFormat) {
			return func(v *armnetwork.VirtualNetworkPeeringPropertiesFormat) {
				v.PeerCompleteVnets, v.LocalSubnetNames, v.RemoteSubnetNames = p(false), []*string{&local}, []*string{&remote}
			}
		}
		flag(spokeToHub, parts("other", "default"))(t, w)
		flag(hubToSpoke, parts("default", "other"))(t, w)
	}},
	{code: azure.AppliancePeering, inject: func(t testing.TB, w *world) {
		name, prefix := "VirtualNetworkApplianceSubnet", "10.10.5.0/24"
		w.state.Put(&armnetwork.Subnet{ID: p(w.ids.far + "/subnets/" + name), Name: &name, Properties: &armnetwork.SubnetPropertiesFormat{AddressPrefix: &prefix}})
		w.state.Peer(w.ids.far, w.ids.spoke, false)
		far := func(w *world) string { return w.ids.far + "/virtualNetworkPeerings/to-vnet-spoke01" }
		flag(far, func(v *armnetwork.VirtualNetworkPeeringPropertiesFormat) { v.AllowForwardedTraffic = p(false) })(t, w)
		user(w, w.ids.spokeTable, fake.UserRoute{Name: "to-appliance", Prefix: "10.160.0.0/16", Hops: []string{"10.10.5.4"}})
	}},
	{code: azure.VPNGatewayMode, inject: func(_ testing.TB, w *world) {
		w.ids.vpn = w.state.Site("", "").Gateway("ergw-vpn", w.ids.hub, armnetwork.VirtualNetworkGatewayTypeVPN, "10.0.200.5")
	}},
	{code: azure.ECMPHopDead, inject: func(_ testing.TB, w *world) {
		user(w, w.ids.spokeTable, fake.UserRoute{Name: "ecmp", Prefix: "10.150.0.0/16", Hops: []string{nvaAddress.String(), otherAddress.String()}})
		for s, a := range w.others {
			if s.NVA == otherAddress {
				w.others[s] = rules.Announcement{ASN: a.ASN}
			}
		}
	}, place: "other"},
}

var nicFaults = []fault{
	{code: azure.IPForwardingOff, inject: func(t testing.TB, w *world) {
		change(t, w, w.ids.nic, func(n *armnetwork.Interface) { n.Properties.EnableIPForwarding = p(false) })
	}},
	{code: azure.NSGDropsVXLAN, inject: denies("no-vxlan", true, "Udp", "4789")},
	{code: azure.NSGDropsBFD, inject: denies("no-bfd", true, "Udp", "4784")},
	{code: azure.NoWayOut, info: true, inject: func(t testing.TB, w *world) {
		change(t, w, w.ids.nic, func(n *armnetwork.Interface) { n.Properties.IPConfigurations[0].Properties.PublicIPAddress = nil })
		change(t, w, w.ids.hub+"/subnets/default", func(s *armnetwork.Subnet) { s.Properties.DefaultOutboundAccess = p(false) })
	}},
	{code: azure.PropagationOff, what: "at the NVA", routes: true, hides: []azure.Code{azure.DefaultWithoutUDR, azure.TunnelLoop}, inject: func(t testing.TB, w *world) {
		change(t, w, w.ids.table, func(r *armnetwork.RouteTable) { r.Properties.DisableBgpRoutePropagation = p(true) })
	}},
}
