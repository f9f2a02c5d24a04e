package gen

import (
	"fmt"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// pathPatterns are forms of expressions that people write; %d is an ASN.
var pathPatterns = []string{
	"_%d_", "^%d_", "_%d$", "^%d$", "^%d %d", "_(%d|%d)_", "_%d_%d_", "%d", "^%d( [0-9]+)*$", "^(%d_)+",
	"^$", "^[0-9]+$", ".*", "_1310[0-6][0-9]_|_13107[0-1]_", "_645(1[2-9]|[2-9][0-9])_", "^65", "[{]", "^[(]",
	"^[0-9]+ [0-9]+$", "_%d_.*_%d_", "^(%d|%d)?$", "_6[45][0-9]{3}_", "^%d [^ ]+$", "_%d,", "_42[0-9]+_", "[^0-9 ]",
}

// fill puts ASNs into a pattern, mostly the feeders'.
func (g *generator) fill(pattern string) string {
	var args []any
	for range strings.Count(pattern, "%d") {
		args = append(args, pick(g, append([]uint32{65515, 65515, 64580, 64580}, asns...)))
	}
	return fmt.Sprintf(pattern, args...)
}

func (g *generator) pathList() string {
	var l policy.ASPathList
	for range 1 + g.IntN(3) {
		l = append(l, policy.ASPathRule{Permit: g.chance(80), Regexp: g.fill(pick(g, pathPatterns))})
	}
	if g.chance(30) {
		l = append(l, policy.ASPathRule{Permit: true, Regexp: ".*"})
	}
	name := g.name("paths")
	g.c.Library.ASPathLists[name] = l
	return name
}

// Forms of expressions over communities of each kind.
var (
	communityPatterns = []string{
		"_65001:[12]00_", "^65001:", "65515:.*", "_1:1_", "^1:1", "no-export", "_(12076|64580):[0-9]+_", "^$", ":77$", "local-AS",
		"_graceful-shutdown_|blackhole",
	}
	largePatterns = []string{"^65001:1:", "_65001:[0-9]+:1_", "65001:1:1 65001:1:2", "_4200000001:7:4294967295$", "^$"}
	extPatterns   = []string{"RT:65001:1", "SoO:", "_RT:65001:[12]_", "_RT:10\\.0\\.0\\.1:9_", "RT:4200000001:5", "SoO:65001:7_"}
)

// rules draws a list: either values, or expressions.
func (g *generator) rules(patterns, values []string, expanded bool) policy.CommunityList {
	var l policy.CommunityList
	for range 1 + g.IntN(3) {
		r := policy.CommunityRule{Permit: g.chance(80)}
		if expanded {
			r.Regexp = pick(g, patterns)
		} else {
			r.Values = some(g, values, 1+g.IntN(4)/3)
		}
		l = append(l, r)
	}
	return l
}

func (g *generator) communityList(expanded bool) string {
	name := g.name("communities")
	l := g.rules(communityPatterns, communityTexts(append(communities, wellKnown[:3]...)), expanded)
	if !expanded && g.chance(10) {
		l = append(l, policy.CommunityRule{Permit: true, Values: []string{"internet"}})
	}
	g.c.Library.CommunityLists[name] = l
	return name
}

func (g *generator) largeList(expanded bool) string {
	name := g.name("large")
	g.c.Library.LargeCommunityLists[name] = g.rules(largePatterns, largeTexts(large), expanded)
	return name
}

// extList draws rules of one value and expressions without anchors: FRR does not sort the
// communities that it adds, and matches several values only in the order of the list.
func (g *generator) extList(expanded bool) string {
	name := g.name("ext")
	l := g.rules(extPatterns, extTexts(ext[:5]), expanded)
	for i := range l {
		l[i].Values = l[i].Values[:min(1, len(l[i].Values))]
	}
	g.c.Library.ExtCommunityLists[name] = l
	return name
}

func communityTexts(list []uint32) (out []string) {
	for _, c := range list {
		out = append(out, route.Community(c).String())
	}
	return out
}

func largeTexts(list [][3]uint32) (out []string) {
	for _, c := range list {
		out = append(out, fmt.Sprintf("%d:%d:%d", c[0], c[1], c[2]))
	}
	return out
}

func extTexts(list []uint64) (out []string) {
	for _, c := range list {
		out = append(out, route.ExtCommunity(c).String())
	}
	return out
}
