package engine

import (
	"time"

	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/watch"
)

// tellBest hands the changes of best paths to those who watch.
func (e *Engine) tellBest(changes []rib.BestChange) {
	if len(changes) == 0 {
		return
	}
	now := time.Now()
	events := make([]watch.Event, len(changes))
	for i, c := range changes {
		events[i] = watch.Event{At: now, Change: watch.Route{
			Prefix: c.Prefix, Old: watch.Best(c.Old), New: watch.Best(c.New), Reason: c.Reason,
		}}
	}
	e.opt.Watch.Publish(events...)
}

// tellNeighbor hands on that a session is in another state than before.
func (e *Engine) tellNeighbor(n *neighbor, from speaker.State, reason string, kept bool, now time.Time) {
	n.shown = reason
	e.opt.Watch.Publish(watch.Event{At: now, Change: watch.Neighbor{
		Address: n.cfg.Address, ASN: n.cfg.RemoteASN, From: from, To: n.state, Reason: reason, Kept: kept,
	}})
}

// tellAttempt hands on how an attempt to come up fares: a connection that is there,
// or another reason for failing than was told before. An absent neighbor is tried
// twice a second; that it is tried is no news.
func (e *Engine) tellAttempt(n *neighbor, ev *speaker.StateChanged, from speaker.State, now time.Time) {
	switch {
	case n.up != nil:
	case ev.State == speaker.OpenSent || ev.State == speaker.OpenConfirm:
		e.tellNeighbor(n, from, n.shown, false, now)
	case ev.Reason != "" && ev.Reason != n.shown && ev.State != speaker.Connect:
		e.tellNeighbor(n, from, ev.Reason, false, now)
	}
}
