package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Grammar of rules, for error messages.
const (
	prefixGrammar    = "want [seq N] permit|deny PREFIX|any [ge LEN] [le LEN]"
	pathGrammar      = "want [seq N] permit|deny REGEXP"
	communityGrammar = "want [seq N] permit|deny COMMUNITY... or [seq N] permit|deny regexp REGEXP"
)

// ParsePrefixRule reads "[seq N] permit|deny PREFIX|any [ge LEN] [le LEN]".
// Host bits of the prefix are cleared.
func ParsePrefixRule(s string) (PrefixRule, error) {
	seq, permit, words, err := ruleHead(s, prefixGrammar)
	if err != nil {
		return PrefixRule{}, err
	}
	r := PrefixRule{Seq: seq, Permit: permit}
	if words[0] == "any" {
		r.Any = true
	} else if r.Prefix, err = parsePrefix(words[0]); err != nil {
		return PrefixRule{}, err
	}
	if err := r.parseLengths(words[1:]); err != nil {
		return PrefixRule{}, fmt.Errorf("%q: %w", s, err)
	}
	if err := r.normalise(); err != nil {
		return PrefixRule{}, fmt.Errorf("%q: %w", s, err)
	}
	return r, nil
}

// parsePrefix refuses IPv4 addresses in IPv6 form, which no route has.
func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not a prefix (want ADDRESS/LENGTH)", s)
	}
	return p, nil
}

func (r *PrefixRule) parseLengths(words []string) error {
	for ; len(words) > 0; words = words[2:] {
		if len(words) == 1 {
			return errors.New(prefixGrammar)
		}
		n, err := strconv.Atoi(words[1])
		if err != nil || n < 1 {
			return fmt.Errorf("%s %q is not a prefix length", words[0], words[1])
		}
		switch {
		case words[0] == "ge" && r.GE == 0:
			r.GE = n
		case words[0] == "le" && r.LE == 0:
			r.LE = n
		default:
			return errors.New(prefixGrammar)
		}
	}
	return nil
}

// ParseASPathRule reads "[seq N] permit|deny REGEXP".
func ParseASPathRule(s string) (ASPathRule, error) {
	seq, permit, words, err := ruleHead(s, pathGrammar)
	if err != nil {
		return ASPathRule{}, err
	}
	r := ASPathRule{Seq: seq, Permit: permit, Regexp: strings.Join(words, " ")}
	_, err = compilePattern(r.Regexp)
	return r, err
}

// ParseCommunityRule reads "[seq N] permit|deny COMMUNITY..." or "[seq N]
// permit|deny regexp REGEXP". Extended communities are two words: "rt 65001:1".
// [CheckLibrary] checks that the communities are of the list's kind.
func ParseCommunityRule(s string) (CommunityRule, error) {
	seq, permit, words, err := ruleHead(s, communityGrammar)
	if err != nil {
		return CommunityRule{}, err
	}
	r := CommunityRule{Seq: seq, Permit: permit}
	if words[0] == "regexp" {
		r.Regexp = strings.Join(words[1:], " ")
		_, err = compilePattern(r.Regexp)
		return r, err
	}
	for i := 0; i < len(words); i++ {
		v := words[i]
		if (v == "rt" || v == "soo") && i+1 < len(words) {
			i++
			v += " " + words[i]
		}
		r.Values = append(r.Values, v)
	}
	return r, nil
}

// ruleHead reads the number and action that begin every rule, and returns the words
// that follow, at least one.
func ruleHead(s, grammar string) (seq int, permit bool, words []string, err error) {
	words = strings.Fields(s)
	bad := fmt.Errorf("%q is not a rule (%s)", s, grammar)
	if len(words) > 1 && words[0] == "seq" {
		n, err := strconv.ParseUint(words[1], 10, 32)
		if err != nil || n == 0 {
			return 0, false, nil, fmt.Errorf("%q: %w", s, errSeqRange)
		}
		seq, words = int(n), words[2:]
	}
	if len(words) < 2 || words[0] != "permit" && words[0] != "deny" {
		return 0, false, nil, bad
	}
	return seq, words[0] == "permit", words[1:], nil
}

