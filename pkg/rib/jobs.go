package rib

import "slices"

// job visits destinations a few at a time.
type job struct {
	todo  []*dest
	visit func(*dest)
	done  func()
}

// each queues a visit of all destinations, and done after it.
func (r *RIB) each(visit func(*dest), done func()) {
	r.jobs = append(r.jobs, &job{todo: slices.Clone(r.all), visit: visit, done: done})
}

// eachFor is each on behalf of a neighbor: nothing is visited once it was
// removed, and done is not called if its session has changed since.
func (r *RIB) eachFor(p *peer, visit func(*dest), done func()) {
	epoch := p.epoch
	r.each(func(d *dest) {
		if r.peers[p.id] == p {
			visit(d)
		}
	}, func() {
		if done != nil && r.peers[p.id] == p && p.up && p.epoch == epoch {
			done()
		}
	})
}

// jobShare is the part of each Flush, as 1/n, that walks of the table have for
// themselves: a neighbor that never stops talking does not keep another from
// being told the table.
const jobShare = 4

// Flush decides about at most n destinations and reports whether work is left.
// Changes of routes go before walks of the whole table, which have their share.
func (r *RIB) Flush(n int) bool {
	share := 0
	if len(r.jobs) > 0 || len(r.refills) > 0 {
		share = n / jobShare
	}
	for n > share && r.dirty.n > 0 {
		ds := r.dirty.take(n - share)
		for _, d := range ds {
			r.settle(d)
		}
		n -= len(ds)
	}
	n -= r.runRefills(n)
	for n > 0 && len(r.jobs) > 0 {
		n -= r.runJob(r.jobs[0], n)
		if j := r.jobs[0]; len(j.todo) == 0 {
			r.jobs = r.jobs[1:]
			if j.done != nil {
				j.done()
			}
		}
	}
	return r.dirty.n > 0 || len(r.refills) > 0 || len(r.jobs) > 0
}

// runJob visits at most n destinations, each decided about before, and returns how
// many it has used up.
func (r *RIB) runJob(j *job, n int) int {
	k := min(n, len(j.todo))
	for _, d := range j.todo[:k] {
		if d.dirty {
			r.settle(d)
		}
		if d.index >= 0 {
			j.visit(d)
		}
	}
	j.todo = j.todo[k:]
	return k + 1
}

// settle decides about d and passes on what changed.
func (r *RIB) settle(d *dest) {
	if d.index < 0 {
		return
	}
	r.note(d)
	r.renew(d) // while d counts as dirty, so that it is not queued once more
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
	if len(d.paths) == 0 && len(d.out) == 0 && d.fib == nil && len(r.under.statics[d.prefix]) == 0 && !r.isDefault(d) {
		r.drop(d)
	}
}
