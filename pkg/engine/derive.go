package engine

import (
	"context"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
)

// derivation is the static routes to Route Servers that the file leaves to
// nvad. A Route Server teaches its VNet's prefix, which covers itself, so it
// needs a route of its own: through the gateway of the NIC.
type derivation struct {
	routes []config.Static
	// last is the gateway that a neighbor was last seen to have. A DHCP client
	// that renews its lease takes the default route away for a moment; the
	// sessions must not go with it.
	last map[netip.Addr]gateway
	lost []netip.Addr // Route Servers that no route leads to
}

// gateway is the way out of a subnet.
type gateway struct {
	via    netip.Addr
	device string
}

// derive brings the derived routes up to date, and reports whether they changed.
func (v *derivation) derive(cfg *config.Config, f fib.Facts) (changed bool) {
	old, last := v.routes, v.last
	*v = derivation{last: map[netip.Addr]gateway{}}
	for i := range cfg.Neighbors {
		n := &cfg.Neighbors[i]
		if !cfg.IsRouteServer(n) || cfg.HasStatic(n.Address) || leads(f, n.Address) {
			continue
		}
		g, ok := gatewayOf(f, n.LocalAddress, cfg.HasTunnel)
		if !ok {
			g, ok = last[n.Address], last[n.Address].device != ""
		}
		if !ok {
			v.lost = append(v.lost, n.Address)
			continue
		}
		v.last[n.Address] = g
		v.routes = append(v.routes, config.Static{Prefix: netip.PrefixFrom(n.Address, n.Address.BitLen()), Via: g.via, Device: g.device})
	}
	return !slices.Equal(old, v.routes)
}

// leads reports whether another program's route, not a default one, covers a.
func leads(f fib.Facts, a netip.Addr) bool {
	return slices.ContainsFunc(f.Routes, func(r fib.KernelRoute) bool {
		return r.Kind == fib.Unicast && r.Prefix.Bits() > 0 && r.Prefix.Contains(a)
	})
}

// gatewayOf is the way out for a session from local, or from any address if
// local is not valid: that of the default route with the lowest metric. Without
// one it is the first address of the subnet, which is the gateway of every
// subnet in Azure, if there is only one subnet that it can be.
func gatewayOf(f fib.Facts, local netip.Addr, isTunnel func(device string) bool) (gateway, bool) {
	var links []fib.Link
	for _, l := range f.Links {
		if l.Up && !isTunnel(l.Name) && len(subnets(l, local)) > 0 {
			links = append(links, l)
		}
	}
	var best *fib.KernelRoute
	for i := range f.Routes {
		r := &f.Routes[i]
		usable := r.Kind == fib.Unicast && r.Prefix.Bits() == 0 && r.Prefix.Addr().Is4() && len(r.Hops) > 0 && r.Hops[0].Via.Is4()
		if usable && (best == nil || r.Metric < best.Metric) &&
			slices.ContainsFunc(links, func(l fib.Link) bool { return l.Index == r.Hops[0].Link }) {
			best = r
		}
	}
	if best != nil {
		i := slices.IndexFunc(links, func(l fib.Link) bool { return l.Index == best.Hops[0].Link })
		return gateway{best.Hops[0].Via, links[i].Name}, true
	}
	if len(links) != 1 || len(subnets(links[0], local)) != 1 {
		return gateway{}, false
	}
	own := subnets(links[0], local)[0]
	first := own.Masked().Addr().Next()
	return gateway{first, links[0].Name}, first != own.Addr()
}

// subnets is the IPv4 addresses of l with the subnet that they are in, of local
// alone if it is valid; those that only this host has are none.
func subnets(l fib.Link, local netip.Addr) (out []netip.Prefix) {
	for _, p := range l.Addresses {
		a := p.Addr()
		if a.Is4() && p.Bits() < 31 && !a.IsLoopback() && !a.IsLinkLocalUnicast() && (!local.IsValid() || a == local) {
			out = append(out, p)
		}
	}
	return out
}

// Derived is the static routes that nvad adds to the file's.
func (e *Engine) Derived(ctx context.Context) (out []config.Static, err error) {
	err = e.do(ctx, func() { out = slices.Clone(e.derived.routes) })
	return out, err
}

// tellDerived logs what was derived.
func (e *Engine) tellDerived() {
	for _, s := range e.derived.routes {
		e.log.Info("route to Route Server derived", "prefix", s.Prefix, "via", s.Via, "device", s.Device)
	}
}
