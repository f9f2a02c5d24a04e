package policy

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

// TestHits: each rule that decides is counted, in lists and in route-maps, whether its
// verdict was remembered or not; what is only told is not.
func TestHits(t *testing.T) {
	lib := &Library{
		PrefixLists: map[string]PrefixList{"p": {
			{Seq: 5, Prefix: netip.MustParsePrefix("10.0.0.0/16")}, {Seq: 10, Permit: true, Any: true},
		}},
		ASPathLists: map[string]ASPathList{"a": {{Seq: 5, Permit: true, Regexp: "_65515_"}}},
		RouteMaps: map[string]RouteMap{"m": {
			{Seq: 10, Permit: true, Match: Match{ASPathList: "a"}}, {Seq: 20, Permit: false},
		}},
	}
	p, err := Compile(lib, Chain{DenyASNs: Reserved, PrefixList: "p", RouteMap: "m"}, Session{})
	if err != nil {
		t.Fatal(err)
	}
	azure, other, bogon := &route.Attrs{ASPath: route.NewASPath(65515)}, &route.Attrs{ASPath: route.NewASPath(64580)}, &route.Attrs{ASPath: route.NewASPath(23456)}
	run := func(prefix string, a *route.Attrs) { p.Run(&Input{Prefix: netip.MustParsePrefix(prefix), Attrs: a}) }
	run("10.0.0.0/16", azure)
	for range 3 {
		run("10.1.0.0/16", azure)
	}
	run("10.1.0.0/16", other)
	run("10.1.0.0/16", bogon)
	p.Trace(&Input{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Attrs: azure})
	want := []RuleHits{
		{"deny-asns reserved", 1},
		{"prefix-list p seq 5 deny 10.0.0.0/16", 1},
		{"prefix-list p seq 10 permit any", 4},
		{"prefix-list p: no rule matched (implicit deny)", 0},
		{"as-path-list a seq 5 permit _65515_", 3},
		{"as-path-list a: no rule matched (implicit deny)", 1},
		{"route-map m permit 10", 3},
		{"route-map m deny 20", 1},
		{"route-map m: no clause matched (implicit deny)", 0},
	}
	got := p.Hits(p.Counts())
	for _, h := range want {
		if !slices.Contains(got, h) {
			t.Errorf("%v is missing", h)
		}
	}
	if t.Failed() || len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}
