package arm

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/pkg/azure"
)

// routeServerSubnet is the name that Route Server's subnet must have.
const routeServerSubnet = "RouteServerSubnet"

// maxHubs bounds how many virtual hubs of a subscription are read.
const maxHubs = 256

// routeServers reads the Route Servers of all VNets, and then the VNets that are peered with
// theirs.
func (r *reading) routeServers(ctx context.Context) error {
	for _, s := range r.hubSubscriptions() {
		if err := r.serversOf(ctx, s); err != nil {
			return err
		}
	}
	slices.SortFunc(r.s.RouteServers, func(a, b azure.RouteServer) int { return cmp.Compare(a.ID, b.ID) })
	return r.peered(ctx, func(v azure.VNet) bool {
		return slices.ContainsFunc(r.s.RouteServers, func(rs azure.RouteServer) bool { return rs.VNet == v.ID })
	})
}

type (
	subscription struct {
		id     string
		groups []group
	}
	// group is a resource group with the VNets in it that can have a Route Server.
	group struct {
		name  string
		vnets []string
	}
)

// hubSubscriptions returns where the VNets are that can have a Route Server: those with the
// subnet for it, and those that could not be read.
func (r *reading) hubSubscriptions() []subscription {
	groups := map[string]map[string][]string{}
	add := func(id string) {
		if at, err := locate(id); err == nil {
			s, g := strings.ToLower(at.subscription), strings.ToLower(at.group)
			if groups[s] == nil {
				groups[s] = map[string][]string{}
			}
			groups[s][g] = append(groups[s][g], id)
		}
	}
	for _, v := range r.s.VNets {
		if slices.ContainsFunc(v.Subnets, func(s azure.Subnet) bool { return strings.EqualFold(s.Name, routeServerSubnet) }) {
			add(v.ID)
		}
	}
	for _, m := range r.s.Missing {
		if m.What == azure.WhatVNet {
			add(m.ID)
		}
	}
	var out []subscription
	for _, s := range slices.Sorted(maps.Keys(groups)) {
		sub := subscription{id: s}
		for _, g := range slices.Sorted(maps.Keys(groups[s])) {
			sub.groups = append(sub.groups, group{g, groups[s][g]})
		}
		out = append(out, sub)
	}
	return out
}

// serversOf reads the Route Servers of a subscription, or if the identity may not list them,
// those of the resource groups of the VNets.
func (r *reading) serversOf(ctx context.Context, s subscription) error {
	f, err := r.network(s.id)
	if err != nil {
		return err
	}
	hubs, err := pages(ctx, r.Client, "the Route Servers of subscription "+s.id, f.NewVirtualHubsClient().NewListPager(nil),
		func(p armnetwork.VirtualHubsClientListResponse) []*armnetwork.VirtualHub { return p.Value })
	if err == nil {
		return r.servers(ctx, hubs)
	}
	if err = r.explain(err); isEnd(err) {
		return err
	}
	for _, g := range s.groups {
		if err := r.serversIn(ctx, s.id, g, err); err != nil {
			return err
		}
	}
	return nil
}

// serversIn reads the Route Servers of a resource group. If that leaves a VNet without one, it
// may be in another group, of which denied says why it is not known.
func (r *reading) serversIn(ctx context.Context, subscription string, g group, denied error) error {
	f, err := r.network(subscription)
	if err != nil {
		return err
	}
	hubs, err := pages(ctx, r.Client, "the Route Servers of resource group "+g.name, f.NewVirtualHubsClient().NewListByResourceGroupPager(g.name, nil),
		func(p armnetwork.VirtualHubsClientListByResourceGroupResponse) []*armnetwork.VirtualHub {
			return p.Value
		})
	if err != nil {
		return r.missing("/subscriptions/"+subscription+"/resourceGroups/"+g.name, azure.WhatRouteServer, err)
	}
	if err := r.servers(ctx, hubs); err != nil {
		return err
	}
	for _, v := range g.vnets {
		if !slices.ContainsFunc(r.s.RouteServers, func(rs azure.RouteServer) bool { return rs.VNet == v }) {
			return r.missing("/subscriptions/"+subscription, azure.WhatRouteServer, denied)
		}
	}
	return nil
}

// servers reads those of hubs that are Route Servers.
func (r *reading) servers(ctx context.Context, hubs []*armnetwork.VirtualHub) error {
	if len(hubs) > maxHubs {
		err := refuse("%d virtual hubs: more than %d are not read", len(hubs), maxHubs)
		if err := r.missing(val(val(hubs[maxHubs]).ID), azure.WhatRouteServer, err); err != nil {
			return err
		}
		hubs = hubs[:maxHubs]
	}
	for hub := range each(hubs) {
		if err := r.routeServer(ctx, hub); err != nil {
			return err
		}
	}
	return nil
}

// routeServer reads a hub, if it is a Route Server of one of the VNets.
func (r *reading) routeServer(ctx context.Context, hub armnetwork.VirtualHub) error {
	p := val(hub.Properties)
	if p.VirtualWan != nil {
		return nil
	}
	id := low(hub.ID)
	at, err := locate(id)
	if err != nil {
		return r.missing(id, azure.WhatRouteServer, err)
	}
	vnet, err := r.hubVNet(ctx, at)
	if err != nil {
		return r.missing(id, azure.WhatRouteServer, err)
	}
	if !r.seen[vnet] {
		return nil
	}
	rs := azure.RouteServer{
		ID: id, Name: val(hub.Name), ResourceGroup: at.group, Subscription: at.subscription, VNet: vnet,
		Addresses: addresses(p.VirtualRouterIPs), ASN: uint32(val(p.VirtualRouterAsn)),
		BranchToBranch: val(p.AllowBranchToBranchTraffic), Preference: str(p.HubRoutingPreference),
		ProvisioningState: str(p.ProvisioningState), RoutingState: str(p.RoutingState),
	}
	slices.SortFunc(rs.Addresses, netip.Addr.Compare)
	rs.Connections, err = r.connections(ctx, at)
	if err := r.missing(id, azure.WhatConnections, err); err != nil {
		return err
	}
	r.s.RouteServers = append(r.s.RouteServers, rs)
	return nil
}

// hubVNet returns the ID of the VNet in whose subnet a hub is; "" if it is in none.
func (c *Client) hubVNet(ctx context.Context, at place) (string, error) {
	f, err := c.network(at.subscription)
	if err != nil {
		return "", err
	}
	list, err := pages(ctx, c, "the subnet of Route Server "+at.name, f.NewVirtualHubIPConfigurationClient().NewListPager(at.group, at.name, nil),
		func(p armnetwork.VirtualHubIPConfigurationClientListResponse) []*armnetwork.HubIPConfiguration {
			return p.Value
		})
	for config := range each(list) {
		if id := low(val(val(config.Properties).Subnet).ID); id != "" {
			return parent(id), nil
		}
	}
	return "", err
}
