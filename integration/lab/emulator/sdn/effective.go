package sdn

import (
	"net/netip"
	"slices"
)

// Effective computes a VNet's effective routes: system routes first, then one
// entry per learned prefix. System routes win over learned ones that are equal
// to or longer than them; a shorter prefix is programmed.
func Effective(c Config, learned []Learned) []EffectiveRoute {
	routes := []EffectiveRoute{{Source: SourceDefault, State: stateActive, Prefix: c.Prefix, NextHopType: TypeVNet}}
	system := []netip.Prefix{c.Prefix}
	for _, p := range c.Peerings {
		routes = append(routes, EffectiveRoute{Source: SourceDefault, State: stateActive, Prefix: p.Prefix, NextHopType: TypePeering})
		system = append(system, p.Prefix)
	}
	for _, group := range byPrefix(learned) {
		if within(system, group[0].Prefix) {
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
	return routes
}

func within(system []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(system, func(s netip.Prefix) bool {
		return s.Bits() <= p.Bits() && s.Contains(p.Addr())
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
