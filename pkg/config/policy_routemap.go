package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

func clauseFields(c *policy.Clause) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "seq", Value: tomlfile.Number(&c.Seq, 1, 65535), Example: "10",
			Doc: "Position among the clauses. Default: the next multiple of 5."},
		{Key: "action", Value: tomlfile.WordFor(&c.Permit, []string{"permit", "deny"}, true, false), Example: `"permit"`, Required: true, Shown: true,
			Doc: `"permit" or "deny".`},
		{Key: "match", Value: tomlfile.InlineTable(&c.Match, matchFields), Example: `{ as-path-list = "azure-asns" }`, Shown: true,
			Doc: "Conditions, all of which must hold. Without any, the clause matches every route."},
		{Key: "set", Value: tomlfile.InlineTable(&c.Set, setFields), Example: `{ as-path-replace = "any" }`, Shown: true,
			Doc: "Changes to the routes that a permit clause matches."},
		{Key: "call", Value: tomlfile.Text(&c.Call, checkName), Example: `"common"`,
			Doc: "Another route-map to run first; if it denies the route, the route is denied."},
		{Key: "on-match", Value: onMatch(c), Example: `"next"`,
			Doc: `After a match, go on with the "next" clause, or with the clause of this number.`},
		{Key: "continue", Value: cont(c), Example: "true",
			Doc: "After a match, go on with the next clause (true), or with the clause of this number."},
	}
}

func matchFields(m *policy.Match) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "prefix-list", Value: tomlfile.Text(&m.PrefixList, checkName), Example: `"rs-hub00"`,
			Doc: "This list permits the prefix."},
		{Key: "as-path-list", Value: tomlfile.Text(&m.ASPathList, checkName), Example: `"azure-asns"`,
			Doc: "This list permits the AS_PATH."},
		{Key: "bogons", Value: tomlfile.WordFor(&m.Bogons, []string{"reserved", "private", "all"}, policy.Reserved, policy.Private, policy.Reserved|policy.Private), Example: `"reserved"`,
			Doc: `The AS_PATH contains an ASN that is "reserved", "private", or either ("all").`},
		{Key: "community-list", Value: tomlfile.Text(&m.CommunityList, checkName), Example: `"spokes"`,
			Doc: "This list permits the communities."},
		{Key: "community-exact", Value: tomlfile.Bool(&m.CommunityExact),
			Doc: "With community-list: the route has no other communities."},
		{Key: "community-any", Value: tomlfile.Bool(&m.CommunityAny),
			Doc: "With community-list: one of the communities in a rule is enough."},
		{Key: "large-community-list", Value: tomlfile.Text(&m.LargeCommunityList, checkName), Example: `"sites"`,
			Doc: "This list permits the large communities."},
		{Key: "large-community-exact", Value: tomlfile.Bool(&m.LargeExact),
			Doc: "As community-exact, for large-community-list."},
		{Key: "large-community-any", Value: tomlfile.Bool(&m.LargeAny),
			Doc: "As community-any, for large-community-list."},
		{Key: "ext-community-list", Value: tomlfile.Text(&m.ExtCommunityList, checkName), Example: `"targets"`,
			Doc: "This list permits the extended communities."},
		{Key: "ext-community-exact", Value: tomlfile.Bool(&m.ExtExact),
			Doc: "As community-exact, for ext-community-list."},
		{Key: "ext-community-any", Value: tomlfile.Bool(&m.ExtAny),
			Doc: "As community-any, for ext-community-list."},
		{Key: "next-hop-prefix-list", Value: tomlfile.Text(&m.NextHopPrefixList, checkName), Example: `"gateways"`,
			Doc: "This prefix-list permits the next hop."},
		{Key: "next-hop", Value: tomlfile.Address(&m.NextHop, tomlfile.Unicast), Example: `"10.0.210.4"`,
			Doc: "The next hop is this address."},
		{Key: "neighbor", Value: tomlfile.Address(&m.Neighbor, tomlfile.Unicast), Example: `"10.0.210.4"`,
			Doc: "The route was learned from this neighbor."},
		{Key: "peer-group", Value: tomlfile.Text(&m.PeerGroup, checkName), Example: `"route-server"`,
			Doc: "The route was learned from a neighbor of this peer-group."},
		{Key: "peer", Value: tomlfile.Address(&m.Peer, tomlfile.Unicast), Example: `"10.0.210.4"`,
			Doc: "The policy runs for the session with this neighbor."},
		{Key: "source", Value: tomlfile.OneOf(&m.Source, sources()...), Example: `"bgp"`,
			Doc: "Where the route comes from: " + tomlfile.OrList(sources()) + "."},
		{Key: "med", Value: tomlfile.OptionalNumber(&m.MED), Example: "100",
			Doc: "The MED is this number."},
		{Key: "local-preference", Value: tomlfile.OptionalNumber(&m.LocalPref), Example: "200",
			Doc: "The local preference is this number."},
		{Key: "origin", Value: tomlfile.OneOf(&m.Origin, origins...), Example: `"igp"`,
			Doc: "The origin is " + tomlfile.OrList(origins) + "."},
		{Key: "path-length", Value: comparison(&m.PathLength), Example: `"<= 5"`,
			Doc: `Number of ASNs in the AS_PATH, alone or after "=", "<", "<=", ">" or ">=".`},
		{Key: "tag", Value: tomlfile.OptionalNumber(&m.Tag), Example: "77",
			Doc: "The tag is this number."},
		{Key: "role", Value: tomlfile.OneOf(&m.Role, roles...), Example: `"provider"`,
			Doc: "The policy runs for the session with a neighbor of this role (RFC 9234)."},
	}
}

