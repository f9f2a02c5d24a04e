package frrconf

import (
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// TestRedistributeFamilies checks that only the routes of the family with the command are
// originated, each by its own route-map.
func TestRedistributeFamilies(t *testing.T) {
	const both = "no bgp ebgp-requires-policy\naddress-family ipv6 unicast\nneighbor 10.0.0.9 activate\n"
	const maps = "exit\nexit\nroute-map four permit 10\nset metric 4\nroute-map six permit 10\nset metric 6\nroute-map none deny 10\n"
	tests := []struct {
		lines     string
		four, six string // MED, "-" if it is not originated
	}{
		{"redistribute connected\n", "0", "0"}, // IPv4 is all that the neighbor is told
		{"redistribute connected\n" + both, "0", "-"},
		{"redistribute connected route-map four\n" + both, "4", "-"},
		{both + "redistribute connected route-map six\n", "-", "6"},
		{"redistribute connected route-map four\n" + both + "redistribute connected route-map six\n", "4", "6"},
		{both + "redistribute connected route-map six\nexit\nredistribute connected route-map four\n", "4", "6"},
		{"redistribute connected route-map four\n" + both + "redistribute connected route-map four\n", "4", "4"},
		{"redistribute connected\n" + both + "redistribute connected route-map none\n", "0", "-"},
		{"redistribute connected route-map missing\n" + both + "redistribute connected\n", "-", "0"},
	}
	for _, tt := range tests {
		cfg, _ := convert(t, bgpHead+tt.lines+maps)
		if len(cfg.Redistributes) != 1 {
			t.Errorf("%s\n%+v", tt.lines, cfg.Redistributes)
			continue
		}
		prog, err := policy.NewCompiler(&cfg.Policies).Compile(config.OriginChain(cfg.Redistributes[0].RouteMap), cfg.OriginSession())
		if err != nil {
			t.Fatal(err)
		}
		for prefix, want := range map[string]string{"10.1.0.0/16": tt.four, "fd00::/64": tt.six} {
			in := &policy.Input{Prefix: netip.MustParsePrefix(prefix), Attrs: &route.Attrs{MED: route.Some(0)}, Source: route.SourceConnected}
			out, got := prog.Run(in), "-"
			if out.Accept {
				got = string('0' + byte(out.Attrs.MED.Value))
			}
			if got != want {
				t.Errorf("%s\n%s: MED %s, want %s", tt.lines, prefix, got, want)
			}
		}
	}
}

// TestImportCheck checks whether networks need a route, by the release and the file.
func TestImportCheck(t *testing.T) {
	for frr, want := range map[string]bool{
		bgpHead + "network 10.1.0.0/16\n":                                                 true,
		bgpHead + "no bgp network import-check\nnetwork 10.1.0.0/16\n":                    false,
		bgpHead + "network 10.1.0.0/16\nno bgp network import-check\n":                    false,
		"frr version 7.3\n" + bgpHead + "network 10.1.0.0/16\n":                           false,
		"frr version 7.3\n" + bgpHead + "bgp network import-check\nnetwork 10.1.0.0/16\n": true,
		bgpHead + "network 10.1.0.0/16\nexit\nip route 10.1.0.0/16 Null0\n":               true,
	} {
		cfg, left := convert(t, frr)
		if cfg.Networks[0].ImportCheck != want || meaningful(left) != "" {
			t.Errorf("%s\nimport-check: %v, want %v\n%s", frr, cfg.Networks[0].ImportCheck, want, meaningful(left))
		}
	}
}

// TestMaximumPrefixCount checks which prefixes FRR counts.
func TestMaximumPrefixCount(t *testing.T) {
	for options, want := range map[string]string{"": config.CountAccepted, " 80 warning-only": config.CountAccepted, " force": config.CountReceived, " 80 restart 5 force": config.CountReceived} {
		cfg, left := convert(t, bgpHead+"neighbor 10.0.0.9 maximum-prefix 5"+options+"\n")
		if got := cfg.Neighbors[0].MaximumPrefixCount; got != want || meaningful(left) != "" {
			t.Errorf("%q: counts %s, want %s\n%s", options, got, want, meaningful(left))
		}
	}
}

// TestUpdateSource checks addresses and devices, over each other and in a peer-group.
func TestUpdateSource(t *testing.T) {
	const n = "neighbor 10.0.0.9 update-source "
	for lines, want := range map[string]string{
		n + "10.0.0.4\n": "10.0.0.4", n + "eth0\n": "eth0", n + "eth0\n" + n + "10.0.0.4\n": "10.0.0.4", n + "10.0.0.4\n" + n + "lo\n": "lo",
		"neighbor G peer-group\nneighbor 10.0.0.9 peer-group G\nneighbor G update-source lo\n":                    "lo",
		"neighbor G peer-group\nneighbor 10.0.0.9 peer-group G\n" + n + "10.0.0.4\nneighbor G update-source lo\n": "10.0.0.4",
	} {
		cfg, left := convert(t, bgpHead+lines)
		got := cfg.Neighbors[0].LocalInterface
		if a := cfg.Neighbors[0].LocalAddress; a.IsValid() {
			got += a.String()
		}
		if got != want || meaningful(left) != "" {
			t.Errorf("%s\nsource %q, want %q\n%s", lines, got, want, meaningful(left))
		}
	}
}
