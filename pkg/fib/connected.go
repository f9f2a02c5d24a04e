package fib

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"time"
)

// metricIPv6 is the metric of connected IPv6 routes; those of IPv4 have 0.
const metricIPv6 = 256

// reconnect puts the connected routes of nvad's own links back if another program deleted
// them. The kernel makes a connected route when the address is added, and never again.
func (f *FIB) reconnect(now time.Time) {
	if !f.rejoin.Due(now) {
		f.judgeDue = true
		return
	}
	var errs []error
	for _, l := range f.links {
		for _, p := range l.Addresses {
			if l.Own && l.Up && hasRoute(p) && !f.connects(p.Masked(), l.Index) {
				errs = append(errs, f.connect(p, l))
			}
		}
	}
	if f.rejoin = f.rejoin.After(errors.Join(errs...), now); f.rejoin != nil {
		f.retryBy(f.rejoin.At)
		f.judgeDue = true
	}
}

// hasRoute reports whether the kernel makes a route of table main for an address that nvad
// gives a link. IPv6 link-local addresses are the kernel's business.
func hasRoute(p netip.Prefix) bool {
	return !p.IsSingleIP() && (p.Addr().Is4() || !p.Addr().IsLinkLocalUnicast())
}

// connects reports whether there is a connected route to a subnet on a link.
func (f *FIB) connects(subnet netip.Prefix, link int) bool {
	metric := uint32(0)
	if subnet.Addr().Is6() {
		metric = metricIPv6
	}
	return slices.ContainsFunc(f.foreign[routeKey{subnet, metric}], func(r KernelRoute) bool {
		return r.IsConnected() && slices.ContainsFunc(r.Hops, func(h NextHop) bool { return h.Link == link })
	})
}

// connect writes the connected route of an address as the kernel would make it.
func (f *FIB) connect(p netip.Prefix, l Link) error {
	r := KernelRoute{Prefix: p.Masked(), Protocol: protocolKernel, Source: p.Addr(), Hops: []NextHop{{Link: l.Index}}}
	if p.Addr().Is6() {
		r.Metric, r.Source = metricIPv6, netip.Addr{}
	}
	err := f.do(Op{Kind: AddRoute, Route: r})
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil // it came back meanwhile: an event is on its way
	case err != nil:
		return &RouteError{Prefix: r.Prefix, Err: err}
	}
	f.foreign[keyOf(r)] = append(slices.Clone(f.foreign[keyOf(r)]), r)
	f.news = true
	f.repair("connected route " + r.Prefix.String() + " of " + l.Name)
	return nil
}
