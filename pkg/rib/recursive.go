package rib

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/fib"
)

// recursion decides which static routes stand. The gateway of one may be reached
// through another, so each is decided about after those that it needs.
type recursion struct {
	rib     *RIB
	decided map[*static]bool
	stack   []*static // each is needed by the one before it
}

// resolveStatics decides which static routes stand, by connected routes, other
// programs' and each other. One that stands takes the place of another program's
// of the same prefix, but not of a connected one.
func (r *RIB) resolveStatics() {
	c := recursion{rib: r, decided: make(map[*static]bool)}
	prefixes := slices.SortedFunc(maps.Keys(r.under.statics), func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	for _, prefix := range prefixes {
		r.touch(r.dest(prefix), 0)
		var next *planned
		for _, s := range slices.Backward(r.under.statics[prefix]) {
			if c.decide(s); s.route != nil {
				s.route.Backup = bypass(next, s.route.Hops)
				next = s.route
			}
		}
	}
	for _, prefix := range prefixes {
		s, old := r.under.standing(prefix), via{}
		if s != nil && r.resolvable(prefix) {
			if old, _ = r.under.table.Get(prefix); !old.connected {
				r.under.table.Insert(prefix, via{hops: s.route.Hops})
			}
		}
	}
}

// resolvable reports whether next hops may be reached through a route for prefix.
func (r *RIB) resolvable(prefix netip.Prefix) bool {
	return prefix.Bits() > 0 || r.opt.ResolveDefault
}

// decide sets the route of s, and those of the static routes that it needs first.
// Where they need s in turn, none of them stands.
func (c *recursion) decide(s *static) {
	if i := slices.Index(c.stack, s); i >= 0 {
		c.loop(c.stack[i:])
		return
	}
	if c.decided[s] {
		return
	}
	s.loop = nil
	c.stack = append(c.stack, s)
	s.route = c.route(s)
	c.stack = c.stack[:len(c.stack)-1]
	if s.loop != nil {
		s.route = nil
	}
	c.decided[s] = true
}

func (c *recursion) loop(of []*static) {
	of = slices.Clone(of)
	for _, s := range of {
		s.loop = of
	}
}

// route is what the forwarding plane is told of s; nil if it does not stand.
func (c *recursion) route(s *static) *planned {
	u := &c.rib.under
	out := &planned{Route: fib.Route{Class: fib.Static, Metric: s.Metric, Source: s.Source}}
	link := u.link(s.Device)
	switch {
	case s.Blackhole:
		out.Kind = fib.Blackhole
		return out
	case u.dead[s.Via] || s.Device != "" && !u.links[link].Up:
		return nil
	case !s.Via.IsValid():
		out.Hops = []fib.NextHop{{Link: link}}
		return out
	case s.Device != "":
		hop := fib.NextHop{Via: s.Via, Link: link}
		onLink, _ := u.resolve(s.Via)
		hop.Onlink = !slices.ContainsFunc(onLink, func(h fib.NextHop) bool { return h.Via == s.Via && h.Link == link })
		out.Hops = []fib.NextHop{hop}
		return out
	}
	if out.Hops = c.gateway(s); out.Hops == nil {
		return nil
	}
	return out
}

// gateway is how the gateway of s is reached: by the longest match among connected
// routes, other programs' and the other static ones that stand. It is not reached
// if that is s's own prefix.
func (c *recursion) gateway(s *static) []fib.NextHop {
	u := &c.rib.under
	if u.own[s.Via] {
		return nil
	}
	for bits := s.Via.BitLen(); bits >= 0; bits-- {
		prefix := netip.PrefixFrom(s.Via, bits).Masked()
		if !c.rib.resolvable(prefix) {
			return nil
		}
		found, ok := u.table.Get(prefix)
		if !found.connected {
			for _, other := range u.statics[prefix] {
				if prefix == s.Prefix {
					other = s
				}
				if c.decide(other); s.loop != nil {
					return nil
				}
				if other.route != nil {
					return u.through(other.route.Hops, s.Via)
				}
			}
		}
		if ok {
			return u.through(found.hops, s.Via)
		}
	}
	return nil
}

// through is how addr is reached through a route with hops; nil if their links are
// down, or it drops.
func (u *underlay) through(hops []fib.NextHop, addr netip.Addr) []fib.NextHop {
	var out []fib.NextHop
	for _, h := range hops {
		if !u.links[h.Link].Up {
			continue
		}
		if !h.Via.IsValid() {
			h.Via = addr
		}
		if len(hops) == 1 {
			h.Weight = 0
		}
		out = append(out, h)
	}
	return fib.SortHops(out)
}

// circleText names the static routes that need each other.
func circleText(loop []*static) string {
	var names []string
	for _, s := range loop {
		names = append(names, s.Prefix.String()+" via "+s.Via.String())
	}
	if len(names) == 1 {
		return "static route: gateway " + loop[0].Via.String() + " is reached through no other route"
	}
	return "static routes need each other: " + strings.Join(names, ", ")
}
