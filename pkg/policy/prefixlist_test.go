package policy

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawPrefix draws prefixes that cover one another often.
func drawPrefix(t *rapid.T) netip.Prefix {
	if rapid.IntRange(0, 3).Draw(t, "family") == 0 {
		var a [16]byte
		copy(a[:], []byte{0x20, 0x01, rapid.Byte().Draw(t, "octet") & 3})
		return netip.PrefixFrom(netip.AddrFrom16(a), rapid.IntRange(0, 128).Draw(t, "bits")).Masked()
	}
	a := [4]byte{10, rapid.Byte().Draw(t, "octet") & 3, rapid.Byte().Draw(t, "octet") & 0xc0}
	return netip.PrefixFrom(netip.AddrFrom4(a), rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
}

func drawPrefixRule(t *rapid.T) PrefixRule {
	r := PrefixRule{Seq: rapid.IntRange(0, 1000).Draw(t, "seq"), Permit: rapid.Bool().Draw(t, "permit")}
	if r.Any = rapid.IntRange(0, 7).Draw(t, "any") == 0; r.Any {
		return r
	}
	r.Prefix = drawPrefix(t)
	least, most := max(r.Prefix.Bits(), 1), r.Prefix.Addr().BitLen()
	if rapid.Bool().Draw(t, "has ge") {
		r.GE = rapid.IntRange(least, most).Draw(t, "ge")
	}
	if rapid.Bool().Draw(t, "has le") {
		r.LE = rapid.IntRange(max(least, r.GE), most).Draw(t, "le")
	}
	return r
}

// naive evaluates a prefix-list by its definition: one rule after another.
func naive(rules []PrefixRule, p netip.Prefix) (int, bool) {
	for i, r := range rules {
		if naiveMatch(r, p) {
			return i, r.Permit
		}
	}
	return len(rules), false
}

func naiveMatch(r PrefixRule, p netip.Prefix) bool {
	if r.Any {
		return true
	}
	if p.Addr().Is4() != r.Prefix.Addr().Is4() || p.Bits() < r.Prefix.Bits() || !r.Prefix.Contains(p.Addr()) {
		return false
	}
	if r.GE == 0 && r.LE == 0 {
		return p.Bits() == r.Prefix.Bits()
	}
	return (r.GE == 0 || p.Bits() >= r.GE) && (r.LE == 0 || p.Bits() <= r.LE)
}

func TestPrefixListIsNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := rapid.SliceOfNDistinct(rapid.Custom(drawPrefixRule), 0, 30, func(r PrefixRule) int { return r.Seq }).Draw(t, "rules")
		src = slices.DeleteFunc(src, func(r PrefixRule) bool { return r.Seq == 0 })
		l, errs := buildPrefixList("x", src)
		if len(errs) > 0 {
			t.Fatal(errs[0])
		}
		for range 20 {
			p := drawPrefix(t)
			i, permit := naive(l.rules, p)
			if v := l.lookup(p); v.index() != i || v.permit() != permit {
				t.Fatalf("%s: rule %d %v, want %d %v of %v", p, v.index(), v.permit(), i, permit, l.rules)
			}
		}
	})
}

func TestPrefixListOrder(t *testing.T) {
	// As in FRR, a rule without a number gets the highest number so far, rounded down to
	// a multiple of five, plus five.
	l, errs := buildPrefixList("x", prefixRules(t, "permit 10.0.0.0/8", "seq 2 deny 10.0.0.0/8", "seq 7 deny 10.1.0.0/16", "permit any"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var got []string
	for _, r := range l.rules {
		got = append(got, r.String())
	}
	want := []string{"seq 2 deny 10.0.0.0/8", "seq 5 permit 10.0.0.0/8", "seq 7 deny 10.1.0.0/16", "seq 10 permit any"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if l.ruleText(0, 0) != "prefix-list x seq 2 deny 10.0.0.0/8" || l.ruleText(4, 0) != "prefix-list x: no rule matched (implicit deny)" {
		t.Errorf("%q %q", l.ruleText(0, 0), l.ruleText(4, 0))
	}
}

func TestEmptyListsDeny(t *testing.T) {
	lib := &Library{
		PrefixLists: map[string]PrefixList{"none": {}},
		ASPathLists: map[string]ASPathList{"none": {}},
		RouteMaps:   map[string]RouteMap{"none": {}},
	}
	for want, c := range map[string]Chain{
		"prefix-list none: no rule matched (implicit deny)":  {PrefixList: "none"},
		"as-path-list none: no rule matched (implicit deny)": {ASPathList: "none"},
		"route-map none: no clause matched (implicit deny)":  {RouteMap: "none"},
	} {
		p := mustCompile(t, lib, c, Session{})
		if out := p.Run(input(t, "10.0.0.0/8", "1")); out.Accept || p.RuleText(out.Rule) != want {
			t.Errorf("%+v: %v by %q", c, out.Accept, p.RuleText(out.Rule))
		}
	}
}
