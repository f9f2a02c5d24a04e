package fib

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Of several routes for one prefix the kernel takes the one of lowest metric, and
// metrics say nothing of who knows better: a DHCP client gives the subnet of a NIC
// metric 100, the kernel that of an IPv6 one 256. So nvad does not let the kernel
// choose. It installs no route for a prefix where one that stands above it is in
// place: a connected route stands above all others, and what the operator has set
// by other means (DHCP, networkd, ip route) above BGP.

// daemons are the protocols of other routing daemons: what those have learned does
// not stand above what nvad has. The metrics decide.
var daemons = []int{
	8, 11, 12, 14, 42, 99, // gated, zebra, bird, xorp, babel, openr
	protocolBGP, 187, 188, 189, 192, // isis, ospf, rip, eigrp
}

// lastResort is the first metric that says of a route that anything else is to be
// preferred, such as an unreachable default route of metric 4278198272. Routing
// daemons read the metric's first octet as an administrative distance.
const lastResort = 1 << 24

// IsConnected reports whether a route is one that the kernel makes for an address.
func (r *KernelRoute) IsConnected() bool {
	return r.Protocol == protocolKernel && r.Kind == Unicast &&
		!slices.ContainsFunc(r.Hops, func(h NextHop) bool { return h.Gateway().IsValid() })
}

// fromBGP reports whether a route was learned by BGP, by an earlier run or by
// another program. No next hop may be resolved through it.
func (f *FIB) fromBGP(r *KernelRoute) bool {
	return f.opt.Protocols.has(r.Protocol) || r.Protocol == protocolBGP
}

// above is the routes of other programs that stand above those of BGP, the highest
// of each prefix. A route whose links are all down is none: nothing gets through.
func (f *FIB) above() map[netip.Prefix]KernelRoute {
	out := make(map[netip.Prefix]KernelRoute)
	for key, routes := range f.foreign {
		for _, r := range routes {
			if r.Metric >= lastResort || f.fromBGP(&r) || slices.Contains(daemons, r.Protocol) || !f.leads(&r) {
				continue
			}
			if old, ok := out[key.prefix]; !ok || r.higher(&old) {
				out[key.prefix] = r
			}
		}
	}
	return out
}

// higher reports whether r stands above o.
func (r *KernelRoute) higher(o *KernelRoute) bool {
	if r.IsConnected() != o.IsConnected() {
		return r.IsConnected()
	}
	return r.Metric < o.Metric
}

// leads reports whether a link of r is up, as far as is known.
func (f *FIB) leads(r *KernelRoute) bool {
	return r.Kind != Unicast || f.up == nil || slices.ContainsFunc(r.Hops, func(h NextHop) bool { return f.up[h.Link] })
}

// SetDisplace says whether a route of nvad may displace another program's of the
// same prefix wherever its metric is lower.
func (f *FIB) SetDisplace(on bool) {
	f.judgeDue = f.judgeDue || f.guard.displace != on
	f.guard.displace = on
}

// outranked returns which route stands above r, or "".
func (f *FIB) outranked(prefix netip.Prefix, r *Route) string {
	k, ok := f.ranks[prefix]
	switch {
	case !ok, f.guard.displace:
		return ""
	case k.IsConnected():
		return fmt.Sprintf("%s is connected on %s", prefix, f.guard.link(k.Hops[0].Link))
	case r.Class == Static:
		return ""
	case prefix.Bits() == 0:
		return "" // allow-default decides: there is hardly a machine without a default route
	}
	return fmt.Sprintf("another program has a route for %s: %s", prefix, f.guard.routeText(&k))
}

// routeText is a route of another program in the form of iproute2.
func (g *guard) routeText(r *KernelRoute) string {
	way := r.Kind.String()
	if len(r.Hops) > 0 {
		way = g.hop(r.Hops[0])
	}
	return way + " proto " + ProtocolName(r.Protocol)
}

// objection returns why a wanted route is not installed, and what it is for that;
// "" if nothing is in its way.
func (f *FIB) objection(prefix netip.Prefix, r *Route) (State, string) {
	if why := f.outranked(prefix, r); why != "" {
		return Outranked, why
	}
	return Refused, f.guard.refuse(prefix, r)
}

// keepOut notes that a wanted route is not installed, for a reason that may pass.
func (f *FIB) keepOut(prefix netip.Prefix, why refusal) {
	f.letIn(prefix)
	f.refused[prefix] = why
	if why.state == Outranked {
		f.count.Outranked++
	}
}

// letIn forgets that the route of a prefix was kept out.
func (f *FIB) letIn(prefix netip.Prefix) {
	if f.refused[prefix].state == Outranked {
		f.count.Outranked--
	}
	delete(f.refused, prefix)
}

// judgeAnew asks again whether routes may be installed, where the answer may be
// another because links or other programs' routes changed.
func (f *FIB) judgeAnew(now time.Time) {
	if !f.judgeDue {
		return
	}
	f.judgeDue = false
	f.reconnect(now)
	old := f.ranks
	f.ranks = f.above()
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

// recheck asks again about the route of one prefix.
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
