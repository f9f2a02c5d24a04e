package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// prefixList is a compiled [PrefixList]. The trie holds, for every prefix that
// a rule names, which rule is the first to match at each length of a route
// within it; rules of covering prefixes are already merged in. A lookup is one
// longest-prefix match, however long the list.
type prefixList struct {
	name  string
	rules []PrefixRule
	trie  bart.Table[[]span]
}

// span says that a route of lo to hi bits first matches rule.
type span struct {
	lo, hi uint8
	rule   uint32
}

// none marks lengths that no rule matches.
const none = ^uint32(0)

// firstRule is the first matching rule by route length.
type firstRule [129]uint32

func buildPrefixList(name string, src PrefixList) (*prefixList, []*Error) {
	rules, places, errs := ordered(KindPrefixList, name, src, func(r *PrefixRule) *int { return &r.Seq })
	for i := range rules {
		if err := rules[i].normalise(); err != nil {
			errs = append(errs, &Error{KindPrefixList, name, places[i].index, places[i].seq, "", err})
		}
	}
	l := &prefixList{name: name, rules: rules}
	if len(errs) == 0 {
		l.build()
	}
	return l, errs
}

// normalise clears host bits and reports what is out of range.
func (r *PrefixRule) normalise() error {
	if r.Any {
		if r.GE != 0 || r.LE != 0 {
			return errors.New("any takes no ge and le")
		}
		return nil
	}
	if !r.Prefix.IsValid() {
		return errors.New("no prefix given")
	}
	bits, most := r.Prefix.Bits(), r.Prefix.Addr().BitLen()
	switch {
	case r.GE != 0 && (r.GE < bits || r.GE > most):
		return fmt.Errorf("ge %d must be between %d and %d", r.GE, max(bits, 1), most)
	case r.LE != 0 && (r.LE < bits || r.LE > most):
		return fmt.Errorf("le %d must be between %d and %d", r.LE, max(bits, 1), most)
	case r.GE != 0 && r.LE != 0 && r.GE > r.LE:
		return fmt.Errorf("ge %d is more than le %d", r.GE, r.LE)
	}
	r.Prefix = r.Prefix.Masked()
	return nil
}

// lengths is the range of route lengths that r matches within its prefix.
func (r *PrefixRule) lengths() (lo, hi int) {
	bits, most := r.Prefix.Bits(), r.Prefix.Addr().BitLen()
	switch {
	case r.GE == 0 && r.LE == 0:
		return bits, bits
	case r.LE == 0:
		return r.GE, most
	}
	return max(r.GE, bits), r.LE
}

func (l *prefixList) build() {
	at := map[netip.Prefix][]int{
		netip.PrefixFrom(netip.IPv4Unspecified(), 0): nil,
		netip.PrefixFrom(netip.IPv6Unspecified(), 0): nil,
	}
	var whole []int
	for i, r := range l.rules {
		if r.Any {
			whole = append(whole, i)
			continue
		}
		at[r.Prefix] = append(at[r.Prefix], i)
	}
	for _, p := range byLength(at) {
		first := l.inherited(p)
		for _, i := range at[p] {
			lo, hi := l.rules[i].lengths()
			first.add(lo, hi, uint32(i))
		}
		if p.Bits() == 0 {
			for _, i := range whole {
				first.add(0, p.Addr().BitLen(), uint32(i))
			}
		}
		l.trie.Insert(p, first.spans(p))
	}
}

// byLength returns the keys with covering prefixes before what they cover.
func byLength(at map[netip.Prefix][]int) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(at))
	for p := range at {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	return out
}

func (l *prefixList) inherited(p netip.Prefix) *firstRule {
	first := new(firstRule)
	for i := range first {
		first[i] = none
	}
	spans, _ := l.trie.LookupPrefix(p)
	for _, s := range spans {
		first.add(int(s.lo), int(s.hi), s.rule)
	}
	return first
}

func (f *firstRule) add(lo, hi int, rule uint32) {
	for i := lo; i <= hi; i++ {
		f[i] = min(f[i], rule)
	}
}

// spans is the run-length form for routes within p.
func (f *firstRule) spans(p netip.Prefix) []span {
	var out []span
	for i := p.Bits(); i <= p.Addr().BitLen(); i++ {
		if f[i] == none {
			continue
		}
		if n := len(out); n > 0 && out[n-1].rule == f[i] && int(out[n-1].hi) == i-1 {
			out[n-1].hi = uint8(i)
			continue
		}
		out = append(out, span{uint8(i), uint8(i), f[i]})
	}
	return out
}

// lookup returns the verdict for p, which must have no host bits set.
func (l *prefixList) lookup(p netip.Prefix) verdict {
	spans, _ := l.trie.LookupPrefix(p)
	bits := uint8(p.Bits())
	for _, s := range spans {
		if bits <= s.hi {
			if bits >= s.lo {
				return listVerdict(int(s.rule), l.rules[s.rule].Permit)
			}
			break
		}
	}
	return listVerdict(len(l.rules), false)
}

func (l *prefixList) label() string { return string(KindPrefixList) + " " + l.name }

func (l *prefixList) written(i int) string {
	if i >= len(l.rules) {
		return implicitDeny
	}
	return l.rules[i].String()
}

func (l *prefixList) ruleText(i int, _ uint32) string { return listRuleText(l, i, len(l.rules)) }

// implicitDeny stands where a list or route-map came to its end.
const implicitDeny = "implicit deny"

// listRuleText is the text of rule i of a list with n rules.
func listRuleText(l interface {
	label() string
	written(int) string
}, i, n int) string {
	if i >= n {
		return l.label() + ": no rule matched (" + implicitDeny + ")"
	}
	return l.label() + " " + l.written(i)
}
