package frrconf

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// reference is a line that names a list or route-map.
type reference struct {
	line       *line
	kind, name string
}

// refer records that a line names an object, which may be defined later or never.
func (c *converter) refer(l *line, kind, name string) reference {
	r := reference{l, kind, name}
	c.policies.references = append(c.policies.references, r)
	return r
}

// used records the direction of a route-map's use.
func (p *policies) used(name, direction string) {
	if p.directions[name] == nil {
		p.directions[name] = map[string]bool{}
	}
	p.directions[name][direction] = true
}

// accessName returns the name of an access-list among the prefix-lists.
func (p *policies) accessName(name string) string {
	for p.prefixes[ipv4][name] != nil || p.prefixes[ipv6][name] != nil {
		name += "-access-list"
	}
	return name
}

// finishPolicies puts the lists into the library.
func (c *converter) finishPolicies() {
	lib := &c.cfg.Policies
	c.spreadLoss()
	prefixes := c.joinFamilies(c.policies.prefixes)
	for name, rules := range c.joinFamilies(c.policies.accessAsPrefixes()) {
		prefixes[c.policies.accessName(name)] = rules
	}
	lib.PrefixLists = library[policy.PrefixList](prefixes, prefixSeq)
	lib.ASPathLists = library[policy.ASPathList](c.policies.paths, pathSeq)
	lib.CommunityLists = library[policy.CommunityList](c.policies.standard, communitySeq)
	lib.LargeCommunityLists = library[policy.CommunityList](c.policies.large, communitySeq)
	lib.ExtCommunityLists = library[policy.CommunityList](c.policies.extended, communitySeq)
	c.finishRouteMaps()
	c.denyLost()
}

// accessAsPrefixes returns the access-lists of both families as prefix-lists.
func (p *policies) accessAsPrefixes() (out [families]map[string]*list[policy.PrefixRule]) {
	for f := range families {
		out[f] = asPrefixLists(p.access[f])
	}
	return out
}

// library returns the lists with their rules ordered by number; nil if there are none.
func library[L ~[]R, R any](lists map[string]*list[R], seq func(*R) *int) map[string]L {
	var out map[string]L
	for name, in := range lists {
		rules := slices.Clone(in.rules)
		slices.SortFunc(rules, func(a, b R) int { return cmp.Compare(*seq(&a), *seq(&b)) })
		put(&out, name, L(rules))
	}
	return out
}

func put[V any](m *map[string]V, name string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[name] = v
}

// joinFamilies joins an IPv4 and an IPv6 list of the same name. FRR keeps them apart, but
// their rules never match the same prefix.
func (c *converter) joinFamilies(in [families]map[string]*list[policy.PrefixRule]) map[string]*list[policy.PrefixRule] {
	out := map[string]*list[policy.PrefixRule]{}
	dual := c.speaksIPv6() || len(in[ipv6]) > 0
	for name, l := range in[ipv4] {
		rules := slices.Clone(l.rules)
		for i := range rules {
			if dual {
				rules[i] = ofFamily(rules[i], ipv4)
			}
		}
		out[name] = &list[policy.PrefixRule]{rules: rules, highest: l.highest}
	}
	for name, l := range in[ipv6] {
		joined, after := out[name], 0
		if joined == nil {
			joined = &list[policy.PrefixRule]{}
			out[name] = joined
		} else {
			after = joined.highest/5*5 + 5
		}
		for _, r := range l.rules {
			r = ofFamily(r, ipv6)
			r.Seq += after
			joined.rules = append(joined.rules, r)
		}
	}
	return out
}

