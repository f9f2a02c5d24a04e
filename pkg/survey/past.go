package survey

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// At returns the state at an earlier time, as far as the journal knows it: sessions, tunnels,
// problems and numbers of routes; links, counters of neighbors and the configuration are not in
// it. It fails if the daemon keeps no journal, or if the journal begins later.
func At(ctx context.Context, c nvadv1.NvadClient, at time.Time) (*NVA, error) {
	ctx, cancel := context.WithCancel(ctx) // ends a stream that is not read to its end
	defer cancel()
	n := Unknown()
	var list networks
	stream, err := c.ListEvents(ctx, &nvadv1.ListEventsRequest{Until: timestamppb.New(at), State: true})
	err = events(stream, err, func(e *nvadv1.WatchEvent) { n.apply(e, &list) })
	if err != nil {
		return nil, err
	}
	n.Behind = filled(list.found)
	return n, nil
}

// pastNextHops returns the next hops whose death or return the journal remembers; none if no journal is
// kept.
func pastNextHops(ctx context.Context, c nvadv1.NvadClient) []NextHop {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var n NVA
	stream, err := c.ListEvents(ctx, &nvadv1.ListEventsRequest{State: true, Kinds: []nvadv1.WatchKind{nvadv1.WatchKind_WATCH_KIND_NEXT_HOPS}})
	if events(stream, err, func(e *nvadv1.WatchEvent) { n.apply(e, &networks{}) }) != nil {
		return nil
	}
	return n.NextHops
}

// Bounds of what is kept of a state, in octets. Routes are only counted.
const (
	mostOctets  = 16 << 20
	eventOctets = 512 // about what an event takes besides its texts
)

// errTooLarge ends the answer of a daemon that has more neighbors or tunnels than any nvad, and
// would fill the memory: it may be an impostor.
var errTooLarge = errors.New("its state is larger than 16 MiB")

// events calls yield with each event of a stream. err is that of opening it.
func events(stream grpc.ServerStreamingClient[nvadv1.ListEventsResponse], err error, yield func(*nvadv1.WatchEvent)) error {
	for room := mostOctets; err == nil; {
		var r *nvadv1.ListEventsResponse
		if r, err = stream.Recv(); err != nil {
			break
		}
		for _, e := range r.GetEvents() {
			if e.GetRoute() == nil && e.GetFib() == nil {
				room -= eventOctets + proto.Size(e)
			}
			if room < 0 {
				return errTooLarge
			}
			yield(e)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// apply adds what an event says of the state after it.
func (n *NVA) apply(e *nvadv1.WatchEvent, list *networks) {
	at := Moment(e.GetTime())
	switch change := e.GetChange().(type) {
	case *nvadv1.WatchEvent_Neighbor:
		n.applyNeighbor(change.Neighbor, at)
	case *nvadv1.WatchEvent_Tunnel:
		n.applyTunnel(change.Tunnel)
	case *nvadv1.WatchEvent_Route:
		if best := change.Route.GetNew(); best != nil {
			n.Prefixes++
			if n.server(best.GetNeighbor()) {
				list.add(change.Route.GetPrefix(), best.GetAsPath())
			}
		}
	case *nvadv1.WatchEvent_Fib:
		if change.Fib.GetPrefix() != "" {
			n.FIBWanted++
			if change.Fib.GetState() == "installed" {
				n.Installed++
			}
		}
	case *nvadv1.WatchEvent_NextHop:
		h := change.NextHop
		n.NextHops = append(n.NextHops, NextHop{h.GetAddress(), h.GetAlive(), h.GetBy(), h.GetReason(), at})
	case *nvadv1.WatchEvent_Problem:
		if p := change.Problem; p.GetBegan() {
			n.Problems = append(n.Problems, pastProblem(p, at))
		}
	case *nvadv1.WatchEvent_Daemon:
		d := change.Daemon
		n.Version, n.ASN, n.RouterID, n.Since = d.GetVersion(), d.GetAsn(), d.GetRouterId(), at
		n.InSync = d.GetState() == "in sync"
	}
}

// server reports whether a neighbor is an instance of Route Server. Neighbors come before routes.
func (n *NVA) server(address string) bool {
	return slices.ContainsFunc(n.Neighbors, func(v Neighbor) bool { return v.RouteServer && v.Address == address })
}

func (n *NVA) applyNeighbor(c *nvadv1.NeighborChange, at *time.Time) {
	v := Neighbor{Address: c.GetAddress(), ASN: c.GetRemoteAsn(), RouteServer: c.GetRemoteAsn() == routeServerASN, State: c.GetNewState(),
		Up: c.GetNewState() == established, Since: at, Reason: c.GetReason(), Warnings: []string{}}
	n.Configured++
	if v.Up {
		n.Established++
	}
	n.Neighbors = append(n.Neighbors, v)
}

func (n *NVA) applyTunnel(c *nvadv1.TunnelChange) {
	t := Tunnel{Name: c.GetName(), Kind: "vxlan", VNI: c.GetVni(), State: c.GetNewState(), Reason: c.GetReason(), Remotes: []string{}, Addresses: []string{}, Peers: []Peer{}}
	if t.VNI == 0 {
		t.Kind = "wireguard"
	}
	t.Up = t.State == "up" || t.State == "repaired"
	n.TunnelCount++
	if t.Up {
		n.TunnelsUp++
	}
	n.Tunnels = append(n.Tunnels, t)
}

func pastProblem(c *nvadv1.ProblemChange, at *time.Time) Problem {
	p := Problem{Severity: "problem", Kind: c.GetKind(), Name: c.GetKey(), Text: c.GetText(), Since: at}
	if p.Kind == "warning" {
		p.Severity = "warning"
	}
	return p
}

// Oldest returns the time of the oldest event in the journal, nil if it is empty. It fails if the
// daemon keeps no journal.
func Oldest(ctx context.Context, c nvadv1.NvadClient) (*time.Time, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.ListEvents(ctx, &nvadv1.ListEventsRequest{Last: 1})
	if err != nil {
		return nil, err
	}
	r, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return Moment(r.GetOldest()), err
}
