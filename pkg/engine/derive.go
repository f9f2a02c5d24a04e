package engine

import (
	"context"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
)

// derivation keeps the static routes to Route Servers that nvad adds to the file's. A
// Route Server announces its VNet's prefix, which covers its own address. So it needs
// a more specific route, through the gateway of the NIC.
type derivation struct {
	routes []config.Static
	// last is the last known gateway to a neighbor. A DHCP client that renews its lease
	// removes the default route for a moment; the sessions must survive that.
	last map[netip.Addr]gateway
	lost []netip.Addr // Route Servers without a route
}

// gateway leads out of a subnet.
type gateway struct {
	via    netip.Addr
	device string
}

// derive updates the derived routes, and reports whether they changed.
func (v *derivation) derive(cfg *config.Config, f fib.Facts) (changed bool) {
	old, last := v.routes, v.last
	*v = derivation{last: map[netip.Addr]gateway{}}
	for i := range cfg.Neighbors {
		n := &cfg.Neighbors[i]
		if !cfg.IsRouteServer(n) || cfg.HasStatic(n.Address) || leads(f, n.Address) {
			continue
		}
		local := n.LocalAddress
		if n.LocalInterface != "" {
			local = sources{}.of(f.Links, sourceAt{n.LocalInterface, n.Address})
		}
		g, ok := gatewayOf(f, local, cfg.HasTunnel)
		if !ok {
			g, ok = last[n.Address], last[n.Address].device != ""
		}
		if !ok {
			v.lost = append(v.lost, n.Address)
			continue
		}
		v.last[n.Address] = g
		v.routes = append(v.routes, config.Static{
			Prefix: netip.PrefixFrom(n.Address, n.Address.BitLen()), Via: []config.Gateway{{Address: g.via}}, Device: g.device, Distance: 1,
		})
	}
	return !slices.EqualFunc(old, v.routes, config.Static.Equal)
}

// leads reports whether another program's route, not a default one, covers a.
func leads(f fib.Facts, a netip.Addr) bool {
	return slices.ContainsFunc(f.Routes, func(r fib.KernelRoute) bool {
		return r.Kind == fib.Unicast && r.Prefix.Bits() > 0 && r.Prefix.Contains(a)
	})
}

// gatewayOf returns the gateway for a session from local, or from any address if local
// is not valid: that of the default route with the lowest metric. If there is no
// default route and only one subnet to choose from, it is the subnet's first address,
// which is the gateway of every subnet in Azure.
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

// subnets returns the IPv4 addresses of l with their subnets, or only local if it is
// valid. Addresses without a subnet to share are left out.
func subnets(l fib.Link, local netip.Addr) (out []netip.Prefix) {
	for _, p := range l.Addresses {
		a := p.Addr()
		if a.Is4() && p.Bits() < 31 && !a.IsLoopback() && !a.IsLinkLocalUnicast() && (!local.IsValid() || a == local) {
			out = append(out, p)
		}
	}
	return out
}

// Derived returns the static routes that nvad adds to those of the file.
func (e *Engine) Derived(ctx context.Context) (out []config.Static, err error) {
	err = e.do(ctx, func() { out = slices.Clone(e.derived.routes) })
	return out, err
}

func (e *Engine) logDerived() {
	for _, s := range e.derived.routes {
		e.log.Info("route to Route Server derived", "prefix", s.Prefix, "via", s.Via[0].Address, "device", s.Device)
	}
}
