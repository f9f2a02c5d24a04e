package frrconf

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// matchRules are the conditions of a route-map.
var matchRules = conditions(slices.Concat(
	each(unsupported("matching the routes of this router itself"), "match peer local"),
	[]rule{
		on("match as-path NAME", matchList("as-path-list", func(m *policy.Match) (*string, *bool, *bool) { return &m.ASPathList, nil, nil })),
		on("match community NAME MODE", matchList("community-list", ofCommunities)),
		on("match community NAME", matchList("community-list", ofCommunities)),
		on("match large-community NAME MODE", matchList("large-community-list", ofLargeCommunities)),
		on("match large-community NAME", matchList("large-community-list", ofLargeCommunities)),
		on("match extcommunity NAME MODE", matchList("ext-community-list", ofExtCommunities)),
		on("match extcommunity NAME", matchList("ext-community-list", ofExtCommunities)),
		on("match ip|ipv6 address prefix-list NAME", matchPrefix("prefix-list")),
		on("match ip|ipv6 address NAME", matchPrefix("access-list")),
		on("match ip|ipv6 next-hop prefix-list NAME", matchNextHop("prefix-list")),
		on("match ip|ipv6 next-hop address ADDRESS", matchAddress(func(m *policy.Match) *netip.Addr { return &m.NextHop })),
		on("match ip next-hop NAME", matchNextHop("access-list")),
		on("match ipv6 next-hop NAME", matchNextHopIPv6),
		on("match peer ADDRESS", matchAddress(func(m *policy.Match) *netip.Addr { return &m.Peer })),
		on("match metric N", matchNumber(func(m *policy.Match) **uint32 { return &m.MED })),
		on("match local-preference N", matchNumber(func(m *policy.Match) **uint32 { return &m.LocalPref })),
		on("match tag N", matchNumber(func(m *policy.Match) **uint32 { return &m.Tag })),
		on("match origin ORIGIN", matchOrigin),
	},
	each(notOfBGP, "match ip|ipv6 address prefix-len N", "match ip|ipv6 next-hop prefix-len N",
		"match source-protocol PROTOCOL", "match source-instance N"),
	each(unsupported("validation by RPKI"), "match rpki STATE"),
	each(unsupported("this condition"), "match REST", "no match REST"),
))

// notOfBGP is the outcome of a line that only FRR's other daemons know.
var notOfBGP = attention("bgpd, FRR's BGP, does not know this line: there the entry works without it, and so it does here")

// conditions wraps the rules for conditions. If one is left over, its entry never matches
// and its route-map is lost. As in FRR, a condition takes the place of an earlier one of
// the same kind.
func conditions(rules []rule) []rule {
	for i, r := range rules {
		rules[i].do = func(c *converter, l *line, args []string) outcome {
			cl := c.mode.clause
			o := r.do(c, l, args)
			switch key := r.literal(l); {
			case o == notOfBGP:
				cl.zebraOnly = true
			case o != carried:
				cl.incomplete = true
				return cl.loseMap(c, l, o)
			default:
				if before := cl.conditions[key]; before != nil {
					before.drop(meaningless("line %d takes its place", l.number))
				}
				cl.conditions[key] = l
			}
			return o
		}
	}
	return rules
}

// loseMap records that l can't be carried over, so that the route-map denies everything.
func (cl *clause) loseMap(c *converter, l *line, o outcome) outcome {
	c.policies.lose("route-map", cl.name, l)
	o.reason += "; so route-map " + cl.name + " denies everything here"
	return o
}

// never is a condition that no route satisfies.
var never = policy.Cmp{Op: "<", Value: 0}

// matchList returns a handler for a condition with a list. at returns the fields for the
// list's name and for the modes "exact-match" and "any", if there are any.
func matchList(kind string, at func(*policy.Match) (name *string, exact, some *bool)) handler {
	return func(c *converter, l *line, args []string) outcome {
		name, exact, some := at(&c.mode.clause.Match)
		mode := strings.Join(args[1:], " ")
		if exact != nil {
			*exact, *some = mode == "exact-match", mode == "any"
		}
		if mode != "" && mode != "exact-match" && mode != "any" {
			return unsupported("%s of a condition", mode)
		}
		*name = args[0]
		c.use(l, kind, args[0])
		return carried
	}
}

func ofCommunities(m *policy.Match) (*string, *bool, *bool) {
	return &m.CommunityList, &m.CommunityExact, &m.CommunityAny
}

func ofLargeCommunities(m *policy.Match) (*string, *bool, *bool) {
	return &m.LargeCommunityList, &m.LargeExact, &m.LargeAny
}

func ofExtCommunities(m *policy.Match) (*string, *bool, *bool) {
	return &m.ExtCommunityList, &m.ExtExact, &m.ExtAny
}

// use records that an entry names an object.
func (c *converter) use(l *line, kind, name string) reference {
	r := c.refer(l, kind, name)
	c.mode.clause.uses = append(c.mode.clause.uses, r)
	return r
}

// matchPrefix returns a handler for a condition on the prefix. nvad has one in an entry,
// FRR one for each kind of list and each family.
func matchPrefix(kind string) handler {
	return func(c *converter, l *line, args []string) outcome {
		return c.matchOne(l, kind, args[0], &c.mode.clause.address)
	}
}

// matchNextHop returns a handler for a condition on the next hop.
func matchNextHop(kind string) handler {
	return func(c *converter, l *line, args []string) outcome {
		return c.matchOne(l, kind, args[0], &c.mode.clause.nextHop)
	}
}

func (c *converter) matchOne(l *line, kind, name string, at *reference) outcome {
	before := *at
	if before.line != nil && (before.kind != kind || !strings.EqualFold(before.line.words[1], l.words[1])) {
		return unsupported("a second condition besides that of line %d", before.line.number)
	}
	*at = c.use(l, kind, name)
	return carried
}

// matchNextHopIPv6 reads an address or an access-list. "match ip next-hop" knows no
// address there.
func matchNextHopIPv6(c *converter, l *line, args []string) outcome {
	if a, err := netip.ParseAddr(args[0]); err == nil {
		c.mode.clause.Match.NextHop = a
		return carried
	}
	return c.matchOne(l, "access-list", args[0], &c.mode.clause.nextHop)
}

func matchAddress(at func(*policy.Match) *netip.Addr) handler {
	return func(c *converter, _ *line, args []string) outcome {
		a, err := netip.ParseAddr(args[0])
		if err != nil {
			return unsupported("%s is not an address", args[0])
		}
		*at(&c.mode.clause.Match) = a
		return carried
	}
}

func matchNumber(at func(*policy.Match) **uint32) handler {
	return func(c *converter, _ *line, args []string) outcome {
		n, ok := number(args[0])
		if !ok {
			return attention("%s is not a number", args[0])
		}
		*at(&c.mode.clause.Match) = &n
		return carried
	}
}

func matchOrigin(c *converter, _ *line, args []string) outcome {
	origin := strings.ToLower(args[0])
	if _, err := route.ParseOrigin(origin); err != nil {
		return attention("%s is not an origin", args[0])
	}
	c.mode.clause.Match.Origin = origin
	return carried
}
