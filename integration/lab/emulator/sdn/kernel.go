package sdn

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routeProtocol marks the agent's routes in the router's kernel, so that a
// restarted agent recognises them.
const routeProtocol = 150

const mainTable = unix.RT_TABLE_MAIN

// kernel keeps the learned and user-defined routes in a table of the router
// namespace the process runs in. System routes are the lab's own, and only ever
// replaced by a user-defined route.
type kernel struct {
	ports     map[netip.Addr]string
	table     int
	installed map[netip.Prefix][]netip.Addr
}

// sync makes the kernel's learned routes equal to routes.
func (k *kernel) sync(routes []EffectiveRoute) error {
	var errs []error
	wanted := map[netip.Prefix][]netip.Addr{}
	for _, r := range routes {
		if r.Source == SourceDefault || r.State != stateActive {
			continue
		}
		hops := r.NextHops
		if r.NextHopType == TypeInternet {
			hops = []netip.Addr{InternetHop}
		}
		wanted[r.Prefix] = hops
		if have, ok := k.installed[r.Prefix]; ok && slices.Equal(have, hops) {
			continue
		}
		if err := netlink.RouteReplace(k.route(r.Prefix, hops)); err != nil {
			errs = append(errs, fmt.Errorf("route %s: %w", r.Prefix, err))
			delete(wanted, r.Prefix)
		}
	}
	for prefix := range maps.Keys(k.installed) {
		if _, ok := wanted[prefix]; ok {
			continue
		}
		err := netlink.RouteDel(&netlink.Route{Dst: ipNet(prefix), Protocol: routeProtocol, Table: k.table})
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("delete route %s: %w", prefix, err))
		}
	}
	k.installed = wanted
	return errors.Join(errs...)
}

// route builds the kernel's form of a route. A next hop that is no NIC of the
// VNet leads nowhere, as in Azure, instead of falling back to another route.
func (k *kernel) route(prefix netip.Prefix, hops []netip.Addr) *netlink.Route {
	route := &netlink.Route{Dst: ipNet(prefix), Protocol: routeProtocol, Table: k.table}
	for _, hop := range hops {
		link, err := netlink.LinkByName(k.ports[hop])
		if err != nil {
			continue
		}
		route.MultiPath = append(route.MultiPath, &netlink.NexthopInfo{
			LinkIndex: link.Attrs().Index,
			Gw:        hop.AsSlice(),
			Flags:     int(netlink.FLAG_ONLINK),
		})
	}
	if len(route.MultiPath) == 0 {
		route.Type = unix.RTN_BLACKHOLE
	}
	return route
}

// flush removes what an earlier agent of the same router left.
func (k *kernel) flush() error {
	own := &netlink.Route{Protocol: routeProtocol, Table: k.table}
	left, err := netlink.RouteListFiltered(netlink.FAMILY_V4, own, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	for _, route := range left {
		if err := netlink.RouteDel(&route); err != nil {
			return fmt.Errorf("delete route %s: %w", route.Dst, err)
		}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
