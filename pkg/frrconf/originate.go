package frrconf

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
)

// originateRules are the commands of an address family that originate routes, besides
// network.
var originateRules = []rule{
	on("aggregate-address REST", aggregateAddress),
	on("redistribute SOURCE REST", redistribute),
	about("neighbor PEER default-originate", defaultOriginate),
	about("neighbor PEER default-originate route-map NAME", defaultOriginate),
}

// aggregateAddress reads an aggregate. It leaves over one with an option that nvad does
// not have, as the result would be a different aggregate.
func aggregateAddress(c *converter, l *line, args []string) outcome {
	prefix, rest, o := destination(append(slices.Clone(args), ""), c.mode.family == ipv6)
	if o != carried {
		return o
	}
	a := config.Aggregate{Prefix: prefix}
	rest = rest[:len(rest)-1]
	for len(rest) > 0 {
		switch {
		case rest[0] == "summary-only":
			a.SummaryOnly = true
		case rest[0] == "route-map" && len(rest) > 1:
			a.RouteMap, rest = rest[1], rest[1:]
		default:
			return unsupported("%s of an aggregate", rest[0])
		}
		rest = rest[1:]
	}
	c.referOrigin(l, a.RouteMap)
	c.cfg.Aggregates = slices.DeleteFunc(c.cfg.Aggregates, func(o config.Aggregate) bool { return o.Prefix == prefix })
	c.cfg.Aggregates = append(c.cfg.Aggregates, a)
	return carried
}

// referOrigin records a reference to the route-map of an originated route, if it has one.
func (c *converter) referOrigin(l *line, routeMap string) {
	if routeMap != "" {
		c.refer(l, "route-map", routeMap)
		c.policies.used(routeMap, "out")
	}
}

// redistribution is a redistribute command. FRR has one for each family, nvad one for
// both.
type redistribution struct {
	config.Redistribute
	family family
}

func redistribute(c *converter, l *line, args []string) outcome {
	r := &redistribution{Redistribute: config.Redistribute{Source: args[0]}, family: c.mode.family}
	if !slices.Contains([]string{"connected", "static", "kernel"}, r.Source) {
		return unsupported("originating the routes of %s", r.Source)
	}
	switch rest := args[1:]; {
	case len(rest) == 2 && rest[0] == "route-map":
		r.RouteMap = rest[1]
	case len(rest) > 0 && rest[0] == "metric":
		return unsupported("the metric of redistributed routes; a route-map can set it")
	case len(rest) > 0:
		return unsupported("%s of redistributed routes", strings.Join(rest, " "))
	}
	c.referOrigin(l, r.RouteMap)
	c.redistributions = append(c.redistributions, r)
	return carried
}

// finishRedistributions carries the commands over once the neighbors' families are known.
func (c *converter) finishRedistributions() {
	done := map[string]bool{}
	for _, r := range c.redistributions {
		if done[r.Source] {
			continue
		}
		done[r.Source] = true
		var maps [families]*redistribution // the last one of each family counts
		for _, o := range c.redistributions {
			if o.Source == r.Source {
				maps[o.family] = o
			}
		}
		c.cfg.Redistributes = append(c.cfg.Redistributes, config.Redistribute{Source: r.Source, RouteMap: c.redistributionMap(r.Source, maps)})
	}
}

// redistributionMap returns the name of the route-map for the routes of a source. FRR has one
// for each family, and originates none of a family without the command; nvad has one for both.
func (c *converter) redistributionMap(source string, of [families]*redistribution) string {
	var used []family
	for f := range families {
		if of[f] != nil && c.speaks(f) {
			used = append(used, f)
		}
	}
	switch {
	case len(used) == 0: // no neighbor is told
		return cmp.Or(of[ipv4], of[ipv6]).RouteMap
	case len(used) == 1 && !c.speaks(1-used[0]), len(used) == 2 && of[ipv4].RouteMap == of[ipv6].RouteMap:
		return of[used[0]].RouteMap
	}
	var m policy.RouteMap
	for i, f := range used {
		m = append(m, policy.Clause{Seq: 10 * (i + 1), Permit: true, Match: policy.Match{PrefixList: c.allOf(f)}, Call: of[f].RouteMap})
	}
	name := c.policies.unusedName("redistribute-" + source)
	put(&c.cfg.Policies.RouteMaps, name, m)
	return name
}

// speaks reports whether a neighbor exchanges routes of f.
func (c *converter) speaks(f family) bool {
	return slices.ContainsFunc(c.allNeighbors(), func(n config.Neighbor) bool { return n.Families.Has(routeFamilies[f]) })
}

func defaultOriginate(c *converter, l *line, p *peer, args []string) outcome {
	routeMap := ""
	if len(args) > 0 {
		routeMap = args[0]
		c.referOrigin(l, routeMap)
		l.leave(attention("FRR asks route-map %s about every route of the table, nvad about the default route it sends", routeMap))
	}
	return p.changeIn(c.mode.family, l, func(s *config.Settings) {
		s.DefaultOriginate, s.DefaultOriginateMap = true, routeMap
	})
}

func networkStatement(c *converter, l *line, args []string) outcome {
	words := args
	if len(args) > 2 && args[1] == "mask" {
		words = append([]string{args[0]}, args[2:]...)
	} else if !strings.Contains(args[0], "/") {
		return attention("%s has no length, and nvad knows no classes of networks", args[0])
	}
	// destination expects a word after a prefix.
	prefix, rest, o := destination(append(slices.Clone(words), ""), c.mode.family == ipv6)
	if o != carried {
		return o
	}
	n := config.Network{Prefix: prefix}
	rest = rest[:len(rest)-1]
	switch {
	case len(rest) == 2 && rest[0] == "route-map":
		n.RouteMap = rest[1]
		c.referOrigin(l, n.RouteMap)
	case len(rest) > 0:
		return unsupported("%s of a network", rest[0])
	}
	c.networks = slices.DeleteFunc(c.networks, func(o config.Network) bool { return o.Prefix == prefix })
	c.networks = append(c.networks, n)
	return carried
}

// finishNetworks carries the statements over.
func (c *converter) finishNetworks() {
	for _, n := range c.networks {
		n.ImportCheck = c.bgp.checkNetworks
		c.cfg.Networks = append(c.cfg.Networks, n)
	}
}
