package config

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

var clauseFields = []field[policy.Clause]{
	{key: "seq", example: "10", doc: "Place among the clauses. Default: the next multiple of 5.",
		bind: func(c *policy.Clause) value { return number(&c.Seq, 1, 65535) }},
	{key: "action", example: `"permit"`, required: true, shown: true, doc: `"permit" or "deny".`,
		bind: func(c *policy.Clause) value { return action{&c.Permit} }},
	{key: "match", example: `{ as-path-list = "azure-asns" }`, shown: true, doc: "Conditions, all of which must hold.",
		bind: func(c *policy.Clause) value { return inlineTable[policy.Match]{&c.Match, matchFields} }},
	{key: "set", example: `{ as-path-replace = "any" }`, shown: true, doc: "Changes to what a permit clause matched.",
		bind: func(c *policy.Clause) value { return inlineTable[policy.Set]{&c.Set, setFields} }},
	{key: "call", example: `"common"`, doc: "Route-map to run; where it denies, the route is denied.",
		bind: func(c *policy.Clause) value { return text{&c.Call, checkName} }},
	{key: "on-match", example: `"next"`, doc: `Go on with the "next" clause, or with that of a number.`,
		bind: func(c *policy.Clause) value { return onMatch{c} }},
	{key: "continue", example: "true", doc: "Go on with the next clause (true), or with that of a number.",
		bind: func(c *policy.Clause) value { return cont{c} }},
}

var matchFields = []field[policy.Match]{
	{key: "prefix-list", example: `"rs-hub00"`, doc: "The prefix is in this list.",
		bind: func(m *policy.Match) value { return text{&m.PrefixList, checkName} }},
	{key: "as-path-list", example: `"azure-asns"`, doc: "The AS_PATH is in this list.",
		bind: func(m *policy.Match) value { return text{&m.ASPathList, checkName} }},
	{key: "bogons", example: `"reserved"`, doc: `The AS_PATH holds an ASN that is "reserved", "private", or either ("all").`,
		bind: func(m *policy.Match) value { return oneOf(&m.Bogons, "reserved", "private", "all") }},
	{key: "community-list", example: `"spokes"`, doc: "The communities are in this list.",
		bind: func(m *policy.Match) value { return text{&m.CommunityList, checkName} }},
	{key: "community-exact", doc: "With community-list: the route has no other communities.",
		bind: func(m *policy.Match) value { return flag{&m.CommunityExact} }},
	{key: "large-community-list", example: `"sites"`, doc: "The large communities are in this list.",
		bind: func(m *policy.Match) value { return text{&m.LargeCommunityList, checkName} }},
	{key: "ext-community-list", example: `"targets"`, doc: "The extended communities are in this list.",
		bind: func(m *policy.Match) value { return text{&m.ExtCommunityList, checkName} }},
	{key: "next-hop-prefix-list", example: `"gateways"`, doc: "The next hop is in this prefix-list.",
		bind: func(m *policy.Match) value { return text{&m.NextHopPrefixList, checkName} }},
	{key: "next-hop", example: `"10.0.210.4"`, doc: "The next hop is this address.",
		bind: func(m *policy.Match) value { return address{&m.NextHop, unicast} }},
	{key: "neighbor", example: `"10.0.210.4"`, doc: "The route came from this neighbor.",
		bind: func(m *policy.Match) value { return address{&m.Neighbor, unicast} }},
	{key: "peer-group", example: `"route-server"`, doc: "The route came from a neighbor of this peer-group.",
		bind: func(m *policy.Match) value { return text{&m.PeerGroup, checkName} }},
	{key: "source", example: `"bgp"`, doc: "Where nvad has the route from: " + orList(sources()) + ".",
		bind: func(m *policy.Match) value { return oneOf(&m.Source, sources()...) }},
	{key: "med", example: "100", doc: "The MED.",
		bind: func(m *policy.Match) value { return optional{&m.MED} }},
	{key: "local-preference", example: "200", doc: "The local preference.",
		bind: func(m *policy.Match) value { return optional{&m.LocalPref} }},
	{key: "origin", example: `"igp"`, doc: "The origin: " + orList(origins) + ".",
		bind: func(m *policy.Match) value { return oneOf(&m.Origin, origins...) }},
	{key: "path-length", example: `"<= 5"`, doc: `Number of ASNs in the AS_PATH, after "=", "<", "<=", ">" or ">=".`,
		bind: func(m *policy.Match) value { return comparison{&m.PathLength} }},
	{key: "tag", example: "77", doc: "The tag.",
		bind: func(m *policy.Match) value { return optional{&m.Tag} }},
	{key: "role", example: `"provider"`, doc: "The RFC 9234 role of the neighbor.",
		bind: func(m *policy.Match) value { return oneOf(&m.Role, roles...) }},
}

