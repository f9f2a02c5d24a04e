package gen

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// FRR returns the case as FRR's configuration. By default, FRR's choice may depend on the
// order in which routes arrive. The configuration makes it choose by content, with
// deterministic-med and compare-routerid.
func (c *Case) FRR() string {
	var w frrWriter
	w.line("frr defaults traditional")
	w.lists(&c.Library)
	for _, name := range slices.Sorted(maps.Keys(c.Library.RouteMaps)) {
		w.routeMap(name, c.Library.RouteMaps[name])
	}
	w.line("router bgp %d", LocalASN)
	w.line(" bgp router-id %s", RouterID)
	w.line(" no bgp ebgp-requires-policy")
	w.line(" bgp deterministic-med")
	w.line(" bgp bestpath compare-routerid")
	for i := range c.Neighbors {
		n := &c.Neighbors[i]
		w.line(" neighbor %s remote-as %d", n.Address, n.ASN)
		w.line(" neighbor %s passive", n.Address)
		w.enforce(n)
	}
	w.line(" address-family ipv4 unicast")
	for i := range c.Neighbors {
		w.neighbor(&c.Neighbors[i])
	}
	w.line(" exit-address-family")
	w.line("exit")
	return w.String()
}

type frrWriter struct{ strings.Builder }

func (w *frrWriter) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

func (w *frrWriter) flag(set bool, format string, args ...any) {
	if set {
		w.line(format, args...)
	}
}

// enforce says it in both cases, because the default depends on FRR's version.
func (w *frrWriter) enforce(n *Neighbor) {
	no := map[bool]string{false: "no "}[n.EnforceFirstAS]
	w.line(" %sneighbor %s enforce-first-as", no, n.Address)
}

func (w *frrWriter) neighbor(n *Neighbor) {
	a := n.Address
	w.flag(n.NextHopSelf, "  neighbor %s next-hop-self", a)
	w.flag(n.Reflect, "  neighbor %s route-reflector-client", a)
	w.flag(n.ASOverride, "  neighbor %s as-override", a)
	w.flag(n.RemovePrivateAS, "  neighbor %s remove-private-AS all", a)
	w.flag(n.AllowASIn > 0, "  neighbor %s allowas-in %d", a, n.AllowASIn)
	w.flag(n.Weight > 0, "  neighbor %s weight %d", a, n.Weight)
	w.chain(n, n.Import, "in")
	w.chain(n, n.Export, "out")
}

func (w *frrWriter) chain(n *Neighbor, c policy.Chain, direction string) {
	w.flag(c.PrefixList != "", "  neighbor %s prefix-list %s %s", n.Address, c.PrefixList, direction)
	w.flag(c.ASPathList != "", "  neighbor %s filter-list %s %s", n.Address, c.ASPathList, direction)
	w.flag(c.RouteMap != "", "  neighbor %s route-map %s %s", n.Address, c.RouteMap, direction)
}

func (w *frrWriter) lists(lib *policy.Library) {
	for _, name := range slices.Sorted(maps.Keys(lib.PrefixLists)) {
		for i, r := range lib.PrefixLists[name] {
			r.Seq = 5 * (i + 1)
			w.line("ip prefix-list %s %s", name, r)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(lib.ASPathLists)) {
		for i, r := range lib.ASPathLists[name] {
			r.Seq = 5 * (i + 1)
			w.line("bgp as-path access-list %s %s", name, r)
		}
	}
	w.communityLists("community-list", lib.CommunityLists)
	w.communityLists("large-community-list", lib.LargeCommunityLists)
	w.communityLists("extcommunity-list", lib.ExtCommunityLists)
}

func (w *frrWriter) communityLists(command string, lists map[string]policy.CommunityList) {
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		for i, r := range lists[name] {
			r.Seq = 5 * (i + 1)
			kind := "standard"
			if r.Regexp != "" {
				kind = "expanded"
			}
			w.line("bgp %s %s %s %s", command, kind, name, strings.Replace(r.String(), "regexp ", "", 1))
		}
	}
}

func (w *frrWriter) routeMap(name string, m policy.RouteMap) {
	for i := range m {
		c := &m[i]
		action := "deny"
		if c.Permit {
			action = "permit"
		}
		w.line("route-map %s %s %d", name, action, c.Seq)
		w.match(&c.Match)
		w.setPath(&c.Set)
		w.setCommunities(&c.Set)
		w.setValues(&c.Set)
		w.flag(c.Call != "", " call %s", c.Call)
		w.flow(c)
		w.line("exit")
	}
}

