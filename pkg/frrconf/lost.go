package frrconf

import (
	"cmp"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
)

// object is a list or route-map.
type object struct{ kind, name string }

// lose records that line l of an object can't be carried over. Without it the object could
// accept routes that FRR rejects: a permit rule of a list may be what a deny entry of a
// route-map asks for, and a route that misses one entry falls to a later one. So a lost
// object denies everything, and so does each route-map that depends on it.
func (p *policies) lose(kind, name string, l *line) {
	if o := (object{kind, name}); name != "" && p.lost[o] == nil {
		p.lost[o] = l
	}
}

// losing wraps the rules about an object: unless a line is carried over or has no meaning,
// the object is lost. name returns which one the line is about.
func losing(kind string, name func(c *converter, l *line, args []string) string, rules ...rule) []rule {
	for i, r := range rules {
		rules[i].do = func(c *converter, l *line, args []string) outcome {
			o := r.do(c, l, args)
			if o != carried && o.kind != NoMeaning {
				c.policies.lose(kind, name(c, l, args), l)
			}
			return o
		}
	}
	return rules
}

// firstArg returns the name of an object that is the first word in capitals of a pattern.
func firstArg(_ *converter, _ *line, args []string) string { return args[0] }

// spreadLoss passes the loss of a list or route-map on to the route-maps that use it.
func (c *converter) spreadLoss() {
	p := &c.policies
	for changed := true; changed; {
		changed = false
		for name, clauses := range p.routeMaps {
			if p.lost[object{"route-map", name}] != nil {
				continue
			}
			for _, cl := range clauses {
				if l := p.lostPart(cl); l != nil {
					p.lose("route-map", name, l)
					changed = true
				}
			}
		}
	}
}

// lostPart returns the lost line of an object that an entry uses, nil if there is none.
func (p *policies) lostPart(cl *clause) *line {
	for _, r := range cl.uses {
		if l := p.lost[object{r.kind, r.name}]; l != nil {
			return l
		}
	}
	return p.lost[object{"route-map", cl.Call}]
}

// denyLost puts a rule that denies everything in front of each lost object. The rules that
// could be carried over follow it, so that an operator only has to add what is missing.
func (c *converter) denyLost() {
	lib := &c.cfg.Policies
	for o := range c.policies.lost {
		switch o.kind {
		case "prefix-list":
			deny(&lib.PrefixLists, o.name, policy.PrefixRule{Any: true}, prefixSeq)
		case "access-list":
			deny(&lib.PrefixLists, c.policies.accessName(o.name), policy.PrefixRule{Any: true}, prefixSeq)
		case "as-path-list":
			deny(&lib.ASPathLists, o.name, policy.ASPathRule{Regexp: ".*"}, pathSeq)
		case "community-list":
			deny(&lib.CommunityLists, o.name, policy.CommunityRule{Regexp: ".*"}, communitySeq)
		case "large-community-list":
			deny(&lib.LargeCommunityLists, o.name, policy.CommunityRule{Regexp: ".*"}, communitySeq)
		case "ext-community-list":
			deny(&lib.ExtCommunityLists, o.name, policy.CommunityRule{Regexp: ".*"}, communitySeq)
		case "route-map":
			deny(&lib.RouteMaps, o.name, policy.Clause{}, clauseSeq)
		}
	}
}

// deny puts r in front of a list. If no number is left there, the list consists of r alone.
func deny[L ~[]R, R any](lists *map[string]L, name string, r R, seq func(*R) *int) {
	rest := slices.SortedFunc(slices.Values((*lists)[name]), func(a, b R) int { return cmp.Compare(*seq(&a), *seq(&b)) })
	*seq(&r) = 1
	if len(rest) > 0 && *seq(&rest[0]) == 1 {
		rest = nil
	}
	put(lists, name, append(L{r}, rest...))
}

// losesNamed returns a handler for a command that removes an object, or part of it.
func losesNamed(kind string) handler {
	return func(c *converter, l *line, args []string) outcome {
		c.policies.lose(kind, args[0], l)
		return takesBack
	}
}
