package frrconf

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// clause is one entry of a route-map.
type clause struct {
	policy.Clause
	name     string // of the route-map
	line     *line
	address  reference // to the list for the prefix
	nextHop  reference // to the list for the next hop
	callLine *line
	nextLine *line
	peerLine *line      // sets the next hop to peer-address
	src      netip.Addr // a source address, which only zebra's route-maps set
	srcLine  *line
	ranks    map[string][ranks]*line // the changes so far, by attribute and rank

	conditions map[string]*line // by the words in front of the value
	uses       []reference      // the objects that the entry names
	incomplete bool             // a condition was left over
	zebraOnly  bool             // a condition counts for zebra alone
}

var routeMapRules = []rule{
	on("route-map NAME permit|deny SEQ", enterRouteMap),
	on("no route-map NAME permit|deny SEQ", losesNamed("route-map")),
	on("no route-map NAME", losesNamed("route-map")),
	on("route-map NAME optimization", always(meaningless("nvad compiles route-maps"))),
	on("no route-map NAME optimization", always(meaningless("nvad compiles route-maps"))),
}

// clauseRules are the commands of a route-map.
var clauseRules = slices.Concat(matchRules, setRules, []rule{
	on("description REST", always(meaningless("a remark"))),
	on("call NAME", call),
	on("on-match next", onMatch(policy.NextClause)),
	on("on-match goto SEQ", onMatch(policy.NextGoto)),
	on("continue", onMatch(policy.NextContinue)),
	on("continue SEQ", onMatch(policy.NextContinue)),
	on("no call REST", losesMap(takesBack)),
	on("no on-match REST", losesMap(takesBack)),
	on("no continue REST", losesMap(takesBack)),
})

func enterRouteMap(c *converter, l *line, args []string) outcome {
	seq, ok := number(args[1])
	if !ok || seq < 1 || seq > maxSeq {
		c.policies.lose("route-map", args[0], l)
		return c.skip(attention("%s is not a number from 1 to %d", args[1], maxSeq))
	}
	name, permit := args[0], strings.EqualFold(l.words[2], "permit")
	clauses := c.policies.routeMaps[name]
	i := slices.IndexFunc(clauses, func(o *clause) bool { return o.Seq == int(seq) })
	if i < 0 {
		i = len(clauses)
		clauses = append(clauses, newClause(name, int(seq), l))
		c.policies.routeMaps[name] = clauses
	}
	clauses[i].Permit = permit
	c.enter(&mode{rules: clauseRules, clause: clauses[i]})
	return carried
}

func newClause(name string, seq int, l *line) *clause {
	return &clause{Clause: policy.Clause{Seq: seq}, name: name, line: l, ranks: map[string][ranks]*line{}, conditions: map[string]*line{}}
}

func clauseSeq(r *policy.Clause) *int { return &r.Seq }

func call(c *converter, l *line, args []string) outcome {
	c.mode.clause.Call, c.mode.clause.callLine = args[0], l
	return carried
}

// onMatch reads on-match, and continue, which means the same.
func onMatch(next policy.Next) handler {
	return func(c *converter, l *line, args []string) outcome {
		cl := c.mode.clause
		target := uint32(0)
		if len(args) > 0 {
			var ok bool
			if target, ok = number(args[0]); !ok || int(target) <= cl.Seq || target > maxSeq {
				return cl.loseMap(c, l, attention("%s is not the number of a later entry", args[0]))
			}
		}
		cl.Next, cl.Target, cl.nextLine = next, int(target), l
		return carried
	}
}

// finishRouteMaps adds the route-maps to the library.
func (c *converter) finishRouteMaps() {
	c.spreadDirections()
	for name, clauses := range c.policies.routeMaps {
		slices.SortFunc(clauses, func(a, b *clause) int { return cmp.Compare(a.Seq, b.Seq) })
		out := make(policy.RouteMap, len(clauses))
		for i, cl := range clauses {
			c.finishClause(cl, c.policies.directions[name])
			out[i] = cl.Clause
		}
		put(&c.cfg.Policies.RouteMaps, name, c.closed(name, out))
	}
}

// closed writes out how a route-map of FRR ends for a route that has matched an entry with
// on-match or continue. FRR denies the route if later entries exist and none matches, and
// accepts it if no later entry exists.
func (c *converter) closed(name string, m policy.RouteMap) policy.RouteMap {
	last := &m[len(m)-1]
	goesOn := false
	for i := range m {
		e := &m[i]
		if e.Seq == last.Seq || e.Target > last.Seq {
			e.Next, e.Target = policy.NextStop, 0
		}
		goesOn = goesOn || e.Next != policy.NextStop
	}
	if !goesOn || last.Match == (policy.Match{}) {
		return m
	}
	if last.Seq == maxSeq {
		c.note(attention("route-map %s has no number left for an entry that denies what no entry matches", name))
		return m
	}
	return append(m, policy.Clause{Seq: min(last.Seq+10, maxSeq)})
}

// maxSeq is the highest number of an entry, in FRR and in nvad.
const maxSeq = 65535

// finishClause completes an entry with the parts that depend on other lines.
func (c *converter) finishClause(cl *clause, directions map[string]bool) {
	if cl.address.name != "" {
		cl.Match.PrefixList = c.listOf(cl.address)
	}
	if cl.nextHop.name != "" {
		cl.Match.NextHopPrefixList = c.listOf(cl.nextHop)
	}
	if cl.incomplete {
		cl.Match.PathLength = never
	}
	if cl.Next != policy.NextStop && !cl.Permit {
		cl.nextLine.drop(meaningless("an entry that denies ends the route-map"))
		cl.Next, cl.Target = policy.NextStop, 0
	}
	if cl.Call != "" && c.policies.routeMaps[cl.Call] == nil {
		cl.callLine.drop(attention("there is no route-map %s, and FRR goes on without it", cl.Call))
		cl.Call = ""
	}
	if cl.peerLine != nil {
		c.finishPeerAddress(cl, directions)
	}
}

// finishPeerAddress replaces "peer-address", which is the neighbor's address for received
// routes, and the router's own address for sent ones.
func (c *converter) finishPeerAddress(cl *clause, directions map[string]bool) {
	switch {
	case directions["in"] && directions["out"]:
		cl.peerLine.drop(attention("peer-address means the neighbor for received routes and this router for sent ones: make two route-maps of it"))
	case directions["out"]:
		cl.Set.NextHop = "self"
	default:
		cl.Set.NextHop = "peer"
	}
}

// spreadDirections passes the directions of route-maps on to the ones they call.
func (c *converter) spreadDirections() {
	for range c.policies.routeMaps {
		changed := false
		for name, clauses := range c.policies.routeMaps {
			for _, cl := range clauses {
				for d := range c.policies.directions[name] {
					if cl.Call != "" && !c.policies.directions[cl.Call][d] {
						c.policies.used(cl.Call, d)
						changed = true
					}
				}
			}
		}
		if !changed {
			return
		}
	}
}