var origins = []string{"igp", "egp", "incomplete"}

// sources returns the names of route.Source, in its order.
func sources() []string {
	var out []string
	for s := route.SourceBGP; s.String() != "unknown"; s++ {
		out = append(out, s.String())
	}
	return out
}

func readRouteMaps(t *tomlfile.Table) map[string]policy.RouteMap {
	sub := t.Sub("route-map")
	if sub == nil {
		return nil
	}
	out := map[string]policy.RouteMap{}
	sub.Each(func(name string, c tomlfile.Cell) {
		checkNameOf(c, name)
		cells, _ := c.Items("an array of tables ([[route-map." + tomlfile.QuoteKey(name) + "]])")
		var clauses policy.RouteMap
		var numbers numbering
		for _, item := range cells {
			given, _ := item.Val.(map[string]any)["seq"].(int64)
			clause := policy.Clause{Seq: numbers.take(int(given))}
			if key := fmt.Sprintf("%s.%d", c.Key, clause.Seq); !c.Doc.Has(key) {
				item.Key = key
			}
			if t, ok := item.Table(); ok {
				tomlfile.ReadFields(t, clauseFields(&clause))
				t.Done()
				clauses = append(clauses, clause)
				c.Doc.Element(c.Key, item)
			}
		}
		out[name] = clauses
	})
	return orNil(out)
}

// orNil returns nil for an empty map, as if the table were missing.
func orNil[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	return m
}

// checkNameOf reports an invalid name of a table or list.
func checkNameOf(c tomlfile.Cell, name string) {
	if err := checkName(name); err != nil {
		c.Fail("%v", err)
	}
}

// onMatch returns a Value for "next" or the number of a later clause.
func onMatch(clause *policy.Clause) tomlfile.Value {
	return tomlfile.Custom("word or number", func(c tomlfile.Cell) {
		n, isNumber := c.Val.(int64)
		switch {
		case c.Val == "next":
			clause.Next = policy.NextClause
		case isNumber && n > 0 && n <= tomlfile.MaxUint16:
			clause.Next, clause.Target = policy.NextGoto, int(n)
		default:
			c.Want(`"next" or the number of a later clause`)
		}
	}, func() string {
		switch clause.Next {
		case policy.NextClause:
			return `"next"`
		case policy.NextGoto:
			return strconv.Itoa(clause.Target)
		}
		return ""
	})
}

// cont returns a Value for true or the number of a later clause.
func cont(clause *policy.Clause) tomlfile.Value {
	return tomlfile.Custom("true or number", func(c tomlfile.Cell) {
		n, isNumber := c.Val.(int64)
		switch {
		case clause.Next != policy.NextStop:
			c.Fail("on-match and continue exclude each other; remove one")
		case c.Val == true:
			clause.Next = policy.NextContinue
		case isNumber && n > 0 && n <= tomlfile.MaxUint16:
			clause.Next, clause.Target = policy.NextContinue, int(n)
		default:
			c.Want("true or the number of a later clause")
		}
	}, func() string {
		switch {
		case clause.Next != policy.NextContinue:
			return ""
		case clause.Target == 0:
			return "true"
		}
		return strconv.Itoa(clause.Target)
	})
}

