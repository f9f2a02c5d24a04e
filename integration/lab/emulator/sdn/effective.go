package sdn

import (
	"net/netip"
	"slices"
	"time"
)

// Effective computes the effective routes of a subnet's NICs: system routes first,
// then one entry per learned prefix, then what the user has defined. System
// routes win over learned ones that are equal to or longer than them; a shorter
// prefix is programmed. A user-defined route makes all others for its prefix
// invalid.
func Effective(c Config, user []UserRoute, learned []Learned) []EffectiveRoute {
	routes := system(c)
	for _, group := range byPrefix(learned) {
		if within(routes, group[0].Prefix) {
			continue
		}
		routes = append(routes, EffectiveRoute{
			Source:      SourceGateway,
			State:       stateActive,
			Prefix:      group[0].Prefix,
			NextHopType: TypeGateway,
			NextHops:    nextHops(best(group, c.Preference)),
		})
	}
	for _, u := range user {
		for i := range routes {
			if routes[i].Prefix == u.Prefix {
				routes[i].State = stateInvalid
			}
		}
		r := EffectiveRoute{Source: SourceUser, State: stateActive, Prefix: u.Prefix, NextHopType: TypeInternet, Name: u.Name}
		if u.NextHop.IsValid() {
			r.NextHopType, r.NextHops = TypeAppliance, []netip.Addr{u.NextHop}
		}
		routes = append(routes, r)
	}
	return routes
}

// system lists the routes that every NIC of a VNet has.
func system(c Config) []EffectiveRoute {
	routes := []EffectiveRoute{{Source: SourceDefault, State: stateActive, Prefix: c.Prefix, NextHopType: TypeVNet}}
	for _, p := range c.Peerings {
		routes = append(routes, EffectiveRoute{Source: SourceDefault, State: stateActive, Prefix: p.Prefix, NextHopType: TypePeering})
	}
	return routes
}

// within says whether a system route is for p or for what p is a part of.
func within(routes []EffectiveRoute, p netip.Prefix) bool {
	return slices.ContainsFunc(routes, func(r EffectiveRoute) bool {
		return r.Source == SourceDefault && r.Prefix.Bits() <= p.Bits() && r.Prefix.Contains(p.Addr())
	})
}

// byPrefix groups routes by prefix, in the order of prefixes.
func byPrefix(learned []Learned) [][]Learned {
	sorted := slices.Clone(learned)
	slices.SortStableFunc(sorted, func(a, b Learned) int {
		if c := a.Prefix.Addr().Compare(b.Prefix.Addr()); c != 0 {
			return c
		}
		return a.Prefix.Bits() - b.Prefix.Bits()
	})
	var groups [][]Learned
	for i, l := range sorted {
		if i == 0 || sorted[i-1].Prefix != l.Prefix {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], l)
	}
	return groups
}

// best keeps the routes of one prefix that tie: the preferred source first,
// then the shortest AS path. Nothing else counts for Route Server.
func best(group []Learned, preference Preference) []Learned {
	rank := func(l Learned) [2]int {
		if preference == PreferASPath || l.Source == Gateway {
			return [2]int{0, l.PathLength}
		}
		return [2]int{1, l.PathLength}
	}
	first := slices.MinFunc(group, func(a, b Learned) int {
		ra, rb := rank(a), rank(b)
		return slices.Compare(ra[:], rb[:])
	})
	var ties []Learned
	for _, l := range group {
		if rank(l) == rank(first) {
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

// DefaultDampening is how long a second change of a prefix's next hops waits in
// Azure, from captures: the first is programmed at once, the next not before
// 30 s have passed.
const DefaultDampening = 30 * time.Second

// gathering is how long the other instance of a Route Server has to tell the same
// change. Azure takes longer to program any.
const gathering = 500 * time.Millisecond

// dampener holds back changes of learned routes that follow an earlier change of
// the same prefix too soon. What waits is a level, not a list: once the time has
// come, the routes of then are programmed.
type dampener struct {
	window     time.Duration // 0: nothing waits
	preference Preference
	last       map[netip.Prefix]damped
}

// damped holds the routes programmed for a prefix; none means that it has no route.
type damped struct {
	routes []Learned
	since  time.Time
	// differs is since when something else is wanted, zero if nothing is.
	differs time.Time
}

// pass returns the routes to program now, and when to ask again; 0: no change
// waits.
func (d *dampener) pass(learned []Learned, now time.Time) (routes []Learned, again time.Duration) {
	if d.window == 0 {
		return learned, 0
	}
	wanted := map[netip.Prefix][]Learned{}
	for _, group := range byPrefix(learned) {
		prefix := group[0].Prefix
		wanted[prefix] = best(group, d.preference)
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

// take makes wanted what is programmed, or returns how long that has to wait.
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
