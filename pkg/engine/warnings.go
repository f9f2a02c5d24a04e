package engine

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/rib"
)

// warnings remembers what was warned of. Warnings are written only when a symptom
// changes, and logged once for as long as they last.
type warnings struct {
	file    []config.Warning // of the configuration itself
	noticed symptoms
	logged  []config.Warning // for noticed
}

// symptoms shows, without a look at routes, that there may be something new to warn
// of.
type symptoms struct {
	ignored, lost int
	mute          int           // sessions without an address family in common
	over          int           // neighbors whose announcements are dropped
	unasked       int           // neighbors that can't be asked for dropped announcements
	defaults      [2]netip.Addr // neighbors of default routes that are not installed
}

func (e *Engine) symptoms() symptoms {
	s := symptoms{ignored: e.rib.IgnoredCount(), lost: len(e.derived.lost), defaults: e.untaken()}
	for addr, n := range e.neighbors {
		if n.mute() {
			s.mute++
		}
		switch e.lossOf(addr, n) {
		case lossOver:
			s.over++
		case lossUnasked:
			s.unasked++
		}
	}
	return s
}

// logWarnings logs new warnings.
func (e *Engine) logWarnings() {
	now := e.symptoms()
	if now == e.warnings.noticed || len(e.kernel.Links) == 0 {
		return
	}
	e.warnings.noticed = now
	list := e.runtimeWarnings()
	for _, w := range list {
		if !slices.Contains(e.warnings.logged, w) {
			e.log.Warn("configuration", "reason", w.String())
		}
	}
	e.warnings.logged = list
}

// runtimeWarnings warns of effects of the configuration in this place, at this time,
// that its author probably does not want.
func (e *Engine) runtimeWarnings() (out []config.Warning) {
	for _, n := range e.current() {
		out = append(out, e.neighborWarnings(n)...)
	}
	return out
}

// untaken returns the neighbors whose default routes are best but not installed. It
// is called for each neighbor, so it walks no neighbors: one of them may change its
// default route all the time.
func (e *Engine) untaken() (from [2]netip.Addr) {
	if e.cfg.Kernel.AllowDefault {
		return from
	}
	for i, p := range defaultRoutes {
		e.rib.Lookup(p, func(v rib.Path) {
			if v.Best && v.Valid && v.Neighbor.IsValid() {
				from[i] = v.Neighbor
			}
		})
	}
	return from
}

var defaultRoutes = [2]netip.Prefix{
	netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0),
}

func (e *Engine) neighborWarnings(n *config.Neighbor) (out []config.Warning) {
	warn := func(key, code, format string, args ...any) {
		out = append(out, e.cfg.Warn(n.Address, key, code, format, args...))
	}
	if slices.Contains(e.derived.lost, n.Address) {
		warn("", "no-route", "no route leads to Route Server %s, and the NIC's gateway is not known: "+
			"add a static route for RouteServerSubnet via the first address of this NVA's subnet", n.Address)
	}
	if held := e.rib.HeldIgnored(n.Address); len(held) > 0 {
		warn("vnet", "ignored", "%s %s not sent to %s: part of its VNet, which Azure ignores", few(held), areOrIs(len(held)), n.Address)
	}
	if s := e.neighbors[n.Address]; s != nil {
		if s.mute() {
			warn("families", "no-family", "%s speaks none of the families configured for it, %s: no routes are exchanged", n.Address, n.Families)
		}
		e.warnLoss(s, warn)
	}
	for i, from := range e.untaken() {
		if from == n.Address {
			warn("import", "default-route", "the default route %s from %s is not installed: kernel.allow-default = true would take it; "+
				"deny it in import if it is not wanted", defaultRoutes[i], from)
		}
	}
	return out
}

// mute reports a session on which no routes can be exchanged.
func (n *neighbor) mute() bool { return n.up != nil && n.up.Families == 0 }

// warnLoss says which announcements were dropped, and how to get them.
func (e *Engine) warnLoss(n *neighbor, warn func(key, code, format string, args ...any)) {
	const key = "maximum-prefix"
	addr := n.cfg.Address
	switch l := e.lossOf(addr, n); {
	case l == lossOver && n.up.RouteRefresh:
		warn(key, key, "%s announces more than twice maximum-prefix %d, the rest is not even kept: have it announce less or raise the limit, "+
			"nvad then requests the rest by itself", addr, n.cfg.MaximumPrefix)
	case l == lossOver:
		warn(key, key, "%s announces more than twice maximum-prefix %d, the rest is not even kept: have it announce less or raise the limit, "+
			"and then run nvactl reset %[1]s, since it does not support ROUTE-REFRESH", addr, n.cfg.MaximumPrefix)
	case l == lossUnasked:
		warn(key, key, "maximum-prefix dropped announcements of %s and has room for them again, but the neighbor does not support ROUTE-REFRESH: "+
			"nvactl reset %[1]s gets them", addr)
	}
}

// few names up to three of the prefixes.
func few(list []netip.Prefix) string {
	var names []string
	for _, p := range list[:min(len(list), 3)] {
		names = append(names, p.String())
	}
	if len(list) > len(names) {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

func areOrIs(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// noWayOut reports whether the kernel has no default route of either family, neither
// another program's nor one of nvad's.
func (e *Engine) noWayOut() bool {
	isDefault := func(s config.Static) bool { return s.Prefix.Bits() == 0 }
	switch {
	case len(e.kernel.Links) == 0: // not read yet
		return false
	case slices.ContainsFunc(e.kernel.Routes, func(r fib.KernelRoute) bool { return r.Prefix.Bits() == 0 && r.Kind == fib.Unicast }):
		return false
	case slices.ContainsFunc(e.cfg.Statics, isDefault):
		return false
	}
	learned := false
	for _, p := range defaultRoutes {
		e.rib.Lookup(p, func(v rib.Path) { learned = learned || v.Best && v.Valid && e.cfg.Kernel.AllowDefault })
	}
	return !learned
}

// alone reports whether no other NVA is known that could have this one's routes: an
// internal neighbor that is reached without a tunnel and has sent routes. A neighbor
// behind a tunnel is in another hub and can't take this NVA's place.
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
	return slices.ContainsFunc(e.cfg.Tunnels, func(t config.Tunnel) bool {
		return slices.ContainsFunc(t.Addresses, func(p netip.Prefix) bool { return p.Contains(addr) })
	})
}
