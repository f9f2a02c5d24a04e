package web

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// fake is a daemon with tables and a journal of any size.
type fake struct {
	nvadv1.UnimplementedNvadServer
	status nvadv1.Status
	links  []*nvadv1.Link
	paths  []*nvadv1.Path
	story  *nvadv1.Explanation

	mu     sync.Mutex // guards the rest
	events []*nvadv1.WatchEvent
	reads  []*nvadv1.ListEventsRequest
	watch  chan *nvadv1.WatchEvent
}

// client runs the daemon until the test ends.
func (f *fake) client(t *testing.T) nvadv1.NvadClient {
	t.Helper()
	f.watch = make(chan *nvadv1.WatchEvent)
	path := filepath.Join(t.TempDir(), "nvad.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	nvadv1.RegisterNvadServer(s, f)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return dial(t, "unix:"+path)
}

func (f *fake) GetStatus(context.Context, *nvadv1.GetStatusRequest) (*nvadv1.Status, error) {
	return &f.status, nil
}

func (f *fake) ListLinks(context.Context, *nvadv1.ListLinksRequest) (*nvadv1.ListLinksResponse, error) {
	return &nvadv1.ListLinksResponse{Links: f.links}, nil
}

func (f *fake) ListNeighbors(context.Context, *nvadv1.ListNeighborsRequest) (*nvadv1.ListNeighborsResponse, error) {
	return &nvadv1.ListNeighborsResponse{}, nil
}

func (f *fake) ListTunnels(context.Context, *nvadv1.ListTunnelsRequest) (*nvadv1.ListTunnelsResponse, error) {
	return &nvadv1.ListTunnelsResponse{}, nil
}

func (f *fake) GetConfig(context.Context, *nvadv1.GetConfigRequest) (*nvadv1.Config, error) {
	return &nvadv1.Config{}, nil
}

func (f *fake) Explain(_ context.Context, r *nvadv1.ExplainRequest) (*nvadv1.Explanation, error) {
	if f.story == nil {
		return &nvadv1.Explanation{Prefix: r.GetPrefix()}, nil
	}
	return f.story, nil
}

func (f *fake) ListRoutes(r *nvadv1.ListRoutesRequest, stream grpc.ServerStreamingServer[nvadv1.ListRoutesResponse]) error {
	for i := 0; i < len(f.paths); i += 100 {
		if err := stream.Send(&nvadv1.ListRoutesResponse{Paths: f.paths[i:min(i+100, len(f.paths))]}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) ListEvents(r *nvadv1.ListEventsRequest, stream grpc.ServerStreamingServer[nvadv1.ListEventsResponse]) error {
	f.mu.Lock()
	events := f.events
	f.reads = append(f.reads, r)
	f.mu.Unlock()
	if len(events) == 0 {
		return status.Error(codes.FailedPrecondition, "no journal is kept")
	}
	out := &nvadv1.ListEventsResponse{Oldest: events[0].GetTime()}
	for _, e := range events {
		at := e.GetTime().AsTime()
		if r.GetSince() != nil && at.Before(r.GetSince().AsTime()) || r.GetUntil() != nil && !at.Before(r.GetUntil().AsTime()) ||
			r.GetPrefix() != "" && e.GetRoute().GetPrefix() != r.GetPrefix() {
			continue
		}
		if out.Events = append(out.Events, e); len(out.Events) == 1000 {
			if err := stream.Send(out); err != nil {
				return err
			}
			out = &nvadv1.ListEventsResponse{}
		}
	}
	return stream.Send(out)
}

// Watch sends what the test puts into f.watch.
func (f *fake) Watch(_ *nvadv1.WatchRequest, stream grpc.ServerStreamingServer[nvadv1.WatchResponse]) error {
	if err := stream.Send(&nvadv1.WatchResponse{}); err != nil {
		return err
	}
	for {
		select {
		case <-stream.Context().Done():
			return nil
		case e := <-f.watch:
			if err := stream.Send(&nvadv1.WatchResponse{Events: []*nvadv1.WatchEvent{e}}); err != nil {
				return err
			}
		}
	}
}

// record adds events to the journal.
func (f *fake) record(list ...*nvadv1.WatchEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, list...)
}

var start = time.Now().UTC().Truncate(time.Second).Add(-time.Hour)

// routeEvent is an event of a prefix, which appears and disappears.
func routeEvent(i int, at time.Time) *nvadv1.WatchEvent {
	c := &nvadv1.RouteChange{Prefix: fmt.Sprintf("10.%d.%d.0/24", i/256%256, i%256), Reason: fmt.Sprintf("reason %d", i)}
	best := &nvadv1.BestPath{Neighbor: "10.0.210.4", Source: "bgp", NextHop: "10.0.210.4", AsPath: "65515 12076"}
	if c.New = best; i%2 == 1 {
		c.Old, c.New = best, nil
	}
	return &nvadv1.WatchEvent{Time: timestamppb.New(at), Change: &nvadv1.WatchEvent_Route{Route: c}}
}

func pathTo(i int) *nvadv1.Path {
	return &nvadv1.Path{Prefix: fmt.Sprintf("10.%d.%d.0/24", i/256, i%256), Neighbor: fmt.Sprintf("10.0.210.%d", 4+i%2), Source: "bgp", Best: true, Valid: true,
		Attributes: &nvadv1.Attributes{AsPath: fmt.Sprintf("65515 12076 %d", 64512+i%7), Origin: "igp", NextHop: "10.0.0.1", Communities: []string{"65001:200"}}}
}
