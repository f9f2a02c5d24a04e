package engine

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
)

// symptoms is what tells, without a look at routes, that there may be something
// new to warn of.
type symptoms struct {
	ignored, lost int
	mute          int           // sessions without an address family in common
	over          int           // neighbors whose announcements are dropped
	unasked       int           // neighbors that can't be asked for what was dropped
	defaults      [2]netip.Addr // neighbors of default routes that are not installed
}

func (e *Engine) symptoms() symptoms {
	s := symptoms{ignored: e.rib.IgnoredCount(), lost: len(e.derived.lost), defaults: e.untaken()}
	for _, n := range e.neighbors {
		if n.mute() {
			s.mute++
		}
	}
	for addr, n := range e.neighbors {
		switch e.lossOf(addr, n) {
		case lossOver:
			s.over++
		case lossUnasked:
			s.unasked++
		}
	}
	return s
}

// untaken are the neighbors of default routes that are not installed. It is asked for
// each neighbor, so it walks none: a neighbor may change its default route all the time.
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

// warnings is what the configuration comes to in this place, at this time, that
// its author hardly means.
func (e *Engine) warnings() (out []config.Warning) {
	for i := range e.cfg.Neighbors {
		out = append(out, e.neighborWarnings(&e.cfg.Neighbors[i])...)
	}
	return out
}

func (e *Engine) neighborWarnings(n *config.Neighbor) (out []config.Warning) {
	warn := func(key, code, format string, args ...any) {
		out = append(out, e.cfg.Warn(n.Address, key, code, format, args...))
	}
	if slices.Contains(e.derived.lost, n.Address) {
		warn("", "no-route", "no route leads to Route Server %s, and the NIC's gateway is not known: "+
			"add a static route for RouteServerSubnet via the first address of the own subnet", n.Address)
	}
	if held := e.rib.HeldIgnored(n.Address); len(held) > 0 {
		warn("vnet", "ignored", "%s %s not sent to %s: part of its VNet, which Azure ignores", few(held), areOrIs(len(held)), n.Address)
	}
	if s := e.neighbors[n.Address]; s != nil && s.mute() {
		warn("families", "no-family", "%s speaks none of the families configured for it, %s: no routes are exchanged", n.Address, n.Families)
	}
	if s := e.neighbors[n.Address]; s != nil {
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

// warnLoss says what was dropped, and how to get it.
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

// few names some of the prefixes.
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

// noteWarnings logs what there is to warn of, once for as long as it stays.
func (e *Engine) noteWarnings() {
	now := e.symptoms()
	if now == e.noticed || len(e.kernel.Links) == 0 {
		return
	}
	e.noticed = now
	list := e.warnings()
	for _, w := range list {
		if !slices.Contains(e.warned, w) {
			e.log.Warn("configuration", "reason", w.String())
		}
	}
	e.warned = list
}
