package ctl

import (
	"io"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
)

// TestExplain explains routes of hub00 with a real table.
func TestExplain(t *testing.T) {
	socket := serve(t, hub00())
	for name, args := range map[string]string{
		"explain":           "explain 10.110.0.0/16",
		"explain-decision":  "explain 10.100.0.0/16",
		"explain-refused":   "explain 10.10.0.0/16",
		"explain-rejected":  "explain 192.0.2.0/24",
		"explain-pending":   "explain 198.51.100.0/24",
		"explain-static":    "explain 10.0.210.0/24",
		"explain-floating":  "explain 10.50.0.0/16",
		"explain-absent":    "explain 10.110.7.0/24",
		"explain-malformed": "explain 10.120.0.0/16",
		"lookup-tunnel":     "routes lookup 10.110.0.4",
		"lookup-flood":      "routes lookup 10.110.0.5",
		"lookup-connected":  "routes lookup 10.0.0.7",
		"lookup-local":      "routes lookup 10.0.0.4",
		"lookup-blackhole":  "routes lookup 10.20.0.1",
		"lookup-none":       "routes lookup 10.30.0.1",
	} {
		t.Run(name, func(t *testing.T) { show(t, socket, name, strings.Fields(args)...) })
	}
}

func TestExplainErrors(t *testing.T) {
	socket := serve(t, hub00())
	for args, want := range map[string]string{
		"explain 10.110.0.4":                        `"10.110.0.4" is not a prefix`,
		"explain 10.110.0.0/16 --neighbor 10.9.9.9": "neighbor 10.9.9.9 is not configured",
		"explain 10.110.0.0/16 --export-to nobody":  `"nobody" is not an address of a neighbor`,
		"routes lookup 10.110.0.0/16":               `"10.110.0.0/16" is not an address`,
		"explain":                                   "wrong number of arguments",
	} {
		if r := nvactl(t, socket, strings.Fields(args)...); r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%s: %d %q, want %q", args, r.code, r.err, want)
		}
	}
}

// TestPolicyTest evaluates the seed's configuration without a daemon.
func TestPolicyTest(t *testing.T) {
	const file = "../config/testdata/good/hub00-lists.toml"
	for name, args := range map[string][]string{
		"policy-in-accepted": {"10.0.210.4", "in", `10.1.0.0/16 as-path "65515 12076 64580" med 50`},
		"policy-in-rejected": {"10.0.210.4", "in", `10.1.0.0/16 as-path "65515 23456"`},
		"policy-in-loop":     {"10.0.210.4", "in", `10.1.0.0/16 as-path '65515 65001'`},
		"policy-out-sent":    {"10.0.210.4", "out", `10.110.0.0/16 as-path "65515 12076" local-pref 200 community "65001:1 65001:2"`},
		"policy-out-held":    {"10.0.210.4", "out", `10.100.0.0/16 as-path 65515`},
		"policy-out-domain":  {"10.0.210.5", "out", `10.110.0.0/16 as-path 65515`, "--from", "10.0.210.4"},
	} {
		t.Run(name, func(t *testing.T) {
			call := append([]string{"policy", "test", "--config", file, "--neighbor", args[0], "--direction", args[1], "--route", args[2]}, args[3:]...)
			show(t, "/nonexistent", name, call...)
		})
	}
}

