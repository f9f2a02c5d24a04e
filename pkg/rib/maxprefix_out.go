package rib

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/btree"

	"github.com/nvad/nvad/pkg/route"
)

// ration divides the destinations of one family under maximum-prefix-out (MaxAdvertised).
// The first ones by [rank] are sent, the others are held back. Which ones these are depends
// only on the destinations that there are, neither on the order in which they came nor on
// when the session began. So both instances of a Route Server are sent the same.
type ration struct {
	sent, held *btree.BTreeG[*dest]
}

// rank orders prefixes by which is sent first: the shorter one, which stands for more
// addresses, then the one with the lower address.
func rank(a, b netip.Prefix) int {
	return cmp.Or(cmp.Compare(a.Bits(), b.Bits()), a.Addr().Compare(b.Addr()))
}

func newRation() *ration {
	less := func(a, b *dest) bool { return rank(a.prefix, b.prefix) < 0 }
	return &ration{sent: btree.NewG(32, less), held: btree.NewG(32, less)}
}

// rations are those of IPv4 and IPv6, which Azure and others count separately; nil: there is
// no limit.
type rations [2]*ration

func (rs *rations) of(d *dest) *ration { return rs[d.family()] }

// setLimit follows a change of MaxAdvertised.
func (s *adjOut) setLimit(p *peer, old int) {
	switch {
	case p.MaxAdvertised == 0:
		p.rations = rations{}
	case old == 0:
		p.rations = rations{newRation(), newRation()}
	default:
		s.refill(p)
	}
}

// ration sends p the attributes, or holds d back. Nil attributes withdraw it.
func (s *adjOut) ration(d *dest, p *peer, attrs *route.Attrs) {
	q := p.rations.of(d)
	switch {
	case attrs == nil:
		q.held.Delete(d)
		q.sent.Delete(d)
		s.send(d, p, nil)
		s.refill(p)
	case d.sent(p) != nil:
		q.sent.ReplaceOrInsert(d) // it may have been sent before there was a limit
		s.send(d, p, attrs)
		s.shrink(q, p, 1)
	case p.collects || !q.admits(d, p.MaxAdvertised):
		q.held.ReplaceOrInsert(d)
		s.refill(p)
	default:
		q.held.Delete(d)
		q.sent.ReplaceOrInsert(d)
		s.shrink(q, p, 1)
		s.send(d, p, attrs)
	}
}

// admits reports whether d is among the first that limit has room for.
func (q *ration) admits(d *dest, limit int) bool {
	if q.sent.Len() >= limit {
		last, ok := q.sent.Max()
		return ok && rank(d.prefix, last.prefix) < 0
	}
	first, ok := q.held.Min()
	return !ok || rank(d.prefix, first.prefix) <= 0
}

// shrink withdraws the last ones until the limit is kept, but at most n. It returns how many
// it has withdrawn.
func (s *adjOut) shrink(q *ration, p *peer, n int) (used int) {
	for ; used < n && q.sent.Len() > p.MaxAdvertised; used++ {
		last, _ := q.sent.DeleteMax()
		q.held.ReplaceOrInsert(last)
		s.send(last, p, nil)
	}
	return used
}

// hasRoom reports whether something that is held back can be sent.
func (q *ration) hasRoom(limit int) bool { return q.held.Len() > 0 && q.sent.Len() < limit }

// over returns how many destinations limit has no room for. Others that are held are about
// to be sent.
func (q *ration) over(limit int) int {
	if q == nil {
		return 0
	}
	return max(0, q.held.Len()+q.sent.Len()-limit)
}

// refill has following Flushes send p what was held back while there is room, and withdraw
// what a lower limit leaves no room for.
func (s *adjOut) refill(p *peer) {
	if p.refilling || p.collects {
		return
	}
	for _, q := range p.rations {
		if q != nil && (q.hasRoom(p.MaxAdvertised) || q.sent.Len() > p.MaxAdvertised) {
			p.refilling = true
			s.refills = append(s.refills, p)
			return
		}
	}
}

// runRefills advertises at most n destinations that were held back, and returns how many it
// looked at.
func (r *RIB) runRefills(n int) int {
	used := 0
	for used < n && len(r.out.refills) > 0 {
		p := r.out.refills[0]
		used += r.refillSome(p, n-used)
		if used == n {
			break
		}
		r.out.refills = slices.Delete(r.out.refills, 0, 1)
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
		if q == nil || !p.up {
			continue
		}
		used += r.out.shrink(q, p, n-used)
		for used < n && !p.collects && q.hasRoom(p.MaxAdvertised) {
			d, _ := q.held.DeleteMin()
			r.out.advertise(d, p, r.loc.suppressed(d))
			used++
		}
	}
	return used
}

// collect suspends p's limit during the walk that begins a session: everything is held back
// until the walk has seen all there is. Otherwise routes would be announced only because the
// walk came to them first, and withdrawn again for others.
func (s *adjOut) collect(p *peer) {
	p.refilled = nil
	if p.MaxAdvertised == 0 {
		return
	}
	p.rations, p.collects = rations{newRation(), newRation()}, true
}

// collected ends that, and calls done once p has been sent what its limit has room for.
func (s *adjOut) collected(p *peer, done func()) {
	p.collects = false
	s.refill(p)
	if p.refilling {
		p.refilled = done
		return
	}
	if done != nil {
		done()
	}
}

// isHeld reports whether the limit holds d back from p.
func (p *peer) isHeld(d *dest) bool {
	q := p.rations.of(d)
	return q != nil && q.held.Has(d)
}

// HeldBack returns the attributes that neighbor would be sent of prefix if its MaxAdvertised
// had room for it, and in words why it is not; nil if that is not why.
func (r *RIB) HeldBack(prefix netip.Prefix, neighbor netip.Addr) (*route.Attrs, string) {
	d, p := r.look(prefix), r.peers.byAddr[neighbor]
	if d == nil || p == nil || !p.isHeld(d) || p.rations.of(d).hasRoom(p.MaxAdvertised) {
		return nil, ""
	}
	return r.export(d, p).attrs, heldText(p.MaxAdvertised)
}

// Rationed returns the prefixes that a neighbor with a limit is sent or would be sent next:
// at most twice the limit of each family.
func (r *RIB) Rationed(addr netip.Addr) []netip.Prefix {
	p := r.peers.byAddr[addr]
	var out []netip.Prefix
	for _, q := range p.rations {
		if q == nil {
			continue
		}
		for _, set := range []*btree.BTreeG[*dest]{q.sent, q.held} {
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
