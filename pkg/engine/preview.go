package engine

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
)

// previewTurn is how many destinations a preview visits in one turn of the engine.
const previewTurn = 256

// mostPreviews is how often a preview is begun anew because the kernel or the
// configuration changed meanwhile.
const mostPreviews = 3

// errUnsettled is the error of a preview that never came to its end.
var errUnsettled = errors.New("links, routes of the kernel or the configuration keep changing")

// Preview tells what the routes would come to if cfg were applied now. It changes
// nothing. Sessions are taken for what they are: one that cfg shuts down is gone,
// one that cfg resets comes back with the same routes, and one that it adds has
// none. Events are handled between any two turns of it; a second call waits for
// the first. Resets are the neighbors whose sessions cfg resets.
func (e *Engine) Preview(ctx context.Context, cfg *config.Config) (effect rib.Effect, resets []netip.Addr, err error) {
	peers, err1 := compile(cfg)
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
	if err := e.settled(ctx); err != nil {
		return effect, nil, err
	}
	for range mostPreviews {
		p, err := e.preview(ctx, func() *rib.RIB {
			resets = e.resets(cfg)
			return e.fork(cfg, peers, origin)
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

// settled waits until what has been received is decided about: what is still to
// come of it is none of a reload's effect.
func (e *Engine) settled(ctx context.Context) error {
	done := make(chan struct{})
	if err := e.do(ctx, func() { e.rib.Settled(func() { close(done) }) }); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.ended:
		return errEnded
	}
}

// preview makes one preview; nil if what it rests on has changed meanwhile.
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

// fork is the RIB as apply would leave it, without destinations.
func (e *Engine) fork(cfg *config.Config, peers []rib.Peer, origin *origination) *rib.RIB {
	next := e.rib.Fork()
	next.SetForwarding(cfg.Kernel.MaxPaths, cfg.Kernel.ResolveDefault)
	next.SetDrain(e.drainOf(cfg))
	next.SetFacts(e.kernel)
	for addr := range e.neighbors {
		if !configured(cfg, addr) {
			next.RemovePeer(addr)
		}
	}
	for i, c := range cfg.Neighbors {
		next.SetPeer(peers[i])
		if n := e.neighbors[c.Address]; n != nil && (c.Shutdown || e.wouldExceed(n, c)) {
			next.PeerDown(c.Address, false)
		}
	}
	derived := e.derived
	derived.derive(cfg, e.kernel)
	next.SetStatics(statics(cfg, slices.Concat(cfg.Statics, derived.routes)))
	next.SetAggregates(origin.aggregates)
	next.SetLocal(e.locals(cfg, origin, next))
	return next
}

// wouldExceed reports whether c ends the session because of maximum-prefix.
func (e *Engine) wouldExceed(n *neighbor, c config.Neighbor) bool {
	next := neighbor{cfg: n.cfg, fill: n.fill, held: n.held, overLimit: n.overLimit}
	next.setConfig(c)
	if next.held != "" || c.MaximumPrefixAction == config.ActionWarn || c.MaximumPrefixAction == config.ActionDiscard {
		return false
	}
	over := next.fillOf(e.rib.Counts(c.Address).Received, false)
	return over == fillOver && next.fill < fillOver
}