// comparison returns a Value for a number, alone or after an operator.
func comparison(p *policy.Cmp) tomlfile.Value {
	return tomlfile.Parsed(p, "number or comparison", func(c tomlfile.Cell) (policy.Cmp, bool) {
		if s, ok := numberText(c.Val); ok {
			if cmp, err := policy.ParseCmp(s); err == nil {
				return cmp, true
			}
		}
		c.Want(`a number, or one after "=", "<", "<=", ">" or ">="`)
		return policy.Cmp{}, false
	}, func(v policy.Cmp) string {
		if v.Op == "=" {
			return strconv.FormatUint(uint64(v.Value), 10)
		}
		return tomlfile.Quote(v.String())
	})
}

// numberText returns an integer or a string as text.
func numberText(v any) (string, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), v >= 0
	case string:
		return v, true
	}
	return "", false
}

func setFields(s *policy.Set) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "as-path-replace", Value: pathReplace(&s.ASPathReplace), Example: `"any"`,
			Doc: `Overwrite "any" ASN in the path, or those of a list ("65515 12076"), with this NVA's ASN; the length stays.`},
		{Key: "as-path-prepend", Value: asnList(&s.ASPathPrepend), Example: "[65001, 65001]",
			Doc: "ASNs to put in front of the path."},
		{Key: "as-path-prepend-last", Value: tomlfile.Number(&s.ASPathPrependLast, 1, 10), Example: "2",
			Doc: "How many times to repeat the leftmost ASN."},
		{Key: "as-path-exclude", Value: exclude(s), Example: "[65515]",
			Doc: `ASNs to remove from the path, or "all".`},
		{Key: "local-preference", Value: change(&s.LocalPref), Example: "200",
			Doc: `Local preference; "+10" and "-10" change it.`},
		{Key: "med", Value: change(&s.MED), Example: `"+10"`,
			Doc: `MED; "+10" and "-10" change it.`},
		{Key: "communities", Value: communities(&s.Communities, standard, true), Example: `["65001:1"]`,
			Doc: `Communities that replace those of the route; "none" removes all.`},
		{Key: "communities-add", Value: communities(&s.CommunitiesAdd, standard, false), Example: `["65001:1"]`,
			Doc: "Communities to add."},
		{Key: "community-delete", Value: tomlfile.Text(&s.CommunityDelete, checkName), Example: `"spokes"`,
			Doc: "Remove the communities that this list permits."},
		{Key: "large-communities", Value: communities(&s.LargeCommunities, large, true), Example: `["65001:1:1"]`,
			Doc: `Large communities that replace those of the route; "none" removes all.`},
		{Key: "large-communities-add", Value: communities(&s.LargeCommunitiesAdd, large, false), Example: `["65001:1:1"]`,
			Doc: "Large communities to add."},
		{Key: "large-community-delete", Value: tomlfile.Text(&s.LargeCommunityDelete, checkName), Example: `"sites"`,
			Doc: "Remove the large communities that this list permits."},
		{Key: "ext-communities", Value: communities(&s.ExtCommunities, extended, true), Example: `["rt 65001:1"]`,
			Doc: `Route targets and sites of origin that replace those of the route; "none" removes all.`},
		{Key: "ext-communities-add", Value: communities(&s.ExtCommunitiesAdd, extended, false), Example: `["rt 65001:1"]`,
			Doc: "Extended communities to add."},
		{Key: "ext-community-delete", Value: tomlfile.Text(&s.ExtCommunityDelete, checkName), Example: `"targets"`,
			Doc: "Remove the extended communities that this list permits."},
		{Key: "next-hop", Value: tomlfile.Text(&s.NextHop, checkSetNextHop), Example: `"10.0.0.100"`,
			Doc: `Next hop: an address, "self", "unchanged" or "peer".`},
		{Key: "next-hop-ipv6", Value: tomlfile.Address(&s.NextHopIPv6, tomlfile.Unicast), Example: `"fd00::100"`,
			Doc: "Next hop of IPv6 routes, in addition to an IPv4 next-hop."},
		{Key: "origin", Value: tomlfile.OneOf(&s.Origin, origins...), Example: `"igp"`,
			Doc: "Origin: " + tomlfile.OrList(origins) + "."},
		{Key: "weight", Value: tomlfile.OptionalNumber(&s.Weight), Example: "100",
			Doc: "Weight: a preference that is never sent; the highest wins."},
		{Key: "tag", Value: tomlfile.OptionalNumber(&s.Tag), Example: "77",
			Doc: "Tag: a number for other clauses to match."},
		{Key: "preferred-source", Value: tomlfile.Address(&s.PreferredSource, tomlfile.Unicast), Example: `"10.0.0.4"`,
			Doc: "Source address of this NVA's own packets to the prefix."},
		{Key: "atomic-aggregate", Value: tomlfile.Bool(&s.AtomicAggregate),
			Doc: "Add ATOMIC_AGGREGATE."},
		{Key: "aggregator-asn", Value: asn(&s.AggregatorASN), Example: "65001",
			Doc: "ASN in AGGREGATOR; needs aggregator-address."},
		{Key: "aggregator-address", Value: tomlfile.Address(&s.AggregatorAddress, tomlfile.Unicast), Example: `"10.0.0.4"`,
			Doc: "Address in AGGREGATOR; needs aggregator-asn."},
	}
}

