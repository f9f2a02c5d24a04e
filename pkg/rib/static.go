package rib

import (
	"net/netip"

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
	route *fib.Route // nil while gateway or device are not reachable
}

// SetStatics replaces the static routes. A static route is preferred to BGP in
// the kernel, and next hops resolve through it.
func (r *RIB) SetStatics(list []Static) {
	old := r.under.statics
	r.under.statics = make(map[netip.Prefix]*static, len(list))
	for _, s := range list {
		r.under.statics[s.Prefix] = &static{Static: s}
		r.touch(r.dest(s.Prefix))
	}
	for _, s := range old {
		r.touch(r.dest(s.Prefix))
	}
	r.rebuildUnderlay()
}

// Standing returns the static routes that the forwarding plane is told, in no
// particular order.
func (r *RIB) Standing() []Static {
	var out []Static
	for _, s := range r.under.statics {
		if s.route != nil {
			out = append(out, s.Static)
		}
	}
	return out
}

// resolveStatics decides which static routes can stand, by connected and other
// programs' routes alone, which is all that the underlay holds: a static route
// never resolves through another. One that stands takes the place of another
// program's of the same prefix.
func (r *RIB) resolveStatics() {
	routes := make([]*static, 0, len(r.under.statics))
	for _, s := range r.under.statics {
		s.route = r.staticRoute(s)
		r.touch(r.dest(s.Prefix))
		routes = append(routes, s)
	}
	for _, s := range routes {
		if s.route != nil && s.route.Kind == fib.Unicast {
			r.under.table.Insert(s.Prefix, via{hops: s.route.Hops})
		}
	}
}

func (r *RIB) staticRoute(s *static) *fib.Route {
	out := &fib.Route{Class: fib.Static, Metric: s.Metric, Source: s.Source}
	link := r.under.link(s.Device)
	switch {
	case s.Blackhole:
		out.Kind = fib.Blackhole
		return out
	case s.Device != "" && !r.under.links[link].Up:
		return nil
	case !s.Via.IsValid():
		out.Hops = r.hops.intern([]fib.NextHop{{Link: link}})
		return out
	}
	hops, _ := r.under.resolve(s.Via)
	for _, h := range hops {
		if h.Via == s.Via && (s.Device == "" || h.Link == link) {
			out.Hops = r.hops.intern([]fib.NextHop{{Via: s.Via, Link: h.Link}})
			return out
		}
	}
	if s.Device != "" {
		out.Hops = r.hops.intern([]fib.NextHop{{Via: s.Via, Link: link, Onlink: true}})
		return out
	}
	return nil
}