func (w *frrWriter) flow(c *policy.Clause) {
	switch {
	case c.Next == policy.NextClause:
		w.line(" on-match next")
	case c.Next == policy.NextGoto:
		w.line(" on-match goto %d", c.Target)
	case c.Next == policy.NextContinue:
		w.line(" continue %d", c.Target)
	}
}

func (w *frrWriter) match(m *policy.Match) {
	exact := map[bool]string{true: " exact-match"}
	w.flag(m.PrefixList != "", " match ip address prefix-list %s", m.PrefixList)
	w.flag(m.ASPathList != "", " match as-path %s", m.ASPathList)
	w.flag(m.CommunityList != "", " match community %s%s", m.CommunityList, exact[m.CommunityExact])
	w.flag(m.LargeCommunityList != "", " match large-community %s%s", m.LargeCommunityList, exact[m.LargeExact])
	w.flag(m.ExtCommunityList != "", " match extcommunity %s", m.ExtCommunityList)
	w.flag(m.NextHopPrefixList != "", " match ip next-hop prefix-list %s", m.NextHopPrefixList)
	w.flag(m.NextHop.IsValid(), " match ip next-hop address %s", m.NextHop)
	w.flag(m.Peer.IsValid(), " match peer %s", m.Peer)
	w.number(" match metric %d", m.MED)
	w.number(" match local-preference %d", m.LocalPref)
	w.number(" match tag %d", m.Tag)
	w.flag(m.Origin != "", " match origin %s", m.Origin)
}

func (w *frrWriter) number(format string, n *uint32) {
	if n != nil {
		w.line(format, *n)
	}
}

// setPath writes changes of one attribute in nvad's order. FRR applies them in the order of
// the lines, and so in the same order.
func (w *frrWriter) setPath(s *policy.Set) {
	w.flag(s.ASPathReplace != "", " set as-path replace %s", s.ASPathReplace)
	w.flag(s.ASPathExclude != nil, " set as-path exclude %s", asnWords(s.ASPathExclude))
	w.flag(s.ASPathPrepend != nil, " set as-path prepend %s", asnWords(s.ASPathPrepend))
	w.flag(s.ASPathPrependLast > 0, " set as-path prepend last-as %d", s.ASPathPrependLast)
}

func asnWords(asns []uint32) string {
	var out []string
	for _, a := range asns {
		out = append(out, strconv.FormatUint(uint64(a), 10))
	}
	return strings.Join(out, " ")
}

func (w *frrWriter) setCommunities(s *policy.Set) {
	w.flag(s.Communities != nil, " set community %s", strings.Join(s.Communities, " "))
	w.flag(s.CommunityDelete != "", " set comm-list %s delete", s.CommunityDelete)
	w.flag(s.CommunitiesAdd != nil, " set community %s additive", strings.Join(s.CommunitiesAdd, " "))
	w.flag(s.LargeCommunities != nil, " set large-community %s", strings.Join(s.LargeCommunities, " "))
	w.flag(s.LargeCommunityDelete != "", " set large-comm-list %s delete", s.LargeCommunityDelete)
	w.flag(s.LargeCommunitiesAdd != nil, " set large-community %s additive", strings.Join(s.LargeCommunitiesAdd, " "))
	w.flag(s.ExtCommunities != nil, " set extcommunity none")
	for _, kind := range []string{"rt", "soo"} {
		var values []string
		for _, c := range s.ExtCommunitiesAdd {
			if v, ok := strings.CutPrefix(c, kind+" "); ok {
				values = append(values, v)
			}
		}
		w.flag(values != nil, " set extcommunity %s %s", kind, strings.Join(values, " "))
	}
}

func (w *frrWriter) setValues(s *policy.Set) {
	w.change(" set local-preference %s", s.LocalPref)
	w.change(" set metric %s", s.MED)
	hop := s.NextHop
	if hop == "self" || hop == "peer" {
		hop = "peer-address"
	}
	w.flag(hop != "", " set ip next-hop %s", hop)
	w.flag(s.Origin != "", " set origin %s", s.Origin)
	w.number(" set weight %d", s.Weight)
	w.number(" set tag %d", s.Tag)
	w.flag(s.AtomicAggregate, " set atomic-aggregate")
	w.flag(s.AggregatorASN != 0, " set aggregator as %d %s", s.AggregatorASN, s.AggregatorAddress)
}

func (w *frrWriter) change(format string, n *policy.Number) {
	if n != nil {
		w.line(format, n)
	}
}
