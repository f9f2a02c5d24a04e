package fib

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// If there are several routes for one prefix, the kernel uses the one with the lowest metric.
// But metrics don't say who knows better: a DHCP client gives the subnet of a NIC metric
// 100, and the kernel gives the IPv6 subnet of a NIC metric 256, so a BGP route with metric
// 20 would cut off the NIC's own subnet. Therefore nvad does not leave the choice to the
// kernel. It prefers a connected route to all others, and what the operator set by other means
// (DHCP, networkd, ip route) to BGP; while such a route exists, it does not install its
// own route for that prefix: the route is outranked (ADR 0013).

// daemons are the protocols of other routing daemons. Their routes do not outrank nvad's: the
// metrics decide.
var daemons = []int{
	8, 11, 12, 14, 42, 99, // gated, zebra, bird, xorp, babel, openr
	protocolBGP, 187, 188, 189, 192, // isis, ospf, rip, eigrp
}

// lastResort is the lowest metric of a route that is meant as a last resort and outranks
// nothing, such as an unreachable default route with metric 4278198272. Routing daemons
// read the first octet of a metric as an administrative distance.
const lastResort = 1 << 24

// IsConnected reports whether the kernel made the route for an address of a link.
func (r *KernelRoute) IsConnected() bool {
	return r.Protocol == protocolKernel && r.Kind == Unicast &&
		!slices.ContainsFunc(r.Hops, func(h NextHop) bool { return h.Gateway().IsValid() })
}

// fromBGP reports whether a route was learned by BGP, by an earlier run or by another program.
// No next hop may be resolved through it.
func (f *FIB) fromBGP(r *KernelRoute) bool {
	return f.opt.Protocols.has(r.Protocol) || r.Protocol == protocolBGP
}

// outranking returns the routes of other programs that outrank BGP's, the highest one of each
// prefix. A route whose links are all down does not count, because it forwards nothing.
func (f *FIB) outranking() map[netip.Prefix]KernelRoute {
	out := make(map[netip.Prefix]KernelRoute)
	for key, routes := range f.foreign {
		for _, r := range routes {
			if r.Metric >= lastResort || f.fromBGP(&r) || slices.Contains(daemons, r.Protocol) || !f.forwards(&r) {
				continue
			}
			if old, ok := out[key.prefix]; !ok || r.outranks(&old) {
				out[key.prefix] = r
			}
		}
	}
	return out
}

// outranks reports whether nvad prefers r to o.
func (r *KernelRoute) outranks(o *KernelRoute) bool {
	if r.IsConnected() != o.IsConnected() {
		return r.IsConnected()
	}
	return r.Metric < o.Metric
}

// forwards reports whether a link of r is up, as far as is known.
func (f *FIB) forwards(r *KernelRoute) bool {
	return r.Kind != Unicast || f.up == nil || slices.ContainsFunc(r.Hops, func(h NextHop) bool { return f.up[h.Link] })
}

// SetDisplace says whether nvad leaves the choice to the metrics after all (kernel.displace):
// then nothing is outranked. defaultAlone says whether the default route of another program
// outranks one from BGP too (kernel.allow-default = "alone").
func (f *FIB) SetDisplace(on, defaultAlone bool) {
	f.judgeDue = f.judgeDue || f.guard.displace != on || f.guard.defaultAlone != defaultAlone
	f.guard.displace, f.guard.defaultAlone = on, defaultAlone
}

// outranked returns which route outranks r; "" if none does.
func (f *FIB) outranked(prefix netip.Prefix, r *Route) string {
	k, ok := f.ranks[prefix]
	switch {
	case !ok, f.guard.displace:
		return ""
	case k.IsConnected():
		return fmt.Sprintf("%s is connected on %s", prefix, f.guard.link(k.Hops[0].Link))
	case r.Class == Static && !r.Floats():
		return ""
	case prefix.Bits() == 0 && !f.guard.defaultAlone:
		return "" // allow-default decides: there is hardly a machine without a default route
	}
	return fmt.Sprintf("another program has a route for %s: %s", prefix, f.guard.routeText(&k))
}

// routeText returns a route of another program in iproute2's form.
func (g *guard) routeText(r *KernelRoute) string {
	way := r.Kind.String()
	if len(r.Hops) > 0 {
		way = g.hop(r.Hops[0])
	}
	return way + " proto " + ProtocolName(r.Protocol)
}

// objection returns why a wanted route must not be installed, and the state it gets for that
// reason; "" if it may be.
func (f *FIB) objection(prefix netip.Prefix, r *Route) (State, string) {
	if why := f.outranked(prefix, r); why != "" {
		return Outranked, why
	}
	return Refused, f.guard.refuse(prefix, r)
}

// keepOut records that a wanted route is not installed.
func (f *FIB) keepOut(prefix netip.Prefix, why refusal) {
	f.letIn(prefix)
	f.refused[prefix] = why
	if why.state == Outranked {
		f.count.Outranked++
	}
}

// letIn forgets that the route of a prefix is not installed.
func (f *FIB) letIn(prefix netip.Prefix) {
	if f.refused[prefix].state == Outranked {
		f.count.Outranked--
	}
	delete(f.refused, prefix)
}

// judgeAnew decides again whether routes may be installed, where links or other programs'
// routes may have changed the answer.
func (f *FIB) judgeAnew(now time.Time) {
	if !f.judgeDue {
		return
	}
	f.judgeDue = false
	f.reconnect(now)
	old := f.ranks
	f.ranks = f.outranking()
	f.guard.update(f.foreign, f.fromBGP)
	for prefix := range old {
		f.recheck(prefix, now)
	}
	for prefix := range f.ranks {
		f.recheck(prefix, now)
	}
	for prefix := range f.guard.cover {
		f.recheck(prefix, now)
	}
}

// recheck decides again about the route of one prefix.
func (f *FIB) recheck(prefix netip.Prefix, now time.Time) {
	r := f.wantedAt(prefix)
	if r == nil {
		return
	}
	old, was := f.refused[prefix]
	switch state, why := f.objection(prefix, r); {
	case why == "" && was, why != "" && !was, was && state != old.state:
		f.place(prefix, r, now)
		f.applied = true
	case was && why != old.reason:
		old.reason = why
		f.refused[prefix] = old
	}
}
