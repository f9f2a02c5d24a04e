package azure

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%s differs (%v); rewrite it with -update and review it. Got:\n%s", file, err, got)
	}
}

// TestText has the words of every finding: reason and mend.
func TestText(t *testing.T) {
	var b strings.Builder
	for _, m := range slices.Concat(mutations, variants) {
		w := sound()
		m.do(w)
		s, self := w.derive()
		fmt.Fprintf(&b, "=== %s\n", m.name)
		for _, f := range Diff(s, self, Options{Listed: 3}).Findings {
			fmt.Fprintf(&b, "%s %s [%s] %s\n%s\n%d %v %v\n", f.Severity, f.Code, f.Name, strings.TrimPrefix(f.Object, testSub), f.Reason, f.PrefixCount, f.Prefixes, f.Instances)
			for _, s := range f.Mend {
				fmt.Fprintf(&b, "%s: %s\n", s.In, strings.ReplaceAll(s.Text, "\n", "\n  "))
			}
		}
	}
	golden(t, "testdata/findings.golden", b.String())
}

// TestClaimText has the words of every claim.
func TestClaimText(t *testing.T) {
	s, self := rich().derive()
	var b strings.Builder
	for _, c := range Verify(s, self) {
		fmt.Fprintf(&b, "%s\n  %s\n  %s: %s\n", c.ID, c.Sentence, c.Result, c.Evidence)
	}
	golden(t, "testdata/claims.golden", b.String())
}

// TestJSON has the fields of a Report, which scripts read.
func TestJSON(t *testing.T) {
	w := sound()
	w.self.Neighbors[0].Sent, w.self.Neighbors[1].Sent = w.self.Neighbors[0].Sent[:1], w.self.Neighbors[1].Sent[:1]
	w.vnet(1).Subnets[0].RouteTable.Propagation = false
	s, self := w.derive()
	for i := range self.Neighbors {
		self.Neighbors[i].Received = nil
	}
	s.Missing = []Missing{{ID: "/subscriptions/x", What: WhatNVAs, Permission: "Microsoft.Compute/virtualMachines/read", Reason: "AuthorizationFailed"}}
	text, err := json.MarshalIndent(Diff(s, self, Options{}), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/report.json", string(text)+"\n")
	empty, _ := json.Marshal(Diff(Snapshot{}, Self{}, Options{}))
	if strings.Contains(string(empty), "null") {
		t.Errorf("null in %s", empty)
	}
}

// Names that a shell would take for something else stay one word each.
func TestQuote(t *testing.T) {
	for _, word := range []string{"plain", "with space", "it's", "$(reboot)", "`x`", "a;b", "", "*", "{next-hop-ip-addresses:[10.0.0.4,10.0.0.5]}", "über", "~root", "#x", "a=b", "!x"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q became %q: %v", word, out, err)
		}
	}
	if got := quote("a\nb\x1b[31m"); strings.ContainsAny(got, "\n\x1b") {
		t.Errorf("got %q", got)
	}
	if got := groupStep(&server{rs: &RouteServer{Name: "rs\nasn = 1\u2028\x1b[2J"}}, "vnet = []").Text; strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") {
		t.Errorf("got %q", got)
	}
	if got := parseID("/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/V/subnets/N"); got.subscription != "S" || got.group != "G" || got.name() != "N" || got.parent(1) != "V" || got.parent(2) != "" {
		t.Errorf("got %+v", got)
	}
	if got := shortName("x"); got != "x" {
		t.Errorf("got %q", got)
	}
}

func TestPrefixSet(t *testing.T) {
	var s prefixSet
	s.add(pfx("10.0.0.0/8"), pfx("10.1.0.0/16"), netip.Prefix{}, pfx("2001:db8::/32"), netip.MustParsePrefix("172.16.5.5/12"))
	for p, want := range map[string]string{"10.1.2.0/24": "10.1.0.0/16", "10.1.0.0/16": "10.1.0.0/16", "10.2.0.0/16": "10.0.0.0/8", "10.0.0.0/7": "", "172.20.0.0/16": "172.16.0.0/12", "0.0.0.0/0": "", "2001:db8::/48": ""} {
		got, ok := s.covering(pfx(p))
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: %s %t, want %s", p, got, ok, want)
		}
	}
}