var setFields = []field[policy.Set]{
	{key: "as-path-replace", example: `"any"`, doc: `Write the own ASN over "any" ASN, or over those of a list ("65515 12076"); the length stays.`,
		bind: func(s *policy.Set) value { return pathReplace{&s.ASPathReplace} }},
	{key: "as-path-prepend", example: "[65001, 65001]", doc: "ASNs to put before the path.",
		bind: func(s *policy.Set) value { return asnList{&s.ASPathPrepend} }},
	{key: "as-path-prepend-last", example: "2", doc: "How often to repeat the leftmost ASN.",
		bind: func(s *policy.Set) value { return number(&s.ASPathPrependLast, 0, 10) }},
	{key: "as-path-exclude", example: "[65515]", doc: `ASNs to take out of the path, or "all".`,
		bind: func(s *policy.Set) value { return exclude{s} }},
	{key: "local-preference", example: "200", doc: `Local preference; "+10" and "-10" change it.`,
		bind: func(s *policy.Set) value { return change{&s.LocalPref} }},
	{key: "med", example: `"+10"`, doc: `MED; "+10" and "-10" change it.`,
		bind: func(s *policy.Set) value { return change{&s.MED} }},
	{key: "communities", example: `["65001:1"]`, doc: `Communities in place of the route's; "none" empties.`,
		bind: func(s *policy.Set) value { return communities{&s.Communities, standard, true} }},
	{key: "communities-add", example: `["65001:1"]`, doc: "Communities to add.",
		bind: func(s *policy.Set) value { return communities{&s.CommunitiesAdd, standard, false} }},
	{key: "community-delete", example: `"spokes"`, doc: "Take out the communities that this list permits.",
		bind: func(s *policy.Set) value { return text{&s.CommunityDelete, checkName} }},
	{key: "large-communities", example: `["65001:1:1"]`, doc: `Large communities in place of the route's; "none" empties.`,
		bind: func(s *policy.Set) value { return communities{&s.LargeCommunities, large, true} }},
	{key: "large-communities-add", example: `["65001:1:1"]`, doc: "Large communities to add.",
		bind: func(s *policy.Set) value { return communities{&s.LargeCommunitiesAdd, large, false} }},
	{key: "large-community-delete", example: `"sites"`, doc: "Take out the large communities that this list permits.",
		bind: func(s *policy.Set) value { return text{&s.LargeCommunityDelete, checkName} }},
	{key: "ext-communities", example: `["rt 65001:1"]`, doc: "Route targets and sites of origin in place of the route's.",
		bind: func(s *policy.Set) value { return communities{&s.ExtCommunities, extended, true} }},
	{key: "next-hop", example: `"10.0.0.100"`, doc: `Next hop: an address, "self", "unchanged" or "peer".`,
		bind: func(s *policy.Set) value { return text{&s.NextHop, checkSetNextHop} }},
	{key: "origin", example: `"igp"`, doc: "Origin: " + orList(origins) + ".",
		bind: func(s *policy.Set) value { return oneOf(&s.Origin, origins...) }},
	{key: "weight", example: "100", doc: "Weight.",
		bind: func(s *policy.Set) value { return optional{&s.Weight} }},
	{key: "tag", example: "77", doc: "Tag.",
		bind: func(s *policy.Set) value { return optional{&s.Tag} }},
	{key: "preferred-source", example: `"10.0.0.4"`, doc: "Source address of this NVA's own packets to the prefix.",
		bind: func(s *policy.Set) value { return address{&s.PreferredSource, unicast} }},
	{key: "atomic-aggregate", doc: "Set ATOMIC_AGGREGATE.",
		bind: func(s *policy.Set) value { return flag{&s.AtomicAggregate} }},
	{key: "aggregator-asn", example: "65001", doc: "ASN of AGGREGATOR; with aggregator-address.",
		bind: func(s *policy.Set) value { return asn{&s.AggregatorASN} }},
	{key: "aggregator-address", example: `"10.0.0.4"`, doc: "Address of AGGREGATOR; with aggregator-asn.",
		bind: func(s *policy.Set) value { return address{&s.AggregatorAddress, unicast} }},
}

