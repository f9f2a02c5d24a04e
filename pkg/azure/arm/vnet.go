package arm

import (
	"context"
	"net/netip"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/pkg/azure"
)

// Bounds of what is read: a Route Server serves 500 VNets at most.
const (
	maxVNets  = 512
	maxTables = 512
)

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

func (c *Client) getVNet(ctx context.Context, id string) (armnetwork.VirtualNetwork, place, error) {
	at, err := locate(id)
	if err != nil {
		return armnetwork.VirtualNetwork{}, at, err
	}
	f, err := c.network(at.subscription)
	if err != nil {
		return armnetwork.VirtualNetwork{}, at, err
	}
	c.begin("VNet " + at.name)
	answer, err := f.NewVirtualNetworksClient().Get(ctx, at.group, at.name, nil)
	return answer.VirtualNetwork, at, err
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

// tableVersion is the first version of the API that has VirtualApplianceEcmp.
const tableVersion = "2025-07-01"

// The answers about route tables, of which all that nvad knows is read.
type (
	rawTable struct {
		Properties struct {
			DisableBgpRoutePropagation bool
			Routes                     []*rawRoute
		}
	}
	rawRoute struct {
		Name       string
		Properties routeProperties
	}
	routeProperties struct {
		AddressPrefix    string
		NextHopType      string
		NextHopIPAddress *string `json:"nextHopIpAddress"`
		NextHop          *struct {
			NextHopIPAddresses []*string `json:"nextHopIpAddresses"`
		}
	}
)

// table reads a route table, once. If it can't be read, it is returned as one that
// takes nothing away.
func (r *reading) table(ctx context.Context, id string) (*azure.RouteTable, error) {
	if t := r.tables[id]; t != nil {
		return t, nil
	}
	at, err := locate(id)
	t := &azure.RouteTable{ID: id, Name: at.name, ResourceGroup: at.group, Propagation: true}
	if len(r.tables) < maxTables {
		r.tables[id] = t
	} else if err == nil {
		err = refuse("more than %d route tables are not read", maxTables)
	}
	if err != nil {
		return t, r.missing(id, azure.WhatRouteTable, err)
	}
	r.begin("route table " + at.name)
	var raw rawTable
	if _, err := r.get(ctx, id, tableVersion, nil, &raw); err != nil {
		return t, r.missing(id, azure.WhatRouteTable, err)
	}
	t.Propagation = !raw.Properties.DisableBgpRoutePropagation
	for route := range each(raw.Properties.Routes) {
		t.Routes = append(t.Routes, route.user())
	}
	return t, nil
}

func (r rawRoute) user() azure.UserRoute {
	p, _ := prefix(r.Properties.AddressPrefix)
	return azure.UserRoute{Name: r.Name, Prefix: p, NextHopType: r.Properties.NextHopType, NextHops: r.Properties.hops()}
}

func (p routeProperties) hops() []netip.Addr {
	if p.NextHop != nil {
		return addresses(p.NextHop.NextHopIPAddresses)
	}
	return addresses([]*string{p.NextHopIPAddress})
}
