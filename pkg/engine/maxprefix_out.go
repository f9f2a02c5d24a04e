package engine

import (
	"context"
	"net/netip"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/route"
)

// outFill is how much of maximum-prefix-out the advertised routes use.
type outFill uint8

const (
	outLow  outFill = iota
	outHalf         // more than half: sending all routes again at once would exceed it
	outHigh         // highOut percent
	outFull         // routes are held back
)

// highOut is the percentage of maximum-prefix-out at which nvad warns.
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

// checkLimitsOut warns of maximum-prefix-out, once per session at each threshold. It
// looks at every neighbor, because a route that is held back changes nothing that was
// advertised.
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

// mostSummaries is how many aggregates Summaries suggests.
const mostSummaries = 5

// Summaries suggests aggregates that could replace several prefixes advertised to a
// neighbor, once half of its maximum-prefix-out is used. ErrNoNeighbor if it is not
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
