package rib

import (
	"reflect"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

// A stage returns values and calls no other stage: it has no field through which it could.
func TestStagesAreApart(t *testing.T) {
	stages := []reflect.Type{reflect.TypeFor[adjIn](), reflect.TypeFor[locRIB](), reflect.TypeFor[plan](), reflect.TypeFor[adjOut]()}
	for _, s := range stages {
		for _, f := range reflect.VisibleFields(s) {
			of := f.Type
			if of.Kind() == reflect.Pointer {
				of = of.Elem()
			}
			if of.Kind() == reflect.Func || of == reflect.TypeFor[RIB]() || slices.Contains(stages, of) {
				t.Errorf("%s.%s is a %s", s.Name(), f.Name, f.Type)
			}
		}
	}
}

// stageBed has a session with one neighbor, and a destination that no stage has seen.
func stageBed(t *testing.T) (*bed, *peer, *dest) {
	b := newBed(t)
	b.peer(neighbor(nva, 65001), acceptAll, acceptAll)
	b.up(nva)
	b.flush()
	return b, b.r.peers.byAddr[addr(nva)], newDest(pfx("10.1.0.0/16"))
}

// receive makes the Adj-RIB-In install a path.
func (b *bed) receive(d *dest, p *peer, a route.Attrs) (changed bool) {
	a.NextHop = p.Address
	s := &b.r.in
	return s.install(d, p, s.admit(p, b.in.Intern(a)), b.now)
}

func TestAdjInStage(t *testing.T) {
	b, p, d := stageBed(t)
	if !b.receive(d, p, route.Attrs{ASPath: asPath("65515")}) || b.receive(d, p, route.Attrs{ASPath: asPath("65515")}) {
		t.Error("a new path must be a change, and the same path again must be none")
	}
	if pt := &d.paths[0]; pt.accepted == nil || pt.hop.refs != 1 || b.r.in.usable != 1 || p.taken != 1 {
		t.Errorf("%+v, %d usable, %d taken", pt, b.r.in.usable, p.taken)
	}
	p.keepPaths()
	if c := p.tallies.of(d); c.sumStale() != 1 || b.r.in.renew(d) || d.paths[0].flags&flagStale == 0 {
		t.Errorf("after a restart: %+v, %+v", c, d.paths)
	}
	if p.sweep(0); !b.r.in.renew(d) || len(d.paths) != 0 || b.r.in.usable != 0 || b.r.in.withdraw(d, p) {
		t.Errorf("after the sweep: %+v, %d usable", d.paths, b.r.in.usable)
	}
}

func TestLocRIBStage(t *testing.T) {
	b, p, d := stageBed(t)
	s := &b.r.loc
	s.setAggregates([]Aggregate{{Prefix: pfx("10.0.0.0/8"), SummaryOnly: true, Attrs: b.in.Intern(route.Attrs{})}})
	b.receive(d, p, route.Attrs{ASPath: asPath("65515")})
	s.decide(d, 0)
	if flips := s.contribute(d); d.best != 0 || len(flips) != 1 || flips[0].parts != 1 || !s.suppressed(d) {
		t.Errorf("best %d, aggregates %+v", d.best, flips)
	}
	if f := s.forwarding(d); f == nil || len(f.Hops) != 1 || f.Hops[0].Via != p.Address {
		t.Errorf("route %+v", f)
	}
	b.r.in.withdraw(d, p)
	s.decide(d, 0)
	if flips := s.contribute(d); d.best != -1 || len(flips) != 1 || flips[0].parts != 0 || s.suppressed(d) || s.forwarding(d) != nil {
		t.Errorf("after the withdrawal: best %d, aggregates %+v", d.best, flips)
	}
}

func TestPlanStage(t *testing.T) {
	var s plan
	one, two := newDest(pfx("10.1.0.0/16")), newDest(pfx("10.2.0.0/16"))
	bgp := fib.Route{Class: fib.BGP, Hops: []fib.NextHop{{Via: addr(nva), Link: vxlan0}}}
	static := &planned{Route: fib.Route{Class: fib.Static, Hops: []fib.NextHop{{Link: eth0}}}}
	s.put(one, target{bgp: &bgp})
	s.put(two, target{bgp: &bgp})
	s.put(two, target{bgp: &bgp})
	if got := s.take(); len(got) != 2 || got[0].Route != got[1].Route || s.installed != 2 || len(s.sets.m) != 1 {
		t.Errorf("%+v, %d installed, %d different routes", got, s.installed, len(s.sets.m))
	}
	s.put(one, target{static: static})
	s.put(two, target{})
	s.put(two, target{})
	if got := s.take(); len(got) != 2 || got[0].Route != &static.Route || got[1].Route != nil || s.installed != 1 || len(s.sets.m) != 0 {
		t.Errorf("%+v, %d installed, %d different routes", got, s.installed, len(s.sets.m))
	}
}

func TestAdjOutStage(t *testing.T) {
	b, _, d := stageBed(t)
	b.peer(neighbor(branch, 64580), acceptAll, acceptAll)
	b.up(branch)
	b.flush()
	s, from, to := &b.r.out, b.r.peers.byAddr[addr(nva)], b.r.peers.byAddr[addr(branch)]
	b.receive(d, from, route.Attrs{ASPath: asPath("65515")})
	b.r.loc.decide(d, 0)
	s.advertise(d, to, false)
	s.advertise(d, to, false)
	s.advertise(d, from, false) // its own route
	got := s.take()
	if len(got) != 1 || got[0].Peer != to.Address || len(got[0].Changes) != 1 || !got[0].Changes[0].New || to.advertised[0] != 1 {
		t.Errorf("%+v, %d advertised", got, to.advertised[0])
	}
	s.advertise(d, to, true)
	if got := s.take(); len(got) != 1 || got[0].Changes[0].Attrs != nil || to.advertised[0] != 0 || len(d.out) != 0 {
		t.Errorf("hidden by an aggregate: %+v, %d advertised", got, to.advertised[0])
	}
}
