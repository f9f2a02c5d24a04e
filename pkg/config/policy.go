package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
)

// policies reports what the policy compiler finds in the library and in each
// neighbor's chains, beyond what the references have shown.
func (v *checker) policies() {
	for _, e := range policy.CheckLibrary(&v.cfg.Policies) {
		v.policyError(e)
	}
	compiler := policy.NewCompiler(&v.cfg.Policies)
	for i := range v.cfg.Neighbors {
		n := &v.cfg.Neighbors[i]
		own, group := v.src.Elem("neighbor", i, n.Address), "peer-group."+n.PeerGroup
		_, err := compiler.Compile(n.Import, v.cfg.Session(n, false))
		v.policyErrors(err, own+".import", group+".import")
		_, err = compiler.Compile(n.Export, v.cfg.Session(n, true))
		v.policyErrors(err, own+".export", group+".export")
		_, err = compiler.Compile(n.DefaultChain(), v.cfg.Session(n, true))
		v.policyErrors(err, own+".default-originate-map", group+".default-originate-map")
	}
	v.origins(compiler)
}

// origins compiles the route-maps of what is originated.
func (v *checker) origins(compiler *policy.Compiler) {
	c := v.cfg
	check := func(key, routeMap string) {
		_, err := compiler.Compile(OriginChain(routeMap), c.OriginSession())
		v.policyErrors(err, key+".route-map")
	}
	for i, n := range c.Networks {
		check(v.src.Elem("network", i, n.Prefix), n.RouteMap)
	}
	for i, a := range c.Aggregates {
		check(v.src.Elem("aggregate", i, a.Prefix), a.RouteMap)
	}
	for i, r := range c.Redistributes {
		check(v.src.Elem("redistribute", i, r.Source), r.RouteMap)
	}
}

// policyErrors reports the errors of a chain, which the neighbor or its group
// gives.
func (v *checker) policyErrors(err error, chains ...string) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return
	}
	for _, err := range joined.Unwrap() {
		var e *policy.Error
		if errors.As(err, &e) {
			v.policyError(e, chains...)
		}
	}
}

// policyError reports e at its key. One at a key that has its error already,
// or an element that has, is left out: it is the same in other words.
func (v *checker) policyError(e *policy.Error, chains ...string) {
	key := v.src.First(v.policyKeys(e, chains))
	for _, other := range v.doc.Errors {
		if other.Key == key || strings.HasPrefix(other.Key, key+"[") {
			return
		}
	}
	v.fail(key, "%v", e.Err)
}

// policyKeys is the keys that e may be about.
func (v *checker) policyKeys(e *policy.Error, chains []string) string {
	if e.Kind == policy.KindChain {
		keys := ""
		for _, chain := range chains {
			keys += chain + "." + e.Field + " " + chain + " "
		}
		return keys
	}
	object := fmt.Sprintf("%s.%s", e.Kind, e.Name)
	if e.Index < 0 {
		return object
	}
	key := v.src.Elem(object, e.Index, e.Seq)
	switch {
	case e.Kind != policy.KindRouteMap || e.Field == "":
		return key
	case e.Field == "next":
		return key + ".on-match " + key + ".continue"
	case e.Field == "set.aggregator":
		return key + ".set.aggregator-asn " + key + ".set.aggregator-address"
	}
	return key + "." + e.Field
}

// unused reports objects that nothing refers to.
func (w *warner) unused() {
	used := map[string]bool{}
	for _, r := range w.cfg.refs() {
		used[r.kind+" "+r.name] = true
	}
	objects := w.cfg.objects()
	for _, kind := range tomlfile.SortedKeys(objects) {
		for _, name := range objects[kind] {
			if !used[kind+" "+name] && !w.cfg.fromPreset(name) {
				w.warn("unused", kind+"."+name, "nothing refers to this %s", kind)
			}
		}
	}
}

// strangers reports conditions on a neighbor that there is not, which never
// hold.
func (w *warner) strangers() {
	known := map[netip.Addr]bool{{}: true} // the condition is not given
	for i := range w.cfg.Neighbors {
		known[w.cfg.Neighbors[i].Address] = true
	}
	for _, name := range tomlfile.SortedKeys(w.cfg.Policies.RouteMaps) {
		for i, clause := range w.cfg.Policies.RouteMaps[name] {
			key := w.src.Elem(string(policy.KindRouteMap)+"."+name, i, clause.Seq) + ".match."
			if m := clause.Match; !known[m.Neighbor] {
				w.warn("no-neighbor", key+"neighbor", "never matches: %s is not a neighbor", m.Neighbor)
			}
			if m := clause.Match; !known[m.Peer] {
				w.warn("no-neighbor", key+"peer", "never matches: %s is not a neighbor", m.Peer)
			}
		}
	}
}

// unreached reports rules and clauses that no route gets to.
func (w *warner) unreached() {
	for _, u := range policy.FindUnreached(&w.cfg.Policies) {
		if w.cfg.fromPreset(u.Name) {
			continue
		}
		key := w.src.Elem(string(u.Kind)+"."+u.Name, u.Index, u.Seq)
		switch {
		case u.Kind == policy.KindRouteMap && u.Count > 1:
			w.warn("unreached", key, "this clause and %d more are never reached: %s has no conditions and decides every route; "+
				"give it a match, number it last, or delete them", u.Count-1, u.By)
		case u.Kind == policy.KindRouteMap:
			w.warn("unreached", key, "this clause is never reached: %s has no conditions and decides every route; "+
				"give it a match, number it last, or delete this one", u.By)
		case u.Count > 1:
			w.warn("unreached", key, "this rule and %d more are never reached: %q comes first and covers them; put them before it, or delete them", u.Count-1, u.By)
		default:
			w.warn("unreached", key, "this rule is never reached: %q comes first and covers it; put it before that one, or delete it", u.By)
		}
	}
}