func checkSetNextHop(s string) error {
	switch s {
	case "self", "unchanged", "peer":
		return nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return fmt.Errorf(`want an IP address, "self", "unchanged" or "peer", got %s`, tomlfile.Show(s))
	}
	return tomlfile.Unicast(a)
}

// change returns a Value for a number, or a change by one ("+10").
func change(p **policy.Number) tomlfile.Value {
	return tomlfile.Parsed(p, "number or change", func(c tomlfile.Cell) (*policy.Number, bool) {
		if s, ok := numberText(c.Val); ok {
			if n, err := policy.ParseNumber(s); err == nil {
				return &n, true
			}
		}
		c.Want(`a number, or a change ("+10", "-10")`)
		return nil, false
	}, func(n *policy.Number) string {
		switch {
		case n == nil:
			return ""
		case n.Op == 0:
			return n.String()
		}
		return tomlfile.Quote(n.String())
	})
}

// pathReplace returns a Value for "any", or ASNs as a list or as text with spaces between them.
func pathReplace(p *string) tomlfile.Value {
	return tomlfile.Custom("word or ASNs", func(c tomlfile.Cell) {
		s, ok := c.Val.(string)
		if !ok {
			var asns []uint32
			asnList(&asns).Set(c)
			if s = strings.Trim(fmt.Sprint(asns), "[]"); s == "" {
				return
			}
		}
		every, asns, err := policy.ParseASPathReplace(s)
		switch {
		case err != nil:
			c.Want(`"any" or ASNs`)
		case every:
			*p = s
		default:
			*p = strings.Trim(fmt.Sprint(asns), "[]")
		}
	}, func() string { return tomlfile.Quote(*p) })
}

// exclude returns a Value for as-path-exclude: "all" or a list.
func exclude(s *policy.Set) tomlfile.Value {
	list := asnList(&s.ASPathExclude)
	return tomlfile.Custom("word or list of ASNs", func(c tomlfile.Cell) {
		if c.Val == "all" {
			s.ASPathExcludeAll = true
			return
		}
		list.Set(c)
	}, func() string {
		if s.ASPathExcludeAll {
			return `"all"`
		}
		return list.TOML()
	})
}

// communities returns a Value for a list of communities; norm brings each to its normalised text. If
// none is set, the word "none" may replace the list.
func communities(p *[]string, norm func(string) (string, error), none bool) tomlfile.Value {
	list := tomlfile.List[string]{
		Kind: "list of communities", Want: "a list of communities", TOML: tomlfile.Quote, NotEmpty: true, Repeats: true,
		Parse: func(c tomlfile.Cell) (string, bool) {
			s, ok := c.Text("a community")
			if !ok {
				return "", false
			}
			s, err := norm(s)
			if err != nil {
				c.Fail("%v", err)
			}
			return s, err == nil
		},
	}.At(p)
	return tomlfile.Custom(list.Kind, func(c tomlfile.Cell) {
		if c.Val == "none" && none {
			*p = []string{"none"}
			return
		}
		list.Set(c)
	}, func() string {
		if len(*p) == 1 && (*p)[0] == "none" {
			return `"none"`
		}
		return list.TOML()
	})
}
