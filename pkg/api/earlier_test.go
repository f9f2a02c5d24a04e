package api_test

import (
	"context"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// slowPast opens its journal when open has a value.
type slowPast struct {
	*apitest.Daemon
	begun, open chan struct{}
}

func (s slowPast) Past(ctx context.Context) (api.Past, error) {
	s.begun <- struct{}{}
	select {
	case <-s.open:
		return s.Daemon.Past(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestReadersOfThePast: reading all routes of an earlier time takes memory of nvad's, so a caller
// may do it twice at once. One more waits for a while and is then refused; what is small is not.
func TestReadersOfThePast(t *testing.T) {
	d := slowPast{happened(), make(chan struct{}, 8), make(chan struct{})}
	c := dial(t, serveLimited(t, d, api.NewLimits()))
	ask := func(r *nvadv1.ListEventsRequest) grpc.ServerStreamingClient[nvadv1.ListEventsResponse] {
		s, err := c.ListEvents(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	routes := []nvadv1.WatchKind{nvadv1.WatchKind_WATCH_KIND_ROUTES}
	first, second := ask(&nvadv1.ListEventsRequest{State: true}), ask(&nvadv1.ListEventsRequest{State: true, Kinds: routes})
	<-d.begun
	<-d.begun
	if _, err := ask(&nvadv1.ListEventsRequest{State: true}).Recv(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the third: %v", err)
	}
	third := ask(&nvadv1.ListEventsRequest{State: true, Kinds: []nvadv1.WatchKind{nvadv1.WatchKind_WATCH_KIND_NEXT_HOPS}})
	<-d.begun
	fourth := ask(&nvadv1.ListEventsRequest{})
	<-d.begun
	close(d.open)
	for _, s := range []grpc.ServerStreamingClient[nvadv1.ListEventsResponse]{first, second, third, fourth} {
		readToEnd(t, s)
	}
	readToEnd(t, ask(&nvadv1.ListEventsRequest{State: true}))
}

func readToEnd(t *testing.T, s grpc.ServerStreamingClient[nvadv1.ListEventsResponse]) {
	t.Helper()
	for {
		switch _, err := s.Recv(); err {
		case nil:
		case io.EOF:
			return
		default:
			t.Fatal(err)
		}
	}
}
