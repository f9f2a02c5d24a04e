package rib

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

// planned is a route that the forwarding plane holds for at least one destination.
type planned struct {
	fib.Route
	refs int // destinations
}

// routeSets makes equal routes of BGP one value: a million prefixes have but a
// handful of them. A route is forgotten with its last destination.
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

// appendRoute appends bytes that are the same for equal routes of BGP alone.
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

// plan tells the forwarding plane if what it shall hold for d has changed.
func (r *RIB) plan(d *dest) {
	old := d.fib
	defer func() { r.installed += entries(d.fib) - entries(old) }()
	if s := r.under.standing(d.prefix); s != nil {
		if d.fib = s.route; old == d.fib || old != nil && sameRoute(&old.Route, &d.fib.Route) {
			return
		}
	} else if want := r.wanted(d); want == nil {
		if d.fib = nil; old == nil {
			return
		}
	} else {
		if old != nil && sameRoute(want, &old.Route) {
			return
		}
		d.fib = r.routes.acquire(want)
	}
	r.routes.release(old)
	change := fib.Change{Prefix: d.prefix}
	if d.fib != nil {
		change.Route = &d.fib.Route
	}
	r.eff.FIB = append(r.eff.FIB, change)
}

// entries is 1 for a route, 0 for none.
func entries(p *planned) int {
	if p == nil {
		return 0
	}
	return 1
}

// target is the route that plan would have the forwarding plane hold for d, until
// the next call; nil: none.
func (r *RIB) target(d *dest) *fib.Route {
	if s := r.under.standing(d.prefix); s != nil {
		return &s.route.Route
	}
	return r.wanted(d)
}

// wanted is the kernel route for d by its best BGP paths, until the next call.
func (r *RIB) wanted(d *dest) *fib.Route {
	best := d.forwards()
	if best == nil {
		return nil
	}
	out := &r.work.route
	*out = fib.Route{Class: fib.BGP, Metric: r.opt.Metric}
	if slices.Contains(best.accepted.Communities, route.Blackhole) {
		out.Kind = fib.Blackhole
	} else {
		out.Hops = r.bestHops(d)
		out.Backup = r.backupHops(d, out.Hops)
	}
	if best.extra != nil {
		out.Source = best.extra.source
	}
	return out
}

// bestHops folds the next hops of all multipath paths: both instances of a
// Route Server resolve to the same gateway and become one.
func (r *RIB) bestHops(d *dest) []fib.NextHop {
	hops := r.work.hops[:0]
	n := 0
	for i := range d.paths {
		if i == int(d.best) || d.paths[i].flags&flagMultipath != 0 {
			hops = append(hops, d.paths[i].hop.hops...)
			n++
		}
	}
	r.work.hops = hops
	if n > 1 {
		hops = fib.SortHops(hops)
	}
	if len(hops) > r.opt.MaxPaths {
		hops = hops[:r.opt.MaxPaths]
	}
	return hops
}

func sameRoute(a, b *fib.Route) bool {
	return a.Kind == b.Kind && a.Class == b.Class && a.Metric == b.Metric &&
		a.Source == b.Source && slices.Equal(a.Hops, b.Hops) && slices.Equal(a.Backup, b.Backup)
}
