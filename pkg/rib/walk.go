package rib

import (
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// errands are the tasks of a walk at each destination. Requesting an errand twice before it
// begins is the same as requesting it once, so a neighbor that flaps or sends
// ROUTE-REFRESH all the time makes no more work than one that asks once.
type errands uint16

const (
	renews   errands = 1 << iota // paths catch up with their neighbors, see history
	offers                       // neighbors are sent what has changed of what they are to be sent
	resends4                     // the neighbor is sent its IPv4 routes again
	resends6                     // and its IPv6 routes
	decides                      // everything is decided again
	reroutes                     // what has a next hop that moved is decided again
	takes                        // paths that maximum-prefix rejected are accepted where they fit
	moves                        // the destination is put in the map that replaces a too large one
)

// families are those of arrays by family, in their order; see dest.family.
var families = [2]route.Family{route.IPv4, route.IPv6}

func resends(f route.Family) (e errands) {
	if f.Has(route.IPv4) {
		e |= resends4
	}
	if f.Has(route.IPv6) {
		e |= resends6
	}
	return e
}

// walk visits every destination, in turns, and then once more if errands were requested
// meanwhile. This router's walk (peerID 0) is the table's: it serves all Adj-RIBs-In. The
// walk of a neighbor serves its Adj-RIB-Out.
//
// A walk goes from the end of table.all to its beginning, and stores only its place. It
// visits every destination that is there from its start to its end. A destination moves
// in table.all only when drop fills a hole with the last one, so its index never grows:
// one below the walk's place stays below it until it is visited. One that moves from above
// to below is visited twice, which does no harm.
type walk struct {
	at    int  // destinations below it are still to be visited
	begun bool // at means something
	now   errands
	next  errands // requested since it began
}

func (w *walk) wanted() bool { return w.now|w.next != 0 }

// agenda is the order of the walks.
type agenda struct {
	waiting   []*peer  // neighbors whose walk is not over, one after the other; without this router
	laps      uint64   // walks of the table so far
	unsettled []func() // see Settled: called after the next walk of the table
	settling  []func() // called after this one
}

// request requests errands at every destination. While a walk is under way they wait for
// the next one: some destinations were visited already.
func (a *agenda) request(p *peer, e errands) {
	w := &p.walk
	if p.id != 0 && !w.wanted() {
		a.waiting = append(a.waiting, p)
	}
	if w.begun {
		w.next |= e
	} else {
		w.now |= e
	}
}

// cancel ends p's walk, and with it what p's session requested. The next session's walk
// begins at the end of the line: a neighbor that flaps waits for the others.
func (a *agenda) cancel(p *peer) {
	p.walk, p.synced, p.resent = walk{}, nil, [2]func(){}
	a.waiting = slices.DeleteFunc(a.waiting, func(q *peer) bool { return q == p })
}

// requestAll requests errands of the table's walk.
func (r *RIB) requestAll(e errands) { r.walks.request(r.peers.local(), e) }

// Settled has f called by a following Flush, once everything received so far is decided.
// It does not wait for what is received later, so a neighbor that never stops announcing
// does not delay it.
func (r *RIB) Settled(f func()) {
	r.walks.unsettled = append(r.walks.unsettled, f)
	r.requestAll(renews)
}

// idleVisits is how many visits without anything to do cost as much as one decision.
const idleVisits = 8

// runWalks spends the time of n decisions on walks. The table's walk has half of it, so
// that neither routes of lost sessions nor new neighbors wait for the other.
func (r *RIB) runWalks(n int) {
	left := n * idleVisits
	if r.peers.local().walk.wanted() && left > 0 {
		share := left
		if len(r.walks.waiting) > 0 {
			share /= 2
		}
		left -= r.runWalk(r.peers.local(), share)
	}
	for left > 0 && len(r.walks.waiting) > 0 {
		left -= r.runWalk(r.walks.waiting[0], left)
	}
}

// runWalk spends the time of budget idle visits on p's walk, and returns how much it has
// used.
func (r *RIB) runWalk(p *peer, budget int) int {
	w := &p.walk
	if !w.begun {
		w.begun, w.at = true, len(r.table.all)
		if p.id == 0 {
			r.tableBegins(w.now)
		}
	}
	used := 1
	for used < budget {
		if w.at = min(w.at, len(r.table.all)); w.at == 0 {
			break
		}
		w.at--
		used++
		if r.visit(r.table.all[w.at], p, w.now) {
			used += idleVisits - 1
		}
	}
	if w.at == 0 {
		r.endWalk(p)
	}
	return used
}

// visit does a walk's errands at d, and reports whether there was anything to do.
func (r *RIB) visit(d *dest, p *peer, e errands) (worked bool) {
	if e&moves != 0 {
		r.table.moveOver(d)
	}
	must := r.in.renew(d)
	if p.id == 0 {
		must = r.mustDecide(d, e) || must
	}
	if must || d.dirty {
		// Also if d is queued: what follows the walk, such as End-of-RIB, must not come
		// before d's own decision.
		r.settle(d)
		worked = true
	} else if e&offers != 0 {
		worked = r.offer(d, p)
	}
	if e&resends(route.FamilyOf(d.prefix)) != 0 && r.out.resend(d, p) {
		worked = true
	}
	if e&renews != 0 && r.out.tidy(d) {
		r.dropUnused(d)
	}
	return worked
}

// offer advertises d to p, or to everybody on the table's walk.
func (r *RIB) offer(d *dest, p *peer) bool {
	hidden := r.loc.suppressed(d)
	if p.id != 0 {
		r.out.advertise(d, p, hidden)
		return true
	}
	for _, p := range r.peers.byID {
		if p != nil {
			r.out.advertise(d, p, hidden)
		}
	}
	return true
}

// mustDecide does the errands that concern d's paths, and reports whether d is to be
// decided again.
func (r *RIB) mustDecide(d *dest, e errands) bool {
	must := e&decides != 0
	if e&(reroutes|takes) == 0 {
		return must
	}
	for i := range d.paths {
		pt := &d.paths[i]
		if e&reroutes != 0 && r.under.hasMoved(pt.hop) {
			must = true
		}
		if p := r.peers.of(pt); e&takes != 0 && pt.reject == byLimit && p.up && p.hasRoom() {
			must = r.in.reimport(d, i, p) || must
		}
	}
	return must
}

// endWalk does what follows a walk, and begins the next one if errands were requested.
func (r *RIB) endWalk(p *peer) {
	w := &p.walk
	did := w.now
	*w = walk{now: w.next}
	if p.id == 0 {
		r.tableEnds(did)
		return
	}
	r.walks.waiting = slices.Delete(r.walks.waiting, 0, 1)
	if w.wanted() {
		r.walks.waiting = append(r.walks.waiting, p)
	}
	for i, f := range families {
		if done, e := p.resent[i], resends(f); done != nil && did&e != 0 && w.now&e == 0 {
			p.resent[i] = nil
			done()
		}
	}
	if did&offers != 0 && w.now&offers == 0 {
		done := p.synced
		p.synced = nil
		r.out.collected(p, done)
	}
}

// tableBegins fixes what the table's walk is for.
func (r *RIB) tableBegins(e errands) {
	r.walks.laps++
	r.walks.settling = append(r.walks.settling, r.walks.unsettled...)
	r.walks.unsettled = nil
	r.under.walkBegins()
	if e&moves != 0 {
		r.table.startMove()
	}
}

// tableEnds does what follows the table's walk.
func (r *RIB) tableEnds(did errands) {
	if did&moves != 0 {
		r.table.endMove()
	}
	if did&reroutes != 0 {
		r.under.walkEnds()
	}
	if did&decides != 0 && r.peers.local().walk.now&decides == 0 {
		r.followSums(r.loc.recounted())
	}
	if did&renews != 0 {
		r.peers.forgetRemoved(r.walks.laps)
	}
	if did&(takes|renews) != 0 { // renewed paths that are rejected now make room, too
		for _, p := range r.peers.byAddr {
			r.takeMore(p)
		}
	}
	calls := r.walks.settling
	r.walks.settling = nil
	for _, f := range calls {
		f()
	}
}
