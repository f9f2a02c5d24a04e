package frrconf

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// tables are the rules of each block.
var tables = map[string][]rule{
	"global": globalRules, "bgp": bgpRules, "family": familyRules, "route-map": clauseRules, "interface": interfaceRules,
}

// TestNoShadow checks that no rule hides a later, narrower one, whose reason nobody would
// then see.
func TestNoShadow(t *testing.T) {
	for name, rules := range tables {
		for i, r := range rules {
			words := instance(r, func(string) string { return "x1" })
			for _, earlier := range rules[:i] {
				if _, hidden := earlier.match(words); hidden {
					t.Errorf("%s: %q is hidden by %q", name, strings.Join(r.words, " "), strings.Join(earlier.words, " "))
				}
			}
		}
	}
}

// instance returns a line that matches a rule; value fills in the capitals.
func instance(r rule, value func(word string) string) []string {
	var out []string
	for _, w := range r.words {
		if open(w) {
			w = value(w)
		} else {
			w, _, _ = strings.Cut(w, "|")
		}
		out = append(out, strings.Fields(w)...)
	}
	return out
}

// values, right and wrong, stand in for the capitals of the patterns.
var values = map[string][]string{
	"PEER":      {"10.0.0.9", "10.0.0.8", "fd00::9", "G", "169.254.0.2"},
	"NAME":      {"A", "B", "10", "110"},
	"GROUP":     {"G", "H"},
	"ADDRESS":   {"10.0.0.9", "10.0.0.1", "fd00::1", "x"},
	"PREFIX":    {"10.0.0.0/8", "10.1.0.0/16", "fd00::/8", "10.9.9.9/32", "0.0.0.0/0"},
	"DIRECTION": {"in", "out"},
	"SEQ":       {"5", "10", "20", "30"},
	"ASN":       {"65001", "65002", "65515", "internal", "external", "0"},
	"N":         {"1", "2", "5", "64", "255", "0", "70000"},
	"TTL":       {"1", "2", "255"},
	"HOLD":      {"3", "9", "180", "0"},
	"KEEPALIVE": {"1", "3", "60"},
	"ROLE":      {"customer", "provider", "peer"},
	"SOURCE":    {"eth0", "connected", "static", "10.0.0.4", "fd00::4"},
	"ORIGIN":    {"igp", "incomplete"},
	"VALUE":     {"100", "+5", "any", "65001:1"},
	"VERSION":   {"7.3", "8.4.4", "10.3"},
	"REST": {
		"permit any", "deny any", "seq 5 permit 10.0.0.0/8 le 24", "deny 10.0.0.0 0.255.255.255", "permit _65515_", "standard A permit 65001:1",
		"expanded B deny ^65", "10.0.0.0/8 10.0.0.1", "10.2.0.0/16 Null0", "fd00::/16 fd00::1 200", "65001 65001", "65001:1 additive", "all", "5", "force",
		"no-prepend replace-as", "", "x y z", "summary-only", "route-map A", "100 80 warning-only", "bgp route-map A", "vrf default",
	},
}

// fragment generates an frr.conf out of the tables.
func fragment(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 0))
	value := func(word string) string {
		if v := values[word]; v != nil {
			return v[r.IntN(len(v))]
		}
		return "x1"
	}
	var b strings.Builder
	lines := func(table string, most int) {
		for range r.IntN(most) {
			rule := tables[table][r.IntN(len(tables[table]))]
			b.WriteString(strings.Join(instance(rule, value), " ") + "\n")
		}
	}
	blocks := []func(){
		func() { lines("global", 6) },
		func() {
			b.WriteString("router bgp 65001\n bgp router-id 10.0.0.4\n neighbor G peer-group\n neighbor 10.0.0.9 remote-as 65002\n")
			lines("bgp", 12)
			b.WriteString("address-family ipv4 unicast\n")
			lines("family", 12)
			b.WriteString("exit-address-family\naddress-family ipv6 unicast\n")
			lines("family", 3)
			b.WriteString("exit-address-family\nexit\n")
		},
		func() {
			fmt.Fprintf(&b, "route-map %s %s %s\n", value("NAME"), []string{"permit", "deny"}[r.IntN(2)], value("SEQ"))
			lines("route-map", 5)
			b.WriteString("exit\n")
		},
		func() {
			b.WriteString("interface eth0\n")
			lines("interface", 3)
			b.WriteString("exit\n")
		},
	}
	for _, i := range slices.Concat(r.Perm(len(blocks)), r.Perm(len(blocks))) {
		blocks[i]()
	}
	return b.String()
}

// TestGenerated checks what is printed for generated files: nvad accepts it, or the
// conversion says what it does not accept.
func TestGenerated(t *testing.T) {
	const n = 200
	good := 0
	for seed := range uint64(n) {
		if agrees(t, Input{FRR: []byte(fragment(seed))}) {
			good++
		}
	}
	if good < n/2 {
		t.Errorf("nvad accepts only %d of %d results, so the test says little", good, n)
	}
	t.Logf("nvad accepts %d of %d results", good, n)
}
