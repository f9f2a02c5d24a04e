package engine

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/speaker"
)

// outcomeTime is how long a reload is followed. Whatever is not decided about then
// is taken for something else.
const outcomeTime = 10 * time.Second

// aftermath is what a reload does to the routes, from its beginning until all that
// follows from it is decided about.
type aftermath struct {
	applied bool          // what follows may be over
	until   time.Time     // when it is given up
	resets  []netip.Addr  // neighbors whose sessions it resets
	review  *rib.Review   // of what changed; nil: more may change
	done    chan struct{} // closed when the rest is set
	effect  rib.Effect
	known   bool // effect is what came of it
}

// pending reports whether the end is waited for.
func (o *aftermath) pending() bool {
	if o == nil {
		return false
	}
	select {
	case <-o.done:
		return false
	default:
		return true
	}
}

func (o *aftermath) end(known bool) {
	o.known, o.review = known, nil
	close(o.done)
}

// expectOutcome begins to follow what a reload does. It is called ahead of it. The
// first configuration is no reload: there is nothing to compare with.
func (e *Engine) expectOutcome(cfg *config.Config) {
	e.changes++
	if e.outcome.pending() {
		e.outcome.end(false)
	}
	if !e.configured {
		return
	}
	e.outcome = &aftermath{until: time.Now().Add(outcomeTime), done: make(chan struct{})}
	e.outcome.resets = e.resets(cfg)
	e.rib.StartJournal()
}

// resets is the neighbors with a session that cfg resets.
func (e *Engine) resets(cfg *config.Config) (out []netip.Addr) {
	before := configuredSessions(e.cfg)
	for _, s := range configuredSessions(cfg) {
		i := slices.IndexFunc(before, func(b speaker.Neighbor) bool { return b.Address == s.Address })
		if n := e.neighbors[s.Address]; i >= 0 && s != before[i] && !s.Disabled && n != nil && n.up != nil {
			out = append(out, s.Address)
		}
	}
	return out
}

// settleOutcome has a reload's outcome told once nothing is left to decide.
func (e *Engine) settleOutcome() {
	if e.outcome.pending() {
		e.outcome.applied = true
	}
}

// followUp does a turn's share of telling what a reload came to. Busy says that
// something waits to be decided about.
func (e *Engine) followUp(now time.Time, busy bool) {
	o := e.outcome
	switch {
	case !o.pending() || !o.applied:
		return
	case now.After(o.until):
		if o.review == nil {
			e.rib.EndJournal()
		}
		o.end(false)
		return
	case o.review == nil && (busy || e.closing()):
		return
	case o.review == nil:
		o.review = e.rib.EndJournal()
	}
	if !o.review.Step(previewTurn) {
		e.poke()
		return
	}
	o.effect = o.review.Effect()
	o.effect.Groups = slices.DeleteFunc(o.effect.Groups, func(g rib.EffectGroup) bool { return slices.Contains(o.resets, g.Neighbor) })
	o.end(true)
}

// closing reports whether a neighbor that is to be down has a session still.
func (e *Engine) closing() bool {
	for _, n := range e.neighbors {
		if n.isShutdown() && n.up != nil {
			return true
		}
	}
	return false
}

// Outcome waits until all that follows from the last reload is decided about, and
// returns what it did to the routes. Neighbors whose sessions it resets are left out
// and named in resets. Known is false if it took longer than 10 s, if another
// reload followed, or if there was none.
func (e *Engine) Outcome(ctx context.Context) (effect rib.Effect, resets []netip.Addr, known bool, err error) {
	var o *aftermath
	if err := e.do(ctx, func() { o = e.outcome }); err != nil || o == nil {
		return rib.Effect{}, nil, false, err
	}
	select {
	case <-o.done:
		return o.effect, o.resets, o.known, nil
	case <-ctx.Done():
		return rib.Effect{}, nil, false, ctx.Err()
	case <-e.ended:
		return rib.Effect{}, nil, false, errEnded
	}
}
