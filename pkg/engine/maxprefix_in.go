package engine

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// fill is how much of maximum-prefix a neighbor has used.
type fill uint8

const (
	fillLow  fill = iota
	fillHigh      // maximum-prefix-warning reached
	fillOver      // maximum-prefix exceeded
	fillLost      // twice maximum-prefix exceeded: announcements are dropped
)

func (n *neighbor) fillOf(counted int, drops bool) fill {
	limit := n.cfg.MaximumPrefix
	switch {
	case limit == 0:
		return fillLow
	case counted > limit && drops:
		return fillLost
	case counted > limit:
		return fillOver
	case n.cfg.MaximumPrefixWarning > 0 && counted*100 >= limit*n.cfg.MaximumPrefixWarning:
		return fillHigh
	}
	return fillLow
}

// checkLimit warns or shuts the session down at each threshold of maximum-prefix, at
// most once per session.
func (e *Engine) checkLimit(addr netip.Addr, n *neighbor) {
	counted := e.counted(addr, &n.cfg)
	dropped, missing := e.rib.Dropped(addr)
	now := n.fillOf(counted, missing != 0 && n.cfg.MaximumPrefixAction == config.ActionDiscard)
	if now <= n.fill || n.held != "" {
		return
	}
	n.fill = now
	c := e.rib.Counts(addr)
	log := e.log.With("neighbor", addr, "limit", n.cfg.MaximumPrefix, "received", c.Received, "accepted", c.Accepted)
	switch {
	case now == fillLost:
		log.Error("maximum-prefix exceeded twice over, further announcements are dropped", "dropped", dropped)
	case now == fillHigh:
		log.Warn("maximum-prefix nearly reached", "percent", n.cfg.MaximumPrefixWarning)
	case n.cfg.MaximumPrefixAction == config.ActionWarn:
		log.Error("maximum-prefix exceeded")
	case n.cfg.MaximumPrefixAction == config.ActionDiscard:
		log.Error("maximum-prefix exceeded, further routes are rejected")
	default:
		log.Error("maximum-prefix exceeded, neighbor shut down", "restart", n.cfg.MaximumPrefixRestart)
		e.holdOverLimit(addr, n)
	}
}

// counted returns how many prefixes of a neighbor maximum-prefix counts under the
// settings c.
func (e *Engine) counted(addr netip.Addr, c *config.Neighbor) int {
	counts := e.rib.Counts(addr)
	if c.MaximumPrefixCount == config.CountAccepted {
		return counts.Accepted + counts.OverLimit
	}
	return counts.Received
}

// checkAccepted checks the limits of neighbors whose accepted prefixes are counted: a
// reload of their policy changes the number, without any announcement.
func (e *Engine) checkAccepted() {
	for addr, n := range e.neighbors {
		if n.cfg.MaximumPrefixCount == config.CountAccepted {
			e.checkLimit(addr, n)
		}
	}
}

// holdOverLimit shuts the session down for maximum-prefix-restart, or until an
// operator enables it or changes the limit. If it came back at once, it would only
// exceed the limit again.
func (e *Engine) holdOverLimit(addr netip.Addr, n *neighbor) {
	n.held, n.overLimit = fmt.Sprintf("maximum-prefix %d exceeded", n.cfg.MaximumPrefix), true
	if n.cfg.MaximumPrefixRestart > 0 {
		n.heldUntil = time.Now().Add(n.cfg.MaximumPrefixRestart)
	}
	if n.up != nil {
		e.opt.Speaker.Reset(addr, n.up.Session, speaker.Notification{Code: speaker.CodeCease, Subcode: speaker.CeaseMaxPrefixes})
	}
	e.configureSpeaker()
}

// release undoes a shutdown at run time.
func (n *neighbor) release() { n.held, n.overLimit, n.heldUntil = "", false, time.Time{} }

// releaseDue re-enables neighbors that were shut down for a limited time, once that
// time is over.
func (e *Engine) releaseDue(now time.Time) {
	due := false
	for addr, n := range e.neighbors {
		if !n.heldUntil.IsZero() && now.After(n.heldUntil) {
			e.log.Info("neighbor tried again after it was held down", "neighbor", addr, "reason", n.held)
			n.release()
			due = true
		}
	}
	if due {
		e.configureSpeaker()
	}
}

// setConfig updates a neighbor's configuration. If its limit changed, a neighbor that
// exceeded it gets another chance.
func (n *neighbor) setConfig(c config.Neighbor) {
	old := n.cfg
	n.cfg = c
	if old.MaximumPrefixOut != c.MaximumPrefixOut {
		n.outFill = outLow
	}
	if old.MaximumPrefix == c.MaximumPrefix && old.MaximumPrefixAction == c.MaximumPrefixAction && old.MaximumPrefixCount == c.MaximumPrefixCount {
		return
	}
	n.fill = fillLow
	if n.overLimit {
		n.release()
	}
}

// loss says whether maximum-prefix made nvad drop announcements of a neighbor, and
// whether nvad can get them back.
type loss uint8

const (
	lossNone    loss = iota // or the import policy rejects all of them
	lossOver                // there is no room for them
	lossPending             // there is room; nvad will request them as soon as requestSpacing allows
	lossUnasked             // there is room, but the neighbor does not support ROUTE-REFRESH
)

// lossOf costs nothing if nothing was dropped.
func (e *Engine) lossOf(addr netip.Addr, n *neighbor) loss {
	_, missing := e.rib.Dropped(addr)
	switch {
	case missing == 0 || n.up == nil || e.rib.Unwanted(addr):
		return lossNone
	case !e.rib.Fits(addr):
		return lossOver
	case !n.up.RouteRefresh:
		return lossUnasked
	}
	return lossPending
}

// requestSpacing is the pause between two ROUTE-REFRESH messages to one neighbor for
// one family. The answer is the neighbor's whole table. If a neighbor announces more
// than fits and withdraws a route now and then, each withdrawal makes room for
// another request.
const requestSpacing = time.Minute

// requestDropped asks neighbors by ROUTE-REFRESH (RFC 2918) for the routes that
// maximum-prefix dropped, once there is room for them.
func (e *Engine) requestDropped(now time.Time) {
	for addr, n := range e.neighbors {
		if e.lossOf(addr, n) != lossPending {
			continue
		}
		count, missing := e.rib.Dropped(addr)
		var due route.Family
		for i, f := range [...]route.Family{route.IPv4, route.IPv6} {
			if missing.Has(f) && !now.Before(n.nextRequest[i]) {
				due |= f
				n.nextRequest[i] = now.Add(requestSpacing)
			}
		}
		if due == 0 {
			continue
		}
		e.log.Info("maximum-prefix has room again, routes are requested by ROUTE-REFRESH",
			"neighbor", addr, "families", due, "dropped", count)
		e.opt.Speaker.RequestRefresh(addr, n.up.Session, due)
		e.rib.Requested(addr, due)
	}
}