var origins = []string{"igp", "egp", "incomplete"}

// sources is the words for route.Source, in its order.
func sources() []string {
	var out []string
	for s := route.SourceBGP; s.String() != "unknown"; s++ {
		out = append(out, s.String())
	}
	return out
}

func checkSetNextHop(s string) error {
	switch s {
	case "self", "unchanged", "peer":
		return nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return fmt.Errorf(`want an IP address, "self", "unchanged" or "peer", got %s`, show(s))
	}
	return unicast(a)
}

// action is permit or deny.
type action struct{ permit *bool }

func (v action) set(c cell) {
	word := ""
	oneOf(&word, "permit", "deny").set(c)
	*v.permit = word == "permit"
}

func (v action) toml() string {
	if *v.permit {
		return `"permit"`
	}
	return `"deny"`
}

// inlineTable is a table of its own fields; printed on one line.
type inlineTable[T any] struct {
	p      *T
	fields []field[T]
}

func (v inlineTable[T]) set(c cell) {
	if t, ok := c.table(); ok {
		readFields(t, v.p, v.fields)
		t.done()
	}
}

func (v inlineTable[T]) toml() string { return inline(v.p, v.fields) }

// onMatch is "next" or the number of a later clause.
type onMatch struct{ clause *policy.Clause }

func (v onMatch) set(c cell) {
	n, isNumber := c.val.(int64)
	switch {
	case c.val == "next":
		v.clause.Next = policy.NextClause
	case isNumber && n > 0 && n <= maxUint16:
		v.clause.Next, v.clause.Target = policy.NextGoto, int(n)
	default:
		c.want(`"next" or the number of a later clause`)
	}
}

func (v onMatch) toml() string {
	switch v.clause.Next {
	case policy.NextClause:
		return `"next"`
	case policy.NextGoto:
		return strconv.Itoa(v.clause.Target)
	}
	return ""
}

// cont is true or the number of a later clause.
type cont struct{ clause *policy.Clause }

func (v cont) set(c cell) {
	n, isNumber := c.val.(int64)
	switch {
	case v.clause.Next != policy.NextStop:
		c.fail("on-match and continue exclude each other")
	case c.val == true:
		v.clause.Next = policy.NextContinue
	case isNumber && n > 0 && n <= maxUint16:
		v.clause.Next, v.clause.Target = policy.NextContinue, int(n)
	default:
		c.want("true or the number of a later clause")
	}
}

func (v cont) toml() string {
	switch {
	case v.clause.Next != policy.NextContinue:
		return ""
	case v.clause.Target == 0:
		return "true"
	}
	return strconv.Itoa(v.clause.Target)
}

// comparison is a number, alone or after an operator.
type comparison struct{ p *policy.Cmp }

func (v comparison) set(c cell) {
	if s, ok := numberText(c.val); ok {
		if cmp, err := policy.ParseCmp(s); err == nil {
			*v.p = cmp
			return
		}
	}
	c.want(`a number, or one after "=", "<", "<=", ">" or ">="`)
}

func (v comparison) toml() string {
	if v.p.Op == "=" {
		return strconv.FormatUint(uint64(v.p.Value), 10)
	}
	return quote(v.p.String())
}

// change is a number, or a change by one ("+10").
type change struct{ p **policy.Number }

func (v change) set(c cell) {
	if s, ok := numberText(c.val); ok {
		if n, err := policy.ParseNumber(s); err == nil {
			*v.p = &n
			return
		}
	}
	c.want(`a number, or a change ("+10", "-10")`)
}

func (v change) toml() string {
	switch n := *v.p; {
	case n == nil:
		return ""
	case n.Op == 0:
		return n.String()
	default:
		return quote(n.String())
	}
}

// numberText is an integer or a string as text.
func numberText(v any) (string, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), v >= 0
	case string:
		return v, true
	}
	return "", false
}
