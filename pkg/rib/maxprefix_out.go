package rib

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/btree"

	"github.com/nvad/nvad/pkg/route"
)

// ration shares out what maximum-prefix-out allows in one family. The neighbor is
// told the first destinations by [rank]; the others are held back. Which ones
// these are depends on nothing but the destinations there are, neither on the
// order in which they came nor on when the session began: both instances of a
// Route Server are told the same.
type ration struct {
	told, held *btree.BTreeG[*dest]
}

// rank orders destinations by who is told first: the shorter prefix, which stands
// for more addresses, then the lower address.
func rank(a, b *dest) int {
	return rankPrefix(a.prefix, b.prefix)
}

func rankPrefix(a, b netip.Prefix) int {
	return cmp.Or(cmp.Compare(a.Bits(), b.Bits()), a.Addr().Compare(b.Addr()))
}

func newRation() *ration {
	less := func(a, b *dest) bool { return rank(a, b) < 0 }
	return &ration{told: btree.NewG(32, less), held: btree.NewG(32, less)}
}

// rations are those of IPv4 and IPv6, which Azure and others count apart; nil:
// there is no limit.
type rations [2]*ration

func (rs *rations) of(d *dest) *ration {
	if d.prefix.Addr().Is4() {
		return rs[0]
	}
	return rs[1]
}

// setLimit follows a change of MaxAdvertised.
func (r *RIB) setLimit(p *peer, old int) {
	switch {
	case p.MaxAdvertised == 0:
		p.rations = rations{}
	case old == 0:
		p.rations = rations{newRation(), newRation()}
	default:
		r.refill(p)
	}
}

// ration tells p of d, or holds it back. A nil attrs withdraws it.
func (r *RIB) ration(d *dest, p *peer, attrs *route.Attrs) {
	q := p.rations.of(d)
	switch {
	case attrs == nil:
		q.held.Delete(d)
		q.told.Delete(d)
		r.tell(d, p, nil)
		r.refill(p)
	case d.sent(p) != nil:
		q.told.ReplaceOrInsert(d) // it may be there from before there was a limit
		r.tell(d, p, attrs)
		r.shrink(q, p, 1)
	case p.collects || !q.admits(d, p.MaxAdvertised):
		q.held.ReplaceOrInsert(d)
		r.refill(p)
	default:
		q.held.Delete(d)
		q.told.ReplaceOrInsert(d)
		r.shrink(q, p, 1)
		r.tell(d, p, attrs)
	}
}

// admits reports whether d is among the first that limit has room for.
func (q *ration) admits(d *dest, limit int) bool {
	if q.told.Len() >= limit {
		last, ok := q.told.Max()
		return ok && rank(d, last) < 0
	}
	first, ok := q.held.Min()
	return !ok || rank(d, first) <= 0
}

// shrink withdraws the last until what is told keeps to the limit, but at most n. It
// returns how many it has withdrawn.
func (r *RIB) shrink(q *ration, p *peer, n int) (used int) {
	for ; used < n && q.told.Len() > p.MaxAdvertised; used++ {
		last, _ := q.told.DeleteMax()
		q.held.ReplaceOrInsert(last)
		r.tell(last, p, nil)
	}
	return used
}

// hasRoom reports whether something that is held back can be told.
func (q *ration) hasRoom(limit int) bool { return q.held.Len() > 0 && q.told.Len() < limit }

// refill has following Flushes tell p what was held back, while there is room, and
// withdraw what a lower limit leaves no room for.
func (r *RIB) refill(p *peer) {
	if p.refilling || p.collects {
		return
	}
	for _, q := range p.rations {
		if q != nil && (q.hasRoom(p.MaxAdvertised) || q.told.Len() > p.MaxAdvertised) {
			p.refilling = true
			r.refills = append(r.refills, p)
			return
		}
	}
}

// runRefills tells at most n destinations that were held back, and returns how
// many it looked at.
func (r *RIB) runRefills(n int) int {
	used := 0
	for used < n && len(r.refills) > 0 {
		p := r.refills[0]
		used += r.refillSome(p, n-used)
		if used == n {
			break
		}
		r.refills = slices.Delete(r.refills, 0, 1)
		p.refilling = false
		if done := p.refilled; done != nil {
			p.refilled = nil
			done()
		}
	}
	return used
}

func (r *RIB) refillSome(p *peer, n int) int {
	used := 0
	for _, q := range p.rations {
		if q != nil && p.up {
			used += r.shrink(q, p, n-used)
		}
		for used < n && p.up && !p.collects && q != nil && q.hasRoom(p.MaxAdvertised) {
			d, _ := q.held.DeleteMin()
			r.advertise(d, p)
			used++
		}
	}
	return used
}

// collect makes p's limit wait: what is to be told is put together first, so that
// nothing is told for the sake of the order of the walk and withdrawn again.
func (r *RIB) collect(p *peer) {
	p.refilled = nil
	if p.MaxAdvertised == 0 {
		return
	}
	p.rations, p.collects = rations{newRation(), newRation()}, true
}

// collected ends that, and calls done when p has been told.
func (r *RIB) collected(p *peer, done func()) {
	p.collects = false
	r.refill(p)
	if p.refilling {
		p.refilled = done
		return
	}
	if done != nil {
		done()
	}
}

// isHeld reports whether the limit keeps d from p.
func (p *peer) isHeld(d *dest) bool {
	q := p.rations.of(d)
	return q != nil && q.held.Has(d)
}

// over is how many destinations limit has no room for. What waits besides is about
// to be told.
func (q *ration) over(limit int) int {
	if q == nil {
		return 0
	}
	return max(0, q.held.Len()+q.told.Len()-limit)
}

// countRations fills in what the limit has to do with.
func (p *peer) countRations(c *Counts) {
	for _, q := range p.rations {
		if q != nil {
			c.Held += q.over(p.MaxAdvertised)
			c.Fullest = max(c.Fullest, q.told.Len())
		}
	}
}

// Rationed returns what of a neighbor's families is told or next to be told, for
// one with a limit: at most twice the limit of each.
func (r *RIB) Rationed(addr netip.Addr) []netip.Prefix {
	p := r.byAddr[addr]
	var out []netip.Prefix
	for _, q := range p.rations {
		if q == nil {
			continue
		}
		for _, set := range []*btree.BTreeG[*dest]{q.told, q.held} {
			left := p.MaxAdvertised
			set.Ascend(func(d *dest) bool {
				out = append(out, d.prefix)
				left--
				return left > 0
			})
		}
	}
	return out
}

func heldText(limit int) string {
	return fmt.Sprintf("held back: maximum-prefix-out %d reached", limit)
}
