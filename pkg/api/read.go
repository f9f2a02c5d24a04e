package api

import (
	"cmp"
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

// readServer serves the reading methods.
type readServer struct {
	nvadv1.UnimplementedNvadServer
	reader Reader
	build  telemetry.BuildInfo
	limits *Limits
}

// GetVersion implements nvadv1.NvadServer.
func (s *readServer) GetVersion(context.Context, *nvadv1.GetVersionRequest) (*nvadv1.Version, error) {
	return &nvadv1.Version{Version: s.build.Version, Commit: s.build.Commit, GoVersion: s.build.GoVersion}, nil
}

// GetStatus implements nvadv1.NvadServer.
func (s *readServer) GetStatus(ctx context.Context, _ *nvadv1.GetStatusRequest) (*nvadv1.Status, error) {
	st, err := s.reader.Status(ctx)
	out := statusMessage(st)
	out.Version = s.build.Version
	return out, err
}

// ListNeighbors implements nvadv1.NvadServer.
func (s *readServer) ListNeighbors(ctx context.Context, _ *nvadv1.ListNeighborsRequest) (*nvadv1.ListNeighborsResponse, error) {
	list, err1 := s.reader.Neighbors(ctx)
	ranges, err2 := s.reader.Ranges(ctx)
	return &nvadv1.ListNeighborsResponse{
		Neighbors: convert(list, neighborMessage), ListenRanges: convert(ranges, rangeMessage),
	}, cmp.Or(err1, err2)
}

// GetNeighbor implements nvadv1.NvadServer.
func (s *readServer) GetNeighbor(ctx context.Context, req *nvadv1.GetNeighborRequest) (*nvadv1.Neighbor, error) {
	addr, err := parseNeighbor(req.GetAddress())
	if err != nil {
		return nil, err
	}
	list, err := s.reader.Neighbors(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(n Neighbor) bool { return n.Address == addr })
	if i < 0 {
		return nil, NotFound("neighbor %s is not configured", addr)
	}
	m := neighborMessage(list[i])
	summaries, err := s.reader.Summaries(ctx, addr)
	m.Summaries = convert(summaries, summaryMessage)
	return m, err
}

// ListRoutes implements nvadv1.NvadServer.
func (s *readServer) ListRoutes(req *nvadv1.ListRoutesRequest, stream grpc.ServerStreamingServer[nvadv1.ListRoutesResponse]) error {
	q, err := parseQuery(req)
	if err != nil {
		return err
	}
	b := batch[nvadv1.Path]{send: func(p []*nvadv1.Path) error {
		return stream.Send(&nvadv1.ListRoutesResponse{Paths: p})
	}}
	err = s.reader.Routes(stream.Context(), q, func(p engine.Path) error { return b.add(pathMessage(p)) })
	if err != nil {
		return err
	}
	return b.flush()
}

// ListFIB implements nvadv1.NvadServer.
func (s *readServer) ListFIB(req *nvadv1.ListFIBRequest, stream grpc.ServerStreamingServer[nvadv1.ListFIBResponse]) error {
	b := batch[nvadv1.FIBRoute]{send: func(r []*nvadv1.FIBRoute) error {
		return stream.Send(&nvadv1.ListFIBResponse{Routes: r})
	}}
	err := s.reader.FIB(stream.Context(), func(r FIBRoute) error {
		if req.GetFailed() && !slices.Contains(failedStates, r.State) {
			return nil
		}
		m := fibMessage(r.Status)
		if r.Derived {
			m.Class = "derived"
		}
		return b.add(m)
	})
	if err != nil {
		return err
	}
	return b.flush()
}

// ListPolicyHits implements nvadv1.NvadServer.
func (s *readServer) ListPolicyHits(req *nvadv1.ListPolicyHitsRequest, stream grpc.ServerStreamingServer[nvadv1.ListPolicyHitsResponse]) error {
	addr, err := parseNeighbor(req.GetAddress())
	if err != nil {
		return err
	}
	policies, err := s.reader.PolicyHits(stream.Context(), addr)
	if err != nil {
		return err
	}
	b := batch[nvadv1.PolicyHits]{send: func(rules []*nvadv1.PolicyHits) error {
		return stream.Send(&nvadv1.ListPolicyHitsResponse{Rules: rules})
	}}
	for _, p := range policies {
		direction := "in"
		if p.Export {
			direction = "out"
		}
		for _, r := range p.Rules {
			if err := b.add(&nvadv1.PolicyHits{Direction: direction, Rule: printable(r.Rule), Hits: r.Hits}); err != nil {
				return err
			}
		}
	}
	return b.flush()
}

// ListTunnels implements nvadv1.NvadServer.
func (s *readServer) ListTunnels(ctx context.Context, req *nvadv1.ListTunnelsRequest) (*nvadv1.ListTunnelsResponse, error) {
	list, err := s.reader.Tunnels(ctx)
	if name := req.GetName(); name != "" && err == nil {
		list = slices.DeleteFunc(slices.Clone(list), func(t Tunnel) bool { return t.Name != name })
		if len(list) == 0 {
			return nil, NotFound("tunnel %s is not configured", name)
		}
	}
	return &nvadv1.ListTunnelsResponse{Tunnels: convert(list, tunnelMessage)}, err
}

// ListNAT implements nvadv1.NvadServer.
func (s *readServer) ListNAT(ctx context.Context, _ *nvadv1.ListNATRequest) (*nvadv1.ListNATResponse, error) {
	rules, err := s.reader.NAT(ctx)
	return &nvadv1.ListNATResponse{Rules: convert(rules, func(r nat.Status) *nvadv1.NATRule {
		return &nvadv1.NATRule{
			Chain: r.Chain, Why: r.Rule.Why, Rule: r.Rule.String(), Packets: r.Packets, Bytes: r.Bytes, Missing: r.Missing,
		}
	})}, err
}

// ListLinks implements nvadv1.NvadServer.
func (s *readServer) ListLinks(ctx context.Context, _ *nvadv1.ListLinksRequest) (*nvadv1.ListLinksResponse, error) {
	links, err := s.reader.Links(ctx)
	return &nvadv1.ListLinksResponse{Links: convert(links, func(l fib.Link) *nvadv1.Link {
		return &nvadv1.Link{Name: l.Name, Up: l.Up, Mtu: uint32(l.MTU), Addresses: convert(l.Addresses, text[netip.Prefix])}
	})}, err
}

// failedStates are the states of routes that need attention.
var failedStates = []fib.State{fib.Failed, fib.Refused, fib.Conflict, fib.Outranked, fib.Leftover}

func parseNeighbor(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, Invalid("%q is not an address of a neighbor", s)
	}
	return addr.Unmap(), nil
}

