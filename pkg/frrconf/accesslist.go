package frrconf

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

var accessListRules = slices.Concat(
	each(listRemark, "access-list NAME remark REST", "ipv6 access-list NAME remark REST"),
	losing("access-list", firstArg,
		on("ipv6 access-list NAME REST", accessList),
		on("access-list NAME REST", accessList),
		on("no ipv6 access-list NAME REST", always(takesBack)),
		on("no access-list NAME REST", always(takesBack)),
	),
	each(unsupported("filtering by MAC address"), "mac access-list REST"),
)

// accessRule is a rule of an access-list: the prefix rules that match what it matches.
type accessRule struct {
	seq   int
	rules []policy.PrefixRule
}

func accessSeq(r *accessRule) *int { return &r.seq }

// accessList reads a rule of an access-list. With a prefix, it matches everything within the
// prefix, or exactly the prefix. With a wildcard, it matches by the address alone, whatever
// the length.
func accessList(c *converter, l *line, args []string) outcome {
	seq, permit, words, o := accessHead(args[1:])
	if o != carried {
		return o
	}
	rules, o := accessPrefixes(words, familyOf(l))
	if o != carried {
		return o
	}
	for i := range rules {
		rules[i].Permit = permit
	}
	add(c.policies.access[familyOf(l)], args[0], l, accessRule{seq, rules}, accessSeq)
	return carried
}

// accessHead reads "[seq N] permit|deny", and returns the words after it.
func accessHead(words []string) (seq int, permit bool, rest []string, o outcome) {
	if len(words) > 1 && words[0] == "seq" {
		n, ok := number(words[1])
		if !ok || n == 0 {
			return 0, false, nil, attention("%s is not the number of a rule", words[1])
		}
		seq, words = int(n), words[2:]
	}
	if len(words) < 2 || words[0] != "permit" && words[0] != "deny" {
		return 0, false, nil, attention("this is not a rule of an access-list")
	}
	return seq, words[0] == "permit", words[1:], carried
}

// accessPrefixes returns the prefixes that a rule matches.
func accessPrefixes(words []string, f family) ([]policy.PrefixRule, outcome) {
	if len(words) > 1 && words[0] == "ip" && words[len(words)-1] == "any" {
		words = words[1 : len(words)-1] // an extended list, which also looks at the length
	}
	if len(words) == 2 && words[0] == "host" {
		words = words[1:]
	}
	if p, err := netip.ParsePrefix(words[0]); err == nil {
		return withinPrefix(p, words[1:], f)
	}
	a, err := netip.ParseAddr(words[0])
	switch {
	case len(words) == 1 && words[0] == "any":
		return []policy.PrefixRule{{Any: true}}, carried
	case err != nil || !a.Is4() || f != ipv4 || len(words) > 2:
		return nil, unsupported("this form of an access-list")
	case len(words) == 1:
		return byAddress(a, 32), carried
	}
	length, ok := wildcardBits(words[1])
	if !ok {
		return nil, unsupported("a wildcard whose bits are not contiguous")
	}
	return byAddress(a, length), carried
}

func withinPrefix(p netip.Prefix, options []string, f family) ([]policy.PrefixRule, outcome) {
	exact := strings.Join(options, " ") == "exact-match"
	if len(options) > 0 && !exact || p.Addr().Is4() != (f == ipv4) || p.Addr().Is4In6() {
		return nil, attention("this is not a rule of an access-list")
	}
	return []policy.PrefixRule{within(p.Masked(), exact)}, carried
}

// within returns the rule for p, or for p and everything in it.
func within(p netip.Prefix, exact bool) policy.PrefixRule {
	r := policy.PrefixRule{Prefix: p}
	if most := p.Addr().BitLen(); !exact && p.Bits() < most {
		r.LE = most
	}
	return r
}

// wildcardBits returns the number of leading bits that a wildcard compares.
func wildcardBits(s string) (int, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, false
	}
	b := a.As4()
	mask := ^binary.BigEndian.Uint32(b[:])
	n := bits.LeadingZeros32(^mask)
	return n, mask == ^uint32(0)<<(32-n)
}

// byAddress returns rules for the prefixes, of any length, whose address is a in its first n
// bits: those within a/n, and the shorter ones that begin at the same address.
func byAddress(a netip.Addr, n int) []policy.PrefixRule {
	p := netip.PrefixFrom(a, n).Masked()
	if n == 0 {
		return []policy.PrefixRule{{Any: true}}
	}
	out := []policy.PrefixRule{within(p, false)}
	for shorter := n - 1; shorter >= 0; shorter-- {
		s := netip.PrefixFrom(p.Addr(), shorter)
		if s.Masked() != s {
			break
		}
		out = append(out, within(s, true))
	}
	return out
}

// asPrefixLists returns access-lists as prefix-lists. If a rule becomes several, the list is
// numbered anew.
func asPrefixLists(in map[string]*list[accessRule]) map[string]*list[policy.PrefixRule] {
	out := map[string]*list[policy.PrefixRule]{}
	for name, l := range in {
		rules := slices.SortedFunc(slices.Values(l.rules), func(a, b accessRule) int { return a.seq - b.seq })
		anew := slices.ContainsFunc(rules, func(r accessRule) bool { return len(r.rules) > 1 })
		to := &list[policy.PrefixRule]{}
		for _, r := range rules {
			for _, p := range r.rules {
				p.Seq = r.seq
				if anew {
					p.Seq = to.highest + 5
				}
				to.rules, to.highest = append(to.rules, p), max(to.highest, p.Seq)
			}
		}
		out[name] = to
	}
	return out
}
