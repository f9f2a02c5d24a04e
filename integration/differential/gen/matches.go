package gen

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/policy"
)

// matches is every condition that both daemons have.
var matches = []feature{
	{draw: func(g *generator, c *policy.Clause) { c.Match.PrefixList = g.prefixList() }},
	{draw: func(g *generator, c *policy.Clause) { c.Match.ASPathList = g.pathList() }},
	{free: noCommunity, draw: matchCommunity(false, false)},
	{free: noCommunity, draw: matchCommunity(false, true)},
	{free: noCommunity, draw: matchCommunity(true, false)},
	{free: noLarge, draw: matchLarge(false, false)},
	{free: noLarge, draw: matchLarge(false, true)},
	{free: noLarge, draw: matchLarge(true, false)},
	{free: noExt, draw: matchExt(false)},
	{free: noExt, draw: matchExt(true)},
	{fits: onImport, draw: func(g *generator, c *policy.Clause) { c.Match.NextHopPrefixList = g.nextHopList() }},
	{fits: onImport, draw: func(g *generator, c *policy.Clause) { c.Match.NextHop = subnetHost(g.IntN(3), 2) }},
	{fits: onImport, draw: func(g *generator, c *policy.Clause) { c.Match.Peer = g.somePeer() }},
	{fits: medKnown, draw: func(g *generator, c *policy.Clause) { c.Match.MED = ptr(pick(g, meds[1:])) }},
	{draw: func(g *generator, c *policy.Clause) { c.Match.LocalPref = ptr(pick(g, localPrefs)) }},
	{draw: func(g *generator, c *policy.Clause) {
		c.Match.Origin = pick(g, []string{"igp", "egp", "incomplete"})
	}},
	{draw: func(g *generator, c *policy.Clause) { c.Match.Tag = ptr(pick(g, tags)) }},
}

// somePeer is mostly the neighbor whose policy is drawn.
func (g *generator) somePeer() netip.Addr {
	if g.chance(70) {
		return g.serves
	}
	return pick(g, g.c.Neighbors).Address
}

// tags that policies set and match; routes arrive without, which FRR's
// grammar has no word for.
var tags = []uint32{7, 8}

// medKnown is where both daemons show policies the same MED.
func medKnown(at scope) bool { return !at.anywhere && !(at.export && at.external) }

func noCommunity(c *policy.Clause) bool { return c.Match.CommunityList == "" }
func noLarge(c *policy.Clause) bool     { return c.Match.LargeCommunityList == "" }
func noExt(c *policy.Clause) bool       { return c.Match.ExtCommunityList == "" }

func matchCommunity(expanded, exact bool) func(*generator, *policy.Clause) {
	return func(g *generator, c *policy.Clause) {
		c.Match.CommunityList, c.Match.CommunityExact = g.communityList(expanded), exact
	}
}

func matchLarge(expanded, exact bool) func(*generator, *policy.Clause) {
	return func(g *generator, c *policy.Clause) {
		c.Match.LargeCommunityList, c.Match.LargeExact = g.largeList(expanded), exact
	}
}

func matchExt(expanded bool) func(*generator, *policy.Clause) {
	return func(g *generator, c *policy.Clause) { c.Match.ExtCommunityList = g.extList(expanded) }
}

// prefixList draws a list around the prefixes that are announced.
func (g *generator) prefixList() string {
	var l policy.PrefixList
	for range 2 + g.IntN(4) {
		p := g.prefix()
		if g.chance(70) {
			p, _ = p.Addr().Prefix(pick(g, []int{8, 9, 12, p.Bits()}))
		}
		r := policy.PrefixRule{Permit: g.chance(75), Prefix: p.Masked()}
		if g.chance(60) {
			r.GE = p.Bits() + 1 + g.IntN(max(1, 32-p.Bits()))
			r.GE = min(r.GE, 32)
		}
		if g.chance(60) {
			from := max(r.GE, p.Bits()+1)
			r.LE = min(32, from+g.IntN(max(1, 33-from)))
		}
		l = append(l, bounded(r))
	}
	if g.chance(40) {
		l = append(l, policy.PrefixRule{Permit: g.chance(80), Any: true})
	}
	name := g.name("prefixes")
	g.c.Library.PrefixLists[name] = l
	return name
}

// bounded drops lengths that FRR does not take: both must be longer than the
// prefix itself.
func bounded(r policy.PrefixRule) policy.PrefixRule {
	if r.Prefix.Bits() == 32 {
		r.GE, r.LE = 0, 0
	}
	return r
}

// nextHopList draws a list of the feeders' subnets and hosts on them.
func (g *generator) nextHopList() string {
	var l policy.PrefixList
	for range 2 {
		p := netip.PrefixFrom(subnetHost(g.IntN(3), 0), 24)
		if g.chance(50) {
			p = netip.PrefixFrom(subnetHost(g.IntN(3), pick(g, []int{2, 10, 11, 12})), 32)
		}
		r := policy.PrefixRule{Permit: g.chance(80), Prefix: p}
		if p.Bits() == 24 {
			r.LE = 32
		}
		l = append(l, r)
	}
	name := g.name("hops")
	g.c.Library.PrefixLists[name] = l
	return name
}
