package policy

import (
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

// change runs in through a route-map without conditions, and returns the changes.
func runSet(t *testing.T, s Set, in Input, session Session) (Output, string) {
	t.Helper()
	lib := clauseLibrary(t)
	lib.RouteMaps["m"] = RouteMap{{Permit: true, Set: s}}
	p := mustCompile(t, lib, Chain{RouteMap: "m"}, session)
	before := *in.Attrs
	out, steps := p.Trace(&in)
	if !in.Attrs.Equal(&before) {
		t.Errorf("%+v changes its input", s)
	}
	if again := p.Run(&in); again != out {
		t.Errorf("%+v: %+v, then %+v", s, out, again)
	}
	text := ""
	for _, c := range steps[len(steps)-1].Changes {
		text += c.Attribute + " " + c.Before + " -> " + c.After + "\n"
	}
	return out, text
}

func TestSet(t *testing.T) {
	for name, c := range map[string]struct {
		s    Set
		want string
	}{
		"nothing":             {Set{}, ""},
		"replace any":         {Set{ASPathReplace: "any"}, `as-path "65515 12076" -> "65001 65001"`},
		"replace some":        {Set{ASPathReplace: "12076,64580"}, `as-path "65515 12076" -> "65515 65001"`},
		"replace none":        {Set{ASPathReplace: "1 2"}, ""},
		"prepend":             {Set{ASPathPrepend: []uint32{1, 2}}, `as-path "65515 12076" -> "1 2 65515 12076"`},
		"prepend last":        {Set{ASPathPrependLast: 2}, `as-path "65515 12076" -> "65515 65515 65515 12076"`},
		"exclude":             {Set{ASPathExclude: []uint32{65515, 9}}, `as-path "65515 12076" -> "12076"`},
		"exclude all":         {Set{ASPathExcludeAll: true}, `as-path "65515 12076" -> ""`},
		"order of path":       {Set{ASPathReplace: "65515", ASPathExclude: []uint32{65001}, ASPathPrepend: []uint32{65001}}, `as-path "65515 12076" -> "65001 12076"`},
		"local-pref":          {Set{LocalPref: &Number{0, 300}}, "local-pref 200 -> 300"},
		"local-pref same":     {Set{LocalPref: &Number{0, 200}}, ""},
		"local-pref +":        {Set{LocalPref: &Number{'+', 50}}, "local-pref 200 -> 250"},
		"med":                 {Set{MED: &Number{0, 0}}, "med 50 -> 0"},
		"med + saturates":     {Set{MED: &Number{'+', 1<<32 - 1}}, "med 50 -> 4294967295"},
		"med -":               {Set{MED: &Number{'-', 20}}, "med 50 -> 30"},
		"med - saturates":     {Set{MED: &Number{'-', 51}}, "med 50 -> 0"},
		"communities":         {Set{Communities: []string{"no-export", "65001:9"}}, "communities 65001:1 65001:2 -> 65001:9 no-export"},
		"communities none":    {Set{Communities: []string{"none"}}, "communities 65001:1 65001:2 -> -"},
		"communities add":     {Set{CommunitiesAdd: []string{"65001:2", "65000:1"}}, "communities 65001:1 65001:2 -> 65000:1 65001:1 65001:2"},
		"community delete":    {Set{CommunityDelete: "obsolete"}, "communities 65001:1 65001:2 -> 65001:2"},
		"delete by standard":  {Set{CommunityDelete: "both"}, "communities 65001:1 65001:2 -> -"},
		"set, delete and add": {Set{Communities: []string{"65001:2", "65001:3"}, CommunityDelete: "obsolete", CommunitiesAdd: []string{"65001:4"}}, "communities 65001:1 65001:2 -> 65001:2 65001:4"},
		"delete nothing":      {Set{CommunityDelete: "named"}, ""},
		"ext unknown":         {Set{ExtCommunities: []string{"0x0300000000000064"}}, "ext-communities SoO:65515:7 -> 0x0300000000000064"},
		"large":               {Set{LargeCommunities: []string{"1:2:3"}}, "large-communities 65001:1:2 -> 1:2:3"},
		"large add":           {Set{LargeCommunitiesAdd: []string{"1:2:3"}}, "large-communities 65001:1:2 -> 1:2:3 65001:1:2"},
		"large delete":        {Set{LargeCommunityDelete: "one"}, "large-communities 65001:1:2 -> -"},
		"ext":                 {Set{ExtCommunities: []string{"rt 65001:1"}}, "ext-communities SoO:65515:7 -> RT:65001:1"},
		"ext add":             {Set{ExtCommunitiesAdd: []string{"rt 65001:1"}}, "ext-communities SoO:65515:7 -> RT:65001:1 SoO:65515:7"},
		"ext delete":          {Set{ExtCommunityDelete: "soo"}, "ext-communities SoO:65515:7 -> -"},
		"origin":              {Set{Origin: "incomplete"}, "origin egp -> incomplete"},
		"weight and tag":      {Set{Weight: u32(5), Tag: u32(6)}, "weight 0 -> 5\ntag 9 -> 6"},
		"preferred source":    {Set{PreferredSource: addr("10.0.0.4")}, "preferred-source - -> 10.0.0.4"},
		"atomic":              {Set{AtomicAggregate: true}, "atomic-aggregate - -> set"},
		"aggregator":          {Set{AggregatorASN: 65001, AggregatorAddress: addr("10.0.0.4")}, "aggregator - -> 65001 10.0.0.4"},
		"next hop":            {Set{NextHop: "10.0.0.9"}, "next-hop 10.0.210.4 -> 10.0.0.9"},
		"next hop self":       {Set{NextHop: "self"}, "next-hop 10.0.210.4 -> self"},
		"next hop unchanged":  {Set{NextHop: "unchanged"}, "next-hop 10.0.210.4 -> unchanged"},
		"next hop peer":       {Set{NextHop: "peer"}, "next-hop 10.0.210.4 -> peer"},
		"next hop of IPv6":    {Set{NextHop: "2001:db8::1"}, ""},
	} {
		want := c.want
		if want != "" {
			want += "\n"
		}
		out, got := runSet(t, c.s, sample(), Session{LocalASN: 65001, Export: true})
		if got != want || !out.Accept {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		in := sample()
		if got == "" && !out.Attrs.Equal(in.Attrs) {
			t.Errorf("%s: attributes are changed", name)
		}
	}
}

// TestSetAbsent: a change of an absent value starts from 0, and a path without a leftmost
// ASN is not prepended.
func TestSetAbsent(t *testing.T) {
	in := Input{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Attrs: &route.Attrs{}}
	s := Set{LocalPref: &Number{'+', 5}, MED: &Number{'-', 5}, ASPathReplace: "any", ASPathPrependLast: 3}
	_, got := runSet(t, s, in, Session{LocalASN: 65001})
	if want := "med - -> 0\nlocal-pref - -> 5\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSetPathKeepsSegments(t *testing.T) {
	path := route.ASPath{
		{Type: route.ASConfedSequence, ASNs: []uint32{65100}},
		{Type: route.ASSequence, ASNs: []uint32{65515, 12076}},
		{Type: route.ASSet, ASNs: []uint32{1, 12076}},
	}
	for want, s := range map[string]Set{
		"(65001) 65001 65001 {65001}":   {ASPathReplace: "any"},
		"(65100) 65515 65001 {1,65001}": {ASPathReplace: "12076"},
		"65515 {1}":                     {ASPathExclude: []uint32{12076, 65100}},
		"7 65515 12076 {1,12076}":       {ASPathPrepend: []uint32{7}},
		"(65100) 65515 12076 {1,12076}": {ASPathPrependLast: 2},
	} {
		out, _ := runSet(t, s, Input{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Attrs: &route.Attrs{ASPath: path}}, Session{LocalASN: 65001})
		if got := out.Attrs.ASPath.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestSetNextHopFamilies: an address changes routes of its family only.
func TestSetNextHopFamilies(t *testing.T) {
	v6 := sample()
	v6.Prefix, v6.Attrs = netip.MustParsePrefix("2001:db8::/32"), &route.Attrs{NextHop: addr("2001:db8::4")}
	both := Set{NextHop: "10.0.0.9", NextHopIPv6: addr("2001:db8::9")}
	for _, c := range []struct {
		s    Set
		in   Input
		hop  string
		kind NextHop
	}{
		{both, sample(), "10.0.0.9", NextHopSet},
		{both, v6, "2001:db8::9", NextHopSet},
		{Set{NextHop: "10.0.0.9"}, v6, "2001:db8::4", NextHopDefault},
		{Set{NextHop: "2001:db8::9"}, v6, "2001:db8::9", NextHopSet},
		{Set{NextHop: "2001:db8::9"}, sample(), "10.0.210.4", NextHopDefault},
	} {
		out, _ := runSet(t, c.s, c.in, Session{Export: true})
		if out.Attrs.NextHop.String() != c.hop || out.NextHop != c.kind {
			t.Errorf("%v %v: %v %v", c.s.NextHop, c.in.Prefix, out.Attrs.NextHop, out.NextHop)
		}
	}
}

// TestSetNextHopPeerOnImport: on import the Program sets the neighbor's address itself, so
// that nothing is left to the engine.
func TestSetNextHopPeerOnImport(t *testing.T) {
	out, _ := runSet(t, Set{NextHop: "peer"}, sample(), Session{Neighbor: addr("10.0.210.5")})
	if out.Attrs.NextHop != addr("10.0.210.5") || out.NextHop != NextHopSet {
		t.Errorf("%v %v", out.Attrs.NextHop, out.NextHop)
	}
}

// TestExcludeJoinsSequences: two sequences become one if the set between them is removed.
func TestExcludeJoinsSequences(t *testing.T) {
	path := route.ASPath{
		{Type: route.ASSequence, ASNs: []uint32{65515}},
		{Type: route.ASSet, ASNs: []uint32{1, 2}},
		{Type: route.ASSequence, ASNs: []uint32{12076}},
	}
	got := excludeASNs(path, []uint32{1, 2})
	if want := route.NewASPath(65515, 12076); !got.Equal(want) {
		t.Errorf("got %d segments: %v", len(got), got)
	}
}
