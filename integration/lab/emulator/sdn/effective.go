package sdn

import (
	"net/netip"
	"slices"
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
