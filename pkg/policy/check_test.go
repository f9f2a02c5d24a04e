package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// faultyLibrary has one fault of each kind, and faults are the messages about them.
var faultyLibrary = &Library{
	PrefixLists: map[string]PrefixList{
		"bad": {
			{Prefix: netip.MustParsePrefix("10.0.0.0/16"), GE: 8},
			{Seq: 5, Permit: true, Any: true},
			{Permit: true},
		},
		"good": {{Permit: true, Any: true}},
	},
	ASPathLists:         map[string]ASPathList{"bad": {{Regexp: "_1_"}, {Regexp: "("}}},
	CommunityLists:      map[string]CommunityList{"bad": {{Values: []string{"1:2:3"}}, {}, {Regexp: "1", Values: []string{"1:1"}}}},
	LargeCommunityLists: map[string]CommunityList{"bad": {{Values: []string{"internet"}}}},
	ExtCommunityLists:   map[string]CommunityList{"bad": {{Values: []string{"rt x"}}}},
	RouteMaps: map[string]RouteMap{
		"a": {{Seq: 10, Permit: true, Call: "b"}},
		"b": {{Seq: 10, Permit: true, Match: Match{PrefixList: "good"}, Call: "a"}},
		"c": {
			{Match: Match{PrefixList: "gone", ASPathList: "gone", CommunityList: "gone", LargeCommunityList: "gone", ExtCommunityList: "gone", NextHopPrefixList: "gone"}, Call: "gone"},
			{Match: Match{Source: "x", Origin: "x", Role: "x", PathLength: Cmp{"!", 1}}},
			{Next: NextClause},
			{Permit: true, Next: NextGoto, Target: 20},
			{Permit: true, Set: Set{
				ASPathReplace: "x", ASPathPrepend: []uint32{0}, ASPathPrependLast: 11, LocalPref: &Number{'*', 1}, MED: &Number{'*', 1},
				Origin: "x", AggregatorASN: 1, NextHop: "x", NextHopIPv6: addr("10.0.0.1"),
				Communities: []string{"x"}, CommunitiesAdd: []string{"x"}, CommunityDelete: "gone",
				LargeCommunities: []string{"x"}, LargeCommunitiesAdd: []string{"x"}, LargeCommunityDelete: "gone",
				ExtCommunities: []string{"x"}, ExtCommunitiesAdd: []string{"x"}, ExtCommunityDelete: "gone",
			}},
		},
	},
}

const faults = `prefix-list bad seq 5: ge 8 must be between 16 and 32
prefix-list bad seq 5 seq: sequence number 5 is given twice
prefix-list bad seq 10: no prefix given
as-path-list bad seq 10: bad regular expression: missing closing )
community-list bad seq 5: "1:2:3" is not a community
community-list bad seq 10: a rule has either communities or a regular expression
community-list bad seq 15: a rule has either communities or a regular expression
large-community-list bad seq 5: "internet" is not a large community
ext-community-list bad seq 5: "rt x" is not an extended community
route-map b seq 10 call: route-map "a" would call itself
route-map c seq 5 match.as-path-list: there is no as-path-list "gone"
route-map c seq 5 match.community-list: there is no community-list "gone"
route-map c seq 5 match.large-community-list: there is no large-community-list "gone"
route-map c seq 5 match.ext-community-list: there is no ext-community-list "gone"
route-map c seq 5 match.next-hop-prefix-list: there is no prefix-list "gone"
route-map c seq 5 match.prefix-list: there is no prefix-list "gone"
route-map c seq 5 call: there is no route-map "gone"
route-map c seq 10 match.source: "x" is not a source of routes
route-map c seq 10 match.origin: "x" is not an origin
route-map c seq 10 match.path-length: "!" is not a comparison
route-map c seq 10 match.role: "x" is not a role
route-map c seq 15 next: a deny clause ends the route-map when it matches
route-map c seq 20 next: clause 20 does not come after clause 20
route-map c seq 25 set.as-path-replace: "x" is not an ASN
route-map c seq 25 set.as-path-prepend: AS 0 must not be in a path (RFC 7607)
route-map c seq 25 set.as-path-prepend-last: 11 is not between 1 and 10
route-map c seq 25 set.local-pref: '*' is not + or -
route-map c seq 25 set.med: '*' is not + or -
route-map c seq 25 set.origin: "x" is not an origin
route-map c seq 25 set.aggregator: an aggregator is an ASN and an IPv4 address
route-map c seq 25 set.communities: "x" is not a community
route-map c seq 25 set.communities-add: "x" is not a community
route-map c seq 25 set.community-delete: there is no community-list "gone"
route-map c seq 25 set.large-communities: "x" is not a large community
route-map c seq 25 set.large-communities-add: "x" is not a large community
route-map c seq 25 set.large-community-delete: there is no large-community-list "gone"
route-map c seq 25 set.ext-communities: "x" is not an extended community
route-map c seq 25 set.ext-communities-add: "x" is not an extended community
route-map c seq 25 set.ext-community-delete: there is no ext-community-list "gone"
route-map c seq 25 set.next-hop: "x" is not an address, self, unchanged or peer
route-map c seq 25 set.next-hop-ipv6: want one IPv6 address, beside an IPv4 next hop`

