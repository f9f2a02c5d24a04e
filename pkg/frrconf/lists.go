package frrconf

import (
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// policies is the named objects, as they are read.
type policies struct {
	prefixes  [families]map[string]*list[policy.PrefixRule]
	access    [families]map[string]*list[policy.PrefixRule]
	paths     map[string]*list[policy.ASPathRule]
	standard  map[string]*list[policy.CommunityRule]
	large     map[string]*list[policy.CommunityRule]
	extended  map[string]*list[policy.CommunityRule]
	routeMaps map[string][]*clause

	references []reference
	directions map[string]map[string]bool // of route-maps: in, out
}

func newPolicies() policies {
	p := policies{
		paths:      map[string]*list[policy.ASPathRule]{},
		standard:   map[string]*list[policy.CommunityRule]{},
		large:      map[string]*list[policy.CommunityRule]{},
		extended:   map[string]*list[policy.CommunityRule]{},
		routeMaps:  map[string][]*clause{},
		directions: map[string]map[string]bool{},
	}
	for f := range families {
		p.prefixes[f] = map[string]*list[policy.PrefixRule]{}
		p.access[f] = map[string]*list[policy.PrefixRule]{}
	}
	return p
}

// list is the rules of one name, each with its line.
type list[R any] struct {
	rules   []R
	lines   []*line
	at      map[int]int // place by number
	highest int
}

// add numbers a rule and puts it among the others; one of the same number
// makes way, as in FRR.
func add[R any](lists map[string]*list[R], name string, l *line, r R, seq func(*R) *int) {
	in := lists[name]
	if in == nil {
		in = &list[R]{at: map[int]int{}}
		lists[name] = in
	}
	n := seq(&r)
	if *n == 0 {
		*n = in.highest/5*5 + 5
	}
	in.highest = max(in.highest, *n)
	if i, taken := in.at[*n]; taken {
		in.lines[i].drop(meaningless("line %d has the same number and takes its place", l.number))
		in.rules[i], in.lines[i] = r, l
		return
	}
	in.at[*n] = len(in.rules)
	in.rules, in.lines = append(in.rules, r), append(in.lines, l)
}

func prefixSeq(r *policy.PrefixRule) *int       { return &r.Seq }
func pathSeq(r *policy.ASPathRule) *int         { return &r.Seq }
func communitySeq(r *policy.CommunityRule) *int { return &r.Seq }

var listRemark = meaningless("a remark")

var prefixListRules = []rule{
	on("ip|ipv6 prefix-list NAME description REST", always(listRemark)),
	on("ip|ipv6 prefix-list sequence-number", always(listRemark)),
	on("no ip|ipv6 prefix-list sequence-number", always(listRemark)),
	on("ip|ipv6 prefix-list NAME REST", prefixList),
}

func prefixList(c *converter, l *line, args []string) outcome {
	r, err := policy.ParsePrefixRule(strings.Join(args[1:], " "))
	if err != nil {
		return attention("%v", err)
	}
	f := familyOf(l)
	if !r.Any && r.Prefix.Addr().Is4() != (f == ipv4) {
		return attention("%s is of the other address family", r.Prefix)
	}
	add(c.policies.prefixes[f], args[0], l, r, prefixSeq)
	return carried
}

// familyOf is that of a command which begins with "ip" or "ipv6".
func familyOf(l *line) family {
	if strings.EqualFold(l.words[0], "ipv6") {
		return ipv6
	}
	return ipv4
}

var accessListRules = []rule{
	on("access-list NAME remark REST", always(listRemark)),
	on("ipv6 access-list NAME remark REST", always(listRemark)),
	on("ipv6 access-list NAME REST", accessList),
	on("access-list NAME REST", accessList),
	on("mac access-list REST", always(unsupported("filtering by MAC address"))),
}

// accessList makes a prefix-list of an access-list that is written with
// prefixes: it matches all that is within them, or exactly them.
func accessList(c *converter, l *line, args []string) outcome {
	words := args[1:]
	exact := len(words) > 0 && words[len(words)-1] == "exact-match"
	if exact {
		words = words[:len(words)-1]
	}
	r, err := policy.ParsePrefixRule(strings.Join(words, " "))
	if err != nil {
		return unsupported("access-lists other than of prefixes")
	}
	f := familyOf(l)
	if r.GE != 0 || r.LE != 0 || !r.Any && r.Prefix.Addr().Is4() != (f == ipv4) {
		return attention("this is not a rule of an access-list")
	}
	if most := r.Prefix.Addr().BitLen(); !r.Any && !exact && r.Prefix.Bits() < most {
		r.LE = most
	}
	add(c.policies.access[f], args[0], l, r, prefixSeq)
	return carried
}

var pathListRules = []rule{
	on("bgp|ip as-path access-list NAME REST", pathList),
}

func pathList(c *converter, l *line, args []string) outcome {
	r, err := policy.ParseASPathRule(strings.Join(args[1:], " "))
	if err != nil {
		return attention("%v", err)
	}
	add(c.policies.paths, args[0], l, r, pathSeq)
	return carried
}
