package fib

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Protected is an address that must stay reachable, such as Azure's platform address or the
// remote of a tunnel.
type Protected struct {
	Addr netip.Addr
	Why  string // what it is, for the reason of a refusal
	// NotBy names links through which the address must not be reached, such as the
	// tunnel whose remote it is. Empty: the path to the address must not change at all.
	NotBy []string
	// Neighbor is set for a BGP neighbor: a route may not lead to its address through
	// that very address.
	Neighbor bool
}

// refusal is a wanted route that is not installed, and why.
type refusal struct {
	route  *Route
	state  State // Refused or Outranked
	reason string
	since  time.Time
}

// guard refuses routes that would cut the NVA off. Say a neighbor announces 168.63.129.0/24
// with a next hop behind a tunnel: installed, the route would send the answers to Azure's
// health probes into the tunnel, and the load balancer would take the NVA out of
// service. Or it announces the prefix in which its own address is, and the session is
// lost as soon as the route is installed.
//
// A route is judged by what it would change: the path to the protected address without BGP,
// that is by other programs' routes and static ones, against the path with this route.
// Other BGP routes do not matter, so the answer does not depend on the order in which routes
// arrive.
type guard struct {
	list         []Protected
	allowDefault bool
	displace     bool // see FIB.SetDisplace
	defaultAlone bool
	links        map[int]string
	statics      map[netip.Prefix]*Route
	// cover has every prefix that contains a protected address, with the indexes of
	// those addresses in list. One look-up clears any other prefix.
	cover map[netip.Prefix][]int
	// foreign has, for the prefixes of cover, the best route that is not from BGP.
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
			g.cover[prefix] = nil // recheck the default route all the same: allow-default may have changed
		}
	}
}

func (g *guard) setLinks(links []Link) {
	g.links = make(map[int]string, len(links))
	for _, l := range links {
		g.links[l.Index] = l.Name
	}
}

// setStatic keeps track of static routes, by which BGP routes are judged. It reports whether
// they changed.
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

// update takes in the foreign routes that are not from BGP.
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

// refuse returns why a route must not be installed for a prefix; "" if it may be.
func (g *guard) refuse(prefix netip.Prefix, r *Route) string {
	if r.Class == BGP && prefix.Bits() == 0 && !g.allowDefault {
		return "default route; allow-default is not set"
	}
	if r.Class == Static && prefix.IsSingleIP() {
		return "" // the operator chose the path to this very address
	}
	for _, i := range g.cover[prefix] {
		p := &g.list[i]
		if why := g.diverts(prefix, r, r.Hops, p); why != "" {
			return why
		}
		if why := g.diverts(prefix, r, r.Backup, p); why != "" {
			return why
		}
	}
	return ""
}

// diverts returns what would be wrong with the path to p if r were installed, through hops.
func (g *guard) diverts(prefix netip.Prefix, r *Route, hops []NextHop, p *Protected) string {
	base := g.base(p.Addr, r)
	if !base.losesTo(prefix, r) {
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
			// the operator decides which way a session goes
		case len(p.NotBy) == 0 && base.found && !base.contains(h):
			return fmt.Sprintf("%s %s would leave %s instead of %s", p.Why, p.Addr, g.hop(h), g.base(p.Addr, r).text(g))
		}
	}
	if r.Kind != Unicast && base.found && base.kind == Unicast {
		return fmt.Sprintf("%s %s would be dropped", p.Why, p.Addr)
	}
	return ""
}

// path is how an address is reached without BGP.
type path struct {
	found  bool
	bits   int
	metric uint32
	kind   Kind
	hops   []NextHop
}

// base returns the path to an address by the longest match among the foreign routes and the
// static ones. When r is a static route itself, only static routes to this very address
// count.
func (g *guard) base(addr netip.Addr, r *Route) path {
	for bits := addr.BitLen(); bits >= 0; bits-- {
		prefix := netip.PrefixFrom(addr, bits).Masked()
		var p path
		k := g.foreign[prefix]
		if k != nil {
			p = path{true, bits, k.Metric, k.Kind, k.Hops}
		}
		if s := g.statics[prefix]; s != nil && (r.Class != Static || prefix.IsSingleIP()) && g.wins(s, k) {
			p = path{true, bits, s.Metric, s.Kind, s.Hops}
		}
		if p.found {
			return p
		}
	}
	return path{}
}

// wins reports whether a static route takes effect beside another program's route k for the
// same prefix; k may be nil.
func (g *guard) wins(s *Route, k *KernelRoute) bool {
	return k == nil || (g.displace || !k.IsConnected()) && s.Metric < k.Metric
}

// losesTo reports whether the kernel would prefer r to the path.
func (p path) losesTo(prefix netip.Prefix, r *Route) bool {
	if !p.found || prefix.Bits() != p.bits {
		return !p.found || prefix.Bits() > p.bits
	}
	return r.Metric <= p.metric
}

// contains reports whether h is one of the path's hops.
func (p path) contains(h NextHop) bool {
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

// link returns the name of a link, or its number while the name is not known.
func (g *guard) link(index int) string {
	if name := g.links[index]; name != "" {
		return name
	}
	return fmt.Sprintf("#%d", index)
}
