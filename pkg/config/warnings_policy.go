package config

import (
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// unused reports objects that nothing refers to.
func (w *warner) unused() {
	used := map[string]bool{}
	for _, r := range w.cfg.refs() {
		used[r.kind+" "+r.name] = true
	}
	objects := w.cfg.objects()
	for _, kind := range sortedKeys(objects) {
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
	for _, name := range sortedKeys(w.cfg.Policies.RouteMaps) {
		for i, clause := range w.cfg.Policies.RouteMaps[name] {
			key := w.src.elem(string(policy.KindRouteMap)+"."+name, i, clause.Seq) + ".match."
			if m := clause.Match; !known[m.Neighbor] {
				w.warn("no-neighbor", key+"neighbor", "never matches: %s is not a neighbor", m.Neighbor)
			}
			if m := clause.Match; !known[m.Peer] {
				w.warn("no-neighbor", key+"peer", "never matches: %s is not a neighbor", m.Peer)
			}
		}
	}
}

// bogonPatterns knows the expressions for bogon ASNs that circulate in
// articles on Route Server, and what they let through.
func (w *warner) bogonPatterns() {
	for _, name := range sortedKeys(w.cfg.Policies.ASPathLists) {
		list := w.cfg.Policies.ASPathLists[name]
		for i, rule := range list {
			key := w.src.elem(string(policy.KindASPathList)+"."+name, i, rule.Seq)
			if strings.Contains(rule.Regexp, "1310[0-6][0-9]") {
				w.warn("bogon-pattern", key, "%s matches only 131000-131071 of the reserved ASNs 65552-131071: "+
					`65552-130999 pass; use deny-asns = "reserved" in import, which covers them all`, rule.Regexp)
			}
			exempt := exemption(list[:i])
			if rule.Permit && exempt != "" && (rule.Regexp == "^65" || strings.HasPrefix(rule.Regexp, "^65[")) {
				w.warn("bogon-pattern", key, "%s never matches a route from Route Server: %q before it exempts every path that contains 65515, "+
					`whatever else it contains; use deny-asns = "reserved" in import, which exempts none`, rule.Regexp, exempt)
			}
		}
	}
}

// exemption is the expression of a rule that denies paths with Route Server's
// ASN; empty if there is none.
func exemption(rules policy.ASPathList) string {
	for _, r := range rules {
		if !r.Permit && strings.Trim(r.Regexp, "_^$") == "65515" {
			return r.Regexp
		}
	}
	return ""
}
