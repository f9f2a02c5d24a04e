package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/nvad/nvad/pkg/azure"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// mostSelfRoutes bounds the routes of one table that are compared with Azure's. Route
// Server takes 4,000 of a peer and has 10,000 in all.
const mostSelfRoutes = 100_000

// UDP ports of BFD (RFC 5881, RFC 5883).
const (
	portBFD         = 3784
	portBFDMultihop = 4784
)

// selfBeside returns nvad's side of the comparison: the saved one, or else nvad is asked.
func (a *app) selfBeside(ctx context.Context, saved *savedSnapshot) (self azure.Self, err error) {
	if saved.Self != nil {
		return *saved.Self, nil
	}
	err = a.ask(ctx, func(c *client) error {
		self, err = c.self(ctx, instancesOf(&saved.Snapshot))
		return err
	})
	if err != nil {
		err = fmt.Errorf("nvad's side is missing: %w", err)
	}
	return self, err
}

// instancesOf returns the addresses of all Route Servers.
func instancesOf(s *azure.Snapshot) []netip.Addr {
	var out []netip.Addr
	for _, rs := range s.RouteServers {
		out = append(out, rs.Addresses...)
	}
	return out
}

func (c *client) self(ctx context.Context, instances []netip.Addr) (azure.Self, error) {
	status, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
	if err != nil {
		return azure.Self{}, err
	}
	neighbors, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
	if err != nil {
		return azure.Self{}, err
	}
	tunnels, err := c.read.ListTunnels(ctx, &nvadv1.ListTunnelsRequest{})
	if err != nil {
		return azure.Self{}, err
	}
	self := azure.Self{ASN: status.GetAsn(), Drained: status.GetDrainingSince() != nil, Tunnels: selfTunnels(tunnels.GetTunnels())}
	for _, n := range neighbors.GetNeighbors() {
		addr, err := netip.ParseAddr(n.GetAddress())
		if err != nil || inTunnel(n.GetAddress(), addr, tunnels.GetTunnels()) {
			continue
		}
		if b := n.GetBfd(); b != nil {
			port := uint16(portBFD)
			if b.GetMultihop() {
				port = portBFDMultihop
			}
			self.BFD = append(self.BFD, azure.SelfBFD{Address: addr, Port: port})
		}
		if n.GetRemoteAsn() != azure.RouteServerASN && !slices.Contains(instances, addr) {
			continue
		}
		peer, err := c.selfNeighbor(ctx, n, addr)
		if err != nil {
			return azure.Self{}, err
		}
		self.Neighbors = append(self.Neighbors, peer)
	}
	return self, nil
}

func (c *client) selfNeighbor(ctx context.Context, n *nvadv1.Neighbor, addr netip.Addr) (azure.SelfNeighbor, error) {
	out := azure.SelfNeighbor{
		Address: addr, LocalASN: n.GetLocalAsn(), State: n.GetState(), Since: timeOf(n.GetSince()),
		Established: n.GetState() == established, Reason: n.GetReason(),
	}
	if out.Established {
		out.Reason = "" // that of the session before
	}
	var err1, err2 error
	out.Sent, err1 = c.selfRoutes(ctx, nvadv1.RouteKind_ROUTE_KIND_ADVERTISED, n.GetAddress())
	out.Received, err2 = c.selfRoutes(ctx, nvadv1.RouteKind_ROUTE_KIND_RECEIVED, n.GetAddress())
	return out, errors.Join(err1, err2)
}

// selfRoutes reads one table of a neighbor. Route Server knows IPv4 only.
func (c *client) selfRoutes(ctx context.Context, kind nvadv1.RouteKind, neighbor string) ([]azure.SelfRoute, error) {
	var out []azure.SelfRoute
	stream, err := c.read.ListRoutes(ctx, &nvadv1.ListRoutesRequest{Kind: kind, Neighbor: neighbor})
	err = receive(stream, err, func(m *nvadv1.ListRoutesResponse) error {
		for _, p := range m.GetPaths() {
			if r, ok := selfRoute(p); ok {
				out = append(out, r)
			}
		}
		if len(out) > mostSelfRoutes {
			return fmt.Errorf("neighbor %s has more than %d routes, Route Server has at most 10000", neighbor, mostSelfRoutes)
		}
		return nil
	})
	return out, err
}

func selfRoute(p *nvadv1.Path) (azure.SelfRoute, bool) {
	prefix, err := netip.ParsePrefix(p.GetPrefix())
	if err != nil || !prefix.Addr().Is4() || p.GetHeldBack() {
		return azure.SelfRoute{}, false
	}
	at := p.GetAttributes()
	hop, _ := netip.ParseAddr(at.GetNextHop())
	r := azure.SelfRoute{
		Prefix: prefix, NextHop: hop, Since: timeOf(p.GetReceivedAt()),
		NoAdvertise: slices.Contains(at.GetCommunities(), "no-advertise"),
	}
	for _, word := range strings.FieldsFunc(at.GetAsPath(), func(c rune) bool { return c < '0' || c > '9' }) {
		asn, _ := strconv.ParseUint(word, 10, 32)
		r.ASPath = append(r.ASPath, uint32(asn))
	}
	return r, true
}

// timeOf returns the zero time for a time that is not known.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func selfTunnels(list []*nvadv1.Tunnel) []azure.SelfTunnel {
	var out []azure.SelfTunnel
	for _, t := range list {
		s := azure.SelfTunnel{Name: t.GetName(), Port: uint16(t.GetPort())}
		s.Local, _ = netip.ParseAddr(t.GetLocal())
		remotes := t.GetRemotes()
		for _, p := range t.GetPeers() { // a far end that was heard, and is not in the file
			remotes = append(remotes, p.GetRemote())
		}
		for _, r := range remotes {
			if addr, err := netip.ParseAddr(r); err == nil && !slices.Contains(s.Remotes, addr) {
				s.Remotes = append(s.Remotes, addr)
			}
		}
		out = append(out, s)
	}
	return out
}

// inTunnel reports whether a neighbor is reached through a tunnel: Azure sees none of its
// packets.
func inTunnel(name string, addr netip.Addr, list []*nvadv1.Tunnel) bool {
	for _, t := range list {
		if slices.ContainsFunc(t.GetPeers(), func(p *nvadv1.TunnelPeer) bool { return p.GetNeighbor() == name }) {
			return true
		}
		for _, own := range t.GetAddresses() {
			if p, err := netip.ParsePrefix(own); err == nil && p.Masked().Contains(addr) {
				return true
			}
		}
	}
	return false
}
