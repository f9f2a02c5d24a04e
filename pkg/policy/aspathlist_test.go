package policy

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/route"
	"pgregory.net/rapid"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		expr, text string
		want       bool
	}{
		{"_65515_", "65515", true},
		{"_65515_", "65515 12076", true},
		{"_65515_", "12076 65515 64580", true},
		{"_65515_", "165515", false},
		{"_65515_", "655150", false},
		{"_65515_", "12076 {1,65515}", true},
		{"_65515_", "(65515 1)", true},
		{"_65515_", "[65515,1]", false}, // a confederation set's brackets are no separators
		{"_65515_", "", false},
		{"^65515_", "65515 1", true},
		{"^65515_", "1 65515", false},
		{"_65515$", "1 65515", true},
		{"_65515$", "65515 1", false},
		{"^65515$", "65515", true},
		{"^65515$", "65515 65515", false},
		{"^$", "", true},
		{"^$", "1", false},
		{"^", "1", true},
		{"$", "1", true},
		{".*", "", true},
		{"^65", "65515", true},
		{"^65", "655", true},
		{"^65", "165", false},
		{"_1310[0-6][0-9]_|_13107[0-1]_", "65515 131069", true},
		{"_1310[0-6][0-9]_|_13107[0-1]_", "65515 131071", true},
		{"_1310[0-6][0-9]_|_13107[0-1]_", "65515 131072", false},
		{"_1310[0-6][0-9]_|_13107[0-1]_", "65515 65552", false},
		{"^[0-9]+$", "65515", true},
		{"^[0-9]+$", "65515 1", false},
		{"^65515( 65515)*$", "65515 65515 65515", true},
		{"^65515( 65515)*$", "65515 65515 1", false},
		{"^([0-9]+ ){2}[0-9]+$", "1 2 3", true},
		{"^([0-9]+ ){2}[0-9]+$", "1 2 3 4", false},
		{"_6451[2-9]_|_645[2-9][0-9]_", "65515 64512 1", true},
		{`\{1,2\}`, "3 {1,2}", true},
		{"__", "1 2", true},
		{"_", "", true},
	} {
		p, err := compilePattern(c.expr)
		if err != nil {
			t.Errorf("%q: %v", c.expr, err)
			continue
		}
		if p.dfa == nil {
			t.Errorf("%q has no automaton", c.expr)
		}
		if got := p.match([]byte(c.text)); got != c.want {
			t.Errorf("%q on %q: %v", c.expr, c.text, got)
		}
	}
}

// TestPatternSlow: an expression that needs too many states works without an automaton.
func TestPatternSlow(t *testing.T) {
	p, err := compilePattern("1.{12}$")
	if err != nil || p.dfa != nil {
		t.Fatalf("got %v, automaton %v", err, p != nil && p.dfa != nil)
	}
	if !p.match([]byte("1234567890123")) || p.match([]byte("2234567890123")) {
		t.Error("wrong match")
	}
	l, errs := buildPathList("x", ASPathList{{Regexp: "1.{12}$", Permit: true}, {Regexp: "_2_", Permit: true}})
	if len(errs) > 0 || l.all != nil {
		t.Fatalf("%v", errs)
	}
	if got := l.first([]byte("1 2")); got != 1 {
		t.Errorf("rule %d", got)
	}
}

// drawPattern draws an expression of the kind users write.
func drawPattern(t *rapid.T) string {
	atom := rapid.SampledFrom([]string{"_", "1", "2", "65", "65515", "12", "[0-2]", "[^ ]", "[0-9]+", ".", ".*", " ", "^", "$", ",", `\{`, `\(`, `\)`, "(1|2)", "(_1_)*", "1?", "(65515 )+", "1{2}"})
	alternatives := rapid.SliceOfN(rapid.SliceOfN(atom, 1, 5), 1, 3).Draw(t, "expr")
	parts := make([]string, len(alternatives))
	for i, a := range alternatives {
		parts[i] = strings.Join(a, "")
	}
	return strings.Join(parts, "|")
}

// drawPath draws an AS_PATH with segments of every type.
func drawPath(t *rapid.T) route.ASPath {
	asn := rapid.SampledFrom([]uint32{0, 1, 2, 12, 65, 121, 655, 12076, 23456, 64580, 65001, 65515, 65552, 131069, 4200000000, 4294967295})
	var p route.ASPath
	for range rapid.IntRange(0, 3).Draw(t, "segments") {
		typ := rapid.SampledFrom([]route.SegmentType{route.ASSequence, route.ASSequence, route.ASSequence, route.ASSet, route.ASConfedSequence, route.ASConfedSet}).Draw(t, "type")
		p = append(p, route.Segment{Type: typ, ASNs: rapid.SliceOfN(asn, 1, 4).Draw(t, "asns")})
	}
	return p
}

// TestPatternsAgree: the automaton of a list finds the same rule as package regexp, applied
// rule by rule.
func TestPatternsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var src ASPathList
		for range rapid.IntRange(1, 5).Draw(t, "rules") {
			src = append(src, ASPathRule{Regexp: drawPattern(t), Permit: true})
		}
		l, errs := buildPathList("x", src)
		if len(errs) > 0 {
			if len(src) == 1 {
				mustNotCompile(t, src[0].Regexp)
			}
			t.Skip("not an expression")
		}
		for range 10 {
			path := drawPath(t)
			want := -1
			for i, r := range src {
				if regexp.MustCompilePOSIX(strings.ReplaceAll(r.Regexp, "_", underscore)).MatchString(path.String()) {
					want = i
					break
				}
			}
			if got := l.first(path.Append(nil)); got != want {
				t.Fatalf("%v on %q: rule %d, want %d", src, path, got, want)
			}
		}
	})
}

func mustNotCompile(t *rapid.T, expr string) {
	if _, err := regexp.CompilePOSIX(strings.ReplaceAll(expr, "_", underscore)); err == nil {
		t.Fatalf("%q is refused", expr)
	}
}

func FuzzASPathRegexp(f *testing.F) {
	for _, s := range []string{"_65515_", "^65", "^$", "_1310[0-6][0-9]_|_13107[0-1]_", "(1|2)*_", "[[:digit:]]{3}", "[]a]", `\_`, "a{2,3}"} {
		f.Add(s, "65515 12076 {1,2} (3 4) [5,6]")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		p, err := compilePattern(expr)
		if err != nil {
			return
		}
		for _, r := range text {
			if r >= 128 || r == '\n' {
				return
			}
		}
		re := regexp.MustCompilePOSIX(strings.ReplaceAll(expr, "_", underscore))
		if got, want := p.match([]byte(text)), re.MatchString(text); got != want {
			t.Fatalf("%q on %q: %v, want %v", expr, text, got, want)
		}
	})
}
