package rib

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/fib"
)

// Static is a static route of the configuration: through a gateway, on-link
// through a device, or a blackhole.
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
	route *planned  // nil while gateway or device are not reachable
	loop  []*static // that need each other, this one included; nil: none
}

// SetStatics replaces the static routes. A static route is preferred to BGP in
// the kernel, and next hops resolve through it. Of several for one prefix the one
// with the lowest metric stands that is reached, and the next one is its backup.
func (r *RIB) SetStatics(list []Static) {
	old := r.under.statics
	r.under.statics = make(map[netip.Prefix][]*static, len(list))
	for _, s := range list {
		r.under.statics[s.Prefix] = append(r.under.statics[s.Prefix], &static{Static: s})
		r.touch(r.dest(s.Prefix), 0)
	}
	for _, same := range r.under.statics {
		slices.SortStableFunc(same, func(a, b *static) int { return cmp.Compare(a.Metric, b.Metric) })
	}
	for prefix := range old {
		r.touch(r.dest(prefix), 0)
	}
	r.rebuildUnderlay()
}

// SetDead replaces the gateways that are known not to forward, although their link
// is up. No static route through them stands.
func (r *RIB) SetDead(gateways []netip.Addr) {
	was := r.under.dead
	r.under.dead = make(map[netip.Addr]bool, len(gateways))
	for _, a := range gateways {
		r.under.dead[a] = true
	}
	for _, same := range r.under.statics {
		if slices.ContainsFunc(same, func(s *static) bool { return was[s.Via] != r.under.dead[s.Via] }) {
			r.rebuildUnderlay()
			return
		}
	}
}

// standing is the static route for a prefix that the forwarding plane is told;
// nil if there is none.
func (u *underlay) standing(prefix netip.Prefix) *static {
	for _, s := range u.statics[prefix] {
		if s.route != nil {
			return s
		}
	}
	return nil
}

// Standing returns the static routes that the forwarding plane is told, in no
// particular order.
func (r *RIB) Standing() []Static {
	var out []Static
	for prefix := range r.under.statics {
		if s := r.under.standing(prefix); s != nil {
			out = append(out, s.Static)
		}
	}
	return out
}

// bypass is the hops of next, unless it leads where hops do.
func bypass(next *planned, hops []fib.NextHop) []fib.NextHop {
	if next == nil || len(hops) == 0 || slices.ContainsFunc(next.Hops, func(h fib.NextHop) bool { return slices.Contains(hops, h) }) {
		return nil
	}
	return next.Hops
}
