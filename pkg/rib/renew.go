package rib

// A reload changes import and export policies at once, but evaluates the table
// again in turns. In between, what the old import policy made of a path must
// not meet the new export policy: where the two look at each other's marks
// (tags set on import, filtered on export), the mixture lets out what both
// configurations deny, or withdraws what both announce. So a path knows which
// policy it was put to, and is put to that of now before anything else is done
// with its destination.

// renew evaluates the paths of d again that an import policy of the past was
// asked about, and reports whether any came out differently.
func (r *RIB) renew(d *dest) bool {
	changed := false
	for i := range d.paths {
		if p := r.peers[d.paths[i].peer]; d.paths[i].era != p.era && r.reimport(d, p) {
			changed = true
		}
	}
	return changed
}

// offer advertises d to p, on a walk of the table.
func (r *RIB) offer(d *dest, p *peer) {
	if r.renew(d) {
		r.settle(d) // before what follows the walk, End-of-RIB for one
		return
	}
	r.advertise(d, p)
}

// reimport evaluates p's path of d again, after its policy changed, and reports
// whether it came out differently.
func (r *RIB) reimport(d *dest, p *peer) bool {
	i := d.find(p.id)
	if i < 0 {
		return false
	}
	r.note(d)
	pt := &d.paths[i]
	before := *pt
	r.uncount(d, p, pt)
	r.evaluate(d, pt, p, r.limit(p, r.admit(p, pt.received)))
	r.count(d, p, pt)
	if pt.flags&flagStale != 0 {
		p.counts.Stale++
	}
	r.under.release(before.hop)
	if pt.accepted == before.accepted && sameExtra(pt.extra, before.extra) {
		return false
	}
	r.touch(d, p.id)
	return true
}

func sameExtra(a, b *extra) bool {
	return a == b || a != nil && b != nil && *a == *b
}
