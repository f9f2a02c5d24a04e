package policy

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParsePrefixRule(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"permit any", "permit any"},
		{"seq 5 deny 10.0.0.0/16", "seq 5 deny 10.0.0.0/16"},
		{"deny 10.0.0.0/16 ge 16", "deny 10.0.0.0/16 ge 16"},
		{"deny 10.0.0.0/16 le 24 ge 18", "deny 10.0.0.0/16 ge 18 le 24"},
		{"deny 10.0.0.0/16 le 16", "deny 10.0.0.0/16 le 16"},
		{" permit   10.1.2.3/16 ", "permit 10.1.0.0/16"},
		{"permit 0.0.0.0/0 le 32", "permit 0.0.0.0/0 le 32"},
		{"permit 2001:db8::/32 ge 48 le 64", "permit 2001:db8::/32 ge 48 le 64"},
		{"permit ::/0", "permit ::/0"},
	} {
		r, err := ParsePrefixRule(c.in)
		if err != nil || r.String() != c.want {
			t.Errorf("%q: got %q, %v", c.in, r, err)
		}
	}
}

func TestParsePrefixRuleErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "is not a rule"},
		{"permit", "is not a rule"},
		{"allow any", "is not a rule"},
		{"seq 5", "is not a rule"},
		{"seq 0 permit any", "sequence number"},
		{"seq 4294967296 permit any", "sequence number"},
		{"seq x permit any", "sequence number"},
		{"permit 10.0.0.0", "is not a prefix"},
		{"permit 10.0.0.0/33", "is not a prefix"},
		{"permit ::ffff:10.0.0.0/104", "is not a prefix"},
		{"permit any ge 8", "any takes no ge and le"},
		{"permit 10.0.0.0/16 ge 15", "ge 15 must be between 16 and 32"},
		{"permit 10.0.0.0/16 ge 33", "ge 33 must be between 16 and 32"},
		{"permit 10.0.0.0/16 le 15", "le 15 must be between 16 and 32"},
		{"permit 10.0.0.0/16 ge 24 le 20", "ge 24 is more than le 20"},
		{"permit 0.0.0.0/0 ge 0", "is not a prefix length"},
		{"permit 10.0.0.0/16 ge", "want [seq N]"},
		{"permit 10.0.0.0/16 ge 17 ge 18", "want [seq N]"},
		{"permit 10.0.0.0/16 longer 17", "want [seq N]"},
	} {
		_, err := ParsePrefixRule(c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got error %v, want %q", c.in, err, c.want)
		}
	}
}

func TestParseASPathRule(t *testing.T) {
	for _, s := range []string{"permit _65515_", "seq 5 deny ^$", "permit ^65515 12076$", "permit _1310[0-6][0-9]_|_13107[0-1]_", "deny [^0-9]", `permit \{1`} {
		r, err := ParseASPathRule(s)
		if err != nil || r.String() != s {
			t.Errorf("%q: got %q, %v", s, r, err)
		}
	}
	for in, want := range map[string]string{
		"permit":                              "is not a rule",
		"permit (":                            "missing closing )",
		"permit [0-9_]":                       "between brackets",
		"permit []_]":                         "between brackets",
		"permit [[:digit:]_]":                 "between brackets",
		`permit \d`:                           "invalid escape sequence",
		"permit " + strings.Repeat("1", 1001): "longer than 1000",
	} {
		if _, err := ParseASPathRule(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: got error %v, want %q", in, err, want)
		}
	}
}

func TestParseCommunityRule(t *testing.T) {
	for _, s := range []string{"permit 65001:1 65001:2", "seq 7 deny no-export", "permit internet", "permit rt 65001:1 soo 65001:2", "permit 1:2:3", "deny regexp ^65515:", "permit regexp _65001:1_ 2"} {
		r, err := ParseCommunityRule(s)
		if err != nil || r.String() != s {
			t.Errorf("%q: got %q, %v", s, r, err)
		}
	}
	r, _ := ParseCommunityRule("permit rt 65001:1 soo 65001:2")
	if len(r.Values) != 2 || r.Values[0] != "rt 65001:1" {
		t.Errorf("values %q", r.Values)
	}
	for _, s := range []string{"permit", "permit regexp", "permit regexp (", "65001:1"} {
		if _, err := ParseCommunityRule(s); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for _, s := range []string{"0", "100", "+10", "-5", "4294967295"} {
		n, err := ParseNumber(s)
		if err != nil || n.String() != s {
			t.Errorf("%q: got %q, %v", s, n, err)
		}
	}
	for _, s := range []string{"", "+", "x", "4294967296", "--1", "1.5"} {
		if _, err := ParseNumber(s); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
}

func TestParseCmp(t *testing.T) {
	for in, want := range map[string]string{"5": "= 5", "= 5": "= 5", "<5": "< 5", "<= 5": "<= 5", "> 0": "> 0", ">=3": ">= 3"} {
		if c, err := ParseCmp(in); err != nil || c.String() != want {
			t.Errorf("%q: got %q, %v", in, c, err)
		}
	}
	for _, s := range []string{"", "<", "x", "!= 5", "=> 3"} {
		if _, err := ParseCmp(s); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
}

func TestParseASPathReplace(t *testing.T) {
	if any, asns, err := ParseASPathReplace("any"); !any || asns != nil || err != nil {
		t.Errorf("any: %v %v %v", any, asns, err)
	}
	if any, asns, err := ParseASPathReplace("65515, 12076 1"); any || len(asns) != 3 || asns[1] != 12076 || err != nil {
		t.Errorf("list: %v %v %v", any, asns, err)
	}
	for _, s := range []string{"", " ", "65515,any", "4294967296"} {
		if _, _, err := ParseASPathReplace(s); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
}

// TestPrefixRuleRoundTrip: what is printed reads back as the same rule.
func TestPrefixRuleRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawPrefixRule(t)
		got, err := ParsePrefixRule(r.String())
		if err != nil || got != r {
			t.Fatalf("%q reads back as %q, %v", r, got, err)
		}
	})
}

func FuzzParsePrefixRule(f *testing.F) {
	for _, s := range []string{"permit any", "seq 5 deny 10.0.0.0/16 ge 16 le 24", "permit ::/0 le 128", "seq 1 permit 1.2.3.4/8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParsePrefixRule(s)
		if err != nil {
			return
		}
		again, err := ParsePrefixRule(r.String())
		if err != nil || again != r {
			t.Fatalf("%q prints as %q, which reads back as %q, %v", s, r, again, err)
		}
		if _, errs := buildPrefixList("x", PrefixList{r}); len(errs) > 0 {
			t.Fatalf("%q is read but refused: %v", s, errs[0])
		}
	})
}

func FuzzParseCommunityRule(f *testing.F) {
	for _, s := range []string{"permit 65001:1", "seq 5 deny regexp ^1", "permit rt 1:1 soo 2:2", "permit internet", "permit rt"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseCommunityRule(s)
		if err != nil {
			return
		}
		again, err := ParseCommunityRule(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("%q prints as %q, which reads back as %q, %v", s, r, again, err)
		}
	})
}
