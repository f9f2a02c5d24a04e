package gen

import "github.com/nvad/nvad/pkg/policy"

// policies draws both directions of a neighbor. What announces has a policy
// on import, the mirrors have none anywhere.
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
	// FRR asks a filter-list out about the path before it removes or overrides.
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

// clauseStep is between the numbers of clauses.
const clauseStep = 10

// routeMap draws some clauses, and mostly one at the end that accepts the rest.
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

// oneHopKind leaves the next hops of one kind in a route-map. Once FRR was told
// to send its own address or what it learned, a later clause can't change it.
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

// clause draws a clause. Those that deny ask for more, so that routes are left.
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

// flow draws what follows clause i.
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
