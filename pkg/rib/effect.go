package rib

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// Stage is the place in a route's way where something changes.
type Stage uint8

// Stages, in the order in which a route passes them.
const (
	Accepted   Stage = iota // by import policy of a neighbor
	Preferred               // as best path
	Advertised              // to a neighbor
	Installed               // in the kernel
)

// String is the stage as one word.
func (s Stage) String() string {
	return [...]string{"accepted", "preferred", "advertised", "installed"}[s]
}

// Difference says how a route changed at one stage.
type Difference uint8

// Differences.
const (
	Added Difference = iota
	Removed
	Changed // it is there, with other attributes, from another neighbor or by another way
)

// String is the difference as one word.
func (d Difference) String() string { return [...]string{"added", "removed", "changed"}[d] }

// Effect describes what a change of the configuration does to the routes.
type Effect struct {
	Groups []EffectGroup // by stage, then by neighbor; those without a difference are left out
	// Unlisted is how many differences are counted without being listed. Partial says that
	// there are more, which are not even counted.
	Unlisted int
	Partial  bool
}

// EffectGroup lists the differences at one stage, for each neighbor apart where the stage
// has one.
type EffectGroup struct {
	Stage                   Stage
	Neighbor                netip.Addr // invalid for Preferred and Installed
	Before                  int        // routes before the change; 0 for Preferred
	Added, Removed, Changed int
	Routes                  []RouteEffect // by prefix
}

// Heavy reports whether the neighbor or the kernel loses more than a tenth of its routes, or
// all of them.
func (g *EffectGroup) Heavy() bool {
	return g.Stage != Preferred && g.Removed > 0 && (g.Removed*10 > g.Before || g.Removed == g.Before)
}

// RouteEffect is one route that changes.
type RouteEffect struct {
	Prefix     netip.Prefix
	Difference Difference
	Reason     string // in words
}

// mostListed bounds the differences that an Effect lists: some 10 MB.
const mostListed = 50_000

// effects collects differences.
type effects struct {
	groups map[groupKey]*EffectGroup
	listed int
	out    Effect
}

type groupKey struct {
	stage    Stage
	neighbor netip.Addr
}

func (e *effects) add(k groupKey, prefix netip.Prefix, what Difference, reason func() string) {
	g := e.groups[k]
	if g == nil {
		if e.groups == nil {
			e.groups = map[groupKey]*EffectGroup{}
		}
		g = &EffectGroup{Stage: k.stage, Neighbor: k.neighbor}
		e.groups[k] = g
	}
	*[...]*int{&g.Added, &g.Removed, &g.Changed}[what]++
	if e.listed == mostListed {
		e.out.Unlisted++
		return
	}
	e.listed++
	g.Routes = append(g.Routes, RouteEffect{prefix, what, reason()})
}

// finish returns what was collected, with the counts of before.
func (e *effects) finish(before totals) Effect {
	for k, g := range e.groups {
		switch k.stage {
		case Accepted:
			g.Before = before.accepted[k.neighbor]
		case Advertised:
			g.Before = before.advertised[k.neighbor]
		case Installed:
			g.Before = before.installed
		}
		slices.SortFunc(g.Routes, func(a, b RouteEffect) int { return route.ComparePrefix(a.Prefix, b.Prefix) })
		e.out.Groups = append(e.out.Groups, *g)
	}
	slices.SortFunc(e.out.Groups, func(a, b EffectGroup) int {
		return cmp.Or(cmp.Compare(a.Stage, b.Stage), a.Neighbor.Compare(b.Neighbor))
	})
	return e.out
}

// totals are the sizes of the tables at one moment.
type totals struct {
	accepted, advertised map[netip.Addr]int
	installed            int
}

func (r *RIB) totals() totals {
	t := totals{map[netip.Addr]int{}, map[netip.Addr]int{}, r.plan.installed}
	for addr := range r.peers.byAddr {
		c := r.Counts(addr)
		t.accepted[addr], t.advertised[addr] = c.Accepted, c.Advertised
	}
	return t
}

// compareImages adds the differences between two images of one destination. After is that of
// d in r, which explain why.
func (e *effects) compareImages(before, after *image, r *RIB, d *dest) {
	diffMarks(before.in, after.in, func(peer netip.Addr, a, b *mark) {
		k := groupKey{Accepted, peer}
		switch {
		case b == nil:
			e.add(k, d.prefix, Removed, func() string { return r.whyNotAccepted(d, peer) })
		case a == nil:
			e.add(k, d.prefix, Added, func() string { return r.whyAccepted(d, peer) })
		default:
			e.add(k, d.prefix, Changed, func() string { return changedText(a, b) })
		}
	})
	e.compareBest(before.best, after.best, r, d)
	diffMarks(before.out, after.out, func(peer netip.Addr, a, b *mark) {
		k := groupKey{Advertised, peer}
		switch {
		case b == nil:
			e.add(k, d.prefix, Removed, func() string { return r.whyNotAdvertised(d, peer) })
		case a == nil:
			e.add(k, d.prefix, Added, func() string { return "" })
		default:
			e.add(k, d.prefix, Changed, func() string { return changedText(a, b) })
		}
	})
	a, b := before.route, after.route
	k := groupKey{stage: Installed}
	switch {
	case a == nil && b == nil:
	case b == nil:
		e.add(k, d.prefix, Removed, func() string { return r.whyNotInstalled(d) })
	case a == nil:
		e.add(k, d.prefix, Added, func() string { return r.under.wayText(b) })
	case !sameRoute(a, b):
		e.add(k, d.prefix, Changed, func() string { return r.under.wayText(a) + " -> " + r.under.wayText(b) })
	}
}

func (e *effects) compareBest(a, b Choice, r *RIB, d *dest) {
	k := groupKey{stage: Preferred}
	why := func() string { return r.peers.changeReason(d, a, b) }
	switch {
	case a.Attrs == nil && b.Attrs == nil:
	case b.Attrs == nil:
		e.add(k, d.prefix, Removed, why)
	case a.Attrs == nil:
		e.add(k, d.prefix, Added, func() string { return "from " + fromText(b) })
	case a.Neighbor != b.Neighbor || a.Source != b.Source:
		e.add(k, d.prefix, Changed, func() string { return fromText(a) + " -> " + fromText(b) + ": " + why() })
	}
}

// diffMarks calls yield for each neighbor whose mark differs; a is nil if there was none, b if
// there is none any more.
func diffMarks(before, after []mark, yield func(peer netip.Addr, a, b *mark)) {
	find := func(list []mark, peer netip.Addr) *mark {
		for i := range list {
			if list[i].peer == peer {
				return &list[i]
			}
		}
		return nil
	}
	for i := range before {
		a := &before[i]
		if b := find(after, a.peer); b == nil || a.attrs != b.attrs || !sameExtra(a.extra, b.extra) {
			yield(a.peer, a, b)
		}
	}
	for i := range after {
		if b := &after[i]; find(before, b.peer) == nil {
			yield(b.peer, nil, b)
		}
	}
}
