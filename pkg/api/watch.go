package api

import (
	"errors"
	"net/netip"
	"slices"

	"google.golang.org/grpc"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"

	"github.com/nvad/nvad/pkg/watch"
)

var watchKinds = map[nvadv1.WatchKind]watch.Kind{
	nvadv1.WatchKind_WATCH_KIND_NEIGHBORS:  watch.Neighbors,
	nvadv1.WatchKind_WATCH_KIND_ROUTES:     watch.Routes,
	nvadv1.WatchKind_WATCH_KIND_FIB:        watch.FIB,
	nvadv1.WatchKind_WATCH_KIND_TUNNELS:    watch.Tunnels,
	nvadv1.WatchKind_WATCH_KIND_NEXT_HOPS:  watch.NextHops,
	nvadv1.WatchKind_WATCH_KIND_REPAIRS:    watch.Repairs,
	nvadv1.WatchKind_WATCH_KIND_OPERATIONS: watch.Operations,
	nvadv1.WatchKind_WATCH_KIND_PROBLEMS:   watch.Problems,
	nvadv1.WatchKind_WATCH_KIND_DAEMON:     watch.Daemon,
}

// Watch implements nvadv1.NvadServer. A client that reads slowly blocks only this
// goroutine.
func (s *readServer) Watch(req *nvadv1.WatchRequest, stream grpc.ServerStreamingServer[nvadv1.WatchResponse]) error {
	f, err := parseFilter(req)
	if err != nil {
		return err
	}
	if req.GetRecent() {
		return sendEvents(stream, s.reader.Events().Recent(f), 0)
	}
	sub := s.reader.Events().Subscribe(f)
	defer sub.Close()
	// Once this message has arrived, the client sees everything that happens.
	if err := stream.Send(&nvadv1.WatchResponse{}); err != nil {
		return err
	}
	for {
		events, lost, err := sub.Next(stream.Context())
		switch {
		case errors.Is(err, watch.ErrEnded):
			return nil
		case err != nil:
			return err
		}
		if err := sendEvents(stream, events, lost); err != nil {
			return err
		}
	}
}

func sendEvents(stream grpc.ServerStreamingServer[nvadv1.WatchResponse], events []watch.Event, lost uint64) error {
	for chunk := range slices.Chunk(events, batchSize) {
		if err := stream.Send(&nvadv1.WatchResponse{Lost: lost, Events: convert(chunk, eventMessage)}); err != nil {
			return err
		}
		lost = 0
	}
	return nil
}

func parseFilter(req *nvadv1.WatchRequest) (watch.Filter, error) {
	f := watch.Filter{Kinds: watch.Everything}
	if len(req.GetKinds()) > 0 {
		f.Kinds = 0
	}
	for _, k := range req.GetKinds() {
		kind, ok := watchKinds[k]
		if !ok {
			return f, Invalid("unknown kind of changes %d", k)
		}
		f.Kinds |= kind
	}
	var err error
	if f.Neighbor, err = parseSelection(req.GetNeighbor()); err != nil {
		return f, err
	}
	if req.GetPrefix() != "" {
		f.Prefix, err = parsePrefix(req.GetPrefix())
	}
	return f, err
}

func eventMessage(ev watch.Event) *nvadv1.WatchEvent {
	m := &nvadv1.WatchEvent{Time: stamp(ev.At)}
	switch c := ev.Change.(type) {
	case watch.Neighbor:
		m.Change = &nvadv1.WatchEvent_Neighbor{Neighbor: &nvadv1.NeighborChange{
			Address: text(c.Address), RemoteAsn: c.ASN, OldState: c.From.String(), NewState: c.To.String(),
			Reason: printable(c.Reason), RoutesKept: c.Kept,
		}}
	case watch.Route:
		m.Change = &nvadv1.WatchEvent_Route{Route: &nvadv1.RouteChange{
			Prefix: text(c.Prefix), Old: bestMessage(c.Old), New: bestMessage(c.New), Reason: printable(c.Reason),
		}}
	case watch.Forwarding:
		m.Change = &nvadv1.WatchEvent_Fib{Fib: &nvadv1.FIBChange{
			Prefix: text[netip.Prefix](c.Prefix), Group: c.Group, Routes: uint32(c.Routes), Class: c.Class,
			Old: c.Old, New: c.New, State: c.State, Reason: c.Reason,
		}}
	case watch.Tunnel:
		m.Change = &nvadv1.WatchEvent_Tunnel{Tunnel: &nvadv1.TunnelChange{
			Name: c.Name, Vni: c.VNI, OldState: c.Old, NewState: c.New, Reason: c.Reason,
		}}
	case watch.NextHop:
		m.Change = &nvadv1.WatchEvent_NextHop{NextHop: &nvadv1.NextHopChange{
			Address: text(c.Address), Alive: c.Alive, By: c.By, Reason: printable(c.Reason),
		}}
	case watch.Repair:
		m.Change = &nvadv1.WatchEvent_Repair{Repair: &nvadv1.Repair{Object: c.Object, Count: uint32(c.Count), Reason: printable(c.Reason)}}
	case watch.Operation:
		m.Change = &nvadv1.WatchEvent_Operation{Operation: &nvadv1.Operation{
			What: c.What, Target: c.Target, By: printable(c.By), Detail: printable(c.Detail), Error: printable(c.Error), Version: uint32(c.Version),
		}}
	case watch.Problem:
		m.Change = &nvadv1.WatchEvent_Problem{Problem: &nvadv1.ProblemChange{
			Began: c.Began, Kind: c.Kind, Key: printable(c.Key), Text: printable(c.Text),
		}}
	case watch.Life:
		m.Change = &nvadv1.WatchEvent_Daemon{Daemon: &nvadv1.DaemonChange{
			State: c.State, Version: c.Version, Asn: c.ASN, RouterId: text(c.RouterID),
		}}
	}
	return m
}

func bestMessage(b watch.Best) *nvadv1.BestPath {
	if b.Attrs == nil {
		return nil
	}
	return &nvadv1.BestPath{
		Neighbor: text(b.Neighbor), Source: b.Source.String(), NextHop: text(b.Attrs.NextHop), AsPath: b.Attrs.ASPath.String(),
	}
}
