package rib

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/route"
)

// limit rejects a path that would be one too many for maximum-prefix. It is
// kept, so that it can be shown, and accepted once there is room.
func (r *RIB) limit(p *peer, pre admission) admission {
	if p.hasRoom() {
		return pre
	}
	pre.reject = byLimit
	return pre
}

// overflows reports whether prefix, which p announces, is not even kept: p has
// used its limit, and as many again are kept for when there is room. Without that
// bound a neighbor would hold as much memory as it cares to announce.
func (r *RIB) overflows(p *peer, prefix netip.Prefix) bool {
	if p.hasRoom() || p.excess() < p.MaxReceived {
		return false
	}
	d := r.find(prefix)
	return d == nil || d.find(p.id) < 0
}

// dropped is what overflows has kept out since the session came up.
type dropped struct {
	count   [2]uint64    // announcements, by family
	missing route.Family // with announcements that the neighbor was not asked for again
}

// drop counts an announcement that overflows.
func (d *dropped) drop(prefix netip.Prefix) {
	f := route.FamilyOf(prefix)
	d.missing |= f
	if f == route.IPv4 {
		d.count[0]++
	} else {
		d.count[1]++
	}
}

// hasRoom reports whether one more path of p may be taken.
func (p *peer) hasRoom() bool { return p.MaxReceived == 0 || p.taken < p.MaxReceived }

// excess is how many paths MaxReceived keeps out.
func (p *peer) excess() int { return p.tallies[0].outcomes[byLimit] + p.tallies[1].outcomes[byLimit] }

// retake counts the taken paths of p anew, after many went at once.
func (p *peer) retake() {
	p.taken = p.tallies[0].received() + p.tallies[1].received() - p.excess()
}

// takeMore has the table's walk look for paths that the limit kept out and that fit
// now. It is asked for once more after that walk, if there is room still: what went
// meanwhile may have made room for a path that had been passed by.
func (r *RIB) takeMore(p *peer) {
	if p.MaxReceived > 0 && p.up && p.excess() > 0 && p.hasRoom() {
		r.request(r.peers[0], takes)
	}
}

// Dropped returns how many announcements of a neighbor, of both families, were not
// kept since its session came up, because it had announced twice MaxReceived. Missing
// are the families whose latest ones it was not asked for again, see [RIB.Requested].
func (r *RIB) Dropped(addr netip.Addr) (announcements uint64, missing route.Family) {
	d := &r.byAddr[addr].dropped
	return d.count[0] + d.count[1], d.missing
}

// Fits reports whether announcements that were dropped would be accepted if the
// neighbor sent them again: MaxReceived leaves room that no path kept aside fills.
func (r *RIB) Fits(addr netip.Addr) bool {
	p := r.byAddr[addr]
	return p.up && p.hasRoom() && p.excess() == 0
}

// Requested says that a neighbor is asked to announce all of some families again. What
// it has announced of them until now is missing no longer.
func (r *RIB) Requested(addr netip.Addr, f route.Family) { r.byAddr[addr].dropped.missing &^= f }
