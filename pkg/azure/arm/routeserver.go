package arm

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/pkg/azure"
)

// routeServerSubnet is the name that Route Server's subnet must have.
const routeServerSubnet = "RouteServerSubnet"

// Bounds of what is read. Azure's own are far below: 8 peers, one Route Server in a VNet.
const (
	maxHubs        = 256
	maxConnections = 64
	maxInstances   = 16
)

// routeServers reads the Route Servers of all VNets, and then the VNets that are peered with
// theirs.
func (r *reading) routeServers(ctx context.Context) error {
	for _, s := range r.hubSubscriptions() {
		hubs, err := r.hubs(ctx, s)
		if err != nil {
			return err
		}
		if len(hubs) > maxHubs {
			err := refuse("subscription %s has %d virtual hubs: more than %d are not read", s.id, len(hubs), maxHubs)
			if err := r.missing("/subscriptions/"+s.id, azure.WhatRouteServer, err); err != nil {
				return err
			}
			hubs = hubs[:maxHubs]
		}
		for _, hub := range hubs {
			if err := r.routeServer(ctx, hub); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(r.s.RouteServers, func(a, b azure.RouteServer) int { return cmp.Compare(a.ID, b.ID) })
	theirs := map[string]bool{}
	for _, rs := range r.s.RouteServers {
		theirs[rs.VNet] = true
	}
	for i := range r.s.VNets {
		if !theirs[r.s.VNets[i].ID] {
			continue
		}
		for _, p := range r.s.VNets[i].Peerings {
			if err := r.vnet(ctx, p.Remote); err != nil {
				return err
			}
		}
	}
	return nil
}

// hubSubscriptions returns the subscriptions of the VNets that can have a Route Server, with
// the resource groups of these VNets.
func (r *reading) hubSubscriptions() []subscription {
	groups := map[string]map[string]bool{}
	add := func(id string) {
		if at, err := locate(id); err == nil {
			s := strings.ToLower(at.subscription)
			if groups[s] == nil {
				groups[s] = map[string]bool{}
			}
			groups[s][strings.ToLower(at.group)] = true
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
		out = append(out, subscription{s, slices.Sorted(maps.Keys(groups[s]))})
	}
	return out
}

type subscription struct {
	id     string
	groups []string
}

// hubs lists the virtual hubs of a subscription, or if the identity may not, those of the
// resource groups of the VNets.
func (r *reading) hubs(ctx context.Context, s subscription) ([]*armnetwork.VirtualHub, error) {
	f, err := r.network(s.id)
	if err != nil {
		return nil, err
	}
	client := f.NewVirtualHubsClient()
	all, err := pages(ctx, r.Client, "the Route Servers of subscription "+s.id, client.NewListPager(nil),
		func(p armnetwork.VirtualHubsClientListResponse) []*armnetwork.VirtualHub { return p.Value })
	if err == nil {
		return all, nil
	}
	for _, g := range s.groups {
		some, err := pages(ctx, r.Client, "the Route Servers of resource group "+g, client.NewListByResourceGroupPager(g, nil),
			func(p armnetwork.VirtualHubsClientListByResourceGroupResponse) []*armnetwork.VirtualHub {
				return p.Value
			})
		if err := r.missing("/subscriptions/"+s.id+"/resourceGroups/"+g, azure.WhatRouteServer, err); err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// routeServer reads a hub, if it is a Route Server of one of the VNets.
func (r *reading) routeServer(ctx context.Context, hub *armnetwork.VirtualHub) error {
	p := hub.Properties
	if p == nil || p.VirtualWan != nil {
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
	for _, config := range list {
		if p := config.Properties; p != nil && p.Subnet != nil {
			return parent(low(p.Subnet.ID)), nil
		}
	}
	return "", err
}

func (c *Client) connections(ctx context.Context, at place) ([]azure.Connection, error) {
	f, err := c.network(at.subscription)
	if err != nil {
		return nil, err
	}
	list, err := pages(ctx, c, "the peers of Route Server "+at.name, f.NewVirtualHubBgpConnectionsClient().NewListPager(at.group, at.name, nil),
		func(p armnetwork.VirtualHubBgpConnectionsClientListResponse) []*armnetwork.BgpConnection {
			return p.Value
		})
	if len(list) > maxConnections {
		return nil, refuse("Route Server %s has %d peers: more than %d are not read", at.name, len(list), maxConnections)
	}
	var out []azure.Connection
	for _, b := range list {
		conn := azure.Connection{ID: low(b.ID), Name: val(b.Name)}
		if p := b.Properties; p != nil {
			conn.Peer, conn.ASN = address(p.PeerIP), uint32(val(p.PeerAsn))
			conn.ProvisioningState, conn.State = str(p.ProvisioningState), str(p.ConnectionState)
		}
		out = append(out, conn)
	}
	return out, err
}

// exchanged reads what the Route Servers learned from all peers, and what they advertise to
// this VM. The VM's own connections come first.
func (r *reading) exchanged(ctx context.Context) error {
	for _, own := range []bool{true, false} {
		for i := range r.s.RouteServers {
			rs := &r.s.RouteServers[i]
			for k := range rs.Connections {
				conn := &rs.Connections[k]
				if slices.Contains(r.s.VM.Addresses, conn.Peer) != own {
					continue
				}
				if err := r.connection(ctx, *rs, conn, own); err != nil {
					return err
				}
			}
		}
	}
	for i := range r.s.RouteServers {
		nameInstances(&r.s.RouteServers[i])
	}
	return nil
}

func (r *reading) connection(ctx context.Context, rs azure.RouteServer, conn *azure.Connection, own bool) error {
	f, err := r.network(rs.Subscription)
	if err != nil {
		return err
	}
	client := f.NewVirtualHubBgpConnectionsClient()
	learned, err := wait(ctx, r.Client, "the routes that "+rs.Name+" learned from "+conn.Name,
		func() (*runtime.Poller[armnetwork.VirtualHubBgpConnectionsClientListLearnedRoutesResponse], error) {
			return client.BeginListLearnedRoutes(ctx, rs.ResourceGroup, rs.Name, conn.Name, nil)
		})
	if err == nil {
		err = routesOf(conn, learned.Value, func(i *azure.Instance) *[]azure.PeerRoute { return &i.Learned })
	}
	if err := r.missing(conn.ID, azure.WhatLearned, err); err != nil || !own {
		return err
	}
	advertised, err := wait(ctx, r.Client, "the routes that "+rs.Name+" advertises to "+conn.Name,
		func() (*runtime.Poller[armnetwork.VirtualHubBgpConnectionsClientListAdvertisedRoutesResponse], error) {
			return client.BeginListAdvertisedRoutes(ctx, rs.ResourceGroup, rs.Name, conn.Name, nil)
		})
	if err == nil {
		err = routesOf(conn, advertised.Value, func(i *azure.Instance) *[]azure.PeerRoute { return &i.Advertised })
	}
	return r.missing(conn.ID, azure.WhatAdvertised, err)
}

// routesOf adds the routes of an answer to the instances of conn. Beside the instances, the
// answer has a member "value" that is null.
func routesOf(conn *azure.Connection, answer map[string][]*armnetwork.PeerRoute, list func(*azure.Instance) *[]azure.PeerRoute) error {
	for _, role := range slices.Sorted(maps.Keys(answer)) {
		if role == "value" {
			continue
		}
		if len(answer) > maxInstances || len(answer[role]) > maxItems {
			return refuse("more than %d routes or %d instances are not read", maxItems, maxInstances)
		}
		i := slices.IndexFunc(conn.Instances, func(in azure.Instance) bool { return in.Role == role })
		if i < 0 {
			i = len(conn.Instances)
			conn.Instances = append(conn.Instances, azure.Instance{Role: role})
		}
		in := &conn.Instances[i]
		for _, route := range answer[role] {
			p, ok := prefix(val(route.Network))
			if !ok {
				continue
			}
			if a := address(route.LocalAddress); a.IsValid() {
				in.Address = a
			}
			*list(in) = append(*list(in), azure.PeerRoute{
				Prefix: p, NextHop: address(route.NextHop), Source: address(route.SourcePeer), Origin: val(route.Origin),
				ASPath: val(route.AsPath), Weight: int(val(route.Weight)),
			})
		}
	}
	return nil
}

// nameInstances finds the addresses of instances that answered without a route, which alone
// name them: from the answers about other peers, or because only one address is left.
func nameInstances(rs *azure.RouteServer) {
	known := map[string]netip.Addr{}
	roles := map[string]bool{}
	for _, conn := range rs.Connections {
		for _, in := range conn.Instances {
			roles[in.Role] = true
			if in.Address.IsValid() {
				known[in.Role] = in.Address
			}
		}
	}
	if len(known) == 1 && len(roles) == 2 && len(rs.Addresses) == 2 {
		for role := range roles {
			for _, other := range known {
				if _, ok := known[role]; !ok {
					known[role] = rs.Addresses[(slices.Index(rs.Addresses, other)+1)%2]
				}
			}
		}
	}
	for _, conn := range rs.Connections {
		for i := range conn.Instances {
			conn.Instances[i].Address = known[conn.Instances[i].Role]
		}
	}
}
