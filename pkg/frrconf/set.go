package frrconf

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// setRules are the changes that a route-map makes.
var setRules = slices.Concat(
	[]rule{
		on("set as-path replace VALUE", setPathReplace),
		on("set as-path exclude all", setPathExcludeAll),
		on("set as-path exclude REST", setASNs("as-path", rankDelete, func(s *policy.Set) *[]uint32 { return &s.ASPathExclude })),
		on("set as-path prepend last-as N", setPrependLast),
		on("set as-path prepend REST", setASNs("as-path", rankAdd, func(s *policy.Set) *[]uint32 { return &s.ASPathPrepend })),
		on("set community REST", setCommunities("community", standardCommunity, func(s *policy.Set) (*[]string, *[]string) { return &s.Communities, &s.CommunitiesAdd })),
		on("set large-community REST", setCommunities("large-community", largeCommunity, func(s *policy.Set) (*[]string, *[]string) { return &s.LargeCommunities, &s.LargeCommunitiesAdd })),
		on("set extcommunity none", setNoExtended),
		on("set extcommunity rt|soo REST", setExtended),
		on("set comm-list NAME delete", setDelete("community", "community-list", func(s *policy.Set) *string { return &s.CommunityDelete })),
		on("set large-comm-list NAME delete", setDelete("large-community", "large-community-list", func(s *policy.Set) *string { return &s.LargeCommunityDelete })),
		on("set extended-comm-list NAME delete", setDelete("extcommunity", "ext-community-list", func(s *policy.Set) *string { return &s.ExtCommunityDelete })),
		on("set local-preference VALUE", setNumber(func(s *policy.Set) **policy.Number { return &s.LocalPref })),
		on("set metric VALUE", setNumber(func(s *policy.Set) **policy.Number { return &s.MED })),
		on("set weight N", setValue(func(s *policy.Set) **uint32 { return &s.Weight })),
		on("set tag N", setValue(func(s *policy.Set) **uint32 { return &s.Tag })),
		on("set origin ORIGIN", setOrigin),
		on("set ip|ipv6 next-hop peer-address", setPeerAddress),
		on("set ip|ipv6 next-hop unchanged", change(func(s *policy.Set) { s.NextHop = "unchanged" })),
		on("set ipv6 next-hop global ADDRESS", setNextHop),
		on("set ip next-hop ADDRESS", setNextHop),
		on("set aggregator as ASN ADDRESS", setAggregator),
		on("set atomic-aggregate", change(func(s *policy.Set) { s.AtomicAggregate = true })),
	},
	each(meaningless("nvad uses the global address of a next hop"), "set ipv6 next-hop prefer-global"),
	each(unsupported("link-local next hops"), "set ipv6 next-hop local ADDRESS"),
	[]rule{
		on("set src ADDRESS", setSource),
		on("set table N", losesMap(unsupported("another routing table"))),
		on("set distance N", losesMap(unsupported("distances of routes"))),
	},
	each(unsupported("this change; routes are accepted without it"), "set REST"),
	[]rule{on("no set REST", losesMap(takesBack))},
)

// takesBack is the outcome of a command that removes what earlier lines configured.
var takesBack = unsupported("taking earlier lines back: delete both")

// setSource reads a source address, which counts in the route-maps of finishProtocols.
func setSource(c *converter, l *line, args []string) outcome {
	a, err := netip.ParseAddr(args[0])
	if err != nil {
		return attention("%s is not an address", args[0])
	}
	c.mode.clause.src, c.mode.clause.srcLine = a, l
	return notOfBGP
}

// losesMap returns a handler for a line without which an entry would accept too much.
func losesMap(o outcome) handler {
	return func(c *converter, l *line, _ []string) outcome { return c.mode.clause.loseMap(c, l, o) }
}

// Ranks of the changes of an attribute: nvad makes them in this order.
const (
	rankSet    = iota // as-path replace, set community
	rankDelete        // as-path exclude, comm-list delete
	rankAdd           // as-path prepend, set community additive
	ranks
)

// rank records that a line changes an attribute. FRR makes the changes in the order of the
// lines, since FRR 10 by the names of the commands: exclude, prepend and replace, comm-list
// and community. If nvad's order is another, the results may differ.
func (c *converter) rank(l *line, attribute string, rank int) {
	lines := c.mode.clause.ranks[attribute]
	for before, other := range lines {
		otherwise := before > rank
		if !c.origin.before(10, 0) {
			otherwise = min(before, rank) == rankSet && before != rank && (attribute == "as-path" || max(before, rank) == rankDelete)
		}
		if other != nil && otherwise {
			l.leave(attention("FRR makes this change and that of line %d in the other order: use two entries", other.number))
		}
	}
	lines[rank] = l
	c.mode.clause.ranks[attribute] = lines
}

func setPathReplace(c *converter, l *line, args []string) outcome {
	if _, _, err := policy.ParseASPathReplace(args[0]); err != nil {
		return attention("%v", err)
	}
	c.rank(l, "as-path", rankSet)
	c.mode.clause.Set.ASPathReplace = args[0]
	return carried
}

func setPathExcludeAll(c *converter, l *line, _ []string) outcome {
	c.rank(l, "as-path", rankDelete)
	c.mode.clause.Set.ASPathExcludeAll = true
	return carried
}

