package gobgp

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// settleTime is how long nothing is sent until all that was sent counts as known, for
// a neighbor that counts known and incoming routes together. Route Server's
// documentation adds up routes that no single UPDATE can carry, so what follows
// close upon each other is taken for one.
const settleTime = 3 * time.Second

// shareOfRoom is the part of the limit, as 1/n, for which room is made at a time
// where there is none for replacements.
const shareOfRoom = 16

// account keeps the sum of known and incoming routes of one family within the
// neighbor's limit: what would exceed it waits, the latest of each prefix. Where
// the limit is used up, not even a replacement fits. Then some of what waits is
// withdrawn and follows as new.
type account struct {
	known     map[netip.Prefix]bool
	settled   int // known when it was quiet last
	incoming  int // announced since
	last      time.Time
	withdrawn []netip.Prefix
	waiting   map[netip.Prefix]*route.Attrs
	order     []netip.Prefix // of waiting; may name others too
}

func newAccount() *account {
	return &account{known: map[netip.Prefix]bool{}, waiting: map[netip.Prefix]*route.Attrs{}}
}

// add takes a change that is to be sent.
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

// fewOrdered is not worth a look for what is ordered in vain.
const fewOrdered = 256

// prune takes the prefixes out of order that do not wait any more, once they are more
// than half: where nothing may leave, a route that flaps would otherwise leave one
// behind each time.
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

// release appends what may leave now. If something has to wait, it says for how
// long.
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
		a.order, a.waiting = nil, map[netip.Prefix]*route.Attrs{} // as large as it was, a map stays
		return out, 0
	}
	return out, a.last.Add(settleTime).Sub(now)
}

// withdraw appends the withdrawals there are.
func (a *account) withdraw(out []speaker.Change) []speaker.Change {
	for _, p := range a.withdrawn {
		out = append(out, speaker.Change{Prefix: p})
	}
	a.withdrawn = a.withdrawn[:0]
	a.settled = min(a.settled, len(a.known))
	return out
}

// makeRoom withdraws routes that are about to be replaced, if too few can be
// once it is quiet.
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
