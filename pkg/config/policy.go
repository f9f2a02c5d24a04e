package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
)

// policies reports the faults that the policy compiler finds in the lists and route-maps
// and in each neighbor's chains, besides missing objects.
func (v *checker) policies() {
	for _, e := range policy.CheckLibrary(&v.cfg.Policies) {
		v.policyError(e)
	}
	compiler := policy.NewCompiler(&v.cfg.Policies)
	for i := range len(v.cfg.Neighbors) + len(v.cfg.Ranges) {
		n := v.cfg.neighborAt(i)
		own, group := v.src.Elem("neighbor", i, n.Address), "peer-group."+n.PeerGroup
		_, err := compiler.Compile(n.Import, v.cfg.Session(n, false))
		v.policyErrors(err, own+".import", group+".import")
		_, err = compiler.Compile(n.Export, v.cfg.Session(n, true))
		v.policyErrors(err, own+".export", group+".export")
		_, err = compiler.Compile(n.DefaultChain(), v.cfg.Session(n, true))
		v.policyErrors(err, own+".default-originate-map", group+".default-originate-map")
	}
	for _, o := range v.cfg.origins() {
		_, err := compiler.Compile(OriginChain(o.routeMap), v.cfg.OriginSession())
		v.policyErrors(err, o.key+".route-map")
	}
}

// policyErrors reports the errors of a chain; chains are the keys that may have set it,
// the neighbor's and its group's.
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

// policyError reports e at its key, unless the key or one of its elements has an error
// already: that is the same one in other words.
func (v *checker) policyError(e *policy.Error, chains ...string) {
	key := v.src.First(v.policyKeys(e, chains))
	for _, other := range v.doc.Errors {
		if other.Key == key || strings.HasPrefix(other.Key, key+"[") {
			return
		}
	}
	v.fail(key, "%v", e.Err)
}

// policyKeys returns the keys that may have caused e.
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

// unused warns of objects that nothing refers to.
func (w *warner) unused() {
	used := map[string]bool{}
	for _, r := range w.cfg.refs() {
		used[r.kind+" "+r.name] = true
	}
	objects := w.cfg.objects()
	for _, kind := range tomlfile.SortedKeys(objects) {
		for _, name := range objects[kind] {
			if !used[kind+" "+name] && !w.cfg.fromPreset(name) {
				w.warn("unused", kind+"."+name, "nothing uses this %s; remove it, or refer to it where it was meant to apply", kind)
			}
		}
	}
}

// strangers warns of conditions on an address that is no neighbor: they never hold.
func (w *warner) strangers() {
	known := func(a netip.Addr) bool {
		_, dynamic := w.cfg.Dynamic(a)
		is := func(n Neighbor) bool { return n.Address == a }
		return !a.IsValid() || dynamic || slices.ContainsFunc(w.cfg.Neighbors, is)
	}
	for _, name := range tomlfile.SortedKeys(w.cfg.Policies.RouteMaps) {
		for i, clause := range w.cfg.Policies.RouteMaps[name] {
			key := w.src.Elem(string(policy.KindRouteMap)+"."+name, i, clause.Seq) + ".match."
			if m := clause.Match; !known(m.Neighbor) {
				w.warn("no-neighbor", key+"neighbor", "never matches, because %s is not a neighbor; correct the address", m.Neighbor)
			}
			if m := clause.Match; !known(m.Peer) {
				w.warn("no-neighbor", key+"peer", "never matches, because %s is not a neighbor; correct the address", m.Peer)
			}
		}
	}
}

// unreached warns of rules and clauses that no route reaches.
func (w *warner) unreached() {
	for _, u := range policy.FindUnreached(&w.cfg.Policies) {
		if w.cfg.fromPreset(u.Name) {
			continue
		}
		key := w.src.Elem(string(u.Kind)+"."+u.Name, u.Index, u.Seq)
		noun, why, what := "rule", fmt.Sprintf("the earlier %q matches first", u.By), "change the order, or delete what is not needed"
		if u.Kind == policy.KindRouteMap {
			noun, why, what = "clause", u.By+" has no conditions and decides every route", "give that clause a match, number it last, or delete what is not needed"
		}
		if u.Count > 1 {
			w.warn("unreached", key, "this %s and %d more are never reached, because %s; %s", noun, u.Count-1, why, what)
		} else {
			w.warn("unreached", key, "this %s is never reached, because %s; %s", noun, why, what)
		}
	}
}