// parseSelection reads the neighbor of a request that may be about all of them; the
// address is invalid then.
func parseSelection(s string) (netip.Addr, error) {
	if s == "" {
		return netip.Addr{}, nil
	}
	return parseNeighbor(s)
}

func parseQuery(req *nvadv1.ListRoutesRequest) (engine.Query, error) {
	var q engine.Query
	table, ok := tables[req.GetKind()]
	if !ok {
		return q, Invalid("unknown kind of routes %d", req.GetKind())
	}
	q.Table = table
	var err error
	if q.Filter, err = engine.NewFilter(req.GetCommunities(), req.GetAsPath()); err != nil {
		return q, Invalid("%s", err)
	}
	if table == engine.LocRIB {
		q.Filter.From, err = parseSelection(req.GetNeighbor())
	} else {
		q.Neighbor, err = parseNeighbor(req.GetNeighbor())
	}
	if err != nil {
		return q, err
	}
	err = parsePlace(&q, req)
	return q, err
}

// parsePlace reads which prefixes are asked for.
func parsePlace(q *engine.Query, req *nvadv1.ListRoutesRequest) (err error) {
	q.Longer = req.GetLonger()
	switch prefix, address := req.GetPrefix(), req.GetAddress(); {
	case address != "" && (prefix != "" || q.Table != engine.LocRIB):
		return Invalid("an address is looked up in the Loc-RIB, and without a prefix")
	case q.Longer && prefix == "":
		return Invalid("longer prefixes are those within a prefix, and none is given")
	case address != "":
		q.Address, err = parseAddress(address)
	case prefix != "":
		q.Prefix, err = parsePrefix(prefix)
	}
	return err
}

var tables = map[nvadv1.RouteKind]engine.Table{
	nvadv1.RouteKind_ROUTE_KIND_LOC_RIB:    engine.LocRIB,
	nvadv1.RouteKind_ROUTE_KIND_RECEIVED:   engine.AdjRIBIn,
	nvadv1.RouteKind_ROUTE_KIND_ACCEPTED:   engine.AdjRIBInAccepted,
	nvadv1.RouteKind_ROUTE_KIND_REJECTED:   engine.AdjRIBInRejected,
	nvadv1.RouteKind_ROUTE_KIND_ADVERTISED: engine.AdjRIBOut,
}

// A batch ends with so many rows or octets. With long attributes, a fixed number of
// rows could make a message that no client accepts: a path takes up to 65 kB if a
// neighbor supports extended messages (RFC 8654), and gRPC's limit is 4 MB.
const (
	batchSize   = 128
	batchOctets = 32 << 10
)

// batch collects the rows of a stream, so that many rows share one message.
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
