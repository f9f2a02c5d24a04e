package api

import (
	"context"
	"net/netip"
	"slices"

	"google.golang.org/grpc"

	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/telemetry"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// readServer answers the reading service.
type readServer struct {
	nvadv1.UnimplementedNvadServer
	reader Reader
	build  telemetry.BuildInfo
}

// GetVersion implements nvadv1.NvadServer.
func (s *readServer) GetVersion(context.Context, *nvadv1.GetVersionRequest) (*nvadv1.Version, error) {
	return &nvadv1.Version{Version: s.build.Version, Commit: s.build.Commit, GoVersion: s.build.GoVersion}, nil
}

// GetStatus implements nvadv1.NvadServer.
func (s *readServer) GetStatus(ctx context.Context, _ *nvadv1.GetStatusRequest) (*nvadv1.Status, error) {
	st, err := s.reader.Status(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	out := statusMessage(st)
	out.Version = s.build.Version
	return out, nil
}

// ListNeighbors implements nvadv1.NvadServer.
func (s *readServer) ListNeighbors(ctx context.Context, _ *nvadv1.ListNeighborsRequest) (*nvadv1.ListNeighborsResponse, error) {
	views, err := s.reader.Neighbors(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.ListNeighborsResponse{Neighbors: convert(views, neighborMessage)}, nil
}

// GetNeighbor implements nvadv1.NvadServer.
func (s *readServer) GetNeighbor(ctx context.Context, req *nvadv1.GetNeighborRequest) (*nvadv1.Neighbor, error) {
	addr, err := parseNeighbor(req.GetAddress())
	if err != nil {
		return nil, statusOf(err)
	}
	views, err := s.reader.Neighbors(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	for _, v := range views {
		if v.Address == addr {
			m := neighborMessage(v)
			summaries, err := s.reader.Summaries(ctx, addr)
			m.Summaries = convert(summaries, summaryMessage)
			return m, statusOf(err)
		}
	}
	return nil, statusOf(NotFound("neighbor %s is not configured", addr))
}

// ListRoutes implements nvadv1.NvadServer.
func (s *readServer) ListRoutes(req *nvadv1.ListRoutesRequest, stream grpc.ServerStreamingServer[nvadv1.ListRoutesResponse]) error {
	q, err := parseQuery(req)
	if err != nil {
		return statusOf(err)
	}
	b := batch[nvadv1.Path]{send: func(p []*nvadv1.Path) error {
		return stream.Send(&nvadv1.ListRoutesResponse{Paths: p})
	}}
	err = s.reader.Routes(stream.Context(), q, func(v engine.PathView) error { return b.add(pathMessage(v)) })
	if err != nil {
		return statusOf(err)
	}
	return b.flush()
}

// ListFIB implements nvadv1.NvadServer.
func (s *readServer) ListFIB(req *nvadv1.ListFIBRequest, stream grpc.ServerStreamingServer[nvadv1.ListFIBResponse]) error {
	b := batch[nvadv1.FIBRoute]{send: func(r []*nvadv1.FIBRoute) error {
		return stream.Send(&nvadv1.ListFIBResponse{Routes: r})
	}}
	err := s.reader.FIB(stream.Context(), func(v engine.FIBView) error {
		if req.GetFailed() && !slices.Contains(failedStates, v.State) {
			return nil
		}
		return b.add(fibMessage(v))
	})
	if err != nil {
		return statusOf(err)
	}
	return b.flush()
}

// ListTunnels implements nvadv1.NvadServer.
func (s *readServer) ListTunnels(ctx context.Context, req *nvadv1.ListTunnelsRequest) (*nvadv1.ListTunnelsResponse, error) {
	views, err := s.reader.Tunnels(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	if req.GetName() == "" {
		return &nvadv1.ListTunnelsResponse{Tunnels: convert(views, tunnelMessage)}, nil
	}
	for _, v := range views {
		if v.Name == req.GetName() {
			return &nvadv1.ListTunnelsResponse{Tunnels: []*nvadv1.Tunnel{tunnelMessage(v)}}, nil
		}
	}
	return nil, statusOf(NotFound("tunnel %s is not configured", req.GetName()))
}

// ListNAT implements nvadv1.NvadServer.
func (s *readServer) ListNAT(ctx context.Context, _ *nvadv1.ListNATRequest) (*nvadv1.ListNATResponse, error) {
	rules, err := s.reader.NAT(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.ListNATResponse{Rules: convert(rules, func(r nat.Status) *nvadv1.NATRule {
		return &nvadv1.NATRule{
			Chain: r.Chain, Why: r.Rule.Why, Rule: r.Rule.String(), Packets: r.Packets, Bytes: r.Bytes, Missing: r.Missing,
		}
	})}, nil
}

// ListLinks implements nvadv1.NvadServer.
func (s *readServer) ListLinks(ctx context.Context, _ *nvadv1.ListLinksRequest) (*nvadv1.ListLinksResponse, error) {
	links, err := s.reader.Links(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.ListLinksResponse{Links: convert(links, func(l fib.Link) *nvadv1.Link {
		return &nvadv1.Link{Name: l.Name, Up: l.Up, Mtu: uint32(l.MTU), Addresses: convert(l.Addresses, text[netip.Prefix])}
	})}, nil
}

// failedStates are those of routes that need somebody's attention.
var failedStates = []string{"failed", "refused", "conflict", "outranked", "leftover"}

func parseNeighbor(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, Invalid("%q is not an address of a neighbor", s)
	}
	return addr.Unmap(), nil
}

func parseQuery(req *nvadv1.ListRoutesRequest) (RouteQuery, error) {
	var q RouteQuery
	kind, ok := routeKinds[req.GetKind()]
	if !ok {
		return q, Invalid("unknown kind of routes %d", req.GetKind())
	}
	q.Kind = kind
	if kind != LocRIB {
		addr, err := parseNeighbor(req.GetNeighbor())
		if err != nil {
			return q, err
		}
		q.Neighbor = addr
	}
	var err error
	if q.Filter, err = engine.NewFilter(req.GetCommunities(), req.GetAsPath()); err != nil {
		return q, Invalid("%s", err)
	}
	if kind == LocRIB && req.GetNeighbor() != "" {
		if q.Filter.From, err = parseNeighbor(req.GetNeighbor()); err != nil {
			return q, err
		}
	}
	err = parsePlace(&q, req)
	return q, err
}

// parsePlace reads which prefixes are asked for.
func parsePlace(q *RouteQuery, req *nvadv1.ListRoutesRequest) (err error) {
	q.Longer = req.GetLonger()
	switch prefix, address := req.GetPrefix(), req.GetAddress(); {
	case address != "" && (prefix != "" || q.Kind != LocRIB):
		return Invalid("an address is looked up in the Loc-RIB, and without a prefix")
	case q.Longer && prefix == "":
		return Invalid("longer prefixes are those within a prefix, and none is given")
	case address != "":
		addr, err := netip.ParseAddr(address)
		if err != nil || addr.Zone() != "" {
			return Invalid("%q is not an address (want one like 10.110.0.4)", address)
		}
		q.Address = addr.Unmap()
	case prefix != "":
		q.Prefix, err = parsePrefix(prefix)
	}
	return err
}

var routeKinds = map[nvadv1.RouteKind]RouteKind{
	nvadv1.RouteKind_ROUTE_KIND_LOC_RIB:    LocRIB,
	nvadv1.RouteKind_ROUTE_KIND_RECEIVED:   Received,
	nvadv1.RouteKind_ROUTE_KIND_ACCEPTED:   Accepted,
	nvadv1.RouteKind_ROUTE_KIND_REJECTED:   Rejected,
	nvadv1.RouteKind_ROUTE_KIND_ADVERTISED: Advertised,
}

// A batch ends with so many rows, or octets. Paths with long attributes would make
// a message that no client takes: 65 kB each where a neighbor speaks extended
// messages (RFC 8654), and gRPC's limit is 4 MB.
const (
	batchSize   = 128
	batchOctets = 32 << 10
)

// batch collects rows of a stream, so that a table costs one message for many.
type batch[T any] struct {
	rows   []*T
	octets int
	send   func([]*T) error
}

func (b *batch[T]) add(row *T) error {
	b.rows = append(b.rows, row)
	b.octets += messageSize(row)
	if len(b.rows) < batchSize && b.octets < batchOctets {
		return nil
	}
	return b.flush()
}

func (b *batch[T]) flush() error {
	if len(b.rows) == 0 {
		return nil
	}
	rows := b.rows
	b.rows, b.octets = make([]*T, 0, batchSize), 0
	return b.send(rows)
}
