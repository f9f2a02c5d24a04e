package frrconf

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// TestListenRange checks dynamic neighbors, in both orders of the lines.
func TestListenRange(t *testing.T) {
	const group = "neighbor G peer-group\nneighbor G remote-as external\n"
	const listen = "bgp listen range 10.1.0.0/24 peer-group G\n"
	accept := policy.Chain{Accept: true}
	tests := []struct {
		lines  string
		limit  int
		asn    uint32
		word   string
		policy policy.Chain
		family route.Family
		told   string
	}{
		{group + listen, 100, 0, "external", policy.Chain{}, route.IPv4, ""},
		{listen + group, 100, 0, "external", policy.Chain{}, route.IPv4, ""},
		{group + listen + "no bgp ebgp-requires-policy\n", 100, 0, "external", accept, route.IPv4, ""},
		{group + listen + "neighbor G remote-as internal\n", 100, 65001, "internal", accept, route.IPv4, ""},
		{group + listen + "neighbor G remote-as 65009\nneighbor G route-map A in\nneighbor G route-map A out\n", 100, 65009, "",
			policy.Chain{Accept: true, RouteMap: "A"}, route.IPv4, ""},
		{"bgp listen limit 20\n" + group + listen, 20, 0, "external", policy.Chain{}, route.IPv4, ""},
		{group + listen + "bgp listen limit 100\n", 100, 0, "external", policy.Chain{}, route.IPv4, ""},
		{group + listen + "bgp listen limit 5000\n", 1000, 0, "external", policy.Chain{}, route.IPv4, "1000 at most"},
		{group + listen + "neighbor G timers 3 9\naddress-family ipv6\nneighbor G activate\n", 100, 0, "external", policy.Chain{}, route.IPv4 | route.IPv6, ""},
		{group + listen + "neighbor 10.0.0.7 peer-group G\n", 100, 0, "external", policy.Chain{}, route.IPv4, ""},
	}
	for _, tt := range tests {
		cfg, left := convert(t, bgpHead+tt.lines+"exit\nroute-map A permit 10\n")
		if len(cfg.Ranges) != 1 {
			t.Errorf("%s\nranges are %+v", tt.lines, cfg.Ranges)
			continue
		}
		r := cfg.Ranges[0]
		if r.Prefix != netip.MustParsePrefix("10.1.0.0/24") || r.Limit != tt.limit || r.RemoteASN != tt.asn || r.RemoteType != tt.word ||
			r.Import != tt.policy || r.Export != tt.policy || r.Families != tt.family {
			t.Errorf("%s\n%+v", tt.lines, r)
		}
		if (tt.told == "") != (meaningful(left) == "") || !strings.Contains(meaningful(left), tt.told) {
			t.Errorf("%s\n%s", tt.lines, meaningful(left))
		}
	}
}

// TestListenRanges checks several ranges, and ranges that can't be carried over.
func TestListenRanges(t *testing.T) {
	const groups = "neighbor G peer-group\nneighbor G remote-as external\nneighbor F peer-group\nneighbor F remote-as internal\n"
	for lines, want := range map[string]struct {
		ranges int
		told   string
	}{
		"bgp listen range 10.1.0.0/24 peer-group G\nbgp listen range 10.2.0.0/24 peer-group G\n": {2, ""},
		"bgp listen range 10.1.0.0/24 peer-group G\nbgp listen range 10.2.0.0/24 peer-group F\n": {2, "one limit for all peer-groups"},
		"bgp listen range 10.1.0.0/24 peer-group nobody\n":                                       {0, "there is no peer-group nobody"},
		"neighbor E peer-group\nbgp listen range 10.1.0.0/24 peer-group E\n":                     {0, "has no remote-as"},
		"bgp listen range 10.1.0.0 peer-group G\n":                                               {0, "not a prefix"},
		"bgp listen limit 0\nbgp listen range 10.1.0.0/24 peer-group G\n":                        {1, "not a number"},
		"bgp listen range 10.1.0.0/24 peer-group G\nbgp listen range fd00::/64 peer-group G\n":   {1, "over an IPv6 session"},
	} {
		cfg, left := convert(t, bgpHead+groups+lines)
		if len(cfg.Ranges) != want.ranges || (want.told == "") != (meaningful(left) == "") || !strings.Contains(meaningful(left), want.told) {
			t.Errorf("%s\n%d ranges, want %d\n%s", lines, len(cfg.Ranges), want.ranges, meaningful(left))
		}
	}
}
