package frrconf

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// matchRules are the conditions of a route-map.
var matchRules = conditions(slices.Concat(
	[]rule{
		on("match as-path NAME", matchList("as-path-list", func(m *policy.Match) *string { return &m.ASPathList })),
		on("match community NAME", matchList("community-list", func(m *policy.Match) *string { return &m.CommunityList })),
		on("match community NAME exact-match", matchExact("community-list", func(m *policy.Match) (*string, *bool) { return &m.CommunityList, &m.CommunityExact })),
		on("match community NAME any", matchExact("community-list", func(m *policy.Match) (*string, *bool) { return &m.CommunityList, &m.CommunityAny })),
		on("match large-community NAME", matchList("large-community-list", func(m *policy.Match) *string { return &m.LargeCommunityList })),
		on("match large-community NAME exact-match", matchExact("large-community-list", func(m *policy.Match) (*string, *bool) { return &m.LargeCommunityList, &m.LargeExact })),
		on("match large-community NAME any", matchExact("large-community-list", func(m *policy.Match) (*string, *bool) { return &m.LargeCommunityList, &m.LargeAny })),
		on("match extcommunity NAME", matchList("ext-community-list", func(m *policy.Match) *string { return &m.ExtCommunityList })),
		on("match extcommunity NAME exact-match", matchExact("ext-community-list", func(m *policy.Match) (*string, *bool) { return &m.ExtCommunityList, &m.ExtExact })),
		on("match extcommunity NAME any", matchExact("ext-community-list", func(m *policy.Match) (*string, *bool) { return &m.ExtCommunityList, &m.ExtAny })),
		on("match ip|ipv6 address prefix-list NAME", matchPrefix),
		on("match ip|ipv6 address prefix-len N", always(unsupported("matching a prefix by its length alone"))),
		on("match ip|ipv6 address NAME", matchAccess),
		on("match ip|ipv6 next-hop prefix-list NAME", matchNextHopPrefix),
		on("match ip|ipv6 next-hop address ADDRESS", matchAddress(func(m *policy.Match) *netip.Addr { return &m.NextHop })),
		on("match ip|ipv6 next-hop NAME", matchNextHop),
		on("match peer local", always(unsupported("matching the routes of this router itself"))),
		on("match peer ADDRESS", matchAddress(func(m *policy.Match) *netip.Addr { return &m.Peer })),
		on("match metric N", matchNumber(func(m *policy.Match) **uint32 { return &m.MED })),
		on("match local-preference N", matchNumber(func(m *policy.Match) **uint32 { return &m.LocalPref })),
		on("match tag N", matchNumber(func(m *policy.Match) **uint32 { return &m.Tag })),
		on("match origin ORIGIN", matchOrigin),
	},
	each(unsupported("this condition"), "match REST"),
))

// conditions makes rules guard their entry where one leaves its condition
// over: an entry that permits then matches nothing and one that denies matches
// more, so that no route passes which FRR would hold back.
func conditions(rules []rule) []rule {
	for i, r := range rules {
		rules[i].do = func(c *converter, l *line, args []string) outcome {
			o := r.do(c, l, args)
			if o != carried {
				c.mode.clause.incomplete = true
				o.reason += "; without it an entry that permits matches nothing, and one that denies matches more"
			}
			return o
		}
	}
	return rules
}

// never is a condition that no route meets.
var never = policy.Cmp{Op: "<", Value: 0}

func matchList(kind string, at func(*policy.Match) *string) handler {
	return func(c *converter, l *line, args []string) outcome {
		*at(&c.mode.clause.Match) = args[0]
		c.refer(l, kind, args[0])
		return carried
	}
}

func matchExact(kind string, at func(*policy.Match) (*string, *bool)) handler {
	return func(c *converter, l *line, args []string) outcome {
		name, mode := at(&c.mode.clause.Match)
		*name, *mode = args[0], true
		c.refer(l, kind, args[0])
		return carried
	}
}

func matchPrefix(c *converter, l *line, args []string) outcome {
	m := &c.mode.clause.Match
	if m.PrefixList != "" && m.PrefixList != args[0] {
		return unsupported("two prefix-lists in one entry")
	}
	m.PrefixList = args[0]
	c.mode.clause.address = c.refer(l, "prefix-list", args[0])
	return carried
}

func matchAccess(c *converter, l *line, args []string) outcome {
	c.mode.clause.address = c.refer(l, "access-list", args[0])
	return carried
}

func matchNextHopPrefix(c *converter, l *line, args []string) outcome {
	c.mode.clause.Match.NextHopPrefixList = args[0]
	c.mode.clause.nextHop = c.refer(l, "prefix-list", args[0])
	return carried
}

// matchNextHop reads an address (IPv6) or an access-list.
func matchNextHop(c *converter, l *line, args []string) outcome {
	if a, err := netip.ParseAddr(args[0]); err == nil {
		c.mode.clause.Match.NextHop = a
		return carried
	}
	c.mode.clause.nextHop = c.refer(l, "access-list", args[0])
	return carried
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
	if !isOrigin(origin) {
		return attention("%s is not an origin", args[0])
	}
	c.mode.clause.Match.Origin = origin
	return carried
}

func isOrigin(s string) bool { return slices.Contains([]string{"igp", "egp", "incomplete"}, s) }
