package rib

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// history dates what happened to all paths of a neighbor at once: the session was
// lost, stale routes were swept, a reload changed the settings. Such an event
// costs the same however many paths there are. Each path knows the era in which it
// was brought up to date last, and catches up when its destination is next looked
// at, at the latest by the table's walk.
//
// So a path of a lost session never meets what the next session announces: it is
// gone from the moment the session is, whether or not the walk has reached it.
// And what an old import policy made of a path never meets a new export policy:
// where the two look at each other's marks (tags set on import, filtered on
// export), the mixture would let out what both configurations deny, or withdraw
// what both announce.
type history struct {
	era    uint32    // events so far
	policy uint32    // import settings changed last
	source uint32    // settings changed last by which others prefer its routes or are told them
	lost   uint32    // the session was lost last with its routes kept: older paths are stale
	born   [2]uint32 // by family: older paths are gone
	swept  [2]uint32 // by family: older paths that are marked as stale are gone
}

// isGone reports whether pt, of family f, went with an event since it caught up.
func (h *history) isGone(pt *path, f int) bool {
	return pt.era < h.born[f] || pt.flags&flagStale != 0 && pt.era < h.swept[f]
}

// isStale reports whether pt was kept over the neighbor's restart and not announced
// since.
func (h *history) isStale(pt *path) bool { return pt.flags&flagStale != 0 || pt.era < h.lost }

// forgetPaths takes all paths of p away.
func (p *peer) forgetPaths() {
	p.era++
	p.born = [2]uint32{p.era, p.era}
	p.tallies[0].forget()
	p.tallies[1].forget()
	p.retake()
}

// keepPaths makes all paths of p stale. What is stale already goes: it was not
// announced since the restart before, so the neighbor has it no longer (RFC 4724
// 4.2).
func (p *peer) keepPaths() {
	p.sweep(0)
	p.sweep(1)
	p.era++
	p.lost = p.era
	p.tallies[0].stale, p.tallies[1].stale = p.tallies[0].outcomes, p.tallies[1].outcomes
}

// sweep takes the stale paths of a family away.
func (p *peer) sweep(f int) {
	p.era++
	p.born[f], p.swept[f] = max(p.born[f], p.lost), p.era
	p.tallies[f].sweep()
	p.retake()
}

// SweepStale removes the routes of the given families that the neighbor has
// not announced again since it restarted (RFC 4724 4.2).
func (r *RIB) SweepStale(addr netip.Addr, f route.Family) {
	p := r.byAddr[addr]
	if p == nil {
		return
	}
	for i, family := range [...]route.Family{route.IPv4, route.IPv6} {
		if f.Has(family) && p.tallies[i].sumStale() > 0 {
			p.sweep(i)
			r.request(r.peers[0], renews)
		}
	}
	r.takeMore(p)
}

// renew has the paths of d catch up and reports whether d must be decided about.
func (r *RIB) renew(d *dest) bool {
	changed := false
	for i := len(d.paths) - 1; i >= 0; i-- {
		if p := r.peers[d.paths[i].peer]; d.paths[i].era != p.era && r.catchUp(d, i, p) {
			changed = true
		}
	}
	return changed
}

// catchUp brings path i of d up to date with what happened to its neighbor. It
// reports whether d must be decided about.
func (r *RIB) catchUp(d *dest, i int, p *peer) (changed bool) {
	pt := &d.paths[i]
	if p.isGone(pt, d.family()) {
		r.cut(d, i, p)
		return true
	}
	if p.isStale(pt) {
		pt.flags |= flagStale
	}
	evaluate := pt.era < p.policy
	changed = pt.era < p.source
	pt.era = p.era // before it is counted anew: a stale path of the past may be gone
	if evaluate {
		changed = r.reimport(d, i, p) || changed
	}
	return changed
}

// reimport evaluates path i of d again and reports whether it came out differently.
func (r *RIB) reimport(d *dest, i int, p *peer) bool {
	first := r.note(d)
	pt := &d.paths[i]
	before := *pt
	r.uncount(d, p, pt)
	r.evaluate(d, pt, p, r.limit(p, r.admit(p, pt.received)))
	r.count(d, p, pt)
	r.under.release(before.hop)
	if pt.accepted == before.accepted && sameExtra(pt.extra, before.extra) {
		if first {
			r.before.remove(d)
		}
		return false
	}
	return true
}

func sameExtra(a, b *extra) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// tidy removes what was advertised in sessions that are lost, and reports whether
// there was any.
func (r *RIB) tidy(d *dest) bool {
	gone := func(a advert) bool { return a.epoch != r.peers[a.peer].epoch }
	if !slices.ContainsFunc(d.out, gone) {
		return false
	}
	r.record(d)
	d.out = fitted(slices.DeleteFunc(d.out, gone))
	return true
}
