package arm

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/pkg/azure"
)

// Bounds of what is read. Azure's own are far below: 8 peers, two instances.
const (
	maxConnections = 64
	maxInstances   = 16
)

// connections lists the peers of a Route Server.
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
	for b := range each(list) {
		p := val(b.Properties)
		out = append(out, azure.Connection{
			ID: low(b.ID), Name: val(b.Name), Peer: address(p.PeerIP), ASN: uint32(val(p.PeerAsn)),
			ProvisioningState: str(p.ProvisioningState), State: str(p.ConnectionState),
		})
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
		for route := range each(answer[role]) {
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
