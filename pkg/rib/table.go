package rib

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// dest is everything about one prefix. Each stage writes its own fields.
type dest struct {
	prefix netip.Prefix
	paths  []path   // adjIn: at most one of each neighbor, and one of this router
	out    []advert // adjOut
	fib    *planned // plan: given to the forwarding plane last; nil: no route
	index  int32    // table: in table.all; -1 once removed
	best   int16    // locRIB: in paths; -1: none
	fresh  bool     // observer: there was no best path before the changes of this turn
	adds   uint32   // locRIB: sumsGen of the aggregates that count it; 0: none does
	queued uint32   // backlog: times it is queued
	by     peerID   // backlog: whose queue it entered last
	usable uint16   // adjIn: paths that policy accepted
	dirty  bool     // backlog: it changed since the last decision
	step   Step     // locRIB: that decided between best and its runner-up
}

// path is a route as one neighbor announced it.
type path struct {
	received *route.Attrs // before policy
	accepted *route.Attrs // after policy; nil: rejected
	hop      *nextHop     // of accepted; nil: rejected
	extra    *extra       // rare values that policy set; nil: none
	at       uint32       // Unix time of receipt
	era      uint32       // in which it was last brought up to date; see history
	rule     policy.Rule  // that accepted or rejected it
	peer     peerID
	reject   reject
	flags    flags
	source   route.Source
}

type flags uint8

const (
	flagStale     flags = 1 << iota // kept over the neighbor's restart
	flagMultipath                   // shares the FIB entry with the best path
	flagFloats                      // see Local.Floats
	flagAside                       // takes no part in the decision, see setAside
)

type extra struct {
	weight, tag uint32
	source      netip.Addr // preferred source
}

// advert is one entry of an Adj-RIB-Out.
type advert struct {
	attrs *route.Attrs
	epoch uint32 // of the session that it was sent in; see outbound.epoch
	peer  peerID
}

func newDest(prefix netip.Prefix) *dest {
	return &dest{prefix: prefix, best: -1, index: -1}
}

// family returns the index of d's family in arrays by family.
func (d *dest) family() int {
	if d.prefix.Addr().Is4() {
		return 0
	}
	return 1
}

// find returns the index of a neighbor's path, -1 if there is none.
func (d *dest) find(id peerID) int {
	for i := range d.paths {
		if d.paths[i].peer == id {
			return i
		}
	}
	return -1
}

// removePath deletes path i. best still points at the same path, or is -1 if that is
// the one removed.
func (d *dest) removePath(i int) {
	d.paths = fitted(slices.Delete(d.paths, i, i+1))
	switch {
	case int(d.best) == i:
		d.best = -1
	case int(d.best) > i:
		d.best--
	}
}

// sent returns what the neighbor was sent of d in this session, nil if nothing.
func (d *dest) sent(p *peer) *route.Attrs {
	for i := range d.out {
		if a := &d.out[i]; a.peer == p.id && a.epoch == p.epoch {
			return a.attrs
		}
	}
	return nil
}

// table finds the destinations by prefix, and lists them for walks.
type table struct {
	dests    map[netip.Prefix]*dest
	outgrown map[netip.Prefix]*dest // being replaced by dests; nil: nothing is
	all      []*dest                // in an order that walk relies on
	most     int                    // destinations since dests was made
}

// find returns the destination of prefix, nil if there is none.
func (t *table) find(prefix netip.Prefix) *dest {
	if d := t.dests[prefix]; d != nil || t.outgrown == nil {
		return d
	}
	return t.outgrown[prefix]
}

// get returns the destination of prefix, which it adds if there is none.
func (t *table) get(prefix netip.Prefix) *dest {
	d := t.find(prefix)
	if d == nil {
		d = newDest(prefix)
		d.index = int32(len(t.all))
		t.dests[prefix] = d
		t.all = append(t.all, d)
		t.most = max(t.most, len(t.all))
	}
	return d
}

// drop removes a destination. The last one in all takes its place, as walks require. It
// reports whether the map has become much too large and is to be replaced.
func (t *table) drop(d *dest) (outsized bool) {
	last := t.all[len(t.all)-1]
	t.all[d.index], last.index = last, d.index
	t.all[len(t.all)-1] = nil
	t.all = t.all[:len(t.all)-1]
	d.index = -1
	delete(t.dests, d.prefix)
	delete(t.outgrown, d.prefix)
	if shrinks(len(t.all), cap(t.all)) {
		t.all = fitted(t.all)
	}
	if shrinks(len(t.all), t.most) {
		t.most = len(t.all)
		return true
	}
	return false
}

// startMove begins to replace the map. A walk then calls moveOver for every destination,
// and endMove at its end. Until then, find looks in both maps.
func (t *table) startMove() { t.outgrown, t.dests = t.dests, map[netip.Prefix]*dest{} }

func (t *table) moveOver(d *dest) { t.dests[d.prefix] = d }

func (t *table) endMove() { t.outgrown = nil }

// Neighbors can make maps and slices grow, and neither shrinks by itself. The functions
// below give memory back once what filled it was withdrawn.

// fewEntries are not worth giving back.
const fewEntries = 4096

// shrinks reports whether a container with n entries, which had most, is worth making
// anew: three quarters are unused, so copying costs less than the removals did.
func shrinks(n, most int) bool { return most > fewEntries && n < most/4 }

// fitted returns s in an array that is not much larger than it.
func fitted[S ~[]E, E any](s S) S {
	switch {
	case len(s) == 0:
		return nil
	case cap(s) > 4*len(s)+4:
		return slices.Clip(append(make(S, 0, len(s)), s...))
	}
	return s
}

// spare has slices to be used again. Effects of a burst would otherwise make more garbage
// than the routes take.
type spare[E any] struct{ slices [][]E }

// most slices that are kept, and most entries of each.
const (
	spareSlices  = 3
	spareEntries = 4096
)

func (s *spare[E]) get() []E {
	n := len(s.slices)
	if n == 0 {
		return nil
	}
	last := s.slices[n-1]
	s.slices = s.slices[:n-1]
	return last
}

func (s *spare[E]) put(list []E) {
	if len(s.slices) == spareSlices || cap(list) == 0 || cap(list) > spareEntries {
		return
	}
	clear(list)
	s.slices = append(s.slices, list[:0])
}

// trimmed is a map that gives memory back.
type trimmed[K comparable, V any] struct {
	m    map[K]V
	most int // entries since m was made
}

func (t *trimmed[K, V]) get(k K) (V, bool) {
	v, ok := t.m[k]
	return v, ok
}

func (t *trimmed[K, V]) set(k K, v V) {
	if t.m == nil {
		t.m = map[K]V{}
	}
	t.m[k] = v
	t.most = max(t.most, len(t.m))
}

func (t *trimmed[K, V]) remove(k K) {
	delete(t.m, k)
	if !shrinks(len(t.m), t.most) {
		return
	}
	left := make(map[K]V, len(t.m))
	for k, v := range t.m {
		left[k] = v
	}
	t.m, t.most = left, len(left)
}
