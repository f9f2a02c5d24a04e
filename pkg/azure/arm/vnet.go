package arm

import (
	"context"
	"net/netip"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/pkg/azure"
)

// maxVNets bounds how many VNets are read; a Route Server serves 500 at most.
const maxVNets = 512

// vnets reads the VNets of the NICs, and those peered with them.
func (r *reading) vnets(ctx context.Context) error {
	for _, n := range r.s.NICs {
		if err := r.vnet(ctx, n.VNet); err != nil {
			return err
		}
	}
	return r.peered(ctx, func(azure.VNet) bool { return true })
}

// peered reads the VNets that are peered with those read so far that are of the given kind.
func (r *reading) peered(ctx context.Context, of func(azure.VNet) bool) error {
	for _, v := range slices.Clone(r.s.VNets) {
		if !of(v) {
			continue
		}
		for _, p := range v.Peerings {
			if err := r.vnet(ctx, p.Remote); err != nil {
				return err
			}
		}
	}
	return nil
}

// vnet reads a VNet unless it was asked for before.
func (r *reading) vnet(ctx context.Context, id string) error {
	if id == "" || r.seen[id] {
		return nil
	}
	if len(r.seen) == maxVNets {
		return r.missing(id, azure.WhatVNet, refuse("more than %d VNets are not read", maxVNets))
	}
	r.seen[id] = true
	answer, at, err := r.getVNet(ctx, id)
	if err != nil {
		return r.missing(id, azure.WhatVNet, err)
	}
	v := azure.VNet{
		ID: id, Name: at.name, ResourceGroup: at.group, Subscription: at.subscription, Location: val(answer.Location),
	}
	p := val(answer.Properties)
	v.Space = space(p.AddressSpace)
	for s := range each(p.Subnets) {
		sub, err := r.subnet(ctx, s)
		if err != nil {
			return err
		}
		v.Subnets = append(v.Subnets, sub)
	}
	for p := range each(p.VirtualNetworkPeerings) {
		v.Peerings = append(v.Peerings, peering(p))
	}
	r.s.VNets = append(r.s.VNets, v)
	return nil
}

func (r *reading) getVNet(ctx context.Context, id string) (armnetwork.VirtualNetwork, place, error) {
	f, at, err := r.networkOf(id)
	if err != nil {
		return armnetwork.VirtualNetwork{}, at, err
	}
	client := f.NewVirtualNetworksClient()
	v, err := r.vnetShelf.get(at.subscription, id,
		func() ([]armnetwork.VirtualNetwork, error) {
			list, err := pages(ctx, r.Client, "the VNets of subscription "+at.subscription, client.NewListAllPager(nil),
				func(p armnetwork.VirtualNetworksClientListAllResponse) []*armnetwork.VirtualNetwork { return p.Value })
			return slices.Collect(each(list)), err
		},
		func(v armnetwork.VirtualNetwork) string { return val(v.ID) },
		func() (armnetwork.VirtualNetwork, error) {
			r.begin("VNet " + at.name)
			answer, err := client.Get(ctx, at.group, at.name, nil)
			return answer.VirtualNetwork, err
		})
	return v, at, err
}

func space(a *armnetwork.AddressSpace) []netip.Prefix { return prefixes(val(a).AddressPrefixes) }

func (r *reading) subnet(ctx context.Context, s armnetwork.Subnet) (azure.Subnet, error) {
	out := azure.Subnet{ID: low(s.ID), Name: val(s.Name)}
	p := val(s.Properties)
	out.Prefixes = unique(prefixes(p.AddressPrefixes, []*string{p.AddressPrefix}))
	out.NATGateway, out.DefaultOutbound = p.NatGateway != nil, p.DefaultOutboundAccess
	out.SecurityGroup = low(val(p.NetworkSecurityGroup).ID)
	if p.RouteTable == nil {
		return out, nil
	}
	var err error
	out.RouteTable, err = r.table(ctx, low(p.RouteTable.ID))
	return out, err
}

func peering(p armnetwork.VirtualNetworkPeering) azure.Peering {
	f := val(p.Properties)
	out := azure.Peering{
		Name: val(p.Name), Remote: low(val(f.RemoteVirtualNetwork).ID), State: str(f.PeeringState), Sync: str(f.PeeringSyncLevel),
	}
	if out.Space = space(f.RemoteVirtualNetworkAddressSpace); out.Space == nil {
		out.Space = space(f.RemoteAddressSpace)
	}
	out.AllowVNetAccess, out.AllowForwardedTraffic = val(f.AllowVirtualNetworkAccess), val(f.AllowForwardedTraffic)
	out.AllowGatewayTransit, out.UseRemoteGateways = val(f.AllowGatewayTransit), val(f.UseRemoteGateways)
	// Peerings made before subnets could be peered lack the field.
	out.CompleteVNets = f.PeerCompleteVnets == nil || *f.PeerCompleteVnets
	out.LocalSubnets, out.RemoteSubnets = strs(f.LocalSubnetNames), strs(f.RemoteSubnetNames)
	return out
}