func setASNs(attribute string, rank int, at func(*policy.Set) *[]uint32) handler {
	return func(c *converter, l *line, args []string) outcome {
		asns, err := policy.ParseASNs(strings.Join(args, " "))
		if err != nil {
			return attention("%v", err)
		}
		if slices.Contains(asns, 0) {
			return attention("AS 0 must not be in a path (RFC 7607)")
		}
		c.rank(l, attribute, rank)
		*at(&c.mode.clause.Set) = asns
		return carried
	}
}

func setPrependLast(c *converter, l *line, args []string) outcome {
	n, ok := number(args[0])
	if !ok || n < 1 || n > 10 {
		return attention("%s is not a number from 1 to 10", args[0])
	}
	c.rank(l, "as-path", rankAdd)
	c.mode.clause.Set.ASPathPrependLast = int(n)
	return carried
}

// setCommunities replaces the communities of a route, or adds to them if the last word is
// "additive".
func setCommunities(attribute string, norm func(string) (string, error), at func(*policy.Set) (replace, add *[]string)) handler {
	return func(c *converter, l *line, args []string) outcome {
		cl := c.mode.clause
		replace, added := at(&cl.Set)
		if len(args) == 1 && args[0] == "none" {
			c.rank(l, attribute, rankSet)
			*replace, *added = []string{"none"}, nil
			return carried
		}
		values, additive := args, false
		if n := len(args); n > 0 && args[n-1] == "additive" {
			values, additive = args[:n-1], true
		}
		out, o := normalised(values, norm)
		if o != carried {
			return o
		}
		if additive {
			c.rank(l, attribute, rankAdd)
			*replace, *added = nil, out
			return carried
		}
		c.rank(l, attribute, rankSet)
		*replace, *added = out, nil
		return carried
	}
}

func normalised(values []string, norm func(string) (string, error)) ([]string, outcome) {
	if len(values) == 0 {
		return nil, attention("no community is given")
	}
	out := make([]string, len(values))
	for i, v := range values {
		var err error
		if out[i], err = norm(v); err != nil {
			return nil, attention("%v", err)
		}
		if out[i] == "internet" {
			return nil, unsupported("setting the community internet")
		}
	}
	return out, carried
}

// setExtended adds route targets or sites of origin. FRR's command has no "additive",
// since it always adds.
func setExtended(c *converter, l *line, args []string) outcome {
	kind := strings.ToLower(l.words[2])
	values := make([]string, len(args))
	for i, v := range args {
		values[i] = kind + " " + v
	}
	out, o := normalised(values, extendedCommunity)
	if o != carried {
		return o
	}
	c.rank(l, "extcommunity", rankAdd)
	s := &c.mode.clause.Set
	s.ExtCommunitiesAdd = append(slices.DeleteFunc(s.ExtCommunitiesAdd, func(v string) bool {
		return strings.HasPrefix(v, kind+" ")
	}), out...)
	return carried
}

func setNoExtended(c *converter, l *line, _ []string) outcome {
	c.rank(l, "extcommunity", rankSet)
	c.mode.clause.Set.ExtCommunities = []string{"none"}
	return carried
}

func setDelete(attribute, kind string, at func(*policy.Set) *string) handler {
	return func(c *converter, l *line, args []string) outcome {
		c.rank(l, attribute, rankDelete)
		*at(&c.mode.clause.Set) = args[0]
		c.use(l, kind, args[0])
		return carried
	}
}

func setNumber(at func(*policy.Set) **policy.Number) handler {
	return func(c *converter, _ *line, args []string) outcome {
		n, err := policy.ParseNumber(args[0])
		if err != nil {
			return unsupported("%s as a number", args[0])
		}
		*at(&c.mode.clause.Set) = &n
		return carried
	}
}

func setValue(at func(*policy.Set) **uint32) handler {
	return func(c *converter, _ *line, args []string) outcome {
		n, ok := number(args[0])
		if !ok {
			return attention("%s is not a number", args[0])
		}
		*at(&c.mode.clause.Set) = &n
		return carried
	}
}

func setOrigin(c *converter, _ *line, args []string) outcome {
	origin := strings.ToLower(args[0])
	if _, err := route.ParseOrigin(origin); err != nil {
		return attention("%s is not an origin", args[0])
	}
	c.mode.clause.Set.Origin = origin
	return carried
}

func setPeerAddress(c *converter, l *line, _ []string) outcome {
	c.mode.clause.peerLine = l
	return carried
}

func setNextHop(c *converter, l *line, args []string) outcome {
	a, err := netip.ParseAddr(args[0])
	if err != nil || a.Is4() == strings.EqualFold(l.words[1], "ipv6") || a.Zone() != "" || a.Is4In6() {
		return attention("%s is not an address of the family", args[0])
	}
	if a.Is4() {
		c.mode.clause.Set.NextHop = a.String()
	} else {
		c.mode.clause.Set.NextHopIPv6 = a
	}
	return carried
}

func setAggregator(c *converter, _ *line, args []string) outcome {
	asn, ok := number(args[0])
	a, err := netip.ParseAddr(args[1])
	if !ok || asn == 0 || err != nil || !a.Is4() {
		return attention("an aggregator is an ASN and an IPv4 address")
	}
	c.mode.clause.Set.AggregatorASN, c.mode.clause.Set.AggregatorAddress = asn, a
	return carried
}

// change returns a handler for a change without a value.
func change(set func(*policy.Set)) handler {
	return func(c *converter, _ *line, _ []string) outcome {
		set(&c.mode.clause.Set)
		return carried
	}
}
