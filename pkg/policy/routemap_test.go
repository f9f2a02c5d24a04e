package policy

import (
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

func u32(v uint32) *uint32 { return &v }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// clauseLibrary holds one list of each kind for the tests of clauses.
func clauseLibrary(t testing.TB) *Library {
	t.Helper()
	return &Library{
		PrefixLists: map[string]PrefixList{
			"ten":   prefixRules(t, "permit 10.0.0.0/8 le 24"),
			"hosts": prefixRules(t, "permit 10.0.0.0/16 ge 32", "permit 2001:db8::/32 ge 128"),
		},
		ASPathLists: map[string]ASPathList{"azure": pathRules(t, "permit _65515_")},
		CommunityLists: map[string]CommunityList{
			"both":     communityRules(t, "permit 65001:1 65001:2"),
			"not1":     communityRules(t, "deny 65001:1", "permit internet"),
			"regexp":   communityRules(t, "permit regexp ^65001:[12]$"),
			"named":    communityRules(t, "permit no-export"),
			"obsolete": communityRules(t, "deny 65001:2", "permit regexp ^65001:"),
		},
		LargeCommunityLists: map[string]CommunityList{
			"one":    communityRules(t, "permit 65001:1:2"),
			"regexp": communityRules(t, "permit regexp _65001:1:"),
		},
		ExtCommunityLists: map[string]CommunityList{
			"soo":    communityRules(t, "permit soo 65515:7"),
			"regexp": communityRules(t, "permit regexp RT:65001:"),
		},
		RouteMaps: map[string]RouteMap{},
	}
}

// sample is a route with a value for every condition.
func sample() Input {
	return Input{
		Prefix: netip.MustParsePrefix("10.110.0.0/16"),
		Attrs: &route.Attrs{
			ASPath:           route.NewASPath(65515, 12076),
			NextHop:          addr("10.0.210.4"),
			MED:              route.Some(50),
			LocalPref:        route.Some(200),
			Origin:           route.OriginEGP,
			Communities:      []route.Community{65001<<16 | 1, 65001<<16 | 2},
			LargeCommunities: []route.LargeCommunity{{Global: 65001, Local1: 1, Local2: 2}},
			ExtCommunities:   []route.ExtCommunity{route.SiteOfOrigin(65515, 7)},
		},
		From:      addr("10.0.210.4"),
		FromGroup: "route-server",
		Tag:       9,
	}
}

func TestMatch(t *testing.T) {
	for name, c := range map[string]struct{ yes, no []Match }{
		"nothing":     {yes: []Match{{}}},
		"prefix-list": {[]Match{{PrefixList: "ten"}}, []Match{{PrefixList: "hosts"}}},
		"as-path":     {[]Match{{ASPathList: "azure"}}, nil},
		"bogons":      {[]Match{{Bogons: Private}, {Bogons: Reserved | Private}}, []Match{{Bogons: Reserved}}},
		"community": {
			[]Match{{CommunityList: "both"}, {CommunityList: "both", CommunityExact: true}, {CommunityList: "both", CommunityAny: true}},
			[]Match{{CommunityList: "not1"}, {CommunityList: "regexp"}, {CommunityList: "named"}, {CommunityList: "named", CommunityAny: true}},
		},
		"large-community": {
			[]Match{{LargeCommunityList: "one"}, {LargeCommunityList: "one", LargeExact: true}, {LargeCommunityList: "regexp", LargeAny: true}}, nil,
		},
		"ext-community": {
			[]Match{{ExtCommunityList: "soo"}, {ExtCommunityList: "soo", ExtExact: true}}, []Match{{ExtCommunityList: "regexp", ExtAny: true}},
		},
		"next-hop":   {[]Match{{NextHop: addr("10.0.210.4")}, {NextHopPrefixList: "hosts"}}, []Match{{NextHop: addr("10.0.210.5")}, {NextHopPrefixList: "ten"}}},
		"neighbor":   {[]Match{{Neighbor: addr("10.0.210.4")}}, []Match{{Neighbor: addr("10.0.210.5")}}},
		"peer-group": {[]Match{{PeerGroup: "route-server"}}, []Match{{PeerGroup: "nva"}}},
		"peer":       {[]Match{{Peer: addr("169.254.0.2")}}, []Match{{Peer: addr("10.0.210.4")}}},
		"source":     {[]Match{{Source: "bgp"}}, []Match{{Source: "static"}, {Source: "connected"}}},
		"med":        {[]Match{{MED: u32(50)}}, []Match{{MED: u32(0)}}},
		"local-pref": {[]Match{{LocalPref: u32(200)}}, []Match{{LocalPref: u32(100)}}},
		"origin":     {[]Match{{Origin: "egp"}}, []Match{{Origin: "igp"}, {Origin: "incomplete"}}},
		"tag":        {[]Match{{Tag: u32(9)}}, []Match{{Tag: u32(0)}}},
		"role":       {[]Match{{Role: "provider"}}, []Match{{Role: "customer"}}},
		"path-length": {
			[]Match{{PathLength: Cmp{"=", 2}}, {PathLength: Cmp{"<", 3}}, {PathLength: Cmp{"<=", 2}}, {PathLength: Cmp{">", 1}}, {PathLength: Cmp{">=", 2}}},
			[]Match{{PathLength: Cmp{"=", 3}}, {PathLength: Cmp{"<", 2}}, {PathLength: Cmp{"<=", 1}}, {PathLength: Cmp{">", 2}}, {PathLength: Cmp{">=", 3}}},
		},
		"all of several": {[]Match{{PrefixList: "ten", MED: u32(50)}}, []Match{{PrefixList: "ten", MED: u32(51)}, {PrefixList: "hosts", MED: u32(50)}}},
	} {
		for _, m := range c.yes {
			if !matches(t, m) {
				t.Errorf("%s: %+v does not match", name, m)
			}
		}
		for _, m := range c.no {
			if matches(t, m) {
				t.Errorf("%s: %+v matches", name, m)
			}
		}
	}
}

func matches(t *testing.T, m Match) bool {
	t.Helper()
	lib := clauseLibrary(t)
	lib.RouteMaps["m"] = RouteMap{{Permit: true, Match: m}}
	p := mustCompile(t, lib, Chain{RouteMap: "m"}, Session{Neighbor: addr("169.254.0.2"), Role: "provider", Export: true})
	in := sample()
	first, again := p.Run(&in), p.Run(&in)
	traced, steps := p.Trace(&in)
	if first != again || first != traced {
		t.Errorf("%+v: %+v, then %+v, traced %+v", m, first, again, traced)
	}
	for _, s := range steps[:len(steps)-1] {
		if s.Depth == 1 && (s.Object == "" || s.Value == "") {
			t.Errorf("%+v: step %+v", m, s)
		}
	}
	return first.Accept
}

// TestMatchAbsent: an absent MED or LOCAL_PREF is 0, and a route without communities
// matches only rules that require none.
func TestMatchAbsent(t *testing.T) {
	for _, c := range []struct {
		m    Match
		want bool
	}{
		{Match{MED: u32(0)}, true},
		{Match{LocalPref: u32(0)}, true},
		{Match{LocalPref: u32(100)}, false},
		{Match{CommunityList: "not1"}, true},
		{Match{CommunityList: "both"}, false},
		{Match{CommunityList: "both", CommunityExact: true}, false},
		{Match{CommunityList: "regexp"}, false},
		{Match{NextHop: addr("10.0.0.1")}, false},
		{Match{NextHopPrefixList: "hosts"}, false},
		{Match{PathLength: Cmp{"=", 0}}, true},
	} {
		lib := clauseLibrary(t)
		lib.RouteMaps["m"] = RouteMap{{Permit: true, Match: c.m}}
		p := mustCompile(t, lib, Chain{RouteMap: "m"}, Session{})
		if out := p.Run(input(t, "10.0.0.0/16", "")); out.Accept != c.want {
			t.Errorf("%+v: %v", c.m, out.Accept)
		}
	}
}

// TestFlow checks which clause follows which. Each permit clause adds its number as a
// community, so that the result shows which clauses ran.
func TestFlow(t *testing.T) {
	mark := func(seq int, c Clause) Clause {
		c.Seq, c.Permit = seq, true
		c.Set.CommunitiesAdd = []string{route.Community(seq).String()}
		return c
	}
	never := Match{PrefixList: "hosts"}
	for name, c := range map[string]struct {
		m    RouteMap
		want string
	}{
		"first match ends":      {RouteMap{mark(10, Clause{}), mark(20, Clause{})}, "0:10"},
		"by number":             {RouteMap{mark(20, Clause{}), mark(10, Clause{})}, "0:10"},
		"no match goes on":      {RouteMap{mark(10, Clause{Match: never}), mark(20, Clause{})}, "0:20"},
		"no match at all":       {RouteMap{mark(10, Clause{Match: never})}, "route-map m: no clause matched (implicit deny)"},
		"deny":                  {RouteMap{{Seq: 10}, mark(20, Clause{})}, "route-map m deny 10"},
		"deny does not match":   {RouteMap{{Seq: 10, Match: never}, mark(20, Clause{})}, "0:20"},
		"next":                  {RouteMap{mark(10, Clause{Next: NextClause}), mark(20, Clause{}), mark(30, Clause{})}, "0:10 0:20"},
		"next at the end":       {RouteMap{mark(10, Clause{Next: NextClause})}, "0:10"},
		"next, then no match":   {RouteMap{mark(10, Clause{Next: NextClause}), mark(20, Clause{Match: never})}, "route-map m: no clause matched (implicit deny)"},
		"next, no match, match": {RouteMap{mark(10, Clause{Next: NextClause}), mark(20, Clause{Match: never}), mark(30, Clause{})}, "0:10 0:30"},
		"goto, then no match":   {RouteMap{mark(10, Clause{Next: NextGoto, Target: 20}), mark(20, Clause{Match: never})}, "route-map m: no clause matched (implicit deny)"},
		"next, then deny":       {RouteMap{mark(10, Clause{Next: NextClause}), {Seq: 20}}, "route-map m deny 20"},
		"goto":                  {RouteMap{mark(10, Clause{Next: NextGoto, Target: 30}), mark(20, Clause{}), mark(30, Clause{})}, "0:10 0:30"},
		"goto between":          {RouteMap{mark(10, Clause{Next: NextGoto, Target: 25}), mark(20, Clause{}), mark(30, Clause{})}, "0:10 0:30"},
		"goto past the end":     {RouteMap{mark(10, Clause{Next: NextGoto, Target: 99}), mark(20, Clause{})}, "0:10"},
		"continue":              {RouteMap{mark(10, Clause{Next: NextContinue}), mark(20, Clause{})}, "0:10 0:20"},
		"continue to":           {RouteMap{mark(10, Clause{Next: NextContinue, Target: 30}), mark(20, Clause{}), mark(30, Clause{})}, "0:10 0:30"},
		"call":                  {RouteMap{mark(10, Clause{Call: "ok"})}, "0:7 0:10"},
		"call, then next":       {RouteMap{mark(10, Clause{Call: "ok", Next: NextClause}), mark(20, Clause{})}, "0:7 0:10 0:20"},
		"call denies":           {RouteMap{mark(10, Clause{Call: "no", Next: NextClause}), mark(20, Clause{})}, "route-map no deny 3"},
		"call finds no match":   {RouteMap{mark(10, Clause{Call: "empty"})}, "route-map empty: no clause matched (implicit deny)"},
		"call of no match":      {RouteMap{mark(10, Clause{Match: never, Call: "no"}), mark(20, Clause{})}, "0:20"},
		"later sees the change": {RouteMap{mark(10, Clause{Next: NextClause}), mark(20, Clause{Match: Match{CommunityList: "ten"}})}, "0:10 0:20"},
	} {
		lib := clauseLibrary(t)
		lib.CommunityLists["ten"] = communityRules(t, "permit 0:10")
		lib.RouteMaps = map[string]RouteMap{"m": c.m, "ok": {mark(7, Clause{})}, "no": {{Seq: 3}}, "empty": {}}
		p := mustCompile(t, lib, Chain{RouteMap: "m"}, Session{})
		in := input(t, "10.0.0.0/16", "1")
		for range 2 {
			out := p.Run(in)
			got := p.RuleText(out.Rule)
			if out.Accept {
				got = listText(standardKind, out.Attrs)
			}
			if got != c.want {
				t.Errorf("%s: got %q, want %q", name, got, c.want)
			}
			if !out.Accept && out.Attrs != in.Attrs {
				t.Errorf("%s: a denied route is changed", name)
			}
		}
	}
}

func TestTraceOfCalls(t *testing.T) {
	lib := clauseLibrary(t)
	lib.RouteMaps = map[string]RouteMap{
		"outer": {
			{Permit: true, Match: Match{Source: "static"}},
			{Permit: true, Match: Match{MED: u32(50)}, Set: Set{MED: &Number{'+', 5}}, Call: "inner", Next: NextClause},
			{Permit: true, Match: Match{PathLength: Cmp{">", 5}}},
			{Permit: true},
		},
		"inner": {{Permit: true, Match: Match{MED: u32(55), CommunityList: "both"}, Set: Set{NextHop: "self", Weight: u32(7)}}},
	}
	p := mustCompile(t, lib, Chain{DenyASNs: Reserved, RouteMap: "outer"}, Session{Export: true})
	in := sample()
	want := `deny-asns reserved [65515 12076]: permit
  match source static [bgp]: no match
route-map outer permit 5: no match
  match med 50 [50]: match
route-map outer permit 10: permit; med 50 -> 55
    match med 55 [55]: match
    match community-list both seq 5 permit 65001:1 65001:2 [65001:1 65001:2]: match
  route-map inner permit 5: permit; next-hop 10.0.210.4 -> self; weight 0 -> 7
  match path-length > 5 [2]: no match
route-map outer permit 15: no match
route-map outer permit 20: permit
`
	out, steps := p.Trace(&in)
	if got := stepLines(steps); got != want {
		t.Errorf("got\n%s", got)
	}
	if !out.Accept || out.NextHop != NextHopSelf || out.Weight != 7 || p.RuleText(out.Rule) != "route-map outer permit 20" {
		t.Errorf("%+v", out)
	}
}
