package policy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

// seedLibrary returns the policies of the three FRR configurations that nvad replaces,
// written by hand.
func seedLibrary(t testing.TB) *Library {
	t.Helper()
	return &Library{
		PrefixLists: map[string]PrefixList{
			"vm-hub10": prefixRules(t, "seq 5 deny 10.0.0.0/16 ge 16", "seq 10 permit any"),
			"rs-hub00": prefixRules(t, "seq 5 deny 10.0.0.0/16", "seq 10 deny 10.100.0.0/16", "seq 15 permit any"),
			"vm-hub00": prefixRules(t, "seq 5 deny 10.10.0.0/16", "seq 10 permit any"),
			"rs-hub10": prefixRules(t, "seq 5 deny 10.10.0.0/16", "seq 10 deny 10.110.0.0/16", "seq 15 permit any"),
		},
		ASPathLists: map[string]ASPathList{
			"azure-asns": pathRules(t, "seq 5 permit _65515_"),
			"edge-asns":  pathRules(t, "seq 5 permit _65515_", "seq 10 permit _12076_"),
			"bogon-asns": pathRules(t, "seq 5 permit _0_", "seq 10 permit _23456_",
				"seq 15 permit _1310[0-6][0-9]_|_13107[0-1]_", "seq 20 deny _65515_", "seq 25 permit ^65"),
		},
		RouteMaps: map[string]RouteMap{
			"rmap-bogon-asns": {
				{Seq: 5, Match: Match{ASPathList: "bogon-asns"}},
				{Seq: 10, Permit: true},
			},
			"rmap-azure-asns": {
				{Seq: 5, Permit: true, Match: Match{ASPathList: "azure-asns"}, Set: Set{ASPathReplace: "any"}},
				{Seq: 10},
			},
			"rmap-edge-out": {
				{Seq: 5, Match: Match{ASPathList: "edge-asns"}},
				{Seq: 10, Permit: true},
			},
		},
	}
}

