package gobgp

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// settleTime is the pause after which all routes that were sent count as known. Route
// Server counts known plus incoming routes, and its documentation adds up more of them than
// a single UPDATE can carry, so all UPDATEs between two pauses are taken for one.
const settleTime = 3 * time.Second

// shareOfRoom is the part of the limit, as 1/n, for which makeRoom makes room at a time.
const shareOfRoom = 16

// account keeps the sum of known and incoming routes of one family within the limit of a
// neighbor that counts both. Changes that would exceed it wait, the latest of each prefix.
//
// A replacement counts as incoming too. So if the neighbor knows as many routes as it
// accepts, not even a replacement fits. Then some of the routes that wait to be replaced
// are withdrawn first, and announced anew after the pause.
type account struct {
	known     map[netip.Prefix]bool
	settled   int // routes known at the last pause
	incoming  int // routes announced since
	last      time.Time
	withdrawn []netip.Prefix
	waiting   map[netip.Prefix]*route.Attrs
	order     []netip.Prefix // of waiting, and perhaps others that wait no more
}

func newAccount() *account {
	return &account{known: map[netip.Prefix]bool{}, waiting: map[netip.Prefix]*route.Attrs{}}
}

// add accepts a change to send.
func (a *account) add(c speaker.Change) {
	if c.Attrs != nil {
		if _, ok := a.waiting[c.Prefix]; !ok {
			a.order = append(a.order, c.Prefix)
		}
		a.waiting[c.Prefix] = c.Attrs
		return
	}
	delete(a.waiting, c.Prefix)
	a.prune()
	if a.known[c.Prefix] {
		delete(a.known, c.Prefix)
		a.withdrawn = append(a.withdrawn, c.Prefix)
	}
}

// fewOrdered is a length of order that is not worth pruning.
const fewOrdered = 256

// prune removes prefixes that do not wait any more from order, once they are more than
// half of it. Otherwise, while nothing may be sent, a flapping route would add one each
// time.
func (a *account) prune() {
	if len(a.order) < fewOrdered || len(a.order) < 2*len(a.waiting) {
		return
	}
	left, seen := make([]netip.Prefix, 0, len(a.waiting)), make(map[netip.Prefix]bool, len(a.waiting))
	for _, p := range a.order {
		if _, ok := a.waiting[p]; ok && !seen[p] {
			seen[p] = true
			left = append(left, p)
		}
	}
	a.order = left
}

// release appends the changes that may be sent now. If some have to wait, it returns for
// how long.
func (a *account) release(out []speaker.Change, limit int, now time.Time) ([]speaker.Change, time.Duration) {
	before := len(out)
	if now.Sub(a.last) >= settleTime {
		a.settled, a.incoming = len(a.known)+len(a.withdrawn), 0
	}
	out = a.withdraw(out)
	for len(a.order) > 0 && (limit == 0 || a.settled+a.incoming < limit) {
		p := a.order[0]
		a.order = a.order[1:]
		if attrs, ok := a.waiting[p]; ok {
			out = append(out, speaker.Change{Prefix: p, Attrs: attrs})
			delete(a.waiting, p)
			a.known[p] = true
			a.incoming++
		}
	}
	if len(a.waiting) > 0 {
		a.makeRoom(limit)
		out = a.withdraw(out)
	}
	if len(out) > before {
		a.last = now
	}
	if len(a.waiting) == 0 {
		a.order, a.waiting = nil, map[netip.Prefix]*route.Attrs{} // a map never shrinks
		return out, 0
	}
	return out, a.last.Add(settleTime).Sub(now)
}

// withdraw appends the withdrawals, which always fit.
func (a *account) withdraw(out []speaker.Change) []speaker.Change {
	for _, p := range a.withdrawn {
		out = append(out, speaker.Change{Prefix: p})
	}
	a.withdrawn = a.withdrawn[:0]
	a.settled = min(a.settled, len(a.known))
	return out
}

// makeRoom withdraws routes that wait to be replaced, if too few of them will fit after the
// pause.
func (a *account) makeRoom(limit int) {
	need := 1 + limit/shareOfRoom - (limit - len(a.known))
	for _, p := range a.order {
		if need <= 0 {
			return
		}
		if _, ok := a.waiting[p]; ok && a.known[p] {
			delete(a.known, p)
			a.withdrawn = append(a.withdrawn, p)
			need--
		}
	}
}
