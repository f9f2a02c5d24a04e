package rib

import "github.com/nvad/nvad/pkg/fib"

// wantWhole checks the invariants of a RIB at rest.
func (b *bed) wantWhole() {
	b.t.Helper()
	r := b.r
	if len(r.table.dests) != len(r.table.all) || r.table.outgrown != nil || r.queue.n != 0 || len(r.seen.before.m) != 0 {
		b.t.Fatalf("%d in the table, %d in all, outgrown %v, %d wait", len(r.table.dests), len(r.table.all), r.table.outgrown != nil, r.queue.n)
	}
	routes, hops := map[*planned]int{}, map[*nextHop]int{}
	counts, advertised := map[*peer]tallies{}, map[*peer][2]int{}
	paths, usable, routed := 0, 0, 0
	for i, d := range r.table.all {
		if d.index != int32(i) || r.table.dests[d.prefix] != d || d.queued != 0 || d.dirty {
			b.t.Fatalf("%s: %+v at %d", d.prefix, d, i)
		}
		if d.fib != nil && d.fib.Class == fib.BGP {
			routes[d.fib]++
		}
		here := 0
		for i := range d.paths {
			pt := &d.paths[i]
			p := r.peers.byID[pt.peer]
			if pt.era != p.era {
				b.t.Fatalf("%s: the path of %s is out of date", d.prefix, p.Address)
			}
			if pt.hop != nil {
				hops[pt.hop]++
			}
			paths++
			if pt.accepted != nil {
				here++
			}
			c := counts[p]
			c.of(d).outcomes[pt.reject]++
			if pt.flags&flagStale != 0 {
				c.of(d).stale[pt.reject]++
			}
			counts[p] = c
		}
		if usable += here; here > 0 {
			routed++
		}
		for _, a := range d.out {
			p := r.peers.byID[a.peer]
			if a.epoch != p.epoch || !p.up {
				b.t.Fatalf("%s: a path is left from a lost session of %s", d.prefix, p.Address)
			}
			n := advertised[p]
			n[d.family()]++
			advertised[p] = n
		}
	}
	b.wantReferences(routes, hops, paths)
	if n, m := r.Prefixes(); n != routed || m != usable {
		b.t.Fatalf("%d prefixes and %d paths were accepted, counted as %d and %d", routed, usable, n, m)
	}
	b.wantTallies(counts, advertised)
}

// wantTallies checks what each neighbor counts of its routes.
func (b *bed) wantTallies(counts map[*peer]tallies, advertised map[*peer][2]int) {
	b.t.Helper()
	r := b.r
	for _, p := range r.peers.byID[1:] {
		if p == nil {
			continue
		}
		if p.removed > 0 || counts[p] != p.tallies || advertised[p] != p.advertised || p.taken != taken(p) {
			b.t.Fatalf("%s: removed %d, counts %+v and %v, want %+v and %v, taken %d", p.Address, p.removed,
				p.tallies, p.advertised, counts[p], advertised[p], p.taken)
		}
	}
}

// wantReferences checks that plans and next hops know how many refer to them.
func (b *bed) wantReferences(routes map[*planned]int, hops map[*nextHop]int, paths int) {
	b.t.Helper()
	r := b.r
	if paths != r.in.paths || len(routes) != len(r.plan.sets.m) || len(hops) != len(r.under.tracked.m) {
		b.t.Fatalf("%d paths of %d, %d routes of %d, %d next hops of %d",
			paths, r.in.paths, len(routes), len(r.plan.sets.m), len(hops), len(r.under.tracked.m))
	}
	for p, n := range routes {
		if p.refs != n {
			b.t.Fatalf("%+v: %d refer to it", p, n)
		}
	}
	for h, n := range hops {
		if h.refs != n {
			b.t.Fatalf("%+v: %d refer to it", h, n)
		}
	}
}

// taken recounts what p.taken counts.
func taken(p *peer) (n int) {
	for i := range p.tallies {
		n += p.tallies[i].received() - p.tallies[i].outcomes[byLimit]
	}
	return n
}
