package azure

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// findingKey identifies a finding: what is found with the same key becomes one finding.
type findingKey struct {
	code     Code
	severity Severity
	object   string
}

// finding is a Finding that is being collected.
type finding struct {
	findingKey
	name      string
	prefixes  map[netip.Prefix]bool
	instances map[netip.Addr]bool
	nics      map[*nicView]bool // that it names
	// all says that it concerns every prefix that nvad sent.
	all bool
	// words returns the reason and the mend, once all prefixes are known.
	words func(f *finding) (string, []Step)
}

// find returns the finding about an object. Whoever finds it first says what it means.
func (d *differ) find(code Code, severity Severity, object, name string, words func(f *finding) (string, []Step)) *finding {
	key := findingKey{code, severity, object}
	f := d.found[key]
	if f == nil {
		f = &finding{findingKey: key, name: name, prefixes: map[netip.Prefix]bool{}, instances: map[netip.Addr]bool{}, words: words}
		d.found[key] = f
	}
	return f
}

// count returns how many prefixes f concerns, in words.
func (f *finding) count() string { return plural(len(f.prefixes), "prefix", "prefixes") }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// findings returns what was found, the worst first.
func (d *differ) findings() []Finding {
	out := make([]Finding, 0, len(d.found))
	for _, f := range d.found {
		reason, mend := f.words(f)
		prefixes := d.sent
		if !f.all {
			prefixes = sortedPrefixes(f.prefixes)
		}
		x := Finding{
			Code: f.code, Severity: f.severity, Object: f.object, Name: f.name,
			Prefixes: append([]netip.Prefix{}, prefixes[:min(len(prefixes), d.o.Listed)]...), PrefixCount: len(prefixes),
			Instances: make([]netip.Addr, 0, len(f.instances)), Reason: reason, Mend: mend,
		}
		for a := range f.instances {
			x.Instances = append(x.Instances, a)
		}
		slices.SortFunc(x.Instances, netip.Addr.Compare)
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rankOf(a.Severity), rankOf(b.Severity)), cmp.Compare(b.weight(), a.weight()),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Object, b.Object))
	})
	return out
}

// weight is how many prefixes f concerns. Where no session is left, nobody knows which
// prefixes would be sent: it concerns all.
func (f *Finding) weight() int {
	if f.PrefixCount == 0 && len(f.Instances) > 0 {
		return math.MaxInt
	}
	return f.PrefixCount
}

func rankOf(s Severity) int {
	return slices.Index([]Severity{Error, Warning, Info}, s)
}

// list joins values with commas, at most 10 of them.
func list[T fmt.Stringer](values []T) string {
	var words []string
	for i, v := range values {
		if i == 10 {
			words = append(words, fmt.Sprintf("and %d more", len(values)-i))
			break
		}
		words = append(words, v.String())
	}
	return strings.Join(words, ", ")
}
