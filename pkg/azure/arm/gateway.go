package arm

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/pkg/azure"
)

const (
	gatewaySubnet = "GatewaySubnet"
	// expressRouteASN is that of the routers at the other end of a circuit.
	expressRouteASN = 12076
)

// gateways reads the gateways of the Route Servers' VNets. A gateway is in its VNet's
// resource group.
func (r *reading) gateways(ctx context.Context) error {
	groups := map[string]azure.VNet{} // by the ID of the resource group
	for _, rs := range r.s.RouteServers {
		for _, v := range r.s.VNets {
			if v.ID == rs.VNet && slices.ContainsFunc(v.Subnets, func(s azure.Subnet) bool { return strings.EqualFold(s.Name, gatewaySubnet) }) {
				groups[strings.ToLower("/subscriptions/"+v.Subscription+"/resourceGroups/"+v.ResourceGroup)] = v
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		v := groups[id]
		f, err := r.network(v.Subscription)
		if err != nil {
			return err
		}
		list, err := pages(ctx, r.Client, "the gateways of resource group "+v.ResourceGroup,
			f.NewVirtualNetworkGatewaysClient().NewListPager(v.ResourceGroup, nil),
			func(p armnetwork.VirtualNetworkGatewaysClientListResponse) []*armnetwork.VirtualNetworkGateway {
				return p.Value
			})
		if err := r.missing(id, azure.WhatGateway, err); err != nil {
			return err
		}
		for g := range each(list) {
			if out, ok := r.gateway(g); ok {
				r.s.Gateways = append(r.s.Gateways, out)
			}
		}
	}
	return nil
}

// gateway returns g, and whether it is in the VNet of a Route Server.
func (r *reading) gateway(g armnetwork.VirtualNetworkGateway) (azure.Gateway, bool) {
	id, p := low(g.ID), val(g.Properties)
	at, err := locate(id)
	if err != nil {
		return azure.Gateway{}, false
	}
	out := azure.Gateway{
		ID: id, Name: val(g.Name), ResourceGroup: at.group, Type: str(p.GatewayType), ActiveActive: val(p.Active),
		ASN: uint32(val(val(p.BgpSettings).Asn)),
	}
	for config := range each(p.IPConfigurations) {
		out.VNet = parent(low(val(val(config.Properties).Subnet).ID))
	}
	return out, slices.ContainsFunc(r.s.RouteServers, func(rs azure.RouteServer) bool { return rs.VNet == out.VNet })
}

// gatewayRoutes counts the routes of the gateways.
func (r *reading) gatewayRoutes(ctx context.Context) error {
	for i := range r.s.Gateways {
		g := &r.s.Gateways[i]
		if err := r.missing(g.ID, azure.WhatGateway, r.countRoutes(ctx, g)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) countRoutes(ctx context.Context, g *azure.Gateway) error {
	f, at, err := c.networkOf(g.ID)
	if err != nil {
		return err
	}
	client := f.NewVirtualNetworkGatewaysClient()
	learned, err := wait(ctx, c, "the routes that gateway "+g.Name+" learned",
		func() (*runtime.Poller[armnetwork.VirtualNetworkGatewaysClientGetLearnedRoutesResponse], error) {
			return client.BeginGetLearnedRoutes(ctx, at.group, at.name, nil)
		})
	if err != nil {
		return err
	}
	g.Learned = distinct(learned.Value)
	if g.Type != string(armnetwork.VirtualNetworkGatewayTypeExpressRoute) {
		return nil
	}
	peers, err := wait(ctx, c, "the peers of gateway "+g.Name,
		func() (*runtime.Poller[armnetwork.VirtualNetworkGatewaysClientGetBgpPeerStatusResponse], error) {
			return client.BeginGetBgpPeerStatus(ctx, at.group, at.name, nil)
		})
	if err != nil {
		return err
	}
	for p := range each(peers.Value) {
		if val(p.Asn) != expressRouteASN {
			continue
		}
		advertised, err := wait(ctx, c, "the routes that gateway "+g.Name+" advertises to its circuit",
			func() (*runtime.Poller[armnetwork.VirtualNetworkGatewaysClientGetAdvertisedRoutesResponse], error) {
				return client.BeginGetAdvertisedRoutes(ctx, at.group, at.name, val(p.Neighbor), nil)
			})
		if err != nil {
			return err
		}
		if n := distinct(advertised.Value); g.Advertised == nil || *n > *g.Advertised {
			g.Advertised = n
		}
	}
	return nil
}

// distinct counts the prefixes of routes.
func distinct(routes []*armnetwork.GatewayRoute) *int {
	seen := map[string]bool{}
	for r := range each(routes) {
		seen[val(r.Network)] = true
	}
	n := len(seen)
	return &n
}