func TestPolicyTestErrors(t *testing.T) {
	const good = `10.1.0.0/16 as-path 65515`
	for _, c := range []struct{ neighbor, direction, route, more, want string }{
		{"10.0.210.4", "in", "", "", "--route: no route given"},
		{"10.0.210.4", "in", "10.1.0.0", "", `--route: "10.1.0.0" is not a prefix`},
		{"10.0.210.4", "in", "10.1.0.0/16 colour red", "", `"colour" is not a key of a route`},
		{"10.0.210.4", "in", "10.1.0.0/16 med", "", "med has no value"},
		{"10.0.210.4", "in", "10.1.0.0/16 med x", "", `med: "x" is not a number`},
		{"10.0.210.4", "in", `10.1.0.0/16 as-path "1 2`, "", "has no closing quote"},
		{"10.0.210.4", "in", `10.1.0.0/16 as-path "1 x"`, "", `as-path: "1 x" is not an AS path: "x" is not an ASN`},
		{"10.0.210.4", "in", `10.1.0.0/16 community 1`, "", `community: "1" is not a community`},
		{"10.0.210.4", "in", `10.1.0.0/16 next-hop x`, "", `next-hop: "x" is not an address`},
		{"10.0.210.4", "in", `10.1.0.0/16 next-hop fe80::1%eth0`, "", `next-hop: "fe80::1%eth0" is not an address`},
		{"10.0.210.4", "in", `10.1.0.0/16 med 1 med 2`, "", "med is given twice"},
		{"10.0.210.4", "in", `10.1.0.0/16 origin bgp`, "", `"bgp" is not an origin`},
		{"10.0.210.4", "up", good, "", `invalid argument "up" for "--direction" flag: want in or out`},
		{"10.0.210.4", "in", good, "--from=10.0.210.5", "--from needs --direction out"},
		{"10.0.210.4", "out", good, "--from=x", `--from: "x" is not an address`},
		{"10.0.210.9", "in", good, "", "neighbor 10.0.210.9 is not configured"},
		{"rs0", "in", good, "", `--neighbor: "rs0" is not an address`},
		{"10.0.210.4", "in", good, "--config=/nonexistent", "not a valid configuration:\n/nonexistent: "},
	} {
		args := []string{"policy", "test", "--config", "../config/testdata/good/hub00-lists.toml", "--neighbor", c.neighbor, "--direction", c.direction, "--route", c.route}
		if c.more != "" {
			args = append(args, c.more)
		}
		if r := nvactl(t, "/nonexistent", args...); r.code != 1 || r.out != "" || !strings.Contains(r.err, c.want) {
			t.Errorf("%v: %d %q, want %q", c, r.code, r.err, c.want)
		}
	}
}

// FuzzPolicyTest checks that no text of a route causes a panic, neither in the parser nor
// in the policies, and that the parsed route is valid.
func FuzzPolicyTest(f *testing.F) {
	cfg, err := config.Load("../config/testdata/good/hub00-lists.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`10.1.2.3/16 as-path "65515 {1,2} (3 4)" next-hop 10.0.0.9 med 5 local-pref 7 origin egp`, true)
	f.Add(`fd00::/8 community "65001:2 no-export" large-community '1:2:3' ext-community "rt 1:2, soo 3:4"`, false)
	a := &app{Env: Env{Out: io.Discard, Width: 80}}
	f.Fuzz(func(t *testing.T, text string, export bool) {
		prefix, attrs, err := parseRoute(text)
		if err != nil {
			return
		}
		if !prefix.IsValid() || prefix != prefix.Masked() {
			t.Fatalf("%q: %v", text, prefix)
		}
		x, err := engine.Try(cfg, engine.Trial{Prefix: prefix, Attrs: attrs, Neighbor: cfg.Neighbors[0].Address, Export: export})
		if err != nil {
			return
		}
		m := api.ExplanationMessage(api.Explanation{Explanation: x}, nil)
		a.printTrial(m, export)
		writeJSON(io.Discard, m)
	})
}

func TestParseRoute(t *testing.T) {
	prefix, a, err := parseRoute(`10.1.2.3/16 as-path "65515 {1,2}" next-hop 10.0.0.9 med 5 local-pref 7 origin egp ` +
		`community "65001:2 65001:1 65001:2" large-community '1:2:3' ext-community "rt 1:2, soo 3:4"`)
	if err != nil {
		t.Fatal(err)
	}
	if prefix.String() != "10.1.0.0/16" || a.ASPath.String() != "65515 {1,2}" || a.NextHop.String() != "10.0.0.9" ||
		a.MED.Value != 5 || a.LocalPref.Value != 7 || a.Origin.String() != "egp" || len(a.Communities) != 2 ||
		len(a.LargeCommunities) != 1 || len(a.ExtCommunities) != 2 {
		t.Errorf("%s %+v", prefix, a)
	}
}
