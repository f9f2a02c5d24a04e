package frrconf

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// imported runs the import policy of the first neighbor, and returns whether a prefix is
// accepted, with which preferred source.
func imported(t *testing.T, cfg *config.Config, prefix string) (bool, string) {
	t.Helper()
	prog, err := policy.NewCompiler(&cfg.Policies).Compile(cfg.Neighbors[0].Import, policy.Session{})
	if err != nil {
		t.Fatal(err)
	}
	out := prog.Run(&policy.Input{Prefix: netip.MustParsePrefix(prefix), Attrs: &route.Attrs{}})
	source := ""
	if out.PreferredSource.IsValid() {
		source = out.PreferredSource.String()
	}
	return out.Accept, source
}

// TestPreferredSource checks "ip protocol bgp route-map" where it only sets source addresses,
// with and without import policy, in both orders of the lines.
func TestPreferredSource(t *testing.T) {
	const n = "neighbor 10.0.0.9 "
	const lists = "ip prefix-list TEN permit 10.0.0.0/8 le 32\nroute-map IN permit 10\nmatch ip address prefix-list TEN\nexit\n"
	const source = "route-map SRC permit 10\nset src 10.255.0.1\nexit\n"
	const some = "route-map SRC permit 10\nmatch ip address prefix-list TEN\nset src 10.255.0.1\nexit\nroute-map SRC permit 20\nexit\n"
	const v6 = "no " + n + "activate\naddress-family ipv4\n" + n + "activate\nexit\naddress-family ipv6\n" + n + "activate\nexit\n"
	tests := []struct {
		neighbor, zebra, ten, other, six string // "-": rejected; otherwise the source
	}{
		{"no bgp ebgp-requires-policy\n", "ip protocol bgp route-map SRC\n" + source, "10.255.0.1", "10.255.0.1", ""},
		{n + "prefix-list TEN in\n", "ip protocol bgp route-map SRC\n" + source, "10.255.0.1", "-", "-"},
		{n + "route-map IN in\n", "ip protocol bgp route-map SRC\n" + source, "10.255.0.1", "-", "-"},
		{n + "route-map IN in\n", "ip protocol any route-map SRC\n" + source, "10.255.0.1", "-", "-"},
		{"no bgp ebgp-requires-policy\n", "ip protocol bgp route-map SRC\n" + some, "10.255.0.1", "", ""},
		{"", "ip protocol bgp route-map SRC\n" + source, "-", "-", "-"},
		{"no bgp ebgp-requires-policy\n", "ip protocol ospf route-map SRC\n" + source, "", "", ""},
		{"no bgp ebgp-requires-policy\n", "ipv6 protocol bgp route-map SRC\nroute-map SRC permit 10\nset src fd00::1\nexit\n", "", "", "fd00::1"},
		{"no bgp ebgp-requires-policy\n" + v6, "ip protocol bgp route-map SRC\n" + source + "ipv6 protocol bgp route-map SRC6\nroute-map SRC6 permit 10\nset src fd00::1\nexit\n",
			"10.255.0.1", "10.255.0.1", "fd00::1"},
	}
	for _, tt := range tests {
		for _, frr := range []string{lists + tt.zebra + bgpHead + tt.neighbor, bgpHead + tt.neighbor + "exit\n" + tt.zebra + lists} {
			cfg, left := convert(t, frr)
			for prefix, want := range map[string]string{"10.1.0.0/16": tt.ten, "192.168.0.0/16": tt.other, "fd00::/16": tt.six} {
				accepted, source := imported(t, cfg, prefix)
				if !accepted {
					source = "-"
				}
				if source != want {
					t.Errorf("%s\n%s has source %q, want %q", frr, prefix, source, want)
				}
			}
			if told := meaningful(left); told != "" && !strings.Contains(tt.zebra, "ospf") {
				t.Errorf("%s\n%s", frr, told)
			}
		}
	}
}

// TestStaticSource checks the source addresses of static routes.
func TestStaticSource(t *testing.T) {
	cfg, left := convert(t, bgpHead+"exit\nip route 10.1.0.0/16 10.0.0.1\nip route 10.2.0.0/16 10.0.0.1\nipv6 route fd01::/16 fd00::9\n"+
		"ip protocol static route-map S\nip prefix-list one permit 10.1.0.0/16\n"+
		"route-map S permit 10\nmatch ip address prefix-list one\nset src 10.255.0.1\nroute-map S permit 20\nset src 10.255.0.2\n")
	var got []string
	for _, s := range cfg.Statics {
		got = append(got, s.Source.String())
	}
	if strings.Join(got, " ") != "10.255.0.1 10.255.0.2 invalid IP" || meaningful(left) != "" {
		t.Errorf("sources are %v\n%s", got, meaningful(left))
	}
}

// TestKernelFilter checks that a route-map between BGP and the kernel which does more than
// set a source is told, and changes nothing else.
func TestKernelFilter(t *testing.T) {
	for _, m := range []string{
		"route-map F deny 10\n", "route-map F permit 10\nmatch ip address prefix-list P\nset src 10.255.0.1\n",
		"route-map F permit 10\nmatch interface eth0\nset src 10.255.0.1\nroute-map F permit 20\n",
		"route-map F permit 10\nmatch ip address prefix-len 24\nset src 10.255.0.1\nroute-map F permit 20\n",
		"route-map F permit 10\nset src 10.255.0.1\nset tag 5\n", "route-map F permit 10\ncall G\nset src 10.255.0.1\nroute-map G permit 10\n",
	} {
		cfg, left := convert(t, bgpHead+"no bgp ebgp-requires-policy\nexit\nip protocol bgp route-map F\nip prefix-list P permit any\n"+m)
		if _, source := imported(t, cfg, "10.1.0.0/16"); source != "" || !strings.Contains(meaningful(left), "FRR keeps routes out of the kernel by route-map F") {
			t.Errorf("%s\nsource %q\n%s", m, source, meaningful(left))
		}
	}
}

// TestNextHopGroups checks the command that keeps next-hop objects out of the kernel.
func TestNextHopGroups(t *testing.T) {
	cfg, left := convert(t, bgpHead+"exit\nno zebra nexthop kernel enable\n")
	if cfg.Kernel.NextHopGroups != config.Off || meaningful(left) != "" {
		t.Errorf("next-hop groups: %v\n%s", cfg.Kernel.NextHopGroups, meaningful(left))
	}
}

// TestNamesOfOneFamily checks that the list of all routes of a family is not taken for one
// that the file has.
func TestNamesOfOneFamily(t *testing.T) {
	for _, name := range []string{"all", "ipv4-routes", "ipv4"} {
		cfg, _ := convert(t, "ip prefix-list "+name+" permit 10.0.0.0/8\nipv6 prefix-list "+name+" permit fd00::/8\n"+bgpHead+"no bgp ebgp-requires-policy\n"+
			"neighbor 10.0.0.9 route-map M in\nexit\nroute-map M permit 10\nmatch ip address prefix-list "+name+
			"\nexit\nip protocol bgp route-map S\nroute-map S permit 10\nset src 10.255.0.1\n")
		for prefix, want := range map[string]bool{"10.0.0.0/8": true, "192.168.0.0/16": false, "fd00::/8": false} {
			if accepted, _ := imported(t, cfg, prefix); accepted != want {
				t.Errorf("%s: %s accepted: %v, want %v", name, prefix, accepted, want)
			}
		}
	}
}
