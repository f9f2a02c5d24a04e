package rib

// limit rejects a path that would be one too many for maximum-prefix. It is
// kept, so that it can be shown, and taken once there is room.
func (r *RIB) limit(p *peer, pre admission) admission {
	if p.hasRoom() {
		return pre
	}
	pre.reject = byLimit
	return pre
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
