package frrconf

import (
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// policies holds the named objects as they are read.
type policies struct {
	prefixes  [families]map[string]*list[policy.PrefixRule]
	access    [families]map[string]*list[accessRule]
	paths     map[string]*list[policy.ASPathRule]
	standard  map[string]*list[policy.CommunityRule]
	large     map[string]*list[policy.CommunityRule]
	extended  map[string]*list[policy.CommunityRule]
	routeMaps map[string][]*clause

	references []reference
	directions map[string]map[string]bool // uses of each route-map: in, out
	lost       map[object]*line           // objects with a line that can't be carried over, see lose
}

func newPolicies() policies {
	p := policies{
		paths:      map[string]*list[policy.ASPathRule]{},
		standard:   map[string]*list[policy.CommunityRule]{},
		large:      map[string]*list[policy.CommunityRule]{},
		extended:   map[string]*list[policy.CommunityRule]{},
		routeMaps:  map[string][]*clause{},
		directions: map[string]map[string]bool{},
		lost:       map[object]*line{},
	}
	for f := range families {
		p.prefixes[f] = map[string]*list[policy.PrefixRule]{}
		p.access[f] = map[string]*list[accessRule]{}
	}
	return p
}

// list holds the rules of one list, each with its line.
type list[R any] struct {
	rules   []R
	lines   []*line
	at      map[int]int // index by number
	highest int
}

// add numbers a rule and adds it to its list. As in FRR, it replaces a rule with the same
// number.
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

var prefixListRules = slices.Concat(
	each(listRemark, "ip|ipv6 prefix-list NAME description REST", "ip|ipv6 prefix-list sequence-number", "no ip|ipv6 prefix-list sequence-number"),
	losing("prefix-list", firstArg,
		on("ip|ipv6 prefix-list NAME REST", prefixList),
		on("no ip|ipv6 prefix-list NAME REST", always(takesBack)),
	),
)

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

// familyOf returns the family of a command that begins with "ip" or "ipv6".
func familyOf(l *line) family {
	if strings.EqualFold(l.words[0], "ipv6") {
		return ipv6
	}
	return ipv4
}

var pathListRules = losing("as-path-list", firstArg,
	on("bgp|ip as-path access-list NAME REST", pathList),
	on("no bgp|ip as-path access-list NAME REST", always(takesBack)),
)

func pathList(c *converter, l *line, args []string) outcome {
	r, err := policy.ParseASPathRule(strings.Join(args[1:], " "))
	if err != nil {
		return attention("%v", err)
	}
	add(c.policies.paths, args[0], l, r, pathSeq)
	return carried
}

var communityListRules = slices.Concat(
	ofCommunityLists("community-list", "community-list", standardCommunity, func(p *policies) communityLists { return p.standard }),
	ofCommunityLists("large-community-list", "large-community-list", largeCommunity, func(p *policies) communityLists { return p.large }),
	ofCommunityLists("extcommunity-list", "ext-community-list", extendedCommunity, func(p *policies) communityLists { return p.extended }),
)

// ofCommunityLists returns the rules about a kind of list with a command.
func ofCommunityLists(command, kind string, norm func(string) (string, error), lists func(*policies) communityLists) []rule {
	return losing(kind, communityListName,
		on("bgp|ip "+command+" REST", communityList(norm, lists)),
		on("no bgp|ip "+command+" REST", always(takesBack)),
	)
}

// communityListName returns the name of the list that a line is about, also if the rest of
// the line is not understood.
func communityListName(_ *converter, _ *line, args []string) string {
	if len(args) > 1 && (args[0] == "standard" || args[0] == "expanded") {
		args = args[1:]
	}
	return strings.Join(args[:min(1, len(args))], "")
}

type communityLists = map[string]*list[policy.CommunityRule]

// communityList reads "[standard|expanded] NAME [seq N] permit|deny VALUES". A number as
// the name implies the form: up to 99 is standard. norm returns the text form of a
// community.
func communityList(norm func(string) (string, error), lists func(*policies) communityLists) handler {
	return func(c *converter, l *line, args []string) outcome {
		form, name, rest, o := listHead(args)
		if o != carried {
			return o
		}
		if form == "expanded" {
			rest = expanded(rest)
		}
		r, err := policy.ParseCommunityRule(strings.Join(rest, " "))
		if err == nil && form == "standard" && r.Regexp != "" {
			return attention("a standard list has no regular expressions")
		}
		for i := 0; i < len(r.Values) && err == nil; i++ {
			r.Values[i], err = norm(r.Values[i])
		}
		if err != nil {
			return attention("%v", err)
		}
		add(lists(&c.policies), name, l, r, communitySeq)
		return carried
	}
}

func listHead(args []string) (form, name string, rest []string, o outcome) {
	if len(args) < 3 {
		return "", "", nil, attention("the rule is not complete")
	}
	if args[0] == "standard" || args[0] == "expanded" {
		return args[0], args[1], args[2:], carried
	}
	n, ok := number(args[0])
	switch {
	case !ok || n < 1 || n > 500:
		return "", "", nil, attention("%s is not a list: neither standard nor expanded, nor a number from 1 to 500", args[0])
	case n < 100:
		return "standard", args[0], args[1:], carried
	}
	return "expanded", args[0], args[1:], carried
}

// expanded marks what follows permit or deny as a regular expression.
func expanded(words []string) []string {
	i := slices.IndexFunc(words, func(w string) bool { return w == "permit" || w == "deny" })
	if i < 0 {
		return words
	}
	return slices.Insert(slices.Clone(words), i+1, "regexp")
}

// wellKnown are communities that have names in FRR but not in nvad.
var wellKnown = map[string]string{
	"accept-own": "65535:1", "route-filter-translated-v4": "65535:2", "route-filter-v4": "65535:3",
	"route-filter-translated-v6": "65535:4", "route-filter-v6": "65535:5", "llgr-stale": "65535:6",
	"no-llgr": "65535:7", "accept-own-nexthop": "65535:8", "no-peer": "65535:65284",
}

// standardCommunity returns the text form of a community. FRR also accepts one number.
func standardCommunity(s string) (string, error) {
	if s == "internet" {
		return s, nil
	}
	if known := wellKnown[strings.ToLower(s)]; known != "" {
		s = known
	}
	if n, ok := number(s); ok {
		return route.Community(n).String(), nil
	}
	v, err := route.ParseCommunity(s)
	return v.String(), err
}

func largeCommunity(s string) (string, error) {
	v, err := route.ParseLargeCommunity(s)
	return v.String(), err
}

func extendedCommunity(s string) (string, error) {
	v, err := route.ParseExtCommunity(s)
	return v.String(), err
}
