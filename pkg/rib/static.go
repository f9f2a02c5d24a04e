package rib

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/fib"
)

// Static is one next hop of a static route of the configuration, or its only one: a
// gateway, a device for on-link destinations, or a blackhole. Those for one prefix with
// the same distance and metric share the traffic.
type Static struct {
	Prefix    netip.Prefix
	Via       netip.Addr
	Device    string
	Blackhole bool
	Distance  uint8 // beyond fib.DistanceEBGP the route floats: it may give way to BGP
	Metric    uint32
	Source    netip.Addr
}

// Floats reports whether the route may give way to a route learned by BGP.
func (s *Static) Floats() bool { return s.Distance > fib.DistanceEBGP }

// rank orders the static routes for a prefix, the preferred first; those with equal ranks
// are one route.
func (s *Static) rank(o *Static) int {
	return cmp.Or(cmp.Compare(s.Distance, o.Distance), cmp.Compare(s.Metric, o.Metric))
}

type static struct {
	Static
	route *planned  // nil while gateway or device can't be reached; the first of a rank has the hops of all
	loop  []*static // that need each other, this one included; nil: none
}

func (u *underlay) setStatics(list []Static) {
	u.statics = make(map[netip.Prefix][]*static, len(list))
	was := u.floating
	u.floating = make(map[netip.Prefix]bool)
	for _, s := range list {
		u.statics[s.Prefix] = append(u.statics[s.Prefix], &static{Static: s})
		if s.Floats() {
			u.floating[s.Prefix] = was[s.Prefix]
		}
	}
	for _, same := range u.statics {
		slices.SortStableFunc(same, func(a, b *static) int {
			return cmp.Or(a.rank(&b.Static), a.Via.Compare(b.Via), cmp.Compare(a.Device, b.Device))
		})
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

// standing returns the preferred static route for a prefix whose next hop is reached; nil
// if there is none. It is installed unless BGP has a route of a lower distance.
func (u *underlay) standing(prefix netip.Prefix) *static {
	for _, s := range u.statics[prefix] {
		if s.route != nil {
			return s
		}
	}
	return nil
}

// Standing returns the preferred static routes whose next hops are reached, one for each
// prefix, in no particular order. They are installed, except those that give way to BGP.
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
		for _, s := range u.statics[prefix] {
			c.decide(s)
		}
	}
	for _, prefix := range prefixes {
		u.join(u.statics[prefix])
		if s := u.standing(prefix); s != nil && u.resolvable(prefix) && u.carries(s) {
			if old, _ := u.table.Get(prefix); !old.connected {
				u.table.Insert(prefix, via{hops: s.route.Hops})
			}
		}
	}
}

// join gives the first static route of each rank the hops of all of its rank, and those of
// the next rank as backup. Each hop stands or falls by itself, so a route loses only the
// gateways that are not reached. The list is that of one prefix, by rank.
func (u *underlay) join(list []*static) {
	var first *static // so far, of the rank at hand
	var below *planned
	for _, s := range slices.Backward(list) {
		if s.route == nil {
			continue
		}
		if first != nil && s.rank(&first.Static) == 0 {
			s.route.Hops = fib.SortHops(slices.Concat(s.route.Hops, first.route.Hops))
		} else if first != nil {
			below = first.route
		}
		s.route.Hops = s.route.Hops[:min(len(s.route.Hops), u.opt.MaxPaths)]
		s.route.Backup = bypass(below, s.route.Hops)
		first = s
	}
}

// carries reports whether next hops may be reached through s. A floating static route
// carries none while a neighbor has an accepted route for its prefix. Whether that route is
// valid does not matter: otherwise its next hop could be reached through the static route
// while the static route is installed, and so take the place of the static route, and be
// unreachable then, for ever in turn.
func (u *underlay) carries(s *static) bool { return !s.Floats() || !u.floating[s.Prefix] }

// contest keeps track of the floating static routes for whose prefix a neighbor has an
// accepted route. If that changes, next hops are to be resolved again.
func (u *underlay) contest(d *dest) {
	was, floats := u.floating[d.prefix]
	if !floats {
		return
	}
	is := slices.ContainsFunc(d.paths, func(pt path) bool { return pt.peer != 0 && pt.accepted != nil })
	if is != was {
		u.floating[d.prefix], u.outdated = is, true
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
	out := &planned{Route: fib.Route{Class: fib.Static, Distance: s.Distance, Metric: s.Metric, Source: s.Source}}
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
			hops, stands := c.static(s, prefix)
			if stands || s.loop != nil {
				return u.through(hops, s.Via)
			}
		}
		if ok {
			return u.through(found.hops, s.Via)
		}
	}
	return nil
}

// static returns the hops of the static route for a prefix that the gateway of s is in, and
// whether one stands. It has none if the route drops packets, or needs s.
func (c *recursion) static(s *static, prefix netip.Prefix) (hops []fib.NextHop, stands bool) {
	var first *static
	for _, other := range c.u.statics[prefix] {
		if prefix == s.Prefix {
			other = s
		}
		if first != nil && first.rank(&other.Static) != 0 {
			break
		}
		if c.decide(other); s.loop != nil {
			return nil, false
		}
		if other.route != nil && c.u.carries(other) {
			first, hops = other, append(hops, other.route.Hops...)
		}
	}
	return hops, first != nil
}
