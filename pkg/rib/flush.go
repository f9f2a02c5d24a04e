package rib

// jobShare is the part of each Flush, as 1/n, that walks of the table have for
// themselves: a neighbor that never stops talking does not keep another from
// being told the table. The table's own walk, which takes routes of lost sessions
// out, has twice as much.
const jobShare = 4

// Flush decides about at most n destinations and reports whether work is left.
// Changes of routes go before walks of the whole table, which have their share.
func (r *RIB) Flush(n int) bool {
	share := 0
	switch {
	case r.peers[0].walk.wanted():
		share = 2 * n / jobShare
	case len(r.walks) > 0 || len(r.refills) > 0:
		share = n / jobShare
	}
	for n > share && r.dirty.n > 0 {
		ds := r.dirty.take(n - share)
		for _, d := range ds {
			r.dequeued(d)
		}
		n -= len(ds)
	}
	n -= r.runRefills(n)
	r.runWalks(n)
	return r.dirty.n > 0 || len(r.refills) > 0 || len(r.walks) > 0 || r.peers[0].walk.wanted()
}

// Backlog is how many destinations wait to be looked at.
func (r *RIB) Backlog() int {
	n := r.dirty.n
	for _, p := range r.peers {
		if p == nil {
			continue
		}
		if p.walk.begun {
			n += p.walk.at
		} else if p.walk.wanted() {
			n += len(r.all)
		}
	}
	return n
}

// touch queues d for a decision, charged to the neighbor that changed it first. If
// another one changes it that has few waiting, d waits in its queue, too:
// otherwise a neighbor could announce whatever others announce and have their
// changes wait behind all of its own.
func (r *RIB) touch(d *dest, by peerID) {
	d.dirty = true
	if d.queued > 0 && (d.by == by || !r.dirty.hasFew(by)) {
		return
	}
	d.queued++
	d.by = by
	r.dirty.add(by, d)
}

// dequeued decides about what has left the backlog, unless a walk has done so.
func (r *RIB) dequeued(d *dest) {
	d.queued--
	if d.dirty {
		r.settle(d)
		return
	}
	r.dropUnused(d)
}

// settle decides about d and passes on what changed.
func (r *RIB) settle(d *dest) {
	r.note(d)
	r.renew(d)
	d.dirty = false
	r.decide(d)
	r.compare(d)
	r.contribute(d)
	r.plan(d)
	for _, p := range r.peers {
		if p != nil && p.up {
			r.advertise(d, p)
		}
	}
	r.dropUnused(d)
}

// dropUnused removes d if nothing refers to it. What waits in the backlog stays
// until it has left it: so there is never more in it than there is in the table.
func (r *RIB) dropUnused(d *dest) {
	if d.index >= 0 && d.queued == 0 && !d.dirty && len(d.paths) == 0 && len(d.out) == 0 && d.fib == nil &&
		len(r.under.statics[d.prefix]) == 0 && !r.isDefault(d) {
		r.drop(d)
	}
}
