package gen

import (
	"slices"
	"strings"

	"github.com/nvad/nvad/integration/rawbgp"
	"github.com/nvad/nvad/pkg/policy"
)

// ForFRR10 leaves out what FRR 10 does in another way than FRR 8 and nvad do, so that a
// comparison with it is about the rest. docs/frr-differences.md has these differences, and the
// tests prove them separately.
func (c *Case) ForFRR10() *Case {
	someValue(c.Library.CommunityLists, "65001:100")
	someValue(c.Library.LargeCommunityLists, "65001:1:1")
	for name, m := range c.Library.RouteMaps {
		for i := range m {
			orderless(&m[i].Set)
			m[i].Set.ExtCommunitiesAdd = sentTexts(m[i].Set.ExtCommunitiesAdd)
			if c.servesInternal(name) {
				m[i].Set.ASPathExclude = nil // FRR 10 ignores it on iBGP sessions
			}
		}
	}
	for i := range c.Neighbors {
		n := &c.Neighbors[i]
		if n.Export.RouteMap != "" { // FRR 10 evaluates it before both
			n.RemovePrivateAS, n.ASOverride = false, false
		}
		SentByFRR10(n.Routes)
	}
	return c
}

// SentByFRR10 removes the extended communities that FRR 10 does not send to eBGP neighbors: those
// of the types 1 and 3.
func SentByFRR10(routes []rawbgp.Route) {
	for _, r := range routes {
		r.Attrs.Ext = slices.DeleteFunc(r.Attrs.Ext, func(e uint64) bool { return e>>56 == 1 || e>>56 == 3 })
	}
}

// someValue replaces rules that FRR 10 refuses ("internet"), or that match a route without
// communities everywhere but there ("^$"), by rules for one value.
func someValue(lists map[string]policy.CommunityList, value string) {
	for _, l := range lists {
		for i := range l {
			if slices.Contains(l[i].Values, "internet") {
				l[i].Values = []string{value}
			}
			if l[i].Regexp == "^$" {
				l[i].Regexp = "_" + value + "_"
			}
		}
	}
}

// orderless removes changes of one attribute for which FRR 10 has another order than nvad: it
// replaces the path last, and deletes communities first.
func orderless(s *policy.Set) {
	if s.ASPathReplace != "" {
		s.ASPathExclude, s.ASPathPrepend, s.ASPathPrependLast = nil, nil, 0
	}
	if s.Communities != nil {
		s.CommunityDelete = ""
	}
	if s.LargeCommunities != nil {
		s.LargeCommunityDelete = ""
	}
}

// servesInternal reports whether the route-map is, or may be called from, a policy of an iBGP
// neighbor.
func (c *Case) servesInternal(name string) bool {
	return strings.HasPrefix(name, "called") || slices.ContainsFunc(c.Neighbors, func(n Neighbor) bool {
		return n.Internal() && (n.Import.RouteMap == name || n.Export.RouteMap == name)
	})
}

// sentTexts is SentByFRR10 for the values of a route-map.
func sentTexts(list []string) []string {
	return slices.DeleteFunc(list, func(c string) bool { return strings.Contains(c, "10.0.0.1:") })
}
