package frrconf

import (
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

var communityListRules = []rule{
	on("bgp|ip community-list REST", communityList(standardCommunity, func(p *policies) map[string]*list[policy.CommunityRule] { return p.standard })),
	on("bgp|ip large-community-list REST", communityList(largeCommunity, func(p *policies) map[string]*list[policy.CommunityRule] { return p.large })),
	on("bgp|ip extcommunity-list REST", communityList(extendedCommunity, func(p *policies) map[string]*list[policy.CommunityRule] { return p.extended })),
}

// communityList reads "[standard|expanded] NAME [seq N] permit|deny VALUES". A
// number as the name tells the form: up to 99 is standard.
func communityList(norm func(string) (string, error), lists func(*policies) map[string]*list[policy.CommunityRule]) handler {
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

// wellKnown are communities that FRR has names for and nvad has not.
var wellKnown = map[string]string{
	"accept-own": "65535:1", "route-filter-translated-v4": "65535:2", "route-filter-v4": "65535:3",
	"route-filter-translated-v6": "65535:4", "route-filter-v6": "65535:5", "llgr-stale": "65535:6",
	"no-llgr": "65535:7", "accept-own-nexthop": "65535:8", "no-peer": "65535:65284",
}

// standardCommunity is the text form of a community, which FRR also takes as
// one number.
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
