package rib

import (
	"maps"
	"net/netip"

	"github.com/google/btree"

	"github.com/nvad/nvad/pkg/route"
)

// Fork returns a RIB with the settings, neighbors and sessions of r, but without its
// destinations. The caller changes it as it would change r, gives it the kernel's facts and
// what is originated, and makes a [Preview] of it.
func (r *RIB) Fork() *RIB {
	f := New(r.opt)
	f.peers.byID = make([]*peer, len(r.peers.byID))
	for i, p := range r.peers.byID {
		if p == nil {
			continue
		}
		q := &peer{
			Peer: p.Peer, Session: p.Session, id: p.id, asn: p.asn, internal: p.internal, up: p.up, soo: p.soo, removed: p.removed,
		}
		q.epoch, q.tallies = p.epoch, p.tallies
		q.era = 1 // of all paths; see Preview.copyPaths
		f.peers.byID[i] = q
		if r.peers.byAddr[p.Address] == p {
			f.peers.byAddr[p.Address] = q
		}
	}
	f.under.dead, f.under.floating = r.under.dead, maps.Clone(r.under.floating)
	f.out.drain, f.out.domains, f.out.marks = r.out.drain, r.out.domains, r.out.marks
	return f
}

// Preview finds out what the routes of one RIB would come to under the settings of another,
// a [RIB.Fork] of it that was changed. Each destination is copied, evaluated and decided by
// the fork, by the functions that r itself uses, compared, and forgotten. Neither RIB
// changes, and the memory needed does not grow with the table.
//
// Some outcomes depend on all destinations: whether an aggregate is originated, and which
// prefixes maximum-prefix-out leaves out. If there is such a setting, the table is passed
// through beforehand.
type Preview struct {
	live, next *RIB
	passes     []func(live, d *dest)
	at, extra  int // destinations of live still to be visited, and of next already visited
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

// quota lists the prefixes of one family that maximum-prefix-out lets through: the first by rank.
type quota struct{ sent *btree.BTreeG[netip.Prefix] }

// NewPreview returns a Preview of next, a fork of live.
func NewPreview(live, next *RIB) *Preview {
	v := &Preview{live: live, next: next, before: live.totals(), quotas: map[peerID]*[2]quota{}}
	was := live.peers.byID
	for i, p := range next.peers.byID {
		v.tallies, v.down = append(v.tallies, tallies{}), append(v.down, false)
		if p == nil {
			continue
		}
		v.tallies[i] = p.tallies
		v.down[i] = !p.up && i < len(was) && was[i] != nil && was[i].up
		if p.up && p.MaxAdvertised > 0 {
			less := func(a, b netip.Prefix) bool { return rank(a, b) < 0 }
			v.quotas[p.id] = &[2]quota{{btree.NewG(32, less)}, {btree.NewG(32, less)}}
		}
	}
	if len(next.loc.sums) > 0 {
		v.passes = append(v.passes, func(_, d *dest) { next.aggregate(d) })
	}
	if len(v.quotas) > 0 {
		v.passes = append(v.passes, v.ration)
	}
	v.passes = append(v.passes, v.compare)
	return v
}

// Step visits about n destinations, and reports whether all are done. Between two calls the
// live RIB may change, except for its configuration.
func (v *Preview) Step(n int) (done bool) {
	v.follow()
	defer v.unpin()
	live, next := &v.live.table, &v.next.table
	for ; n > 0 && len(v.passes) > 0; n-- {
		if !v.begun {
			v.begin()
		}
		v.at = min(v.at, len(live.all))
		switch {
		case v.at > 0:
			v.at--
			// What the fork originates, or has a static route for, is visited with the rest.
			if d := live.all[v.at]; next.dests[d.prefix] == nil {
				v.visit(d, nil)
			}
		case v.extra < len(next.all):
			d := next.all[v.extra]
			v.extra++
			v.visit(live.find(d.prefix), d)
		default:
			v.passes, v.begun = v.passes[1:], false
		}
	}
	return len(v.passes) == 0
}

// Effect returns what was found. It is called once Step has reported the end.
func (v *Preview) Effect() Effect { return v.eff.finish(v.before) }

func (v *Preview) begin() {
	v.begun, v.at, v.extra = true, len(v.live.table.all), 0
	for i, p := range v.next.peers.byID {
		if p != nil {
			p.tallies = v.tallies[i]
		}
	}
}

// follow takes over what became of the sessions since the last turn.
func (v *Preview) follow() {
	live := v.live.peers.byID
	v.stand = v.live.peers.standpoints()
	for i, p := range v.next.peers.byID {
		if p == nil || p.id == 0 || i >= len(live) || live[i] == nil {
			continue
		}
		if q := live[i]; v.next.peers.byAddr[q.Address] == p {
			if p.Session != q.Session {
				p.forgetWire()
			}
			p.up, p.Session = q.up && !v.down[i], q.Session
		}
	}
}

// visit does the current pass for one destination. It is in one of the tables, or in both;
// live or own is nil if it is not in that one.
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
	v.next.in.renew(d)
	v.next.decide(d)
	v.passes[0](live, d)
	for i := range d.paths {
		v.next.under.release(d.paths[i].hop)
	}
}

// copyPaths copies the paths of neighbors. All copies are of the era in which the fork began,
// so they catch up with whatever was changed of the fork since.
func (v *Preview) copyPaths(d, live *dest) {
	for i := range live.paths {
		pt := live.paths[i]
		if pt.peer == 0 || int(pt.peer) >= len(v.next.peers.byID) || v.next.peers.byID[pt.peer] == nil {
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

// unpin releases the next hops of a turn. Until then they stay resolved, since many
// destinations share them.
func (v *Preview) unpin() {
	for _, h := range v.pins {
		v.next.under.release(h)
	}
	v.pins = v.pins[:0]
}

// ration finds the prefixes that maximum-prefix-out has room for.
func (v *Preview) ration(_, d *dest) {
	for id, q := range v.quotas {
		p := v.next.peers.byID[id]
		if !p.up || v.next.export(d, p).attrs == nil {
			continue
		}
		fits := q[d.family()].sent
		if fits.ReplaceOrInsert(d.prefix); fits.Len() > p.MaxAdvertised {
			fits.DeleteMax()
		}
	}
}

// compare adds what is different of d.
func (v *Preview) compare(live, d *dest) {
	v.old = live.image(v.stand, v.old)
	m := &v.new
	*m = image{in: m.in[:0], out: m.out[:0], route: v.next.target(d).route(), best: v.next.seen.choice(d)}
	for i := range d.paths {
		if pt := &d.paths[i]; pt.peer != 0 && pt.accepted != nil {
			m.in = append(m.in, mark{v.next.peers.of(pt).Address, pt.accepted, pt.extra})
		}
	}
	for _, p := range v.next.peers.byID {
		if p == nil || !p.up {
			continue
		}
		if attrs := v.exported(d, p); attrs != nil {
			m.out = append(m.out, mark{peer: p.Address, attrs: attrs})
		}
	}
	v.eff.compareImages(&v.old, m, v.next, d)
}

// exported returns what p would be sent of d.
func (v *Preview) exported(d *dest, p *peer) *route.Attrs {
	attrs := v.next.export(d, p).attrs
	if q := v.quotas[p.id]; q != nil && attrs != nil && !q[d.family()].sent.Has(d.prefix) {
		return nil
	}
	return attrs
}
