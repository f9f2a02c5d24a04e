package policy

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindUnreachedPrefixes: what is never reached, and its near misses.
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
