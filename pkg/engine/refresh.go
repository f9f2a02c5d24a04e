package engine

import (
	"time"

	"github.com/nvad/nvad/pkg/route"
)

// refresh is what a neighbor asked for by ROUTE-REFRESH in this session (RFC 2918).
type refresh struct {
	asked   route.Family // what is to begin, once it may
	running route.Family
	next    [2]time.Time // by family: when it may begin again
}

// refreshSpacing is the pause between two answers to ROUTE-REFRESH for one family.
// A request is 23 bytes, its answer the whole table: a neighbor that asks all the
// time must not have the engine do nothing else.
const refreshSpacing = 5 * time.Second

// refresh begins what n asked for and may begin. What is asked for during an answer
// follows it, once: it may have missed what the answer began with.
func (e *Engine) refresh(n *neighbor, now time.Time) {
	q := &n.refresh
	var due route.Family
	for i, f := range [...]route.Family{route.IPv4, route.IPv6} {
		if q.asked.Has(f) && !q.running.Has(f) && !now.Before(q.next[i]) {
			due |= f
		}
	}
	if due == 0 {
		return
	}
	q.asked &^= due
	q.running |= due
	e.rib.Readvertise(n.cfg.Address, due, func(f route.Family) {
		q.running &^= f
		next := time.Now().Add(refreshSpacing)
		if f == route.IPv4 {
			q.next[0] = next
		} else {
			q.next[1] = next
		}
	})
}

// refreshDue begins what waited for its pause to end.
func (e *Engine) refreshDue(now time.Time) {
	for _, n := range e.neighbors {
		if n.refresh.asked != 0 {
			e.refresh(n, now)
		}
	}
}
