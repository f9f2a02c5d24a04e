package rib

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

// underlay resolves next hops: through connected routes, static ones and those of other
// programs, never through BGP routes. So the VNet prefix that a Route Server announces,
// which covers the Route Server itself, can't make it unreachable.
type underlay struct {
	opt     *Options
	links   map[int]fib.Link
	own     map[netip.Addr]bool // addresses of this host
	routes  []fib.KernelRoute   // of the last setFacts
	table   *bart.Table[via]
	statics map[netip.Prefix][]*static // by rank
	dead    map[netip.Addr]bool        // gateways, see RIB.SetDead
	tracked trimmed[netip.Addr, *nextHop]

	// floating has the prefixes with a static route that floats, and whether a neighbor has
	// an accepted route for each; see carries. outdated says that one changed since rebuild.
	floating map[netip.Prefix]bool
	outdated bool

	// Changes are numbered, and each next hop knows the last one that moved it. So if the
	// underlay changes again during the walk that follows a change, then the next walk
	// still finds what the second change moved.
	changes uint32 // so far
	walking uint32 // changes that the current walk of the table is for
	walked  uint32 // changes that completed walks were for
}

// via is an underlay route. It is on-link if no hop has a gateway. Without hops it drops
// packets, so nothing is reached through it.
type via struct {
	hops      []fib.NextHop
	metric    uint32
	connected bool
}

// nextHop is the resolution of one BGP next hop, shared by all paths that have it.
type nextHop struct {
	addr   netip.Addr
	hops   []fib.NextHop // sorted; nil: does not resolve
	metric uint32        // of the underlay route
	moved  uint32        // underlay.changes when it was last resolved differently
	refs   int           // paths
}

func newUnderlay(opt *Options) underlay { return underlay{opt: opt, table: new(bart.Table[via])} }

// track returns the resolution of addr, and keeps it current until it is released.
func (u *underlay) track(addr netip.Addr) *nextHop {
	h, ok := u.tracked.get(addr)
	if !ok {
		h = &nextHop{addr: addr}
		h.hops, h.metric = u.resolve(addr)
		u.tracked.set(addr, h)
	}
	h.refs++
	return h
}

func (u *underlay) release(h *nextHop) {
	if h == nil {
		return
	}
	if h.refs--; h.refs == 0 {
		u.tracked.remove(h.addr)
	}
}

// resolve returns the hops that reach addr, nil if none does.
func (u *underlay) resolve(addr netip.Addr) ([]fib.NextHop, uint32) {
	if u.own[addr] {
		return nil, 0
	}
	v, ok := u.table.Lookup(addr)
	if !ok {
		return nil, 0
	}
	return u.through(v.hops, addr), v.metric
}

// through returns how addr is reached through a route with hops; nil if their links are
// down, or if it drops packets.
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

// resolvable reports whether next hops may be reached through a route for prefix.
func (u *underlay) resolvable(prefix netip.Prefix) bool {
	return prefix.Bits() > 0 || u.opt.ResolveDefault
}

// setFacts replaces what is known of the kernel. The caller calls rebuild afterwards, as
// after setStatics and setDead.
func (u *underlay) setFacts(f fib.Facts) {
	u.links, u.own = map[int]fib.Link{}, map[netip.Addr]bool{}
	for _, l := range f.Links {
		u.links[l.Index] = l
		for _, a := range l.Addresses {
			u.own[a.Addr()] = true
		}
	}
	u.routes = f.Routes
}

// rebuild resolves static routes and all tracked next hops again. It reports whether one
// of these is reached differently.
func (u *underlay) rebuild() (moved bool) {
	u.table, u.outdated = new(bart.Table[via]), false
	for _, k := range u.routes {
		if !u.resolvable(k.Prefix) {
			continue
		}
		if old, ok := u.table.Get(k.Prefix); ok && old.metric <= k.Metric {
			continue
		}
		u.table.Insert(k.Prefix, via{hops: k.Hops, metric: k.Metric, connected: k.IsConnected()})
	}
	u.resolveStatics()
	u.changes++
	for _, h := range u.tracked.m {
		hops, metric := u.resolve(h.addr)
		if metric != h.metric || !slices.Equal(hops, h.hops) {
			h.moved, moved = u.changes, true
		}
		h.hops, h.metric = hops, metric
	}
	return moved
}

func (u *underlay) walkBegins() { u.walking = u.changes }

func (u *underlay) walkEnds() { u.walked = u.walking }

// hasMoved reports whether h was resolved differently since the walks that are completed.
func (u *underlay) hasMoved(h *nextHop) bool { return h != nil && h.moved > u.walked }

// link returns the index of the named link, 0 if there is none.
func (u *underlay) link(name string) int {
	for i, l := range u.links {
		if l.Name == name {
			return i
		}
	}
	return 0
}

// address returns an address of the wanted family on the link that has addr; invalid if
// there is none. Link-local addresses do not count.
func (u *underlay) address(addr netip.Addr, want4 bool) netip.Addr {
	for _, l := range u.links {
		if !slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == addr }) {
			continue
		}
		for _, p := range l.Addresses {
			if a := p.Addr(); a.Is4() == want4 && !a.IsLinkLocalUnicast() {
				return a
			}
		}
	}
	return netip.Addr{}
}

// otherSelf returns the next hop of this router that p is sent for prefixes of the family
// that its session does not run over; invalid if there is none.
func (s *adjOut) otherSelf(p *peer) netip.Addr {
	is4 := p.LocalAddress.Is4()
	if !p.LocalAddress.IsValid() || is4 && !p.Families.Has(route.IPv6) || !is4 && !p.Families.Has(route.IPv4) {
		return netip.Addr{}
	}
	return s.under.address(p.LocalAddress, !is4)
}
