package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// String is the chain in one line, "prefix-list rs-hub00, route-map to-azure";
// "accept", or "none" for the zero Chain.
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

// String is the form that [ParsePrefixRule] reads, "seq 5 deny 10.0.0.0/16 ge 16".
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

// String is the form that [ParseASPathRule] reads, "seq 5 permit _65515_".
func (r ASPathRule) String() string { return ruleWords(r.Seq, r.Permit, r.Regexp) }

// String is the form that [ParseCommunityRule] reads.
func (r CommunityRule) String() string {
	if r.Regexp != "" {
		return ruleWords(r.Seq, r.Permit, "regexp", r.Regexp)
	}
	return ruleWords(r.Seq, r.Permit, r.Values...)
}

// String is the form that [ParseNumber] reads.
func (n Number) String() string {
	s := strconv.FormatUint(uint64(n.Value), 10)
	if n.Op != 0 {
		return string(rune(n.Op)) + s
	}
	return s
}

// String is the form that [ParseCmp] reads, "<= 5"; empty for the zero value.
func (c Cmp) String() string {
	if c.Op == "" {
		return ""
	}
	return c.Op + " " + strconv.FormatUint(uint64(c.Value), 10)
}
