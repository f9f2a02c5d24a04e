package rib

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

// hopSets makes equal lists of next hops one slice.
type hopSets map[string][]fib.NextHop

func (s hopSets) intern(hops []fib.NextHop) []fib.NextHop {
	key := make([]byte, 0, 64)
	for _, h := range hops {
		a := h.Via.As16()
		key = append(key, a[:]...)
		key = binary.BigEndian.AppendUint32(key, uint32(h.Link))
		key = append(key, h.Weight, bit(h.Onlink), bit(h.Via.Is4()))
	}
	if old, ok := s[string(key)]; ok {
		return old
	}
	own := slices.Clone(hops)
	s[string(key)] = own
	return own
}

// routeSets makes equal routes of BGP one value: a million prefixes have but a
// handful of them. Hops and Backup must be interned.
type routeSets map[routeKey]*fib.Route

type routeKey struct {
	hops, backup *fib.NextHop // the first
	source       netip.Addr
	metric       uint32
	kind         fib.Kind
}

func (s routeSets) intern(r *fib.Route) *fib.Route {
	key := routeKey{hops: first(r.Hops), backup: first(r.Backup), source: r.Source, metric: r.Metric, kind: r.Kind}
	if old, ok := s[key]; ok {
		return old
	}
	own := *r
	s[key] = &own
	return &own
}

func first(hops []fib.NextHop) *fib.NextHop {
	if len(hops) == 0 {
		return nil
	}
	return &hops[0]
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// plan tells the forwarding plane if what it shall hold for d has changed.
func (r *RIB) plan(d *dest) {
	want := r.wanted(d)
	if sameRoute(want, d.fib) {
		return
	}
	d.fib = want
	r.eff.FIB = append(r.eff.FIB, fib.Change{Prefix: d.prefix, Route: want})
}

// wanted is the kernel route for d: a static one, else the best BGP paths.
func (r *RIB) wanted(d *dest) *fib.Route {
	if s := r.under.standing(d.prefix); s != nil {
		return s.route
	}
	if d.forward < 0 {
		return nil
	}
	best := &d.paths[d.forward]
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
	return r.routes.intern(out)
}

// bestHops folds the next hops of all multipath paths: both instances of a
// Route Server resolve to the same gateway and become one.
func (r *RIB) bestHops(d *dest) []fib.NextHop {
	hops := r.work.hops[:0]
	n := 0
	for i := range d.paths {
		if i == int(d.forward) || d.paths[i].flags&flagMultipath != 0 {
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
	return r.hops.intern(hops)
}

func sameRoute(a, b *fib.Route) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a == b || a.Kind == b.Kind && a.Class == b.Class && a.Metric == b.Metric &&
		a.Source == b.Source && slices.Equal(a.Hops, b.Hops) && slices.Equal(a.Backup, b.Backup)
}
