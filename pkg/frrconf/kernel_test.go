package frrconf

import (
	"strings"
	"testing"
)

// TestDefaultRoute checks that nvad installs a learned default route where FRR does: while no
// other program has one, unless no neighbor's is accepted or a static one is in the way.
func TestDefaultRoute(t *testing.T) {
	const lists = "ip prefix-list no deny 0.0.0.0/0\nip prefix-list no permit any\nip prefix-list yes permit 0.0.0.0/0\nroute-map all permit 10\nexit\n"
	const n = lists + bgpHead + "neighbor 10.0.0.9 "
	for frr, want := range map[string]bool{
		bgpHead:                                   false, // it denies everything
		n + "route-map all in\n":                  true,
		n + "prefix-list yes in\n":                true,
		n + "prefix-list no in\n":                 false,
		n + "prefix-list missing in\n":            false,
		n + "route-map all out\n":                 false,
		bgpHead + "no bgp ebgp-requires-policy\n": true,
		"router bgp 65002\nneighbor 10.0.0.9 remote-as internal\n":                                                                   true,
		"ip route 0.0.0.0/0 10.0.0.1\n" + n + "route-map all in\n":                                                                   false,
		"ip route 0.0.0.0/0 10.0.0.1 5\n" + n + "route-map all in\n":                                                                 false,
		bgpHead + "neighbor fd00::9 remote-as 65001\nno neighbor fd00::9 activate\naddress-family ipv6\nneighbor fd00::9 activate\n": true,
	} {
		cfg, left := convert(t, frr)
		if got := cfg.Kernel.AllowDefault && cfg.Kernel.DefaultAlone; got != want || strings.Contains(text(left), "default route") != want {
			t.Errorf("%s\nallow-default: %v, want %v\n%s", frr, got, want, text(left))
		}
	}
}

// TestNextHopsThroughBGP checks who is told that nvad reaches no next hop through BGP routes.
func TestNextHopsThroughBGP(t *testing.T) {
	for frr, want := range map[string]bool{
		bgpHead + "no bgp ebgp-requires-policy\n":                                                                       false,
		"router bgp 65001\nneighbor 10.0.0.9 remote-as 65001\n":                                                         true,
		"router bgp 65001\nneighbor 10.0.0.9 remote-as internal\n":                                                      true,
		"router bgp 65001\nneighbor 10.0.0.9 remote-as 65077\nneighbor 10.0.0.9 local-as 65077 no-prepend replace-as\n": true,
	} {
		_, left := convert(t, frr)
		if got := strings.Contains(text(left), "next hops of iBGP routes (from 10.0.0.9)"); got != want {
			t.Errorf("%s\ntold: %v, want %v", frr, got, want)
		}
	}
}