func prefixRules(t testing.TB, lines ...string) (out PrefixList) {
	t.Helper()
	for _, s := range lines {
		r, err := ParsePrefixRule(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func pathRules(t testing.TB, lines ...string) (out ASPathList) {
	t.Helper()
	for _, s := range lines {
		r, err := ParseASPathRule(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func communityRules(t testing.TB, lines ...string) (out CommunityList) {
	t.Helper()
	for _, s := range lines {
		r, err := ParseCommunityRule(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// pathOf reads the text form of an AS_PATH.
func pathOf(t testing.TB, s string) route.ASPath {
	t.Helper()
	asns := []uint32{}
	if s != "" {
		var err error
		if asns, err = ParseASNs(s); err != nil {
			t.Fatal(err)
		}
	}
	return route.NewASPath(asns...)
}

func input(t testing.TB, prefix, path string) *Input {
	t.Helper()
	return &Input{Prefix: netip.MustParsePrefix(prefix), Attrs: &route.Attrs{ASPath: pathOf(t, path)}}
}

func mustCompile(t testing.TB, lib *Library, c Chain, s Session) *Program {
	t.Helper()
	p, err := Compile(lib, c, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// seedRow is a route, and its path after policy or the rule that denies it.
type seedRow struct{ prefix, path, want string }

// seedRows are the routes that the seeds accept and advertise. Their as-path-list of
// bogons accepts more than its author wanted: _65515_ before ^65 exempts every path
// learned from a Route Server.
var seedRows = map[string]struct {
	chain Chain
	rows  []seedRow
}{
	"in from Route Server, as written": {
		Chain{RouteMap: "rmap-bogon-asns"},
		[]seedRow{
			{"10.0.0.0/16", "65515", "65515"},
			{"10.100.0.0/16", "65515 12076 64580", "65515 12076 64580"},
			{"192.0.2.0/24", "65515 0", "denied by route-map rmap-bogon-asns deny 5"},
			{"192.0.2.0/24", "65515 23456", "denied by route-map rmap-bogon-asns deny 5"},
			{"192.0.2.0/24", "65515 131069", "denied by route-map rmap-bogon-asns deny 5"},
			{"192.0.2.0/24", "65515 131071", "denied by route-map rmap-bogon-asns deny 5"},
			{"192.0.2.0/24", "65515 65552", "65515 65552"},
			{"192.0.2.0/24", "65001 64580", "denied by route-map rmap-bogon-asns deny 5"},
			{"192.0.2.0/24", "12076 65001", "12076 65001"},
			{"192.0.2.0/24", "655 1", "denied by route-map rmap-bogon-asns deny 5"},
		},
	},
	"in from Route Server, as meant": {
		Chain{DenyASNs: Reserved},
		[]seedRow{
			{"10.100.0.0/16", "65515 12076 64580", "65515 12076 64580"},
			{"10.0.0.0/16", "65515", "65515"},
			{"192.0.2.0/24", "65515 23456", "denied by deny-asns reserved: AS 23456"},
			{"192.0.2.0/24", "65515 0", "denied by deny-asns reserved: AS 0"},
			{"192.0.2.0/24", "65515 65552", "denied by deny-asns reserved: AS 65552"},
		},
	},
	"out to Route Server of hub00": {
		Chain{PrefixList: "rs-hub00", RouteMap: "rmap-azure-asns"},
		[]seedRow{
			{"10.110.0.0/16", "65515 12076", "65001 65001"},
			{"10.10.0.0/16", "65515", "65001"},
			{"10.0.0.0/16", "65515", "denied by prefix-list rs-hub00 seq 5 deny 10.0.0.0/16"},
			{"10.100.0.0/16", "65515", "denied by prefix-list rs-hub00 seq 10 deny 10.100.0.0/16"},
			{"10.0.0.0/24", "65515", "65001"},
			{"192.0.2.0/24", "", "denied by route-map rmap-azure-asns deny 10"},
			{"192.0.2.0/24", "64580", "denied by route-map rmap-azure-asns deny 10"},
		},
	},
	"out to Route Server of hub10": {
		Chain{PrefixList: "rs-hub10", RouteMap: "rmap-azure-asns"},
		[]seedRow{
			{"10.100.0.0/16", "65515 12076 64580", "65001 65001 65001"},
			{"10.110.0.0/16", "65515", "denied by prefix-list rs-hub10 seq 10 deny 10.110.0.0/16"},
		},
	},
	"out to the NVA of hub10": {
		Chain{PrefixList: "vm-hub10"},
		[]seedRow{
			{"10.0.0.0/16", "65515", "denied by prefix-list vm-hub10 seq 5 deny 10.0.0.0/16 ge 16"},
			{"10.0.1.0/24", "65515", "denied by prefix-list vm-hub10 seq 5 deny 10.0.0.0/16 ge 16"},
			{"10.0.0.0/8", "65515", "65515"},
			{"10.100.0.0/16", "65515", "65515"},
		},
	},
	"out to the NVA of hub00": {
		Chain{PrefixList: "vm-hub00"},
		[]seedRow{
			{"10.10.0.0/16", "65515", "denied by prefix-list vm-hub00 seq 5 deny 10.10.0.0/16"},
			{"10.10.0.0/24", "65515", "65515"},
		},
	},
	"as-path-list as a filter": {
		Chain{ASPathList: "edge-asns"},
		[]seedRow{
			{"10.0.0.0/16", "12076 8075", "12076 8075"},
			{"10.0.0.0/16", "8075", "denied by as-path-list edge-asns: no rule matched (implicit deny)"},
		},
	},
	"out of the ExpressRoute edge": {
		Chain{RouteMap: "rmap-edge-out"},
		[]seedRow{
			{"192.168.0.0/24", "", ""},
			{"0.0.0.0/0", "", ""},
			{"10.0.0.0/16", "12076 65515", "denied by route-map rmap-edge-out deny 5"},
			{"10.9.0.0/16", "12076 8075", "denied by route-map rmap-edge-out deny 5"},
		},
	},
}

// TestSeeds checks [seedRows].
func TestSeeds(t *testing.T) {
	session := Session{LocalASN: 65001, PeerASN: 65515, Export: true}
	for name, c := range seedRows {
		t.Run(name, func(t *testing.T) {
			p := mustCompile(t, seedLibrary(t), c.chain, session)
			for _, r := range c.rows {
				in := input(t, r.prefix, r.path)
				out := p.Run(in)
				if traced, _ := p.Trace(in); traced != out {
					t.Errorf("%s %q: %+v, traced %+v", r.prefix, r.path, out, traced)
				}
				got := "denied by " + p.RuleText(out.Rule)
				if out.Accept {
					got = out.Attrs.ASPath.String()
				}
				if got != r.want {
					t.Errorf("%s %q: got %q, want %q", r.prefix, r.path, got, r.want)
				}
			}
		})
	}
}

func TestNoPolicyDenies(t *testing.T) {
	p := mustCompile(t, &Library{}, Chain{}, Session{})
	out := p.Run(input(t, "10.0.0.0/8", "65515"))
	if out.Accept || p.RuleText(out.Rule) != "no policy (RFC 8212)" {
		t.Errorf("got %v by %q", out.Accept, p.RuleText(out.Rule))
	}
	p = mustCompile(t, &Library{}, Chain{Accept: true}, Session{})
	in := input(t, "10.0.0.0/8", "65515")
	if out := p.Run(in); !out.Accept || out.Attrs != in.Attrs || p.RuleText(out.Rule) != "accept" {
		t.Errorf("accept: got %v by %q", out.Accept, p.RuleText(out.Rule))
	}
}

func TestTraceGolden(t *testing.T) {
	p := mustCompile(t, seedLibrary(t), Chain{PrefixList: "rs-hub00", RouteMap: "rmap-azure-asns"}, Session{LocalASN: 65001, Export: true})
	for _, c := range []struct{ prefix, path, want string }{
		{"10.110.0.0/16", "65515 12076", `
prefix-list rs-hub00 seq 15 permit any [10.110.0.0/16]: permit
  match as-path-list azure-asns seq 5 permit _65515_ [65515 12076]: match
route-map rmap-azure-asns permit 5: permit; as-path "65515 12076" -> "65001 65001"
`},
		{"10.0.0.0/16", "65515", `
prefix-list rs-hub00 seq 5 deny 10.0.0.0/16 [10.0.0.0/16]: deny
`},
		{"192.0.2.0/24", "64580", `
prefix-list rs-hub00 seq 15 permit any [192.0.2.0/24]: permit
  match as-path-list azure-asns implicit deny [64580]: no match
route-map rmap-azure-asns permit 5: no match
route-map rmap-azure-asns deny 10: deny
`},
	} {
		_, steps := p.Trace(input(t, c.prefix, c.path))
		if got := stepLines(steps); got != strings.TrimPrefix(c.want, "\n") {
			t.Errorf("%s:\n%s", c.prefix, got)
		}
	}
}

func stepLines(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(s.String() + "\n")
	}
	return b.String()
}
