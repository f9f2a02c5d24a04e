package config

import (
	"slices"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
)

// checker reports the faults that concern more than one key.
type checker struct {
	cfg *Config
	src *tomlfile.Source
	doc *tomlfile.Document
}

// check adds to the faults that reading cfg has found in doc.
func check(cfg *Config, doc *tomlfile.Document) {
	v := &checker{cfg: cfg, src: &cfg.source, doc: doc}
	v.identity()
	v.references()
	v.kernel()
	v.health()
	v.api()
	v.stations()
	for i := range cfg.Tunnels {
		v.tunnel(i)
	}
	for i := range cfg.NICs {
		v.nic(i)
	}
	for i := range cfg.Statics {
		v.static(i)
	}
	v.nat()
	v.originated()
	for i := range cfg.Neighbors {
		v.neighbor(i)
	}
	v.listenRanges()
	v.policies()
}

// fail reports a fault at the first of keys, separated by spaces, that is in the
// file; at the nearest table above the first one if none is.
func (v *checker) fail(keys, format string, args ...any) {
	v.doc.Errors = append(v.doc.Errors, v.src.Errorf(keys, format, args...))
}

// has reports whether key is in the file.
func (v *checker) has(key string) bool { return v.src.Has(key) }

// distinct reports element i of an array of tables if an earlier element is the same.
func (v *checker) distinct(array, field string, i int, id any, same func(j int) bool) {
	for j := range i {
		if same(j) {
			first := v.src.Elem(array, j, id) + "." + field
			v.fail(v.src.Elem(array, i, id)+"."+field, "%v occurs twice, first in line %d; remove one", id, v.src.Line(first))
			return
		}
	}
}

func (v *checker) references() {
	objects := v.cfg.objects()
	for _, r := range v.cfg.refs() {
		inherited := !v.has(r.key) // so it is reported at the group, or is the preset's
		if inherited || slices.Contains(objects[r.kind], r.name) {
			continue
		}
		v.fail(r.key, "there is no %s %q%s", r.kind, r.name, tomlfile.DidYouMean(r.name, objects[r.kind]))
	}
}

// ref is a reference to a named object.
type ref struct {
	key  string // of the reference, as in Error.Key
	kind string // of the object: "prefix-list", "route-map", ...
	name string
}

// refs returns all references to lists, route-maps and peer-groups. Those that a neighbor
// inherits are included, under the neighbor's own keys.
func (c *Config) refs() []ref {
	var out []ref
	for _, name := range tomlfile.SortedKeys(c.Groups) {
		g := c.Groups[name]
		out = append(out, g.refs("peer-group."+name)...)
	}
	for i := range c.Neighbors {
		n := &c.Neighbors[i]
		key := c.source.Elem("neighbor", i, n.Address)
		out = append(out, ref{key + ".peer-group", "peer-group", n.PeerGroup})
		out = append(out, n.refs(key)...)
	}
	for _, r := range c.Ranges {
		out = append(out, ref{"peer-group." + r.PeerGroup + ".listen-range", "peer-group", r.PeerGroup})
	}
	for _, group := range tomlfile.SortedKeys(c.Health.MinEstablished) {
		out = append(out, ref{"health.min-established." + group, "peer-group", group})
	}
	for _, o := range c.origins() {
		out = append(out, ref{o.key + ".route-map", "route-map", o.routeMap})
	}
	for _, name := range tomlfile.SortedKeys(c.Policies.RouteMaps) {
		for i, clause := range c.Policies.RouteMaps[name] {
			out = append(out, clauseRefs(c.source.Elem("route-map."+name, i, clause.Seq), clause)...)
		}
	}
	return named(out)
}

// named returns refs without those of keys that are not set.
func named(refs []ref) []ref {
	return slices.DeleteFunc(refs, func(r ref) bool { return r.name == "" })
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

// clauseRefs returns the references in the clause under key.
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

// objects returns the names of all objects, by kind.
func (c *Config) objects() map[string][]string {
	out := map[string][]string{
		"peer-group": tomlfile.SortedKeys(c.Groups),
		"route-map":  tomlfile.SortedKeys(c.Policies.RouteMaps),
	}
	for _, k := range listKinds {
		kind, names := k.names(&c.Policies)
		out[kind] = names
	}
	return out
}
