package rib

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// errands are what a walk of the table does at each destination. Asking for one
// that is already asked for costs nothing, so whoever asks often, a neighbor by
// ROUTE-REFRESH or by flaps for one, makes no more work than whoever asks once.
type errands uint16

const (
	renews   errands = 1 << iota // paths catch up with their neighbors, see history
	offers                       // neighbors are told what has changed of what they are to be told
	resends4                     // the neighbor is told its IPv4 routes once more
	resends6                     // and its IPv6 routes
	decides                      // everything is decided about anew
	reroutes                     // what has a next hop that moved is decided about anew
	takes                        // paths that maximum-prefix kept out are taken where they fit
	moves                        // the destination is put in the map that replaces a too large one
)

func resends(f route.Family) (e errands) {
	if f.Has(route.IPv4) {
		e |= resends4
	}
	if f.Has(route.IPv6) {
		e |= resends6
	}
	return e
}

// walk is a way through the whole table, in turns, and the next one after it. The
// walk of the neighbor with index 0 is the table's: it serves all Adj-RIBs-In.
// Those of other neighbors serve their Adj-RIB-Out, one neighbor after the other.
//
// A walk goes from the end of RIB.all to its beginning and holds nothing but its
// place. It meets every destination that is there from its start to its end: a
// destination moves in RIB.all only when drop fills a hole with the last one, so
// its index never grows, and none of those below at gets past it. One that moves
// down from above at is met twice, which does no harm.
type walk struct {
	at    int  // destinations below it are still to be visited
	begun bool // at means something
	now   errands
	next  errands // asked for since it began
}

func (w *walk) wanted() bool { return w.now|w.next != 0 }

// request asks for errands at every destination. What is asked for while a walk is
// on its way waits for the next: it has passed some destinations already.
func (r *RIB) request(p *peer, e errands) {
	w := &p.walk
	if p.id != 0 && !w.wanted() {
		r.walks = append(r.walks, p)
	}
	if w.begun {
		w.next |= e
	} else {
		w.now |= e
	}
}

// cancel ends p's walk, and with it what p's session asked for. The next session
// begins at the end of the line: a neighbor that flaps waits for the others.
func (r *RIB) cancel(p *peer) {
	p.walk, p.synced, p.resent = walk{}, nil, [2]func(){}
	r.walks = slices.DeleteFunc(r.walks, func(q *peer) bool { return q == p })
	r.refills = slices.DeleteFunc(r.refills, func(q *peer) bool { return q == p })
	p.refilling, p.refilled = false, nil
}

// idleVisits is how many visits without anything to do cost as much as one
// decision.
const idleVisits = 8

// runWalks spends the time of n decisions on walks. The table's has half of it, so
// that neither routes of lost sessions nor new neighbors wait for the other.
func (r *RIB) runWalks(n int) {
	left := n * idleVisits
	if r.peers[0].walk.wanted() && left > 0 {
		share := left
		if len(r.walks) > 0 {
			share /= 2
		}
		left -= r.runWalk(r.peers[0], share)
	}
	for left > 0 && len(r.walks) > 0 {
		left -= r.runWalk(r.walks[0], left)
	}
}

// runWalk spends the time of budget idle visits on p's walk, and returns how much
// it has used.
func (r *RIB) runWalk(p *peer, budget int) int {
	w := &p.walk
	if !w.begun {
		w.begun, w.at = true, len(r.all)
		if p.id == 0 {
			r.tableBegins(w.now)
		}
	}
	used := 1
	for used < budget {
		if w.at = min(w.at, len(r.all)); w.at == 0 {
			break
		}
		w.at--
		used++
		if r.visit(r.all[w.at], p, w.now) {
			used += idleVisits - 1
		}
	}
	if w.at == 0 {
		r.endWalk(p)
	}
	return used
}

// visit does a walk's errands at d and reports whether there was anything to do.
func (r *RIB) visit(d *dest, p *peer, e errands) (worked bool) {
	if e&moves != 0 {
		r.table[d.prefix] = d
	}
	must := r.renew(d)
	if p.id == 0 {
		must = r.mustDecide(d, e) || must
	}
	if must || d.dirty {
		r.settle(d) // before what follows the walk, End-of-RIB for one
		worked = true
	} else if e&offers != 0 {
		worked = r.offer(d, p)
	}
	if e&resends(route.FamilyOf(d.prefix)) != 0 {
		if a := d.sent(p); a != nil {
			r.emit(p, speaker.Change{Prefix: d.prefix, Attrs: a})
			worked = true
		}
	}
	if e&renews != 0 && r.tidy(d) {
		r.dropUnused(d)
	}
	return worked
}

// offer advertises d to p, or to everybody on the table's walk.
func (r *RIB) offer(d *dest, p *peer) bool {
	if p.id != 0 {
		r.advertise(d, p)
		return true
	}
	for _, p := range r.peers {
		if p != nil {
			r.advertise(d, p)
		}
	}
	return true
}

// mustDecide does the errands that concern d's paths, and reports whether d is to be
// decided about.
func (r *RIB) mustDecide(d *dest, e errands) bool {
	must := e&decides != 0
	if e&(reroutes|takes) == 0 {
		return must
	}
	for i := range d.paths {
		pt := &d.paths[i]
		if e&reroutes != 0 && pt.hop != nil && pt.hop.moved > r.retracked {
			must = true
		}
		if p := r.peers[pt.peer]; e&takes != 0 && pt.reject == byLimit && p.up && p.hasRoom() {
			must = r.reimport(d, i, p) || must
		}
	}
	return must
}

// endWalk does what follows a walk, and begins the next one if one was asked for.
func (r *RIB) endWalk(p *peer) {
	w := &p.walk
	did := w.now
	*w = walk{now: w.next}
	if p.id == 0 {
		r.tableEnds(did)
		return
	}
	r.walks = slices.Delete(r.walks, 0, 1)
	if w.wanted() {
		r.walks = append(r.walks, p)
	}
	for i, e := range [...]errands{resends4, resends6} {
		if done := p.resent[i]; done != nil && did&e != 0 && w.now&e == 0 {
			p.resent[i] = nil
			done()
		}
	}
	if did&offers != 0 && w.now&offers == 0 {
		done := p.synced
		p.synced = nil
		r.collected(p, done)
	}
}

// tableBegins fixes what the table's walk is for.
func (r *RIB) tableBegins(e errands) {
	r.lap++
	r.settling = append(r.settling, r.unsettled...)
	r.unsettled = nil
	r.retracking = r.retracks
	if e&moves != 0 {
		r.outgrown, r.table = r.table, map[netip.Prefix]*dest{}
	}
}

// tableEnds does what follows the table's walk.
func (r *RIB) tableEnds(did errands) {
	if did&moves != 0 {
		r.outgrown = nil
	}
	if did&reroutes != 0 {
		r.retracked = r.retracking
	}
	if did&decides != 0 && r.peers[0].walk.now&decides == 0 {
		r.recounted()
	}
	if did&renews != 0 {
		r.forgetRemoved()
	}
	if did&takes != 0 {
		for _, p := range r.byAddr {
			r.takeMore(p)
		}
	}
	calls := r.settling
	r.settling = nil
	for _, f := range calls {
		f()
	}
}

// Settled has f called by a following Flush, once all that is known is decided
// about. It does not wait for what comes later, so a neighbor that never stops
// talking does not put it off.
func (r *RIB) Settled(f func()) {
	r.unsettled = append(r.unsettled, f)
	r.request(r.peers[0], renews)
}