// listOf returns the name of the prefix-list for a condition. FRR evaluates only the list
// of the family that the condition names. If the other family has a list of the same
// name, listOf adds one for this family besides the joined one.
func (c *converter) listOf(r reference) string {
	p, lists, name := &c.policies, c.policies.prefixes, r.name
	if r.kind == "access-list" {
		lists, name = p.accessAsPrefixes(), p.accessName(name)
	}
	own, other, suffix := ipv4, ipv6, "-ipv4"
	if strings.EqualFold(r.line.words[1], "ipv6") {
		own, other, suffix = ipv6, ipv4, "-ipv6"
	}
	if lists[other][r.name] == nil {
		return name
	}
	single := name + suffix
	for p.hasList(single) {
		single += "-list"
	}
	var rules []policy.PrefixRule
	if l := lists[own][r.name]; l != nil {
		for _, rule := range l.rules {
			rules = append(rules, ofFamily(rule, own))
		}
	} else {
		rules = policy.PrefixList{{Seq: 5, Any: true}}
		r.line.leave(attention("there is no %s %s of this family; it is carried over as one that denies everything, as in FRR", r.kind, r.name))
	}
	one := map[string]*list[policy.PrefixRule]{single: {rules: rules}}
	put(&c.cfg.Policies.PrefixLists, single, library[policy.PrefixList](one, prefixSeq)[single])
	return single
}

// hasList reports whether the file has a prefix-list or access-list of this name.
func (p *policies) hasList(name string) bool {
	for f := range families {
		if p.prefixes[f][name] != nil || p.access[f][name] != nil {
			return true
		}
	}
	return false
}

// ofFamily restricts a rule that says "any" to one family.
func ofFamily(r policy.PrefixRule, f family) policy.PrefixRule {
	if !r.Any {
		return r
	}
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if f == ipv6 {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return policy.PrefixRule{Seq: r.Seq, Permit: r.Permit, Prefix: all, LE: all.Addr().BitLen()}
}

// speaksIPv6 reports whether a list may have to evaluate IPv6 routes.
func (c *converter) speaksIPv6() bool {
	active := func(p *peer) bool { a := p.families[ipv6].active; return a != nil && *a }
	return c.bgp.activate[ipv6] || slices.ContainsFunc(c.bgp.order, active) ||
		slices.ContainsFunc(slices.Collect(maps.Values(c.bgp.groups)), active)
}

// resolveReferences defines the objects that are named but missing. FRR treats a missing
// list as one that matches nothing, and a missing route-map as one that denies
// everything. nvad refuses both, so that they are written out.
func (c *converter) resolveReferences() {
	lib, prefixes := &c.cfg.Policies, policy.PrefixList{{Seq: 5, Any: true}}
	paths, communities := policy.ASPathList{{Seq: 5, Regexp: ".*"}}, policy.CommunityList{{Seq: 5, Regexp: ".*"}}
	for _, r := range c.policies.references {
		if l := c.policies.lost[object{r.kind, r.name}]; l != nil {
			r.line.leave(attention("%s %s denies everything here, because line %d can't be carried over", r.kind, r.name, l.number))
			continue
		}
		missing := false
		switch r.kind {
		case "prefix-list":
			missing = define(&lib.PrefixLists, r.name, prefixes)
		case "access-list":
			missing = define(&lib.PrefixLists, c.policies.accessName(r.name), prefixes)
		case "as-path-list":
			missing = define(&lib.ASPathLists, r.name, paths)
		case "community-list":
			missing = define(&lib.CommunityLists, r.name, communities)
		case "large-community-list":
			missing = define(&lib.LargeCommunityLists, r.name, communities)
		case "ext-community-list":
			missing = define(&lib.ExtCommunityLists, r.name, communities)
		case "route-map":
			missing = define(&lib.RouteMaps, r.name, policy.RouteMap{{Seq: 10}})
		}
		if missing {
			r.line.leave(attention("there is no %s %s; it is carried over as one that denies everything, as in FRR", r.kind, r.name))
		}
	}
}

// define adds v under name, unless the name is taken.
func define[V any](m *map[string]V, name string, v V) bool {
	if _, ok := (*m)[name]; ok {
		return false
	}
	put(m, name, v)
	return true
}
