package rib

import "net/netip"

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
	d := r.table[prefix]
	return d == nil || d.find(p.id) < 0
}

// hasRoom reports whether one more path of p may be taken.
func (p *peer) hasRoom() bool {
	return p.MaxReceived == 0 || p.tallies[0].received()+p.tallies[1].received()-p.excess() < p.MaxReceived
}

// excess is how many paths MaxReceived keeps out.
func (p *peer) excess() int { return p.tallies[0].outcomes[byLimit] + p.tallies[1].outcomes[byLimit] }

// takeMore has the table's walk look for paths that the limit kept out and that fit
// now. It is asked for once more after that walk, if there is room still: what went
// meanwhile may have made room for a path that had been passed by.
func (r *RIB) takeMore(p *peer) {
	if p.MaxReceived > 0 && p.up && p.excess() > 0 && p.hasRoom() {
		r.request(r.peers[0], takes)
	}
}
