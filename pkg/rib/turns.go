package rib

// backlog queues the destinations that are to be decided, by the neighbor that changed
// them: one that moves a million routes does not hold up the one route of another.
type backlog struct {
	queues [][]*dest // by peerID
	next   int       // queue whose turn it is
	n      int       // destinations in all queues
}

// backlogTurn is how many destinations of one queue are taken before the next queue's
// turn.
const backlogTurn = 256

func (b *backlog) add(id peerID, d *dest) {
	for int(id) >= len(b.queues) {
		b.queues = append(b.queues, nil)
	}
	b.queues[id] = append(b.queues[id], d)
	b.n++
}

// hasFew reports whether a neighbor's queue is taken in one turn.
func (b *backlog) hasFew(id peerID) bool {
	return int(id) >= len(b.queues) || len(b.queues[id]) < backlogTurn
}

// take takes at most n destinations, at least one if there is any.
func (b *backlog) take(n int) []*dest {
	if b.n == 0 {
		return nil
	}
	for len(b.queues[b.next]) == 0 {
		b.next = (b.next + 1) % len(b.queues)
	}
	q := b.queues[b.next]
	k := min(n, backlogTurn, len(q))
	b.queues[b.next] = q[k:]
	switch rest := q[k:]; {
	case len(rest) == 0:
		b.queues[b.next] = nil
	case shrinks(len(rest), cap(rest)):
		b.queues[b.next] = fitted(rest)
	}
	b.next = (b.next + 1) % len(b.queues)
	b.n -= k
	return q[:k:k]
}

// walkShare is the part of each Flush, as 1/n, that is kept for walks of the table: a
// neighbor that never stops announcing does not keep another from being sent the table.
// The table's own walk, which removes routes of lost sessions, has twice as much.
const walkShare = 4

// Flush decides at most n destinations, and reports whether work is left. Queued
// destinations go first; walks of the table have their share.
func (r *RIB) Flush(n int) bool {
	share := 0
	switch {
	case r.peers.local().walk.wanted():
		share = 2 * n / walkShare
	case len(r.walks.waiting) > 0 || len(r.out.refills) > 0:
		share = n / walkShare
	}
	for n > share && r.queue.n > 0 {
		ds := r.queue.take(n - share)
		for _, d := range ds {
			r.dequeued(d)
		}
		n -= len(ds)
	}
	n -= r.runRefills(n)
	r.runWalks(n)
	if r.under.outdated {
		r.rebuildUnderlay()
	}
	return r.queue.n > 0 || len(r.out.refills) > 0 || len(r.walks.waiting) > 0 || r.peers.local().walk.wanted()
}

// dequeued decides a destination that has left the backlog, unless a walk did so since
// it was queued.
func (r *RIB) dequeued(d *dest) {
	d.queued--
	if d.dirty {
		r.settle(d)
		return
	}
	r.dropUnused(d)
}

// Backlog returns how many destinations are still to be looked at, in the queues and by
// walks.
func (r *RIB) Backlog() int {
	n := r.queue.n
	for _, p := range r.peers.byID {
		switch {
		case p == nil:
		case p.walk.begun:
			n += p.walk.at
		case p.walk.wanted():
			n += len(r.table.all)
		}
	}
	return n
}
