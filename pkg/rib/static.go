package rib

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/fib"
)

// Static is a static route of the configuration: through a gateway, on-link through a
// device, or a blackhole.
type Static struct {
	Prefix    netip.Prefix
	Via       netip.Addr
	Device    string
	Blackhole bool
	Metric    uint32
	Source    netip.Addr
}

type static struct {
	Static
	route *planned  // nil while gateway or device can't be reached
	loop  []*static // that need each other, this one included; nil: none
}

func (u *underlay) setStatics(list []Static) {
	u.statics = make(map[netip.Prefix][]*static, len(list))
	for _, s := range list {
		u.statics[s.Prefix] = append(u.statics[s.Prefix], &static{Static: s})
	}
	for _, same := range u.statics {
		slices.SortStableFunc(same, func(a, b *static) int { return cmp.Compare(a.Metric, b.Metric) })
	}
}

// staticPrefixes returns the prefixes of static routes, sorted.
func (u *underlay) staticPrefixes() []netip.Prefix {
	return slices.SortedFunc(maps.Keys(u.statics), func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
}

// setDead replaces the dead gateways, and reports whether that concerns a static route.
func (u *underlay) setDead(gateways []netip.Addr) (concerned bool) {
	was := u.dead
	u.dead = make(map[netip.Addr]bool, len(gateways))
	for _, a := range gateways {
		u.dead[a] = true
	}
	for _, same := range u.statics {
		if slices.ContainsFunc(same, func(s *static) bool { return was[s.Via] != u.dead[s.Via] }) {
			return true
		}
	}
	return false
}

// standing returns the static route that is installed for a prefix; nil if there is none.
func (u *underlay) standing(prefix netip.Prefix) *static {
	for _, s := range u.statics[prefix] {
		if s.route != nil {
			return s
		}
	}
	return nil
}

// Standing returns the static routes that are installed, in no particular order.
func (r *RIB) Standing() []Static {
	var out []Static
	for prefix := range r.under.statics {
		if s := r.under.standing(prefix); s != nil {
			out = append(out, s.Static)
		}
	}
	return out
}

// resolveStatics decides which static routes stand, by connected routes, those of other
// programs, and each other. A static route takes the place of another program's route for
// the same prefix, but not of a connected one.
func (u *underlay) resolveStatics() {
	c := recursion{u: u, decided: make(map[*static]bool)}
	prefixes := u.staticPrefixes()
	for _, prefix := range prefixes {
		var next *planned
		for _, s := range slices.Backward(u.statics[prefix]) {
			if c.decide(s); s.route != nil {
				s.route.Backup = bypass(next, s.route.Hops)
				next = s.route
			}
		}
	}
	for _, prefix := range prefixes {
		if s := u.standing(prefix); s != nil && u.resolvable(prefix) {
			if old, _ := u.table.Get(prefix); !old.connected {
				u.table.Insert(prefix, via{hops: s.route.Hops})
			}
		}
	}
}

// bypass returns the hops of next, nil if one of them is among hops.
func bypass(next *planned, hops []fib.NextHop) []fib.NextHop {
	if next == nil || len(hops) == 0 || slices.ContainsFunc(next.Hops, func(h fib.NextHop) bool { return slices.Contains(hops, h) }) {
		return nil
	}
	return next.Hops
}

// recursion decides which static routes stand. The gateway of one may be reached through
// another, so each is decided after those that it needs.
type recursion struct {
	u       *underlay
	decided map[*static]bool
	stack   []*static // each is needed by the one before it
}

// decide sets the route of s, and those of the static routes that it needs first. If they
// need s in turn, none of them stands.
func (c *recursion) decide(s *static) {
	if i := slices.Index(c.stack, s); i >= 0 {
		loop := slices.Clone(c.stack[i:])
		for _, s := range loop {
			s.loop = loop
		}
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

// route returns the route of s for the forwarding plane; nil if it does not stand.
func (c *recursion) route(s *static) *planned {
	u := c.u
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

// gateway returns how the gateway of s is reached: by the longest match among connected
// routes, those of other programs, and the other static routes that stand. It is not
// reached if the longest match is s's own prefix.
func (c *recursion) gateway(s *static) []fib.NextHop {
	u := c.u
	if u.own[s.Via] {
		return nil
	}
	for bits := s.Via.BitLen(); bits >= 0; bits-- {
		prefix := netip.PrefixFrom(s.Via, bits).Masked()
		if !u.resolvable(prefix) {
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
