package frrconf

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// protocolMap is a route-map that zebra asks before it installs the routes of a protocol:
// "ip protocol bgp route-map NAME".
type protocolMap struct {
	name string
	line *line
}

func readProtocolMap(c *converter, l *line, args []string) outcome {
	protocol, f := args[0], familyOf(l)
	switch protocol {
	case "bgp", "static", "any":
	default:
		return meaningless("nvad installs no routes of %s", protocol)
	}
	if c.protocols[f] == nil {
		c.protocols[f] = map[string]protocolMap{}
	}
	c.protocols[f][protocol] = protocolMap{args[1], l}
	return carried
}

// finishProtocols carries over the route-maps that only set the source address of packets.
// nvad has no policy between BGP and the kernel, so that import policy sets the address.
func (c *converter) finishProtocols() {
	for f := range families {
		for _, m := range c.protocols[f] {
			o := c.onlySource(m.name)
			if o != carried {
				m.line.drop(o)
				continue
			}
			for _, cl := range c.policies.routeMaps[m.name] {
				if cl.srcLine != nil {
					cl.srcLine.fate, cl.srcLine.left = taken, nil
				}
			}
			if !slices.ContainsFunc(c.policies.references, func(r reference) bool { return r.kind == "route-map" && r.name == m.name }) {
				if delete(c.cfg.Policies.RouteMaps, m.name); len(c.cfg.Policies.RouteMaps) == 0 {
					c.cfg.Policies.RouteMaps = nil
				}
			}
		}
	}
	c.sourceStatics()
}

// protocolMapOf returns the route-map that zebra asks for a protocol, if it is carried over.
func (c *converter) protocolMapOf(f family, protocol string) (string, bool) {
	m, ok := c.protocols[f][protocol]
	if !ok {
		m, ok = c.protocols[f]["any"]
	}
	return m.name, ok && m.line.fate == taken
}

// onlySource reports, as the outcome of the line that names it, whether a route-map does
// nothing but set source addresses: each entry permits, and one of them everything.
func (c *converter) onlySource(name string) outcome {
	clauses := c.policies.routeMaps[name]
	if len(clauses) == 0 {
		return meaningless("there is no route-map %s, so that FRR installs everything", name)
	}
	last := clauses[len(clauses)-1]
	bare := func(cl *clause) bool {
		return cl.Permit && !cl.zebraOnly && !cl.incomplete && cl.Call == "" && cl.Next == policy.NextStop && reflect.DeepEqual(cl.Set, policy.Set{})
	}
	notBare := slices.ContainsFunc(clauses, func(cl *clause) bool { return !bare(cl) })
	if notBare || last.Match != (policy.Match{}) || c.policies.lost[object{"route-map", name}] != nil {
		return attention("FRR keeps routes out of the kernel by route-map %s, or changes them there; nvad installs all that import policy accepts", name)
	}
	return carried
}

// sourced completes import policy with the route-map of zebra: each of its entries runs the
// neighbor's own route-map, and sets a source address as well.
func (c *converter) sourced(chain policy.Chain) policy.Chain {
	if chain == (policy.Chain{}) {
		return chain
	}
	var clauses policy.RouteMap
	for f := range families {
		if name, ok := c.protocolMapOf(f, "bgp"); ok {
			clauses = append(clauses, c.sourceClauses(name, chain.RouteMap, c.allOf(f))...)
		}
	}
	if len(clauses) == 0 {
		return chain
	}
	clauses = append(clauses, policy.Clause{Permit: true, Call: chain.RouteMap})
	for i := range clauses {
		clauses[i].Seq = 10 * (i + 1)
	}
	name := c.policies.unusedName(strings.TrimPrefix(chain.RouteMap+"-preferred-source", "-"))
	put(&c.cfg.Policies.RouteMaps, name, clauses)
	chain.RouteMap = name
	return chain
}

// unusedName returns a name for a route-map that the file does not have.
func (p *policies) unusedName(name string) string {
	for p.routeMaps[name] != nil {
		name += "-route-map"
	}
	return name
}

// sourceClauses returns the entries of a route-map of zebra, each with a call and a prefix-list
// unless it has one.
func (c *converter) sourceClauses(name, call, prefixList string) policy.RouteMap {
	var out policy.RouteMap
	for _, cl := range c.policies.routeMaps[name] {
		one := policy.Clause{Seq: cl.Seq, Permit: true, Match: cl.Match, Call: call}
		one.Match.PrefixList = cmp.Or(one.Match.PrefixList, prefixList)
		one.Set.PreferredSource = cl.src
		out = append(out, one)
	}
	return out
}

// allOf returns the name of a prefix-list that permits everything of one family.
func (c *converter) allOf(f family) string {
	name := [families]string{"ipv4-routes", "ipv6-routes"}[f]
	for c.policies.hasList(name) {
		name += "-list"
	}
	put(&c.cfg.Policies.PrefixLists, name, policy.PrefixList{ofFamily(policy.PrefixRule{Seq: 5, Permit: true, Any: true}, f)})
	return name
}

// sourceStatics sets the source addresses of static routes.
func (c *converter) sourceStatics() {
	for i := range c.cfg.Statics {
		s := &c.cfg.Statics[i]
		f := ipv4
		if s.Prefix.Addr().Is6() {
			f = ipv6
		}
		name, ok := c.protocolMapOf(f, "static")
		if !ok {
			continue
		}
		lib := c.cfg.Policies
		lib.RouteMaps = map[string]policy.RouteMap{name: c.sourceClauses(name, "", "")}
		prog, err := policy.NewCompiler(&lib).Compile(policy.Chain{Accept: true, RouteMap: name}, policy.Session{})
		if err != nil {
			c.protocols[f]["static"].line.leave(attention("the source address of static routes"))
			continue
		}
		s.Source = prog.Run(&policy.Input{Prefix: s.Prefix, Attrs: &route.Attrs{}, Source: route.SourceStatic}).PreferredSource
	}
}
