package survey

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// journal is a daemon that knows what was at noon, and nothing of the time before.
type journal struct {
	nvadv1.UnimplementedNvadServer
	events []*nvadv1.WatchEvent
}

func (j *journal) ListEvents(r *nvadv1.ListEventsRequest, stream grpc.ServerStreamingServer[nvadv1.ListEventsResponse]) error {
	if r.GetState() && r.GetUntil().AsTime().Before(noon) {
		return status.Error(codes.OutOfRange, "the journal begins at noon")
	}
	return stream.Send(&nvadv1.ListEventsResponse{Events: j.events, Oldest: timestamppb.New(noon)})
}

func (j *journal) client(t *testing.T) nvadv1.NvadClient { return clientOf(t, j) }

func clientOf(t *testing.T, d nvadv1.NvadServer) nvadv1.NvadClient {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nvad.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	nvadv1.RegisterNvadServer(s, d)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return nvadv1.NewNvadClient(conn)
}

// TestAt rebuilds the state at an earlier time from the journal, and what it does not say from
// the present.
func TestAt(t *testing.T) {
	route := func(prefix, neighbor, path string) *nvadv1.WatchEvent {
		return event(&nvadv1.WatchEvent_Route{Route: &nvadv1.RouteChange{Prefix: prefix, New: &nvadv1.BestPath{Neighbor: neighbor, AsPath: path}}})
	}
	j := &journal{events: []*nvadv1.WatchEvent{
		event(&nvadv1.WatchEvent_Neighbor{Neighbor: &nvadv1.NeighborChange{Address: "10.0.210.4", RemoteAsn: 65515, NewState: "Established"}}),
		event(&nvadv1.WatchEvent_Neighbor{Neighbor: &nvadv1.NeighborChange{Address: "169.254.0.2", RemoteAsn: 65001, NewState: "Idle", Reason: "hold timer"}}),
		route("10.0.0.0/16", "10.0.210.4", "65515"), route("192.168.0.0/16", "10.0.210.4", "65515 12076 65020"), route("10.9.0.0/16", "169.254.0.2", "65515"),
		event(&nvadv1.WatchEvent_Fib{Fib: &nvadv1.FIBChange{Prefix: "10.0.0.0/16", State: "installed"}}),
		event(&nvadv1.WatchEvent_Fib{Fib: &nvadv1.FIBChange{Prefix: "192.168.0.0/16", State: "failed"}}),
		event(&nvadv1.WatchEvent_Tunnel{Tunnel: &nvadv1.TunnelChange{Name: "vxlan0", Vni: 77, NewState: "down", Reason: "no far end answers"}}),
		event(&nvadv1.WatchEvent_NextHop{NextHop: &nvadv1.NextHopChange{Address: "169.254.0.2", By: "bfd"}}),
		event(&nvadv1.WatchEvent_Problem{Problem: &nvadv1.ProblemChange{Began: true, Kind: "warning", Key: "x", Text: "is odd"}}),
		event(&nvadv1.WatchEvent_Daemon{Daemon: &nvadv1.DaemonChange{State: "in sync", Version: "v1", Asn: 65001, RouterId: "10.0.0.4"}}),
	}}
	c := j.client(t)
	if _, err := At(context.Background(), c, noon.Add(-time.Second)); status.Code(err) != codes.OutOfRange {
		t.Errorf("got %v", err)
	}
	n, err := At(context.Background(), c, noon)
	if err != nil {
		t.Fatal(err)
	}
	present := hubNVA("10.0", "10.0.0.4", 65001, map[string]string{"vxlan0": "10.10.0.4"})
	n.Complete(present)
	if n.Established != 1 || n.Configured != 2 || n.Prefixes != 3 || n.Installed != 1 || n.FIBWanted != 2 || n.TunnelsUp != 0 || n.TunnelCount != 1 || !n.InSync || n.ASN != 65001 {
		t.Errorf("got %+v", n)
	}
	if len(n.Behind) != 2 || n.Behind[0].Total != 1 || n.Behind[1].Name != "AS 65020" {
		t.Errorf("behind: %+v", n.Behind)
	}
	if v := n.Neighbors[1]; v.Up || v.Reason != "hold timer" || v.Tunnel != "vxlan0" || v.LocalASN != 65001 {
		t.Errorf("got %+v", v)
	}
	if v := n.Tunnels[0]; v.Up || v.Remotes[0] != "10.10.0.4" || v.Peers[0].Up || v.MTU != 1450 {
		t.Errorf("got %+v", v)
	}
	if len(n.NextHops) != 1 || n.NextHops[0].Alive || len(n.Problems) != 1 || n.Problems[0].Severity != "warning" {
		t.Errorf("got %+v, %+v", n.NextHops, n.Problems)
	}
	if oldest, err := Oldest(context.Background(), c); err != nil || !oldest.Equal(noon) {
		t.Errorf("got %v, %v", oldest, err)
	}
	site := Picture([]Member{{Name: "vm-hub00", State: n}}, noon)
	if tunnel := site.Tunnels[0]; tunnel.Remote == nil || len(tunnel.Rows) != 1 || site.Hubs[0].Title != "Hub VNet 10.0.0.0/16" {
		t.Errorf("got %+v", site)
	}
}

// event is an event at noon, of one of the kinds of change.
func event(change any) *nvadv1.WatchEvent {
	e := &nvadv1.WatchEvent{Time: timestamppb.New(noon)}
	switch c := change.(type) {
	case *nvadv1.WatchEvent_Neighbor:
		e.Change = c
	case *nvadv1.WatchEvent_Route:
		e.Change = c
	case *nvadv1.WatchEvent_Fib:
		e.Change = c
	case *nvadv1.WatchEvent_Tunnel:
		e.Change = c
	case *nvadv1.WatchEvent_NextHop:
		e.Change = c
	case *nvadv1.WatchEvent_Problem:
		e.Change = c
	case *nvadv1.WatchEvent_Daemon:
		e.Change = c
	}
	return e
}

// impostor has neighbors without end.
type impostor struct{ journal }

func (*impostor) ListEvents(_ *nvadv1.ListEventsRequest, stream grpc.ServerStreamingServer[nvadv1.ListEventsResponse]) error {
	r := &nvadv1.ListEventsResponse{}
	for range 1000 {
		r.Events = append(r.Events, event(&nvadv1.WatchEvent_Neighbor{Neighbor: &nvadv1.NeighborChange{}}))
	}
	for {
		if err := stream.Send(r); err != nil {
			return err
		}
	}
}

// TestEndlessState: the state of an impostor is refused, long before it fills the memory.
func TestEndlessState(t *testing.T) {
	c := clientOf(t, &impostor{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if n, err := At(ctx, c, noon); !errors.Is(err, errTooLarge) {
		t.Errorf("got %+v, %v", n, err)
	}
	if hops := pastNextHops(ctx, c); hops != nil {
		t.Errorf("%d next hops", len(hops))
	}
}