func TestCheckLibrary(t *testing.T) {
	lines := strings.Split(faults, "\n")
	got := CheckLibrary(faultyLibrary)
	for i := range max(len(got), len(lines)) {
		switch {
		case i >= len(got):
			t.Errorf("missing %q", lines[i])
		case i >= len(lines) || !strings.HasPrefix(got[i].Error(), lines[i]):
			t.Errorf("%d: got %q", i, got[i])
		}
	}
	if got[0].Index != 0 || got[1].Index != 1 || got[2].Index != 2 {
		t.Errorf("positions %d %d %d", got[0].Index, got[1].Index, got[2].Index)
	}
}

func TestCheckLibraryGood(t *testing.T) {
	if errs := CheckLibrary(seedLibrary(t)); len(errs) > 0 {
		t.Error(errs)
	}
	if errs := CheckLibrary(&Library{}); len(errs) > 0 {
		t.Error(errs)
	}
}

// TestCompileErrors: Compile reports every error that concerns the chain once, and none of
// other objects.
func TestCompileErrors(t *testing.T) {
	lib := &Library{
		PrefixLists: map[string]PrefixList{"bad": {{}}, "other": {{}}},
		RouteMaps: map[string]RouteMap{"m": {
			{Permit: true, Match: Match{PrefixList: "bad"}, Call: "n"},
			{Permit: true, Match: Match{PrefixList: "bad"}, Call: "n"},
		}, "n": {{Permit: true, Set: Set{NextHop: "self"}}}},
	}
	_, err := Compile(lib, Chain{ASPathList: "gone", RouteMap: "m"}, Session{})
	want := []string{
		`policy as-path-list: there is no as-path-list "gone"`,
		`prefix-list bad seq 5: no prefix given`,
		`route-map n seq 5 set.next-hop: self has no meaning for routes received`,
	}
	if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindChain || e.Index != -1 || e.Field != "as-path-list" || e.Unwrap() == nil {
		t.Errorf("got %+v", e)
	}
	if _, err := Compile(lib, Chain{RouteMap: "gone"}, Session{}); err == nil {
		t.Error("no error for a missing route-map")
	}
}

