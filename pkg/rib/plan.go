package rib

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/fib"
)

// plan remembers the routes given to the forwarding plane, and collects the changes that are
// to follow.
type plan struct {
	sets      routeSets
	installed int // destinations with a route
	changes   []fib.Change
	spare     spare[fib.Change]
}

// planned is a route that the forwarding plane holds for at least one destination.
type planned struct {
	fib.Route
	refs int // destinations
}

// target is the route that the forwarding plane is to hold for a destination; the zero
// value is none.
type target struct {
	static *planned   // instead of bgp
	bgp    *fib.Route // may be reused by the caller afterwards
}

// route returns the target's route, nil if there is none.
func (t target) route() *fib.Route {
	if t.static != nil {
		return &t.static.Route
	}
	return t.bgp
}

// put makes t the route for d, and records a change if it is another one than before.
func (s *plan) put(d *dest, t target) {
	old, want := d.fib, t.route()
	switch {
	case want == nil && old == nil:
		return
	case want == nil:
		d.fib = nil
		s.installed--
	case old != nil && sameRoute(want, &old.Route):
		if t.static != nil { // it replaces one of before the last change of static routes
			d.fib = t.static
		}
		return
	default:
		if d.fib = t.static; d.fib == nil {
			d.fib = s.sets.acquire(want)
		}
		if old == nil {
			s.installed++
		}
	}
	s.sets.release(old)
	change := fib.Change{Prefix: d.prefix}
	if d.fib != nil {
		change.Route = &d.fib.Route
	}
	if s.changes == nil {
		s.changes = s.spare.get()
	}
	s.changes = append(s.changes, change)
}

// take returns the changes since the last call.
func (s *plan) take() []fib.Change {
	changes := s.changes
	s.changes = nil
	return changes
}

func sameRoute(a, b *fib.Route) bool {
	return a.Kind == b.Kind && a.Class == b.Class && a.Distance == b.Distance && a.Metric == b.Metric &&
		a.Source == b.Source && slices.Equal(a.Hops, b.Hops) && slices.Equal(a.Backup, b.Backup)
}

// routeSets makes equal BGP routes one value: a million prefixes have only a handful of
// different ones. A route is forgotten with its last destination.
type routeSets struct {
	trimmed[string, *planned]
	key []byte // reused
}

// acquire returns the one value equal to r, whose slices may be reused afterwards.
func (s *routeSets) acquire(r *fib.Route) *planned {
	s.key = appendRoute(s.key[:0], r)
	p := s.m[string(s.key)]
	if p == nil {
		p = &planned{Route: *r}
		p.Hops, p.Backup = slices.Clone(r.Hops), slices.Clone(r.Backup)
		s.set(string(s.key), p)
	}
	p.refs++
	return p
}

// release forgets p with its last destination. Static routes are not in the set.
func (s *routeSets) release(p *planned) {
	if p == nil || p.Class != fib.BGP {
		return
	}
	if p.refs--; p.refs == 0 {
		s.key = appendRoute(s.key[:0], &p.Route)
		s.remove(string(s.key))
	}
}

// appendRoute appends bytes that only equal BGP routes have in common.
func appendRoute(b []byte, r *fib.Route) []byte {
	b = binary.BigEndian.AppendUint32(b, r.Metric)
	b = appendAddr(append(b, byte(r.Kind)), r.Source)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Hops)))
	for _, hops := range [...][]fib.NextHop{r.Hops, r.Backup} {
		for _, h := range hops {
			b = appendAddr(b, h.Via)
			b = binary.BigEndian.AppendUint32(b, uint32(h.Link))
			b = append(b, h.Weight, bit(h.Onlink))
		}
	}
	return b
}

func appendAddr(b []byte, a netip.Addr) []byte {
	x := a.As16()
	return append(append(b, x[:]...), bit(a.Is4()), bit(a.IsValid()))
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}
