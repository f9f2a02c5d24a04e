package engine

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/rib"
)

// noWayOut reports whether the kernel has no default route, of either family, as far
// as is known: neither another program's nor one of nvad's.
func (e *Engine) noWayOut() bool {
	switch {
	case len(e.kernel.Links) == 0: // not read yet
		return false
	case slices.ContainsFunc(e.kernel.Routes, func(r fib.KernelRoute) bool { return r.Prefix.Bits() == 0 && r.Kind == fib.Unicast }):
		return false
	}
	for _, s := range e.cfg.Statics {
		if s.Prefix.Bits() == 0 {
			return false
		}
	}
	learned := false
	for _, p := range defaultRoutes {
		e.rib.Lookup(p, func(v rib.Path) { learned = learned || v.Best && v.Valid && e.cfg.Kernel.AllowDefault })
	}
	return !learned
}

// alone reports whether no other NVA is known that could have the routes of this one:
// an internal neighbor that is reached without a tunnel and has sent routes. One that
// is reached through a tunnel is in another hub and can't take this one's place.
func (e *Engine) alone() bool {
	for addr, n := range e.neighbors {
		if n.up != nil && n.cfg.RemoteASN == n.cfg.OwnASN(e.cfg) && !e.overTunnel(addr) && e.rib.Counts(addr).Accepted > 0 {
			return false
		}
	}
	return true
}

// overTunnel reports whether an address is in the subnet of a tunnel.
func (e *Engine) overTunnel(addr netip.Addr) bool {
	for _, t := range e.cfg.Tunnels {
		if slices.ContainsFunc(t.Addresses, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			return true
		}
	}
	return false
}
