package azure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	fake "github.com/nvad/nvad/integration/lab/emulator/arm"
)

// peering is one side of a peering.
type peering = armnetwork.VirtualNetworkPeering

func (c command) peering() string {
	return c.id(fake.TypeVNet, c.text("vnet-name"), "virtualNetworkPeerings", c.text("name"))
}

// opposite returns the ID of the other side of a VNet's peering with remote; empty: none.
func (w *world) opposite(vnet, remote string) string {
	v, ok := fake.Get[armnetwork.VirtualNetwork](w.state, remote)
	if !ok {
		return ""
	}
	for _, p := range v.Properties.VirtualNetworkPeerings {
		if strings.EqualFold(*p.Properties.RemoteVirtualNetwork.ID, vnet) {
			return *p.ID
		}
	}
	return ""
}

func (w *world) space(vnet string) *armnetwork.AddressSpace {
	v, ok := fake.Get[armnetwork.VirtualNetwork](w.state, vnet)
	if !ok {
		return nil
	}
	return v.Properties.AddressSpace
}

// createPeering makes one side of a peering, which is connected once there are both.
func createPeering(w *world, c command) error {
	local, remote, id := c.id(fake.TypeVNet, c.text("vnet-name")), c.text("remote-vnet"), c.peering()
	space := w.space(remote)
	if _, there := fake.Get[peering](w.state, id); there || space == nil || w.space(local) == nil {
		return fmt.Errorf("peering %s is there already: %t; or one of %s and %s is not", id, there, local, remote)
	}
	p := &armnetwork.VirtualNetworkPeeringPropertiesFormat{
		RemoteVirtualNetwork: &armnetwork.SubResource{ID: &remote}, RemoteAddressSpace: space, RemoteVirtualNetworkAddressSpace: space,
		PeeringState: to.Ptr(armnetwork.VirtualNetworkPeeringStateInitiated), PeeringSyncLevel: to.Ptr(armnetwork.VirtualNetworkPeeringLevelRemoteNotInSync),
		PeerCompleteVnets: to.Ptr(true),
	}
	for name, field := range map[string]**bool{
		"allow-vnet-access": &p.AllowVirtualNetworkAccess, "allow-forwarded-traffic": &p.AllowForwardedTraffic,
		"allow-gateway-transit": &p.AllowGatewayTransit, "use-remote-gateways": &p.UseRemoteGateways,
	} {
		value, _, err := c.flag(name)
		if err != nil {
			return err
		}
		*field = &value
	}
	other := w.opposite(local, remote)
	if *p.UseRemoteGateways {
		if far, ok := fake.Get[peering](w.state, other); !ok || far.Properties.AllowGatewayTransit == nil || !*far.Properties.AllowGatewayTransit {
			return fmt.Errorf("%s can't use the gateways of %s, whose side does not allow it", local, remote)
		}
	}
	if far, ok := fake.Get[peering](w.state, other); ok {
		if *far.Properties.PeeringState == armnetwork.VirtualNetworkPeeringStateDisconnected {
			return fmt.Errorf("the other side, %s, is disconnected and has to be deleted", other)
		}
		connect := func(p *armnetwork.VirtualNetworkPeeringPropertiesFormat) {
			p.PeeringState, p.PeeringSyncLevel = to.Ptr(armnetwork.VirtualNetworkPeeringStateConnected), to.Ptr(armnetwork.VirtualNetworkPeeringLevelFullyInSync)
		}
		connect(p)
		fake.Change(w.state, other, func(far *peering) { connect(far.Properties) })
	}
	w.state.Put(&peering{ID: &id, Name: to.Ptr(c.text("name")), Properties: p})
	return nil
}

// updatePeering changes one side. --set names the fields of the resource.
func updatePeering(w *world, c command) error {
	return alter(w, c.peering(), func(p *peering) error {
		for _, text := range c.options["--set"] {
			name, value, _ := strings.Cut(text, "=")
			field, ok := map[string]**bool{
				"allowVirtualNetworkAccess": &p.Properties.AllowVirtualNetworkAccess, "allowForwardedTraffic": &p.Properties.AllowForwardedTraffic,
				"allowGatewayTransit": &p.Properties.AllowGatewayTransit, "useRemoteGateways": &p.Properties.UseRemoteGateways,
			}[name]
			if !ok || value != "true" && value != "false" {
				return fmt.Errorf("--set %s: no such field, or neither true nor false", text)
			}
			*field = to.Ptr(value == "true")
		}
		if names := c.options["--local-subnet-names"]; names != nil {
			p.Properties.LocalSubnetNames = to.SliceOfPtrs(names...)
		}
		if names := c.options["--remote-subnet-names"]; names != nil {
			p.Properties.RemoteSubnetNames = to.SliceOfPtrs(names...)
		}
		return nil
	})
}

// deletePeering leaves the other side disconnected.
func deletePeering(w *world, c command) error {
	p, ok := fake.Get[peering](w.state, c.peering())
	if !ok {
		return fmt.Errorf("there is no %s", c.peering())
	}
	w.state.Delete(c.peering())
	other := w.opposite(c.id(fake.TypeVNet, c.text("vnet-name")), *p.Properties.RemoteVirtualNetwork.ID)
	fake.Change(w.state, other, func(p *peering) {
		p.Properties.PeeringState = to.Ptr(armnetwork.VirtualNetworkPeeringStateDisconnected)
	})
	return nil
}

// syncPeering lets one side take over the other VNet's address space. Both are in sync once
// both have.
func syncPeering(w *world, c command) error {
	local := c.id(fake.TypeVNet, c.text("vnet-name"))
	var remote string
	err := alter(w, c.peering(), func(p *peering) error {
		remote = *p.Properties.RemoteVirtualNetwork.ID
		return nil
	})
	if err != nil {
		return err
	}
	space := w.space(remote)
	fake.Change(w.state, c.peering(), func(p *peering) {
		p.Properties.RemoteAddressSpace, p.Properties.RemoteVirtualNetworkAddressSpace = space, space
	})
	other := w.opposite(local, remote)
	level := armnetwork.VirtualNetworkPeeringLevelFullyInSync
	if far, ok := fake.Get[peering](w.state, other); ok && !equalSpace(far.Properties.RemoteAddressSpace, w.space(local)) {
		level = armnetwork.VirtualNetworkPeeringLevelRemoteNotInSync
	}
	for _, id := range []string{c.peering(), other} {
		fake.Change(w.state, id, func(p *peering) { p.Properties.PeeringSyncLevel = to.Ptr(level) })
	}
	return nil
}

func equalSpace(a, b *armnetwork.AddressSpace) bool {
	return slices.EqualFunc(a.AddressPrefixes, b.AddressPrefixes, func(x, y *string) bool { return *x == *y })
}
