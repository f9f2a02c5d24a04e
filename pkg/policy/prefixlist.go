package policy

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// prefixList is a compiled [PrefixList]. For every prefix that a rule names, the
// trie holds the first rule to match a route within that prefix, by the route's
// length. The rules of covering prefixes are merged in, so that a lookup is one
// longest-prefix match, however long the list.
type prefixList struct {
	ruleList[PrefixRule]
	trie bart.Table[[]span]
}

// span names the first rule that matches routes of lo to hi bits.
type span struct {
	lo, hi uint8
	rule   uint32
}

// none marks lengths that no rule matches.
const none = ^uint32(0)

// firstRule holds the first matching rule by route length.
type firstRule [129]uint32

func buildPrefixList(name string, src PrefixList) (*prefixList, []*Error) {
	l := &prefixList{}
	var errs []*Error
	l.ruleList, errs = newRuleList(KindPrefixList, name, src, prefixSeq, (*PrefixRule).normalise)
	if len(errs) == 0 {
		l.build()
	}
	return l, errs
}

// normalise clears host bits and checks the lengths.
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

// lengths returns the range of route lengths that r matches within its prefix.
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
	// Covering prefixes come before what they cover.
	for _, p := range slices.SortedFunc(maps.Keys(at), func(a, b netip.Prefix) int { return a.Bits() - b.Bits() }) {
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

// inherited returns the rules that the prefixes covering p have for routes within p.
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

// spans returns f in run-length form, for routes within p.
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
	return l.noMatch()
}
