package sdn

import (
	"net/netip"
	"slices"
	"time"
)

// Effective computes the effective routes of a subnet's NICs: system routes first, then one
// entry for each learned prefix, then user-defined routes. A system route wins over learned
// routes for its prefix and for longer prefixes within it. A learned route for a shorter
// prefix is programmed. A user-defined route makes all other routes for its prefix invalid.
func Effective(s Subnet, learned []Learned) []EffectiveRoute {
	routes := system(s)
	own := len(routes)
	if s.NoPropagation {
		learned = nil
	}
	for _, group := range byPrefix(learned) {
		if within(routes[:own], group[0].Prefix) {
			continue
		}
		routes = append(routes, EffectiveRoute{
			Source:      SourceGateway,
			State:       StateActive,
			Prefix:      group[0].Prefix,
			NextHopType: TypeGateway,
			NextHops:    nextHops(best(group, s.ByPath)),
		})
	}
	for _, u := range s.User {
		for i := range routes {
			if routes[i].Prefix == u.Prefix {
				routes[i].State = StateInvalid
			}
		}
		routes = append(routes, EffectiveRoute{
			Source: SourceUser, State: StateActive, Prefix: u.Prefix, NextHopType: u.nextHopType(), NextHops: u.NextHops, Name: u.Name,
		})
	}
	return routes
}

// system lists the routes that every NIC of a VNet has.
func system(s Subnet) []EffectiveRoute {
	var routes []EffectiveRoute
	for _, p := range s.Space {
		routes = append(routes, EffectiveRoute{Source: SourceDefault, State: StateActive, Prefix: p, NextHopType: TypeVNet})
	}
	if s.NoPeeringRoutes {
		return routes
	}
	for _, p := range s.Peerings {
		routes = append(routes, EffectiveRoute{Source: SourceDefault, State: StateActive, Prefix: p.Prefix, NextHopType: TypePeering})
	}
	return routes
}

// within reports whether a system route exists for p or for a prefix that contains p.
func within(routes []EffectiveRoute, p netip.Prefix) bool {
	return slices.ContainsFunc(routes, func(r EffectiveRoute) bool {
		return r.Prefix.Bits() <= p.Bits() && r.Prefix.Contains(p.Addr())
	})
}

// byPrefix groups routes by prefix, sorted by prefix.
func byPrefix(learned []Learned) [][]Learned {
	sorted := slices.Clone(learned)
	slices.SortStableFunc(sorted, func(a, b Learned) int { return a.Prefix.Compare(b.Prefix) })
	var groups [][]Learned
	for i, l := range sorted {
		if i == 0 || sorted[i-1].Prefix != l.Prefix {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], l)
	}
	return groups
}

// Compare compares two routes of one prefix; the lower one wins: ExpressRoute counts first (the
// default of Azure's hub routing preference) unless the choice is by path, then the shortest AS
// path. Route Server looks at nothing else.
func (l Learned) Compare(other Learned, byPath bool) int {
	rank := func(l Learned) [2]int {
		if l.Source == Gateway && !byPath {
			return [2]int{0, l.PathLength}
		}
		return [2]int{1, l.PathLength}
	}
	a, b := rank(l), rank(other)
	return slices.Compare(a[:], b[:])
}

// best returns the routes of one prefix that tie.
func best(group []Learned, byPath bool) []Learned {
	first := slices.MinFunc(group, func(a, b Learned) int { return a.Compare(b, byPath) })
	var ties []Learned
	for _, l := range group {
		if l.Compare(first, byPath) == 0 {
			ties = append(ties, l)
		}
	}
	return ties
}

func nextHops(routes []Learned) []netip.Addr {
	var hops []netip.Addr
	for _, l := range routes {
		hops = append(hops, l.NextHops...)
	}
	slices.SortFunc(hops, netip.Addr.Compare)
	return slices.Compact(hops)
}

// DefaultDampening is how long Azure delays a second change of a prefix's next hops, according
// to captures: the first change is programmed at once, the next one not before 30 s have
// passed.
const DefaultDampening = 30 * time.Second

// gathering is how long the other instance of a Route Server has to report the same change.
// Azure takes longer than that to program any change.
const gathering = 500 * time.Millisecond

// dampener delays a change of a learned route that follows an earlier change of the same
// prefix too soon. It does not queue changes: when the delay is over, it programs the routes
// of that moment.
type dampener struct {
	window time.Duration // 0: no delay
	last   map[netip.Prefix]damped
}

// damped contains the routes programmed for a prefix. If there are none, the prefix has no
// route.
type damped struct {
	routes []Learned
	since  time.Time
	// differs is since when the wanted routes differ from the programmed ones, zero if they do
	// not.
	differs time.Time
}

// pass returns the routes to program, and when to ask again; 0: no change is delayed.
func (d *dampener) pass(learned []Learned, now time.Time) (routes []Learned, again time.Duration) {
	if d.window == 0 {
		return learned, 0
	}
	wanted := map[netip.Prefix][]Learned{}
	for _, group := range byPrefix(learned) {
		prefix := group[0].Prefix
		wanted[prefix] = best(group, false)
		if _, known := d.last[prefix]; !known {
			d.last[prefix] = damped{}
		}
	}
	for prefix, have := range d.last {
		left := have.take(wanted[prefix], d.window, now)
		if left > 0 && (again == 0 || left < again) {
			again = left
		}
		d.last[prefix] = have
		if len(have.routes) == 0 && len(wanted[prefix]) == 0 && now.Sub(have.since) >= d.window {
			delete(d.last, prefix)
		}
		routes = append(routes, have.routes...)
	}
	return routes, again
}

// take programs the wanted routes, or returns how long they have to wait.
func (h *damped) take(wanted []Learned, window time.Duration, now time.Time) time.Duration {
	if slices.Equal(nextHops(h.routes), nextHops(wanted)) {
		h.differs = time.Time{}
		return 0
	}
	if h.differs.IsZero() {
		h.differs = now
	}
	left := max(h.since.Add(window).Sub(now), h.differs.Add(gathering).Sub(now))
	if left <= 0 {
		*h = damped{routes: wanted, since: now}
		return 0
	}
	return left
}
