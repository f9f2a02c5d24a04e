package config

import "github.com/nvad/nvad/pkg/policy"

// ref is one mention of a named object: the key that holds it, and what it
// names.
type ref struct {
	key  string // as in Error.Key
	kind string // the table that defines it: "prefix-list", "route-map", ...
	name string
}

// refs is every mention of a list, route-map or peer-group. What a neighbor
// inherits is mentioned under its own key too.
func (c *Config) refs() []ref {
	var out []ref
	for _, name := range sortedKeys(c.Groups) {
		g := c.Groups[name]
		out = append(out, g.refs("peer-group."+name)...)
	}
	for i := range c.Neighbors {
		n := &c.Neighbors[i]
		key := c.source.elem("neighbor", i, n.Address)
		out = append(out, ref{key + ".peer-group", "peer-group", n.PeerGroup})
		out = append(out, n.refs(key)...)
	}
	for _, group := range sortedKeys(c.Health.MinEstablished) {
		out = append(out, ref{"health.min-established." + group, "peer-group", group})
	}
	for i, n := range c.Networks {
		key := c.source.elem("network", i, n.Prefix)
		out = append(out, ref{key + ".route-map", "route-map", n.RouteMap})
	}
	for i, a := range c.Aggregates {
		key := c.source.elem("aggregate", i, a.Prefix)
		out = append(out, ref{key + ".route-map", "route-map", a.RouteMap})
	}
	for i, r := range c.Redistributes {
		key := c.source.elem("redistribute", i, r.Source)
		out = append(out, ref{key + ".route-map", "route-map", r.RouteMap})
	}
	for _, name := range sortedKeys(c.Policies.RouteMaps) {
		for i, clause := range c.Policies.RouteMaps[name] {
			out = append(out, clauseRefs(c.source.elem("route-map."+name, i, clause.Seq), clause)...)
		}
	}
	return named(out)
}

// named is in without the keys that name nothing.
func named(in []ref) []ref {
	var out []ref
	for _, r := range in {
		if r.name != "" {
			out = append(out, r)
		}
	}
	return out
}

func (s *Settings) refs(key string) []ref {
	out := append(chainRefs(key+".import", s.Import), chainRefs(key+".export", s.Export)...)
	return append(out, ref{key + ".default-originate-map", "route-map", s.DefaultOriginateMap})
}

func chainRefs(key string, c policy.Chain) []ref {
	return []ref{
		{key + ".prefix-list", "prefix-list", c.PrefixList},
		{key + ".as-path-list", "as-path-list", c.ASPathList},
		{key + ".route-map", "route-map", c.RouteMap},
	}
}

// clauseRefs is what the clause under key mentions.
func clauseRefs(key string, c policy.Clause) []ref {
	m, s := c.Match, c.Set
	return []ref{
		{key + ".call", "route-map", c.Call},
		{key + ".match.prefix-list", "prefix-list", m.PrefixList},
		{key + ".match.as-path-list", "as-path-list", m.ASPathList},
		{key + ".match.community-list", "community-list", m.CommunityList},
		{key + ".match.large-community-list", "large-community-list", m.LargeCommunityList},
		{key + ".match.ext-community-list", "ext-community-list", m.ExtCommunityList},
		{key + ".match.next-hop-prefix-list", "prefix-list", m.NextHopPrefixList},
		{key + ".match.peer-group", "peer-group", m.PeerGroup},
		{key + ".set.community-delete", "community-list", s.CommunityDelete},
		{key + ".set.large-community-delete", "large-community-list", s.LargeCommunityDelete},
		{key + ".set.ext-community-delete", "ext-community-list", s.ExtCommunityDelete},
	}
}

// objects is the names that each kind of ref may have.
func (c *Config) objects() map[string][]string {
	return map[string][]string{
		"peer-group":           sortedKeys(c.Groups),
		"prefix-list":          sortedKeys(c.Policies.PrefixLists),
		"as-path-list":         sortedKeys(c.Policies.ASPathLists),
		"community-list":       sortedKeys(c.Policies.CommunityLists),
		"large-community-list": sortedKeys(c.Policies.LargeCommunityLists),
		"ext-community-list":   sortedKeys(c.Policies.ExtCommunityLists),
		"route-map":            sortedKeys(c.Policies.RouteMaps),
	}
}
