package engine

import (
	"time"

	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/telemetry"
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

// tellNeighbor hands on that a session came up or went down.
func (e *Engine) tellNeighbor(n *neighbor, from speaker.State, reason string, kept bool, now time.Time) {
	n.shown = telemetry.Throttle{}
	n.shown.First("not up", reason)
	e.tellSession(n, from, reason, kept, now)
}

// tellAttempt hands on why a session does not come up, each reason once in an
// outage: an absent neighbor is tried twice a second, and that it is tried is no
// news.
func (e *Engine) tellAttempt(n *neighbor, reason string, now time.Time) {
	if n.up != nil || reason == "" || !n.shown.First("not up", reason) {
		return
	}
	e.tellSession(n, n.state, reason, false, now)
}

func (e *Engine) tellSession(n *neighbor, from speaker.State, reason string, kept bool, now time.Time) {
	e.opt.Watch.Publish(watch.Event{At: now, Change: watch.Neighbor{
		Address: n.cfg.Address, ASN: n.cfg.RemoteASN, From: from, To: n.state, Reason: reason, Kept: kept,
	}})
}

// removed publishes and logs that a reload takes a neighbor away. The end of its
// session comes when the neighbor is not known any more.
func (e *Engine) removed(n *neighbor, now time.Time) {
	from := n.state
	e.log.Info("neighbor removed", "neighbor", n.cfg.Address, "as", n.cfg.RemoteASN, "was", from.String())
	n.state = speaker.Idle
	e.tellNeighbor(n, from, "removed from the configuration", false, now)
}
