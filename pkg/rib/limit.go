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
	return p.MaxReceived == 0 || p.counts.Received-p.excess < p.MaxReceived
}

// takeMore looks for paths that the limit kept out and that fit now, and once more
// where there is room after it: what went meanwhile may have made room for a path
// that had been passed by.
func (r *RIB) takeMore(p *peer) {
	if p.excess == 0 || p.refills || !p.up || !p.hasRoom() {
		return
	}
	p.refills = true
	r.each(func(d *dest) {
		if i := d.find(p.id); r.peers[p.id] == p && i >= 0 && d.paths[i].reject == byLimit && p.hasRoom() {
			r.reimport(d, p)
		}
	}, func() {
		p.refills = false
		if r.peers[p.id] == p {
			r.takeMore(p)
		}
	})
}
