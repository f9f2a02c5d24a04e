package web

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// eventRow is an event as the page shows it.
type eventRow struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	NVA      string    `json:"nva"`
	Kind     string    `json:"kind"`
	Severity string    `json:"severity"` // "bad", "good" or "info"
	Object   string    `json:"object"`
	Text     string    `json:"text"`
	Prefix   string    `json:"prefix"`
	Neighbor string    `json:"neighbor"`
	Tunnel   string    `json:"tunnel"`

	place  int    // among the events of the same instant
	lost   uint64 // of a gap
	prefix netip.Prefix
	others [2]netip.Addr // neighbor before and after
}

// eventOctets is about what an event takes besides its texts.
const eventOctets = 320

func (e *eventRow) octets() int { return eventOctets + len(e.Object) + len(e.Text) + len(e.Neighbor) }

// ledger has the events of an NVA from a time on, the oldest first. It never changes: the next
// one shares its rows.
type ledger struct {
	since   time.Time
	rows    []eventRow
	octets  int
	leftOut int // older events that were dropped
}

// books reads the ledger of an NVA.
type books struct {
	nva *nva
	mu  sync.Mutex // guards since
	// since is the earliest time that a page has asked for.
	since time.Time
	last  *ledger // of the reader alone
}

// reach makes the next ledger begin at since or before, and reports whether it must be read anew.
func (b *books) reach(since time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.since.IsZero() && !since.Before(b.since) {
		return false
	}
	b.since = since
	return true
}

// read returns the ledger until now. It reads only what has happened since the last one, unless
// an earlier begin is wanted.
func (b *books) read(ctx context.Context) (*ledger, error) {
	b.mu.Lock()
	since := b.since
	b.mu.Unlock()
	next, known := &ledger{since: since}, 0
	req := &nvadv1.ListEventsRequest{Since: timestamppb.New(since)}
	if last := b.last; last != nil && !since.Before(last.since) && len(last.rows) > 0 {
		*next = *last
		// More may have happened in the instant of the last event, so that is read again.
		from := last.rows[len(last.rows)-1].Time
		req.Since = timestamppb.New(from)
		for i := len(last.rows); i > 0 && last.rows[i-1].Time.Equal(from); i-- {
			known++
		}
	}
	err := b.nva.readEvents(ctx, req, func(e *nvadv1.WatchEvent) bool {
		if known > 0 && timeOfEvent(e).Equal(req.Since.AsTime()) {
			known--
		} else {
			next.add(b.nva, e)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	next.trim(b.nva.share())
	b.last = next
	return next, nil
}

func (l *ledger) add(n *nva, e *nvadv1.WatchEvent) {
	row := n.eventRow(e)
	if k := len(l.rows); k > 0 && l.rows[k-1].Time.Equal(row.Time) {
		row.place = l.rows[k-1].place + 1
	}
	l.rows = append(l.rows, row)
	l.octets += row.octets()
	if l.octets > 2*n.share() {
		l.trim(n.share())
	}
}

// trim drops the oldest events until the others take no more than most octets.
func (l *ledger) trim(most int) {
	drop := 0
	for l.octets > most {
		l.octets -= l.rows[drop].octets()
		drop++
	}
	if drop > 0 {
		l.rows = append([]eventRow(nil), l.rows[drop:]...)
		l.leftOut += drop
	}
}

// eventRow returns an event with its words.
func (n *nva) eventRow(e *nvadv1.WatchEvent) eventRow {
	row := eventRow{Time: timeOfEvent(e), NVA: n.Name, Kind: kindOf(e), Severity: "info", Text: n.server.params.Line(e)}
	row.describe(e)
	row.prefix, _ = netip.ParsePrefix(row.Prefix)
	row.others[0], _ = netip.ParseAddr(row.Neighbor)
	row.others[1], _ = netip.ParseAddr(e.GetRoute().GetOld().GetNeighbor())
	return row
}

// describe sets what an event is about, and whether it is good or bad.
func (row *eventRow) describe(e *nvadv1.WatchEvent) {
	switch c := e.GetChange().(type) {
	case *nvadv1.WatchEvent_Neighbor:
		row.Object, row.Neighbor = c.Neighbor.GetAddress(), c.Neighbor.GetAddress()
		row.judge(c.Neighbor.GetNewState() == "Established", c.Neighbor.GetOldState() == "Established")
	case *nvadv1.WatchEvent_Route:
		row.Object, row.Prefix, row.Neighbor = c.Route.GetPrefix(), c.Route.GetPrefix(), c.Route.GetNew().GetNeighbor()
		row.judge(c.Route.GetOld() == nil, c.Route.GetNew() == nil)
	case *nvadv1.WatchEvent_Fib:
		row.Object, row.Prefix = c.Fib.GetPrefix(), c.Fib.GetPrefix()
		row.judge(false, c.Fib.GetState() == "failed" || c.Fib.GetState() == "refused")
	case *nvadv1.WatchEvent_Tunnel:
		row.Object, row.Tunnel = c.Tunnel.GetName(), c.Tunnel.GetName()
		row.judge(c.Tunnel.GetNewState() == "up", c.Tunnel.GetNewState() == "down" || c.Tunnel.GetNewState() == "failed")
	case *nvadv1.WatchEvent_NextHop:
		row.Object = c.NextHop.GetAddress()
		row.judge(c.NextHop.GetAlive(), !c.NextHop.GetAlive())
	case *nvadv1.WatchEvent_Repair:
		row.Object, row.Severity = c.Repair.GetObject(), "bad"
	case *nvadv1.WatchEvent_Operation:
		row.Object = strings.TrimSpace(c.Operation.GetWhat() + " " + c.Operation.GetTarget())
		row.judge(false, c.Operation.GetError() != "")
	case *nvadv1.WatchEvent_Problem:
		row.Object = c.Problem.GetKey()
		row.judge(!c.Problem.GetBegan(), c.Problem.GetBegan())
	case *nvadv1.WatchEvent_Daemon:
		row.Object = c.Daemon.GetState()
		row.judge(c.Daemon.GetState() == "in sync", c.Daemon.GetState() == "stopping")
	case *nvadv1.WatchEvent_Gap:
		row.lost = c.Gap.GetLost()
		row.judge(false, row.lost > 0) // each start of nvad leaves a gap, too
	}
}

func (row *eventRow) judge(good, bad bool) {
	switch {
	case bad:
		row.Severity = "bad"
	case good:
		row.Severity = "good"
	}
}

// missing reports whether the daemon has not found what it was asked for.
func missing(err error) bool { return status.Code(err) == codes.NotFound }
