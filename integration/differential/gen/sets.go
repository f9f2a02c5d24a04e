package gen

import (
	"strconv"

	"github.com/nvad/nvad/pkg/policy"
)

// sets is every change that both daemons have. FRR has one command for what
// replaces and what adds communities, so a clause does one of them; and its
// next-hop peer-address means the session's own address on export.
var sets = []feature{
	{fits: onEBGP, free: noReplace, draw: func(_ *generator, c *policy.Clause) { c.Set.ASPathReplace = "any" }},
	{fits: onEBGP, free: noReplace, draw: func(g *generator, c *policy.Clause) {
		c.Set.ASPathReplace = strconv.FormatUint(uint64(pick(g, asns[:4])), 10)
	}},
	{free: noPrepend, draw: func(g *generator, c *policy.Clause) { c.Set.ASPathPrepend = some(g, settable, 1+g.IntN(3)) }},
	{free: noPrepend, draw: func(g *generator, c *policy.Clause) { c.Set.ASPathPrependLast = 1 + g.IntN(3) }},
	{draw: func(g *generator, c *policy.Clause) { c.Set.ASPathExclude = some(g, asns[:6], 1+g.IntN(2)) }},
	{draw: func(g *generator, c *policy.Clause) { c.Set.LocalPref = g.number(0) }},
	{free: noLocalPref, draw: func(g *generator, c *policy.Clause) { c.Set.LocalPref = g.number('+') }},
	{free: noLocalPref, draw: func(g *generator, c *policy.Clause) { c.Set.LocalPref = g.number('-') }},
	{free: noMED, draw: func(g *generator, c *policy.Clause) { c.Set.MED = g.number(0) }},
	{free: noMED, draw: func(g *generator, c *policy.Clause) { c.Set.MED = g.number('+') }},
	{free: noMED, draw: func(g *generator, c *policy.Clause) { c.Set.MED = g.number('-') }},
	{free: keepsCommunities, draw: func(g *generator, c *policy.Clause) {
		c.Set.Communities = communityTexts(some(g, append(communities, wellKnown[:2]...), 1+g.IntN(2)))
	}},
	{free: keepsCommunities, draw: func(_ *generator, c *policy.Clause) { c.Set.Communities = []string{"none"} }},
	{free: keepsCommunities, draw: func(g *generator, c *policy.Clause) {
		c.Set.CommunitiesAdd = communityTexts(some(g, communities, 1+g.IntN(2)))
	}},
	{draw: func(g *generator, c *policy.Clause) { c.Set.CommunityDelete = g.communityList(g.chance(50)) }},
	{free: keepsLarge, draw: func(g *generator, c *policy.Clause) { c.Set.LargeCommunities = largeTexts(some(g, large, 1+g.IntN(2))) }},
	{free: keepsLarge, draw: func(_ *generator, c *policy.Clause) { c.Set.LargeCommunities = []string{"none"} }},
	{free: keepsLarge, draw: func(g *generator, c *policy.Clause) {
		c.Set.LargeCommunitiesAdd = largeTexts(some(g, large, 1+g.IntN(2)))
	}},
	{draw: func(g *generator, c *policy.Clause) { c.Set.LargeCommunityDelete = g.largeList(g.chance(50)) }},
	{free: keepsExt, draw: func(g *generator, c *policy.Clause) {
		c.Set.ExtCommunitiesAdd = extTexts(some(g, ext[:5], 1+g.IntN(2)))
	}},
	{free: keepsExt, draw: func(_ *generator, c *policy.Clause) { c.Set.ExtCommunities = []string{"none"} }},
	{fits: inPlace, free: noNextHop, draw: func(g *generator, c *policy.Clause) { c.Set.NextHop = subnetHost(8, 77+g.IntN(3)).String() }},
	{fits: onImport, free: noNextHop, draw: func(_ *generator, c *policy.Clause) { c.Set.NextHop = "peer" }},
	{fits: onExport, free: noNextHop, draw: func(_ *generator, c *policy.Clause) { c.Set.NextHop = "self" }},
	{fits: onExport, free: noNextHop, draw: func(_ *generator, c *policy.Clause) { c.Set.NextHop = "unchanged" }},
	{draw: func(g *generator, c *policy.Clause) { c.Set.Origin = pick(g, []string{"igp", "egp", "incomplete"}) }},
	{fits: onImport, draw: func(g *generator, c *policy.Clause) { c.Set.Weight = ptr(uint32(g.IntN(4)) * 100) }},
	{draw: func(g *generator, c *policy.Clause) { c.Set.Tag = ptr(pick(g, tags)) }},
	{draw: func(_ *generator, c *policy.Clause) { c.Set.AtomicAggregate = true }},
	// FRR reads an aggregator's ASN above 2^31 as another one.
	{draw: func(g *generator, c *policy.Clause) {
		c.Set.AggregatorASN, c.Set.AggregatorAddress = pick(g, settable[:4]), subnetHost(g.IntN(3), 9)
	}},
}

func noReplace(c *policy.Clause) bool { return c.Set.ASPathReplace == "" }
func noPrepend(c *policy.Clause) bool {
	return c.Set.ASPathPrepend == nil && c.Set.ASPathPrependLast == 0
}
func noLocalPref(c *policy.Clause) bool { return c.Set.LocalPref == nil }
func noMED(c *policy.Clause) bool       { return c.Set.MED == nil }
func noNextHop(c *policy.Clause) bool   { return c.Set.NextHop == "" }

func keepsCommunities(c *policy.Clause) bool {
	return c.Set.Communities == nil && c.Set.CommunitiesAdd == nil
}

func keepsLarge(c *policy.Clause) bool {
	return c.Set.LargeCommunities == nil && c.Set.LargeCommunitiesAdd == nil
}

func keepsExt(c *policy.Clause) bool {
	return c.Set.ExtCommunities == nil && c.Set.ExtCommunitiesAdd == nil
}

// number draws an absolute value, or a change that sometimes leaves the range.
func (g *generator) number(op byte) *policy.Number {
	values := []uint32{0, 10, 60, 150, 4294967295}
	if op != 0 {
		values = []uint32{1, 10, 60, 500}
	}
	return &policy.Number{Op: op, Value: pick(g, values)}
}
