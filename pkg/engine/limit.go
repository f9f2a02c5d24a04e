package engine

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/speaker"
)

// fill is how much of maximum-prefix a neighbor has used.
type fill uint8

const (
	fillLow  fill = iota
	fillHigh      // maximum-prefix-warning reached
	fillOver      // maximum-prefix exceeded
	fillLost      // exceeded twice over: announcements are dropped
)

func (n *neighbor) fillOf(received int, drops bool) fill {
	limit := n.cfg.MaximumPrefix
	switch {
	case limit == 0:
		return fillLow
	case received > limit && drops:
		return fillLost
	case received > limit:
		return fillOver
	case n.cfg.MaximumPrefixWarning > 0 && received*100 >= limit*n.cfg.MaximumPrefixWarning:
		return fillHigh
	}
	return fillLow
}

// checkLimit does what maximum-prefix asks for, once a session for each step.
func (e *Engine) checkLimit(addr netip.Addr, n *neighbor) {
	received := e.rib.Counts(addr).Received
	dropped, missing := e.rib.Dropped(addr)
	now := n.fillOf(received, missing != 0 && n.cfg.MaximumPrefixAction == config.ActionDiscard)
	if now <= n.fill || n.held != "" {
		return
	}
	n.fill = now
	log := e.log.With("neighbor", addr, "limit", n.cfg.MaximumPrefix, "received", received)
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

// holdOverLimit ends the session. It stays down for maximum-prefix-restart, or
// until an operator enables it or changes the limit: coming back at once would
// only repeat it.
func (e *Engine) holdOverLimit(addr netip.Addr, n *neighbor) {
	n.held, n.overLimit = fmt.Sprintf("maximum-prefix %d exceeded", n.cfg.MaximumPrefix), true
	if n.cfg.MaximumPrefixRestart > 0 {
		n.heldUntil = time.Now().Add(n.cfg.MaximumPrefixRestart)
	}
	if n.up != nil {
		e.opt.Speaker.Reset(addr, n.up.Session, speaker.Notification{Code: cease, Subcode: ceaseMaxPrefixes})
	}
	e.configureSpeaker()
}

// release undoes a shutdown at run time.
func (n *neighbor) release() { n.held, n.overLimit, n.heldUntil = "", false, time.Time{} }

// releaseDue lets neighbors up again that were held down long enough.
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

// setConfig takes a neighbor's configuration over. A limit that has changed
// gives a neighbor that exceeded it another chance.
func (n *neighbor) setConfig(c config.Neighbor) {
	old := n.cfg
	n.cfg = c
	if old.MaximumPrefixOut != c.MaximumPrefixOut {
		n.outFill = outLow
	}
	if old.MaximumPrefix == c.MaximumPrefix && old.MaximumPrefixAction == c.MaximumPrefixAction {
		return
	}
	n.fill = fillLow
	if n.overLimit {
		n.release()
	}
}
