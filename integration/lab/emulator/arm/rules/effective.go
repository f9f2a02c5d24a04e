package rules

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// Effective computes the effective routes of a NIC, false if its VM does not run.
func (n Network) Effective(nic NIC, sent Sent) ([]sdn.EffectiveRoute, bool) {
	if !nic.Running {
		return nil, false
	}
	v := n.vnet(nic.VNet)
	s := v.subnet(nic.Subnet)
	rules := sdn.Subnet{Space: v.Space, User: s.User, NoPropagation: s.NoPropagation}
	for _, p := range v.Peerings {
		if !p.Connected || !p.covers(s.Name) {
			continue
		}
		for _, space := range n.peered(p) {
			rules.Peerings = append(rules.Peerings, sdn.Peering{VNet: p.Remote, Prefix: space})
		}
	}
	var all []sdn.Learned
	for _, rs := range n.RouteServers {
		if n.reaches(v, s, rs.VNet) {
			rules.ByPath = rules.ByPath || rs.ByPath
			all = append(all, learnedFrom(n.fromNVAs(rs, sent), sdn.NVA)...)
		}
	}
	for _, g := range n.Gateways {
		if n.reaches(v, s, g.VNet) {
			all = append(all, learnedFrom(n.FromCircuit(g, sent), sdn.Gateway)...)
		}
	}
	return Platform(sdn.Effective(rules, all)), true
}

// learnedFrom returns routes as package sdn sees them.
func learnedFrom(routes []Route, from sdn.Source) []sdn.Learned {
	var list []sdn.Learned
	for _, r := range routes {
		list = append(list, r.learned(from))
	}
	return list
}

// learned returns the route as package sdn sees it.
func (r Route) learned(from sdn.Source) sdn.Learned {
	return sdn.Learned{Prefix: r.Prefix, NextHops: []netip.Addr{r.NextHop}, Source: from, PathLength: len(r.ASPath)}
}

// platform are the routes that every subnet has besides its VNet's. Unlike those, they give
// way to any other route for their prefix.
var platform = []sdn.EffectiveRoute{
	{Prefix: netip.MustParsePrefix("0.0.0.0/0"), NextHopType: sdn.TypeInternet},
	{Prefix: netip.MustParsePrefix("10.0.0.0/8"), NextHopType: sdn.TypeNone},
	{Prefix: netip.MustParsePrefix("100.64.0.0/10"), NextHopType: sdn.TypeNone},
	{Prefix: netip.MustParsePrefix("172.16.0.0/12"), NextHopType: sdn.TypeNone},
	{Prefix: netip.MustParsePrefix("192.168.0.0/16"), NextHopType: sdn.TypeNone},
}

// Platform adds the routes that every subnet has: to the internet, and to nowhere for
// private addresses that no VNet has. The latter disappear where the VNet's space contains
// them, and all of them where a user-defined route leads the default elsewhere.
func Platform(routes []sdn.EffectiveRoute) []sdn.EffectiveRoute {
	system := routes
	for _, p := range platform {
		contains := func(r sdn.EffectiveRoute) bool {
			return r.NextHopType == sdn.TypeVNet && r.Prefix.Bits() <= p.Prefix.Bits() && r.Prefix.Contains(p.Prefix.Addr())
		}
		forced := func(r sdn.EffectiveRoute) bool { return r.Source == sdn.SourceUser && r.Prefix.Bits() == 0 }
		taken := func(r sdn.EffectiveRoute) bool { return r.Prefix == p.Prefix && r.State == sdn.StateActive }
		if p.NextHopType == sdn.TypeNone && (slices.ContainsFunc(system, contains) || slices.ContainsFunc(system, forced)) {
			continue
		}
		p.Source, p.State = sdn.SourceDefault, sdn.StateActive
		if slices.ContainsFunc(system, taken) {
			p.State = sdn.StateInvalid
		}
		routes = append(routes, p)
	}
	return routes
}