// TestFindUnreachedPrefixes has rules that are never reached, and near misses.
func TestFindUnreachedPrefixes(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []string
		want  []string
	}{
		{"permit any is last", []string{"deny 10.0.0.0/16", "permit any"}, nil},
		{"after permit any", []string{"permit any", "deny 10.0.0.0/16", "permit 10.0.0.0/8"}, []string{"1 seq 10 x2: seq 5 permit any"}},
		{"numbers say the order", []string{"seq 20 permit any", "seq 10 deny 10.0.0.0/16"}, nil},
		{"numbers put it behind", []string{"seq 20 deny 10.0.0.0/16", "seq 10 permit any"}, []string{"0 seq 20 x1: seq 10 permit any"}},
		{"all of IPv4", []string{"permit 0.0.0.0/0 le 32", "permit 10.0.0.0/8", "deny fd00::/8"}, []string{"1 seq 10 x1: seq 5 permit 0.0.0.0/0 le 32"}},
		{"the default alone is not all", []string{"permit 0.0.0.0/0", "permit 10.0.0.0/8"}, nil},
		{"an exception too late", []string{"permit 10.0.0.0/8 le 32", "deny 10.1.0.0/16"}, []string{"1 seq 10 x1: seq 5 permit 10.0.0.0/8 le 32"}},
		{"an exception in time", []string{"deny 10.1.0.0/16", "permit 10.0.0.0/8 le 32"}, nil},
		{"longer than the first takes", []string{"permit 10.0.0.0/8 le 24", "deny 10.1.0.0/16 le 32"}, nil},
		{"a repetition does no harm", []string{"deny 10.0.0.0/8 le 32", "deny 10.1.0.0/16", "permit any"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantUnreached(t, Library{PrefixLists: map[string]PrefixList{"l": prefixRules(t, c.rules...)}}, c.want)
		})
	}
}

func wantUnreached(t *testing.T, lib Library, want []string) {
	t.Helper()
	var got []string
	for _, u := range FindUnreached(&lib) {
		got = append(got, fmt.Sprintf("%d seq %d x%d: %s", u.Index, u.Seq, u.Count, u.By))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFindUnreachedPatterns(t *testing.T) {
	for expr, all := range map[string]bool{
		".*": true, "^.*$": true, "^": true, "$": true, "_": true, "(.*)": true, "[0-9]*": true, "a|.*": true,
		".": false, ".+": false, "^$": false, "_65515_": false, "^65": false, "^[0-9 ]*$": false,
	} {
		rules := ASPathList{{Permit: true, Regexp: expr}, {Regexp: "_65000_"}}
		var want []string
		if all {
			want = []string{"1 seq 10 x1: seq 5 permit " + expr}
		}
		wantUnreached(t, Library{ASPathLists: map[string]ASPathList{"l": rules}}, want)
	}
}

func TestFindUnreachedCommunities(t *testing.T) {
	wantUnreached(t, Library{CommunityLists: map[string]CommunityList{
		"l": {{Permit: true, Values: []string{internet}}, {Values: []string{"65001:1"}}},
		"m": {{Permit: true, Values: []string{"65001:1"}}, {Permit: true, Values: []string{internet}}},
	}}, []string{"1 seq 10 x1: seq 5 permit internet"})
}

func TestFindUnreachedClauses(t *testing.T) {
	some := Match{Source: "network"}
	for _, c := range []struct {
		name    string
		clauses RouteMap
		want    []string
	}{
		{"the last has no conditions", RouteMap{{Permit: true, Match: some}, {Permit: true}}, nil},
		{"the first has none", RouteMap{{Permit: true}, {Match: some}, {Permit: true}}, []string{"1 seq 10 x2: permit 5"}},
		{"deny without conditions", RouteMap{{}, {Permit: true}}, []string{"1 seq 10 x1: deny 5"}},
		{"on-match next", RouteMap{{Permit: true, Next: NextClause}, {Permit: true}}, nil},
		{"continue", RouteMap{{Permit: true, Next: NextContinue}, {Permit: true}}, nil},
		{"jumped over", RouteMap{{Permit: true, Next: NextGoto, Target: 15}, {Match: some}, {Permit: true}}, []string{"1 seq 10 x1: permit 5"}},
		{"jumped over by some", RouteMap{{Permit: true, Match: some, Next: NextGoto, Target: 15}, {Permit: true}, {Permit: true}}, nil},
		{"a call decides too", RouteMap{{Permit: true, Call: "other"}, {Permit: true}}, []string{"1 seq 10 x1: permit 5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantUnreached(t, Library{RouteMaps: map[string]RouteMap{"m": c.clauses}}, c.want)
		})
	}
}
