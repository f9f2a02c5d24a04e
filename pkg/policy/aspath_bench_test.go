package policy

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

// regexpList matches an as-path-list with the standard library's regexp. ADR 0015
// compares it with the automaton.
type regexpList []*regexp.Regexp

// newRegexpList compiles the rules to the form in which regexp is fastest: without
// captures, and without a search for the longest match.
func newRegexpList(rules ASPathList) (out regexpList) {
	for _, r := range rules {
		re, err := syntax.Parse(strings.ReplaceAll(r.Regexp, "_", underscore), syntax.POSIX)
		if err != nil {
			panic(err)
		}
		out = append(out, regexp.MustCompile(withoutCaptures(re).String()))
	}
	return out
}

func withoutCaptures(re *syntax.Regexp) *syntax.Regexp {
	for i, sub := range re.Sub {
		re.Sub[i] = withoutCaptures(sub)
	}
	if re.Op == syntax.OpCapture {
		return re.Sub[0]
	}
	return re
}

func (l regexpList) first(text []byte) int {
	return slices.IndexFunc(l, func(re *regexp.Regexp) bool { return re.Match(text) })
}

// benchRules returns lists of one, five and twenty rules; only the last of the
// twenty matches.
func benchRules(tb testing.TB) map[string]ASPathList {
	var long []string
	for i := range 19 {
		long = append(long, fmt.Sprintf("deny _%d_", 3000+i))
	}
	lib := seedLibrary(tb)
	return map[string]ASPathList{
		"1 rule":   lib.ASPathLists["azure-asns"],
		"5 rules":  lib.ASPathLists["bogon-asns"],
		"20 rules": pathRules(tb, append(long, "permit .*")...),
	}
}

// benchPaths returns the AS paths of a table of 100,000 routes in 20,000 UPDATEs.
func benchPaths() []route.ASPath {
	out := make([]route.ASPath, 20_000)
	for i := range out {
		out[i] = route.NewASPath(65515, 12076, uint32(100_000+i), 30_000)
	}
	return out
}

// BenchmarkASPathMatch prints and matches one path, as for an UPDATE whose
// attributes the memo does not know.
func BenchmarkASPathMatch(b *testing.B) {
	paths := benchPaths()
	for name, rules := range benchRules(b) {
		l, _ := buildPathList("x", rules)
		for how, first := range map[string]func([]byte) int{"automaton": l.first, "regexp": newRegexpList(rules).first} {
			b.Run(name+"/"+how, func(b *testing.B) {
				var text []byte
				for i := 0; b.Loop(); i++ {
					text = paths[i%len(paths)].Append(text[:0])
					first(text)
				}
			})
		}
	}
}

// BenchmarkASPathMatchHit runs a Program whose memo knows the attributes.
func BenchmarkASPathMatchHit(b *testing.B) {
	lib := &Library{ASPathLists: map[string]ASPathList{"x": benchRules(b)["5 rules"]}}
	bench(b, mustCompile(b, lib, Chain{ASPathList: "x"}, hub00), onPath, 64)
}

func BenchmarkASPathCompile(b *testing.B) {
	for name, rules := range benchRules(b) {
		b.Run(name+"/automaton", func(b *testing.B) {
			for b.Loop() {
				buildPathList("x", rules)
			}
		})
		b.Run(name+"/regexp", func(b *testing.B) {
			for b.Loop() {
				newRegexpList(rules)
			}
		})
	}
}
