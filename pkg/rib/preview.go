package rib

import (
	"net/netip"

	"github.com/google/btree"

	"github.com/nvad/nvad/pkg/route"
)

// Preview tells what the routes of one RIB come to under the settings of another,
// a [RIB.Fork] of it that was changed. Each destination is copied, evaluated and
// decided about by the fork, with the functions that r uses itself, compared, and
// forgotten: neither RIB changes, and what a Preview holds does not depend on the
// size of the table.
//
// Some of what a destination comes to depends on all others: whether an aggregate
// is originated, and which prefixes maximum-prefix-out leaves out. Where there is
// such a setting the table is gone through beforehand.
type Preview struct {
	live, next *RIB
	passes     []func(*dest, *dest)
	at, extra  int // destinations of live yet to visit, and of next visited
	begun      bool
	tallies    []tallies // of next, at the beginning
	down       []bool    // sessions that the change ends, by peerID
	quotas     map[peerID]*[2]quota
	before     totals
	eff        effects
	scratch    dest
	pins       []*nextHop // of the copies of this turn
	stand      []standpoint
	old, new   image
}

// quota is what maximum-prefix-out leaves of one family: the first by rank.
type quota struct{ told *btree.BTreeG[netip.Prefix] }

// NewPreview returns a Preview of next, a fork of live.
func NewPreview(live, next *RIB) *Preview {
	v := &Preview{live: live, next: next, before: live.totals(), quotas: map[peerID]*[2]quota{}}
	for i, p := range next.peers {
		v.tallies, v.down = append(v.tallies, tallies{}), append(v.down, false)
		if p == nil {
			continue
		}
		v.tallies[i] = p.tallies
		v.down[i] = !p.up && i < len(live.peers) && live.peers[i] != nil && live.peers[i].up
		if p.up && p.MaxAdvertised > 0 {
			less := func(a, b netip.Prefix) bool { return rankPrefix(a, b) < 0 }
			v.quotas[p.id] = &[2]quota{{btree.NewG(32, less)}, {btree.NewG(32, less)}}
		}
	}
	if len(next.sums) > 0 {
		v.passes = append(v.passes, v.contribute)
	}
	if len(v.quotas) > 0 {
		v.passes = append(v.passes, v.ration)
	}
	v.passes = append(v.passes, v.compare)
	return v
}

// Step visits about n destinations and reports whether all are done. Between two
// calls the live RIB may change, but for its configuration.
func (v *Preview) Step(n int) (done bool) {
	v.follow()
	defer v.unpin()
	for ; n > 0 && len(v.passes) > 0; n-- {
		if !v.begun {
			v.begin()
		}
		v.at = min(v.at, len(v.live.all))
		switch {
		case v.at > 0:
			v.at--
			// What the fork originates, or has a static route for, is visited with the rest.
			if d := v.live.all[v.at]; v.next.table[d.prefix] == nil {
				v.visit(d, nil)
			}
		case v.extra < len(v.next.all):
			d := v.next.all[v.extra]
			v.extra++
			v.visit(v.live.find(d.prefix), d)
		default:
			v.passes, v.begun = v.passes[1:], false
		}
	}
	return len(v.passes) == 0
}

// Effect is what was found. It is called once Step has reported the end.
func (v *Preview) Effect() Effect { return v.eff.finish(v.before) }

func (v *Preview) begin() {
	v.begun, v.at, v.extra = true, len(v.live.all), 0
	for i, p := range v.next.peers {
		if p != nil {
			p.tallies = v.tallies[i]
		}
	}
}

// follow takes over what became of the sessions since the last turn.
func (v *Preview) follow() {
	v.stand = v.live.standpoints()
	for i, p := range v.next.peers {
		if p == nil || p.id == 0 || i >= len(v.live.peers) || v.live.peers[i] == nil {
			continue
		}
		if q := v.live.peers[i]; v.next.byAddr[q.Address] == p {
			if p.Session != q.Session {
				p.wire, p.offers = wireMemo{}, wireMemo{}
			}
			p.up, p.Session = q.up && !v.down[i], q.Session
		}
	}
}

// visit has the current pass look at a destination, of which live or own may be nil.
func (v *Preview) visit(live, own *dest) {
	d := &v.scratch
	*d = dest{paths: d.paths[:0], best: -1, index: -1}
	if own != nil {
		d.prefix = own.prefix
		d.paths = append(d.paths, own.paths...)
	}
	if live != nil {
		d.prefix = live.prefix
		v.copyPaths(d, live)
	} else {
		live = newDest(d.prefix)
	}
	v.next.renew(d)
	v.next.decide(d)
	v.passes[0](live, d)
	if d.paths == nil { // all were cut
		return
	}
	for i := range d.paths {
		v.next.under.release(d.paths[i].hop)
	}
}

// copyPaths copies what neighbors taught. All of it is of the era in which the fork
// began, so that what was changed of the fork since is caught up with.
func (v *Preview) copyPaths(d, live *dest) {
	for i := range live.paths {
		pt := live.paths[i]
		if pt.peer == 0 || int(pt.peer) >= len(v.next.peers) || v.next.peers[pt.peer] == nil {
			continue
		}
		s := &v.stand[pt.peer]
		if s.isGone(&pt, live.family()) {
			continue
		}
		if s.isStale(&pt) {
			pt.flags |= flagStale
		}
		pt.era = 1
		if pt.hop != nil {
			pt.hop = v.next.under.track(pt.hop.addr)
			v.pins = append(v.pins, v.next.under.track(pt.hop.addr))
		}
		d.paths = append(d.paths, pt)
	}
}

// unpin forgets the next hops of a turn, which many destinations share.
func (v *Preview) unpin() {
	for _, h := range v.pins {
		v.next.under.release(h)
	}
	v.pins = v.pins[:0]
}

// contribute has the fork count what contributes to its aggregates.
func (v *Preview) contribute(_, d *dest) { v.next.contribute(d) }

// ration finds the prefixes that maximum-prefix-out has room for.
func (v *Preview) ration(_, d *dest) {
	for id, q := range v.quotas {
		p := v.next.peers[id]
		if !p.up {
			continue
		}
		if attrs, _, _ := v.next.export(d, p); attrs == nil {
			continue
		}
		told := q[d.family()].told
		if told.ReplaceOrInsert(d.prefix); told.Len() > p.MaxAdvertised {
			told.DeleteMax()
		}
	}
}

// compare adds what is different of d.
func (v *Preview) compare(live, d *dest) {
	v.old = v.live.imageOf(live, v.stand, v.old)
	m := &v.new
	*m = image{in: m.in[:0], out: m.out[:0], route: v.next.target(d)}
	for i := range d.paths {
		if pt := &d.paths[i]; pt.peer != 0 && pt.accepted != nil {
			m.in = append(m.in, mark{v.next.peers[pt.peer].Address, pt.accepted, pt.extra})
		}
	}
	m.best = v.next.choice(d)
	for _, p := range v.next.peers {
		if p == nil || !p.up {
			continue
		}
		if attrs := v.exported(d, p); attrs != nil {
			m.out = append(m.out, mark{peer: p.Address, attrs: attrs})
		}
	}
	v.eff.compareImages(&v.old, m, v.next, d)
}

// exported is what p would be sent of d.
func (v *Preview) exported(d *dest, p *peer) *route.Attrs {
	attrs, _, _ := v.next.export(d, p)
	if q := v.quotas[p.id]; q != nil && attrs != nil && !q[d.family()].told.Has(d.prefix) {
		return nil
	}
	return attrs
}
