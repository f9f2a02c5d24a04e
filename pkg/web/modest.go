package web

import (
	"context"

	"google.golang.org/grpc"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// mostDumps bounds the tables that are read from an NVA at the same time. nvad lets a caller
// read four, and the operator's own commands need some of them.
const mostDumps = 2

// modest is a client that reads few tables at the same time; the others wait.
type modest struct {
	nvadv1.NvadClient
	places chan struct{} // one for each table that is being read
}

func newModest(c nvadv1.NvadClient) *modest { return &modest{c, make(chan struct{}, mostDumps)} }

// ListRoutes implements [nvadv1.NvadClient].
func (m *modest) ListRoutes(ctx context.Context, r *nvadv1.ListRoutesRequest, opts ...grpc.CallOption) (grpc.ServerStreamingClient[nvadv1.ListRoutesResponse], error) {
	return waitFor(ctx, m, func() (grpc.ServerStreamingClient[nvadv1.ListRoutesResponse], error) {
		return m.NvadClient.ListRoutes(ctx, r, opts...)
	})
}

// ListEvents implements [nvadv1.NvadClient].
func (m *modest) ListEvents(ctx context.Context, r *nvadv1.ListEventsRequest, opts ...grpc.CallOption) (grpc.ServerStreamingClient[nvadv1.ListEventsResponse], error) {
	return waitFor(ctx, m, func() (grpc.ServerStreamingClient[nvadv1.ListEventsResponse], error) {
		return m.NvadClient.ListEvents(ctx, r, opts...)
	})
}

// waitFor opens a stream once there is a place, which is free again when the stream ends.
func waitFor[T any](ctx context.Context, m *modest, open func() (grpc.ServerStreamingClient[T], error)) (grpc.ServerStreamingClient[T], error) {
	select {
	case m.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	stream, err := open()
	if err != nil {
		<-m.places
		return nil, err
	}
	context.AfterFunc(stream.Context(), func() { <-m.places })
	return stream, nil
}
