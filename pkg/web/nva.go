package web

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/survey"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// Times for the state of an NVA.
const (
	freshState = 2 * time.Second // counters change without an event
	freshTable = 5 * time.Second // changes are events
	retryTime  = time.Second     // until a lost stream is opened again
)

// nva is an NVA with what was read from it.
type nva struct {
	NVA
	server  *Server
	state   *kept[*survey.NVA]
	journal *kept[*time.Time] // the oldest event
	table   *kept[*table]
	events  *kept[*ledger]
	books   *books
	lost    lostState
}

// lostState says whether the stream of changes is open.
type lostState struct {
	mu  sync.Mutex // guards the rest
	err error
}

func newNVA(s *Server, n NVA) *nva {
	n.Client = newModest(n.Client)
	v := &nva{NVA: n, server: s}
	v.state = keep(s, func(ctx context.Context) (*survey.NVA, error) { return survey.Take(ctx, n.Client) })
	v.journal = keep(s, func(ctx context.Context) (*time.Time, error) { return survey.Oldest(ctx, n.Client) })
	v.table = keep(s, func(ctx context.Context) (*table, error) { return v.readTable(ctx, &nvadv1.ListRoutesRequest{}) })
	v.books = &books{nva: v}
	v.events = keep(s, v.books.read)
	v.table.pause, v.table.wait, v.events.wait = longPause, longWait, longWait
	return v
}

// keep returns what load reads, and reads it in goroutines of s.
func keep[T any](s *Server, load func(context.Context) (T, error)) *kept[T] {
	return &kept[T]{load: load, start: s.work.Go, ctx: func() context.Context { return s.ctx }, pause: shortPause, wait: waitTime}
}

// follow passes on the changes of an NVA until ctx ends.
func (n *nva) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := n.watch(ctx)
		n.report(err)
		select {
		case <-ctx.Done():
		case <-time.After(retryTime):
		}
	}
}

// watch reads one stream of changes to its end.
func (n *nva) watch(ctx context.Context) error {
	stream, err := n.Client.Watch(ctx, &nvadv1.WatchRequest{})
	if err != nil {
		return err
	}
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("nvad has ended")
		}
		if err != nil {
			return err
		}
		n.report(nil)
		for _, e := range r.GetEvents() {
			n.server.hub.publish(n.Name, kindOf(e))
		}
		if len(r.GetEvents()) > 0 || r.GetLost() > 0 {
			n.state.expire()
			n.table.expire()
			n.events.expire()
		}
	}
}

// report tells the page when an NVA is lost and when it is back.
func (n *nva) report(err error) {
	if n.server.ctx.Err() != nil || status.Code(err) == codes.Canceled {
		return
	}
	n.lost.mu.Lock()
	defer n.lost.mu.Unlock()
	if (err == nil) != (n.lost.err == nil) {
		n.state.expire()
		n.journal.expire()
		n.server.hub.announce(n.Name, n.sentence(err))
	}
	n.lost.err = err
}
