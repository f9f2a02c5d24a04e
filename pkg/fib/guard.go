package fib

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Protected is an address whose path no installed route may spoil.
type Protected struct {
	Addr netip.Addr
	Why  string // names it in the reason of a refusal
	// NotBy names links that the address must not be reached by, such as the
	// tunnel whose remote it is. Empty: its egress must not change at all.
	NotBy []string
	// Neighbor is set for the address of a BGP neighbor: no route through it
	// may lead to it.
	Neighbor bool
}

// refusal is a wanted route that is kept out of the kernel.
type refusal struct {
	route  *Route
	state  State // Refused or Outranked
	reason string
	since  time.Time
}

// guard decides which routes are too dangerous to install. It judges each route
// against the routes that are not from BGP, so that its answer does not depend
// on the order in which routes come.
type guard struct {
	list         []Protected
	allowDefault bool
	displace     bool // see FIB.SetDisplace
	links        map[int]string
	statics      map[netip.Prefix]*Route
	// cover holds every prefix that covers a protected address, with the
	// indexes of those addresses: one lookup clears all other routes.
	cover map[netip.Prefix][]int
	// foreign is, for the prefixes of cover, the best route that is not nvad's.
	foreign map[netip.Prefix]*KernelRoute
}

func (g *guard) protect(list []Protected, allowDefault bool) {
	g.list, g.allowDefault = list, allowDefault
	g.cover = make(map[netip.Prefix][]int)
	for i, p := range list {
		for bits := range p.Addr.BitLen() + 1 {
			prefix := netip.PrefixFrom(p.Addr, bits).Masked()
			g.cover[prefix] = append(g.cover[prefix], i)
		}
	}
	for _, all := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		prefix := netip.PrefixFrom(all, 0)
		if _, covered := g.cover[prefix]; !covered {
			g.cover[prefix] = nil // allow-default concerns it all the same
		}
	}
}

func (g *guard) setLinks(links []Link) {
	g.links = make(map[int]string, len(links))
	for _, l := range links {
		g.links[l.Index] = l.Name
	}
}

// setStatic keeps the static routes, which BGP routes are judged against. It
// reports whether they changed.
func (g *guard) setStatic(c Change) bool {
	if c.Route != nil && c.Route.Class == Static {
		if g.statics == nil {
			g.statics = make(map[netip.Prefix]*Route)
		}
		g.statics[c.Prefix] = c.Route
		return true
	}
	if _, was := g.statics[c.Prefix]; was {
		delete(g.statics, c.Prefix)
		return true
	}
	return false
}

// update takes in the routes that are not nvad's, but for those of BGP.
func (g *guard) update(foreign map[routeKey][]KernelRoute, fromBGP func(*KernelRoute) bool) {
	g.foreign = make(map[netip.Prefix]*KernelRoute)
	for key, routes := range foreign {
		if _, covers := g.cover[key.prefix]; !covers {
			continue
		}
		i := slices.IndexFunc(routes, func(r KernelRoute) bool { return !fromBGP(&r) })
		if best := g.foreign[key.prefix]; i >= 0 && (best == nil || key.metric < best.Metric) {
			g.foreign[key.prefix] = &routes[i]
		}
	}
}

// refuse returns why a route must not be installed for a prefix, or "".
func (g *guard) refuse(prefix netip.Prefix, r *Route) string {
	if r.Class == BGP && prefix.Bits() == 0 && !g.allowDefault {
		return "default route; allow-default is not set"
	}
	if r.Class == Static && prefix.IsSingleIP() {
		return "" // the operator pins this very address
	}
	for _, i := range g.cover[prefix] {
		p := &g.list[i]
		if why := g.spoils(prefix, r, r.Hops, p); why != "" {
			return why
		}
		if why := g.spoils(prefix, r, r.Backup, p); why != "" {
			return why
		}
	}
	return ""
}

// spoils returns what would be wrong with the path to p if r, through hops,
// were installed.
func (g *guard) spoils(prefix netip.Prefix, r *Route, hops []NextHop, p *Protected) string {
	base := g.base(p.Addr, r)
	if !base.loses(prefix, r) {
		return ""
	}
	for _, h := range hops {
		name := g.links[h.Link]
		switch {
		case slices.Contains(p.NotBy, name):
			return fmt.Sprintf("%s %s would be reached through %s itself", p.Why, p.Addr, name)
		case p.Neighbor && h.Via == p.Addr:
			return fmt.Sprintf("%s %s would be reached through itself", p.Why, p.Addr)
		case p.Neighbor && r.Class == Static:
			// where the session goes is the operator's to say
		case len(p.NotBy) == 0 && base.found && !base.leaves(h):
			return fmt.Sprintf("%s %s would leave %s instead of %s", p.Why, p.Addr, g.hop(h), g.base(p.Addr, r).text(g))
		}
	}
	if r.Kind != Unicast && base.found && base.kind == Unicast {
		return fmt.Sprintf("%s %s would be dropped", p.Why, p.Addr)
	}
	return ""
}

// path is how an address is reached without the routes of BGP.
type path struct {
	found  bool
	bits   int
	metric uint32
	kind   Kind
	hops   []NextHop
}

// base returns the longest match for an address among the routes that are not
// nvad's and the static ones. Those by which the operator pins this very address
// count for other static routes too.
func (g *guard) base(addr netip.Addr, r *Route) path {
	for bits := addr.BitLen(); bits >= 0; bits-- {
		prefix := netip.PrefixFrom(addr, bits).Masked()
		var p path
		k := g.foreign[prefix]
		if k != nil {
			p = path{true, bits, k.Metric, k.Kind, k.Hops}
		}
		if s := g.statics[prefix]; s != nil && (r.Class != Static || prefix.IsSingleIP()) && g.before(s, k) {
			p = path{true, bits, s.Metric, s.Kind, s.Hops}
		}
		if p.found {
			return p
		}
	}
	return path{}
}

// before reports whether a static route is in effect where another program has k,
// or nothing.
func (g *guard) before(s *Route, k *KernelRoute) bool {
	return k == nil || (g.displace || !k.IsConnected()) && s.Metric < k.Metric
}

// loses reports whether r would be preferred to the path.
func (p path) loses(prefix netip.Prefix, r *Route) bool {
	if !p.found || prefix.Bits() != p.bits {
		return !p.found || prefix.Bits() > p.bits
	}
	return r.Metric <= p.metric
}

// leaves reports whether h is one of the path's hops.
func (p path) leaves(h NextHop) bool {
	return slices.ContainsFunc(p.hops, func(o NextHop) bool { return o.Link == h.Link && o.Via == h.Via })
}

func (p path) text(g *guard) string {
	if len(p.hops) == 0 {
		return "nowhere"
	}
	return g.hop(p.hops[0])
}

func (g *guard) hop(h NextHop) string {
	if h.Gateway().IsValid() {
		return "via " + h.Via.String() + " dev " + g.link(h.Link)
	}
	return "dev " + g.link(h.Link)
}

// link is the name of a link, or its number while that is not known.
func (g *guard) link(index int) string {
	if name := g.links[index]; name != "" {
		return name
	}
	return fmt.Sprintf("#%d", index)
}
