package bfd

import (
	"slices"
	"time"
)

// Discarding floodPackets within floodWindow is a flood: then the kernel drops what
// cannot belong to a session, for shieldTime. In quiet times everything reaches the
// loop, which counts it and says why it was discarded.
const (
	floodWindow  = time.Second
	floodPackets = 500
	shieldTime   = 10 * time.Second
)

// flood notes how many packets are discarded.
type flood struct {
	since time.Time // of n
	n     int
	until time.Time // when the shield may be lifted
}

func (f *flood) count(now time.Time) {
	if now.Sub(f.since) > floodWindow {
		f.since, f.n = now, 0
	}
	if f.n++; f.n == floodPackets {
		f.until = now.Add(shieldTime)
		f.since, f.n = now, 0
	}
}

// rule is what a packet of one session looks like, as far as the kernel can tell.
type rule struct {
	key    Key
	minTTL uint8
	discr  uint32 // ours: the packet has it, or 0
	peer   uint32 // with 0: the peer's, which the packet must have; 0: any
}

// shield keeps the ports' filters in step with the sessions while a flood goes on.
func (l *loop) shield(now time.Time) {
	var rules []rule
	if now.Before(l.flood.until) {
		rules = l.rules()
	}
	if slices.Equal(rules, l.shielded) {
		return
	}
	if len(l.shielded) == 0 {
		l.log.Warn("BFD is flooded, the kernel drops what belongs to no session", "for", shieldTime)
	}
	l.shielded = rules
	l.port.shield(rules)
}

// rules are those of all sessions, in a stable order.
func (l *loop) rules() []rule {
	var out []rule
	for _, e := range l.sessions {
		r := rule{key: e.wanted.Key, minTTL: e.wanted.MinTTL, discr: e.discr}
		if e.state == Up {
			r.peer = e.remote.discr
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b rule) int { return a.key.compare(b.key) })
	return out
}
