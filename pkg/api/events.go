package api

import (
	"context"
	"net/netip"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/nvad/nvad/pkg/journal"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"

	"github.com/nvad/nvad/pkg/watch"
)

// Past reads the journal as it was when it was asked for. The records and their data are
// valid only until yield returns; yield's first error ends the reading.
type Past interface {
	// Oldest returns the time of the oldest record; zero if there is none.
	Oldest() time.Time
	// Events yields the records of kinds, and those of no kind, from the time since until
	// before the time until, the oldest first. A zero time is no bound. Want tells by the
	// key which records are needed.
	Events(ctx context.Context, kinds uint16, since, until time.Time, want func(key string) bool, yield func(*journal.Record) error) error
	// State yields the last record before the time at of each thing that existed then,
	// ordered by key. [journal.ErrNotKept] if that is not known.
	State(ctx context.Context, kinds uint16, at time.Time, want func(key string) bool, yield func(*journal.Record) error) error
	// Close ends the reading.
	Close()
}

// ListEvents implements nvadv1.NvadServer.
func (s *readServer) ListEvents(req *nvadv1.ListEventsRequest, stream grpc.ServerStreamingServer[nvadv1.ListEventsResponse]) error {
	q, err := parseEvents(req)
	if err != nil {
		return err
	}
	if q.heavy() {
		end, err := s.limits.begin(stream.Context(), meterOf(stream.Context()).who, earlier)
		if err != nil {
			return err
		}
		defer end()
	}
	past, err := s.reader.Past(stream.Context())
	if err != nil {
		return err
	}
	defer past.Close()
	if err := stream.Send(&nvadv1.ListEventsResponse{Oldest: stamp(past.Oldest())}); err != nil {
		return err
	}
	b := batch[nvadv1.WatchEvent]{send: func(events []*nvadv1.WatchEvent) error {
		return stream.Send(&nvadv1.ListEventsResponse{Events: events})
	}}
	if err := q.run(stream.Context(), past, b.add); err != nil {
		return err
	}
	return b.flush()
}

// eventQuery is a valid request for events.
type eventQuery struct {
	filter       watch.Filter
	since, until time.Time
	last         int
	state        bool
}

// heavy reports whether the query reads all routes of an earlier time.
func (q *eventQuery) heavy() bool {
	return q.state && !q.filter.Exact && q.filter.Kinds&(watch.Routes|watch.FIB) != 0
}

func parseEvents(req *nvadv1.ListEventsRequest) (q eventQuery, err error) {
	q.filter, err = parseFilter(&nvadv1.WatchRequest{Kinds: req.GetKinds(), Neighbor: req.GetNeighbor(), Prefix: req.GetPrefix()})
	if err != nil {
		return q, err
	}
	q.filter.Exact, q.last, q.state = req.GetExact(), int(req.GetLast()), req.GetState()
	if q.since, err = parseTime(req.GetSince()); err != nil {
		return q, err
	}
	if q.until, err = parseTime(req.GetUntil()); err != nil {
		return q, err
	}
	switch {
	case q.filter.Exact && !q.filter.Prefix.IsValid():
		return q, Invalid("exact goes with a prefix, and none is given")
	case q.state && (!q.since.IsZero() || q.last > 0):
		return q, Invalid("the state at a time has no beginning and no last events: give only the time until")
	case !q.since.IsZero() && !q.until.IsZero() && q.until.Before(q.since):
		return q, Invalid("the events asked for end at %s, before they begin at %s", q.until.UTC().Format(time.RFC3339), q.since.UTC().Format(time.RFC3339))
	}
	return q, nil
}

func parseTime(t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, Invalid("time: %s", err)
	}
	return t.AsTime(), nil
}

// run yields the events of past that q selects. For the last events it reads twice, since
// they may be too many to keep until their number is known.
func (q *eventQuery) run(ctx context.Context, past Past, yield func(*nvadv1.WatchEvent) error) error {
	if q.state {
		if q.until.IsZero() {
			q.until = time.Now()
		}
		return past.State(ctx, uint16(q.filter.Kinds), q.until, q.wants, func(r *journal.Record) error { return q.pass(r, yield) })
	}
	if q.last == 0 {
		return q.events(ctx, past, yield)
	}
	skip := -q.last
	if err := q.events(ctx, past, func(*nvadv1.WatchEvent) error { skip++; return nil }); err != nil {
		return err
	}
	return q.events(ctx, past, func(m *nvadv1.WatchEvent) error {
		if skip--; skip >= 0 {
			return nil
		}
		return yield(m)
	})
}

func (q *eventQuery) events(ctx context.Context, past Past, yield func(*nvadv1.WatchEvent) error) error {
	return past.Events(ctx, uint16(q.filter.Kinds), q.since, q.until, q.wants, func(r *journal.Record) error {
		if r.Taken && (!q.filter.Exact || r.Kind == 0) {
			return nil
		}
		return q.pass(r, yield)
	})
}

// pass yields the event of a record if the filter selects it.
func (q *eventQuery) pass(r *journal.Record, yield func(*nvadv1.WatchEvent) error) error {
	m := decode(r)
	if m.GetGap() == nil && !q.filter.Selects(changeOf(m, q.state)) {
		return nil
	}
	return yield(m)
}

// wants reports whether a record may be selected, without reading more than its key.
func (q *eventQuery) wants(key string) bool {
	if !q.filter.Prefix.IsValid() || key == "" {
		return true
	}
	switch key[0] {
	case kindOctet(watch.Routes):
		p, ok := prefixOf(key)
		return ok && q.filter.Selects(watch.Route{Prefix: p, New: watch.Best{Neighbor: q.filter.Neighbor}})
	case kindOctet(watch.FIB):
		p, ok := prefixOf(key)
		return ok && q.filter.Selects(watch.Forwarding{Prefix: p})
	}
	return true
}

// changeOf returns as much of a change as a filter looks at. In a state, a best path does
// not belong to the neighbor that it came from before.
func changeOf(m *nvadv1.WatchEvent, state bool) watch.Change {
	addr := func(s string) (a netip.Addr) { a, _ = netip.ParseAddr(s); return a }
	prefix := func(s string) (p netip.Prefix) { p, _ = netip.ParsePrefix(s); return p }
	switch c := m.GetChange().(type) {
	case *nvadv1.WatchEvent_Neighbor:
		return watch.Neighbor{Address: addr(c.Neighbor.GetAddress())}
	case *nvadv1.WatchEvent_Route:
		r := watch.Route{Prefix: prefix(c.Route.GetPrefix()), New: watch.Best{Neighbor: addr(c.Route.GetNew().GetNeighbor())}}
		if !state {
			r.Old.Neighbor = addr(c.Route.GetOld().GetNeighbor())
		}
		return r
	case *nvadv1.WatchEvent_Fib:
		return watch.Forwarding{Prefix: prefix(c.Fib.GetPrefix())}
	case *nvadv1.WatchEvent_Tunnel:
		return watch.Tunnel{}
	case *nvadv1.WatchEvent_NextHop:
		return watch.NextHop{Address: addr(c.NextHop.GetAddress())}
	case *nvadv1.WatchEvent_Repair:
		return watch.Repair{}
	case *nvadv1.WatchEvent_Operation:
		return watch.Operation{Target: c.Operation.GetTarget()}
	case *nvadv1.WatchEvent_Problem:
		return watch.Problem{}
	}
	return watch.Life{}
}
