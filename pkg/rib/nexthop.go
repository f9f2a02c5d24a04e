package rib

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

// underlay answers how a next hop is reached: through connected, static and
// other programs' routes, never through BGP routes. So a Route Server's own
// VNet prefix, which covers the Route Server, can't make itself unreachable.
type underlay struct {
	links   map[int]fib.Link
	own     map[netip.Addr]bool // addresses of this host
	routes  []fib.KernelRoute   // of the last SetFacts
	table   *bart.Table[via]
	statics map[netip.Prefix][]*static // by metric
	dead    map[netip.Addr]bool        // gateways, see SetDead
	tracked trimmed[netip.Addr, *nextHop]
}

// via is an underlay route: on-link if no hop has a gateway. One without hops drops
// packets, so that nothing is reached through it.
type via struct {
	hops      []fib.NextHop
	metric    uint32
	connected bool
}

// nextHop is the resolution of one BGP next hop, shared by all paths with it.
type nextHop struct {
	addr   netip.Addr
	hops   []fib.NextHop // sorted; nil: does not resolve
	metric uint32        // of the underlay route
	moved  uint32        // RIB.retracks when it was last resolved otherwise
	refs   int
}

func newUnderlay() underlay {
	return underlay{table: new(bart.Table[via])}
}

// track returns the resolution of addr and keeps it current until released.
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

// SetFacts tells what the kernel has. Paths whose next hop is now reached in
// another way are decided about by the following Flushes.
func (r *RIB) SetFacts(f fib.Facts) {
	u := &r.under
	selves := map[*peer]netip.Addr{}
	for _, p := range r.byAddr {
		selves[p] = r.otherSelf(p)
	}
	u.links, u.own = map[int]fib.Link{}, map[netip.Addr]bool{}
	for _, l := range f.Links {
		u.links[l.Index] = l
		for _, a := range l.Addresses {
			u.own[a.Addr()] = true
		}
	}
	u.routes = f.Routes
	r.forgetWire() // next hops of ours are among what is remembered
	r.rebuildUnderlay()
	for p, was := range selves {
		if p.up && r.otherSelf(p) != was {
			r.request(p, offers)
		}
	}
}

// otherSelf is the next hop of ours that p is told for prefixes of the family
// that its session does not run over; invalid if there is none.
func (r *RIB) otherSelf(p *peer) netip.Addr {
	is4 := p.LocalAddress.Is4()
	if !p.LocalAddress.IsValid() || is4 && !p.Families.Has(route.IPv6) || !is4 && !p.Families.Has(route.IPv4) {
		return netip.Addr{}
	}
	return r.under.address(p.LocalAddress, !is4)
}

func (r *RIB) rebuildUnderlay() {
	r.under.table = r.underlayTable(r.under.routes)
	r.resolveStatics()
	r.retrack()
}

// SetForwarding changes how next hops resolve and how many a route has; see
// [Options].
func (r *RIB) SetForwarding(maxPaths int, resolveDefault bool) {
	if resolveDefault != r.opt.ResolveDefault {
		r.opt.ResolveDefault = resolveDefault
		r.rebuildUnderlay()
	}
	if maxPaths != r.opt.MaxPaths {
		r.opt.MaxPaths = maxPaths
		r.request(r.peers[0], decides)
	}
}

func (r *RIB) underlayTable(routes []fib.KernelRoute) *bart.Table[via] {
	t := new(bart.Table[via])
	for _, k := range routes {
		if !r.resolvable(k.Prefix) {
			continue
		}
		if old, ok := t.Get(k.Prefix); ok && old.metric <= k.Metric {
			continue
		}
		t.Insert(k.Prefix, via{hops: k.Hops, metric: k.Metric, connected: k.IsConnected()})
	}
	return t
}

// retrack resolves every tracked next hop again. The table's walk decides about
// what has one that moved.
func (r *RIB) retrack() {
	r.retracks++
	for _, h := range r.under.tracked.m {
		hops, metric := r.under.resolve(h.addr)
		if metric != h.metric || !slices.Equal(hops, h.hops) {
			h.moved = r.retracks
			r.request(r.peers[0], reroutes)
		}
		h.hops, h.metric = hops, metric
	}
}

// link returns the index of the named link, 0 if there is none.
func (u *underlay) link(name string) int {
	for i, l := range u.links {
		if l.Name == name {
			return i
		}
	}
	return 0
}

// address returns an address of the other family on the link that has addr,
// global before link-local; invalid if there is none.
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
