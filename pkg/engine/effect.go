package engine

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/speaker"
)

// previewTurn is how many destinations a preview, or a look at what a reload did,
// visits in one turn of the engine.
const previewTurn = 256

// mostPreviews is how often a preview starts again because the kernel or the
// configuration changed meanwhile.
const mostPreviews = 3

// errUnsettled is the error of a preview that had to start again too often.
var errUnsettled = errors.New("links, routes of the kernel or the configuration keep changing")

// Preview says how the routes would change if cfg were applied now, and names the
// neighbors whose sessions it would reset. It changes nothing. A session that cfg
// shuts down counts as gone; one that cfg resets comes back with the same routes; one
// that cfg adds has no routes yet. The engine handles events between any two turns of
// a preview; a second call waits for the first.
func (e *Engine) Preview(ctx context.Context, cfg *config.Config) (effect rib.Effect, resets []netip.Addr, err error) {
	c, err1 := compile(cfg)
	origin, err2 := compileOrigination(cfg, e.opt.Interner)
	if err := errors.Join(err1, err2); err != nil {
		return effect, nil, err
	}
	select {
	case e.previews <- struct{}{}:
		defer func() { <-e.previews }()
	case <-ctx.Done():
		return effect, nil, ctx.Err()
	}
	// What has been received already is no effect of a reload: decide about it first.
	if err := e.settled(ctx, func() {}); err != nil {
		return effect, nil, err
	}
	for range mostPreviews {
		p, err := e.preview(ctx, func() *rib.RIB {
			resets = e.resets(cfg)
			return e.fork(c, origin)
		})
		if err != nil {
			return effect, nil, err
		}
		if p != nil {
			return p.Effect(), resets, nil
		}
	}
	return effect, nil, errUnsettled
}

// preview makes one preview; nil if the kernel or the configuration changed meanwhile.
func (e *Engine) preview(ctx context.Context, fork func() *rib.RIB) (*rib.Preview, error) {
	var p *rib.Preview
	var changes uint64
	if err := e.do(ctx, func() { p, changes = rib.NewPreview(e.rib, fork()), e.changes }); err != nil {
		return nil, err
	}
	for done, stale := false, false; !done; {
		err := e.do(ctx, func() {
			if stale = e.changes != changes; !stale {
				done = p.Step(previewTurn)
			}
		})
		if err != nil || stale {
			return nil, err
		}
	}
	return p, nil
}

// fork returns the RIB as apply would leave it, without destinations.
func (e *Engine) fork(c *compiled, origin *origination) *rib.RIB {
	cfg, next, all := c.cfg, e.rib.Fork(), e.members(c)
	next.SetForwarding(forwarding(cfg))
	next.SetDomains(rangeHasDomain(cfg))
	next.SetDrain(e.drains.forRIB(cfg))
	next.SetFacts(e.kernel)
	for addr := range e.neighbors {
		if !all.has(addr) {
			next.RemovePeer(addr)
		}
	}
	for _, m := range all {
		next.SetPeer(m.peer)
		if n := e.neighbors[m.Address]; n != nil && (m.Shutdown || e.wouldExceed(n, m.Neighbor)) {
			next.PeerDown(m.Address, false)
		}
	}
	derived := e.derived
	derived.derive(cfg, e.kernel)
	next.SetStatics(statics(cfg, slices.Concat(cfg.Statics, derived.routes)))
	next.SetAggregates(origin.aggregates)
	next.SetLocal(e.locals(cfg, origin, next))
	return next
}

// wouldExceed reports whether c shuts the session down because of maximum-prefix.
func (e *Engine) wouldExceed(n *neighbor, c config.Neighbor) bool {
	next := neighbor{cfg: n.cfg, fill: n.fill, held: n.held, overLimit: n.overLimit}
	next.setConfig(c)
	if next.held != "" || c.MaximumPrefixAction == config.ActionWarn || c.MaximumPrefixAction == config.ActionDiscard {
		return false
	}
	over := next.fillOf(e.counted(c.Address, &c), false)
	return over == fillOver && next.fill < fillOver
}

// resets returns the neighbors whose established sessions cfg resets.
func (e *Engine) resets(cfg *config.Config) (out []netip.Addr) {
	before := e.configuredSessions(e.cfg)
	for _, s := range e.configuredSessions(cfg) {
		i := slices.IndexFunc(before, func(b speaker.Neighbor) bool { return b.Address == s.Address })
		if n := e.neighbors[s.Address]; i >= 0 && s != before[i] && !s.Disabled && n != nil && n.up != nil {
			out = append(out, s.Address)
		}
	}
	return append(out, e.dynamicResets(cfg)...)
}

// outcomeTime is how long a reload is followed. What is not decided by then counts
// for something else.
const outcomeTime = 10 * time.Second

// outcome is how a reload changes the routes. The engine follows the reload until
// everything that it causes is decided.
type outcome struct {
	applied bool          // the configuration is in force; its effects may be over
	until   time.Time     // when the engine gives up
	resets  []netip.Addr  // neighbors whose sessions the reload resets
	review  *rib.Review   // of what changed; nil: more may change
	done    chan struct{} // closed when the rest is set
	effect  rib.Effect
	known   bool // effect is complete
}

// pending reports whether the reload is still followed.
func (o *outcome) pending() bool {
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

func (o *outcome) end(known bool) {
	o.known, o.review = known, nil
	close(o.done)
}

// expectOutcome begins to follow a reload, before anything changes. The first
// configuration is no reload: there is nothing to compare it with.
func (e *Engine) expectOutcome(cfg *config.Config) {
	e.changes++
	if e.outcome.pending() {
		e.outcome.end(false)
	}
	if !e.configured {
		return
	}
	e.outcome = &outcome{until: time.Now().Add(outcomeTime), done: make(chan struct{})}
	e.outcome.resets = e.resets(cfg)
	e.rib.StartJournal()
}

// followOutcome takes one turn's share of following a reload. Busy says that the RIB
// has more to decide.
func (e *Engine) followOutcome(now time.Time, busy bool) {
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
		e.inbox.poke()
		return
	}
	o.effect = o.review.Effect()
	o.effect.Groups = slices.DeleteFunc(o.effect.Groups, func(g rib.EffectGroup) bool { return slices.Contains(o.resets, g.Neighbor) })
	o.end(true)
}

// closing reports whether a neighbor that is to be down still has a session.
func (e *Engine) closing() bool {
	for _, n := range e.neighbors {
		if n.isShutdown() && n.up != nil {
			return true
		}
	}
	return false
}

// Outcome waits until all effects of the last reload are decided, and returns how it
// changed the routes. Neighbors whose sessions it resets are left out, and named in
// resets. Known is false if it took longer than 10 s, if another reload followed, or
// if there was none.
func (e *Engine) Outcome(ctx context.Context) (effect rib.Effect, resets []netip.Addr, known bool, err error) {
	var o *outcome
	if err := e.do(ctx, func() { o = e.outcome }); err != nil || o == nil {
		return rib.Effect{}, nil, false, err
	}
	if err := e.await(ctx, o.done); err != nil {
		return rib.Effect{}, nil, false, err
	}
	return o.effect, o.resets, o.known, nil
}
