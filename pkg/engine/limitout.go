package engine

import (
	"context"
	"net/netip"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/route"
)

// outFill is how much of maximum-prefix-out is used by what is advertised.
type outFill uint8

const (
	outLow  outFill = iota
	outHalf         // more than half: sending everything again at once would exceed it
	outHigh         // 90 percent
	outFull         // something is held back
)

// highOut is the percentage of maximum-prefix-out from which on it is nearly
// reached.
const highOut = 90

func (n *neighbor) outFillOf(advertised, held int) outFill {
	limit := n.cfg.MaximumPrefixOut
	switch {
	case limit == 0:
		return outLow
	case held > 0:
		return outFull
	case advertised*100 >= limit*highOut:
		return outHigh
	case n.cfg.MaximumPrefixOutCount == config.CountIncoming && advertised*2 > limit:
		return outHalf
	}
	return outLow
}

// checkLimitsOut warns of maximum-prefix-out, once a session for each step. What is
// held back is no change of what a neighbor is told, so all are looked at.
func (e *Engine) checkLimitsOut() {
	for addr, n := range e.neighbors {
		if n.cfg.MaximumPrefixOut > 0 && n.up != nil && n.outFill < outFull {
			e.checkLimitOut(addr, n)
		}
	}
}

func (e *Engine) checkLimitOut(addr netip.Addr, n *neighbor) {
	c := e.rib.Counts(addr)
	now := n.outFillOf(c.Fullest, c.Held)
	if now <= n.outFill {
		return
	}
	n.outFill = now
	log := e.log.With("neighbor", addr, "limit", n.cfg.MaximumPrefixOut, "advertised", c.Fullest)
	switch now {
	case outHalf:
		log.Warn("maximum-prefix-out half used: sending all routes again takes several steps")
	case outHigh:
		log.Warn("maximum-prefix-out nearly reached", "percent", highOut)
	case outFull:
		log.Error("maximum-prefix-out reached, routes are held back: shorter prefixes go first, then lower addresses", "held", c.Held)
	}
}

// mostSummaries is how many aggregates are suggested.
const mostSummaries = 5

// Summaries suggests what a neighbor could be told in place of several prefixes,
// once half of its maximum-prefix-out is used. ErrNoNeighbor if it is not
// configured.
func (e *Engine) Summaries(ctx context.Context, addr netip.Addr) ([]route.Summary, error) {
	var list []netip.Prefix
	err := e.with(ctx, addr, func(n *neighbor) error {
		if e.rib.Counts(addr).Fullest*2 >= n.cfg.MaximumPrefixOut {
			list = e.rib.Rationed(addr)
		}
		return nil
	})
	return route.Summaries(list, mostSummaries), err
}