// ParseNumber reads "100", "+10" or "-5".
func ParseNumber(s string) (Number, error) {
	n := Number{}
	digits := s
	if s != "" && (s[0] == '+' || s[0] == '-') {
		n.Op, digits = s[0], s[1:]
	}
	v, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return Number{}, fmt.Errorf("%q is not a number (want N, +N or -N, at most 4294967295)", s)
	}
	n.Value = uint32(v)
	return n, nil
}

// ParseASNs reads ASNs separated by space or comma.
func ParseASNs(s string) ([]uint32, error) {
	var out []uint32
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		v, err := strconv.ParseUint(w, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is not an ASN (want 0-4294967295)", w)
		}
		out = append(out, uint32(v))
	}
	if len(out) == 0 {
		return nil, errors.New("no ASN given")
	}
	return out, nil
}

// ParseASPathReplace reads the argument of as-path-replace: "any", or the ASNs
// to replace.
func ParseASPathReplace(s string) (any bool, asns []uint32, err error) {
	if s == "any" {
		return true, nil, nil
	}
	asns, err = ParseASNs(s)
	return false, asns, err
}

// ParseCmp reads a comparison with a number: "<= 5", ">3", "= 0" or "2", which means
// "= 2".
func ParseCmp(s string) (Cmp, error) {
	s = strings.TrimSpace(s)
	op := "="
	for _, o := range []string{"<=", ">=", "<", ">", "="} {
		if rest, ok := strings.CutPrefix(s, o); ok {
			op, s = o, strings.TrimSpace(rest)
			break
		}
	}
	v, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return Cmp{}, fmt.Errorf("%q is not a comparison (want N, <N, <=N, >N or >=N)", s)
	}
	return Cmp{op, uint32(v)}, nil
}

// String returns the chain in one line, "prefix-list rs-hub00, route-map to-azure";
// "accept" if it has no lists, "none" for the zero Chain.
func (c Chain) String() string {
	if c == (Chain{}) {
		return "none"
	}
	var parts []string
	add := func(key, name string) {
		if name != "" {
			parts = append(parts, key+" "+name)
		}
	}
	add("deny-asns", c.DenyASNs.String())
	add(string(KindPrefixList), c.PrefixList)
	add(string(KindASPathList), c.ASPathList)
	add(string(KindRouteMap), c.RouteMap)
	if len(parts) == 0 {
		return "accept"
	}
	return strings.Join(parts, ", ")
}

func ruleWords(seq int, permit bool, rest ...string) string {
	var b strings.Builder
	if seq > 0 {
		fmt.Fprintf(&b, "seq %d ", seq)
	}
	b.WriteString(action(permit))
	for _, w := range rest {
		b.WriteByte(' ')
		b.WriteString(w)
	}
	return b.String()
}

func action(permit bool) string {
	if permit {
		return "permit"
	}
	return "deny"
}

// String returns the form that [ParsePrefixRule] reads, "seq 5 deny 10.0.0.0/16 ge 16".
func (r PrefixRule) String() string {
	if r.Any {
		return ruleWords(r.Seq, r.Permit, "any")
	}
	words := []string{r.Prefix.String()}
	if r.GE != 0 {
		words = append(words, "ge "+strconv.Itoa(r.GE))
	}
	if r.LE != 0 {
		words = append(words, "le "+strconv.Itoa(r.LE))
	}
	return ruleWords(r.Seq, r.Permit, words...)
}

// String returns the form that [ParseASPathRule] reads, "seq 5 permit _65515_".
func (r ASPathRule) String() string { return ruleWords(r.Seq, r.Permit, r.Regexp) }

// String returns the form that [ParseCommunityRule] reads.
func (r CommunityRule) String() string {
	if r.Regexp != "" {
		return ruleWords(r.Seq, r.Permit, "regexp", r.Regexp)
	}
	return ruleWords(r.Seq, r.Permit, r.Values...)
}

// String returns the form that [ParseNumber] reads.
func (n Number) String() string {
	s := strconv.FormatUint(uint64(n.Value), 10)
	if n.Op != 0 {
		return string(rune(n.Op)) + s
	}
	return s
}

// String returns the form that [ParseCmp] reads, "<= 5"; empty for the zero value.
func (c Cmp) String() string {
	if c.Op == "" {
		return ""
	}
	return c.Op + " " + strconv.FormatUint(uint64(c.Value), 10)
}
