package gen

import (
	"net/netip"
	"strconv"

	"github.com/nvad/nvad/pkg/policy"
)

// policies draws both directions of a neighbor. Neighbors that announce have an import policy,
// and mirrors have no policy at all.
func (g *generator) policies(n *Neighbor) {
	g.serves = n.Address
	n.Import, n.Export = policy.Chain{Accept: true}, policy.Chain{Accept: true}
	if len(n.Routes) > 0 {
		n.Import = g.chain(n, scope{external: !n.Internal()})
	}
	if !n.mirror() {
		n.Export = g.chain(n, scope{export: true, external: !n.Internal()})
	}
}

func (g *generator) chain(n *Neighbor, at scope) policy.Chain {
	c := policy.Chain{Accept: true}
	if g.chance(25) {
		c.PrefixList = g.prefixList()
		l := g.c.Library.PrefixLists[c.PrefixList]
		g.c.Library.PrefixLists[c.PrefixList] = append(l, policy.PrefixRule{Permit: true, Any: true})
	}
	// FRR evaluates an outbound filter-list before it removes or overrides ASNs in the path.
	if g.chance(25) && !(at.export && (n.RemovePrivateAS || n.ASOverride)) {
		c.ASPathList = g.pathList()
		l := g.c.Library.ASPathLists[c.ASPathList]
		g.c.Library.ASPathLists[c.ASPathList] = append(l, policy.ASPathRule{Permit: true, Regexp: ".*"})
	}
	name := n.Name + "-in"
	if at.export {
		name = n.Name + "-out"
	}
	c.RouteMap = g.routeMap(name, at)
	return c
}

// clauseStep is the difference between the numbers of consecutive clauses.
const clauseStep = 10

// routeMap draws some clauses and, in most cases, one at the end that accepts the rest.
func (g *generator) routeMap(name string, at scope) string {
	var m policy.RouteMap
	for range 4 + g.IntN(4) {
		m = append(m, g.clause(at))
	}
	if g.chance(85) {
		m = append(m, policy.Clause{Permit: true})
	}
	for i := range m {
		m[i].Seq = clauseStep * (i + 1)
	}
	for i := range m {
		g.flow(m, i)
	}
	if at.export {
		oneHopKind(m)
	}
	g.c.Library.RouteMaps[name] = m
	return name
}

// oneHopKind keeps the next hops of only one kind in a route-map. Once FRR was told to send
// its own address or the learned one, a later clause can't change that.
func oneHopKind(m policy.RouteMap) {
	first := ""
	for i := range m {
		hop := &m[i].Set.NextHop
		kind := *hop
		if kind != "" && kind != "self" && kind != "unchanged" {
			kind = "address"
		}
		if first == "" {
			first = kind
		}
		if kind != first {
			*hop = ""
		}
	}
}

// clause draws a clause. Clauses that deny have more conditions, so that some routes are left.
func (g *generator) clause(at scope) policy.Clause {
	c := policy.Clause{Permit: g.chance(80)}
	conditions := 1 - g.IntN(4)/3
	if !c.Permit {
		conditions = 2
	}
	for range conditions {
		g.match.deal(g, &c, at)
	}
	if !c.Permit {
		return c
	}
	for range 1 + g.IntN(3) {
		g.set.deal(g, &c, at)
	}
	if !at.anywhere && g.chance(10) {
		c.Call = g.routeMap(g.name("called"), scope{anywhere: true})
	}
	return c
}

// flow draws what happens after clause i.
func (g *generator) flow(m policy.RouteMap, i int) {
	c := &m[i]
	if !c.Permit || i == len(m)-1 {
		return
	}
	later := clauseStep * (i + 2 + g.IntN(len(m)-i-1))
	switch g.IntN(7) {
	case 0, 1, 2:
		c.Next = policy.NextClause
	case 3:
		c.Next, c.Target = policy.NextGoto, later
	case 4:
		c.Next, c.Target = policy.NextContinue, later
	}
}

// matches are all conditions that both daemons have.
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

// somePeer returns, in most cases, the neighbor whose policy is being drawn.
func (g *generator) somePeer() netip.Addr {
	if g.chance(70) {
		return g.serves
	}
	return pick(g, g.c.Neighbors).Address
}

// tags are set and matched by policies. Routes arrive without a tag, and FRR's grammar can't
// match that.
var tags = []uint32{7, 8}

// medKnown reports whether both daemons show policies the same MED.
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

// prefixList draws a list around the announced prefixes.
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

// bounded removes lengths that FRR rejects: both must be longer than the prefix itself.
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

// sets are all changes that both daemons have. FRR has one command both for replacing and for
// adding communities, so a clause does only one of them. On export, FRR's next-hop
// peer-address means the session's own address.
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
	// FRR misreads an aggregator's ASN above 2^31.
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

// number draws an absolute value, or a change that sometimes leads out of the range.
func (g *generator) number(op byte) *policy.Number {
	values := []uint32{0, 10, 60, 150, 4294967295}
	if op != 0 {
		values = []uint32{1, 10, 60, 500}
	}
	return &policy.Number{Op: op, Value: pick(g, values)}
}
