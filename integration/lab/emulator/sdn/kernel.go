package sdn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routeProtocol marks the agent's routes in the router's kernel, so that a restarted agent
// recognizes them.
const routeProtocol = 150

const mainTable = unix.RT_TABLE_MAIN

// kernel writes the learned and user-defined routes to a table of the router namespace that
// the process runs in. The lab itself adds the system routes, and only a user-defined route
// ever replaces one.
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
		if r.Source == SourceDefault || r.State != StateActive {
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

// route builds the kernel's form of a route. A next hop that is not a NIC of the VNet leads
// nowhere, as in Azure, and does not fall back to another route.
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

// flush removes the routes that an earlier agent of the same router left.
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

// Azure probes no more often than every five seconds. The lab does, so that its users need
// not wait as long.
const (
	probeInterval = 500 * time.Millisecond
	probeTimeout  = 500 * time.Millisecond
)

// platform is the address from which Azure's probes come.
var platform = netip.MustParseAddr("168.63.129.16")

// watch keeps track of a load balancer's healthy backends until ctx is done.
func (a *agent) watch(ctx context.Context, b LoadBalancer) {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		a.setHealthy(b.Frontend, probe(ctx, b))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// prober is an HTTP client that probes as Azure does: each probe is a new connection from the
// platform's address, and only a 200 is a success.
var prober = http.Client{
	Timeout: probeTimeout,
	Transport: &http.Transport{
		DialContext:       (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(platform, 0))}).DialContext,
		DisableKeepAlives: true,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// probe asks all backends at once and returns those that are healthy.
func probe(ctx context.Context, b LoadBalancer) []netip.Addr {
	answers := make([]chan bool, len(b.Backends))
	for i, backend := range b.Backends {
		answers[i] = make(chan bool, 1)
		go func() { answers[i] <- isHealthy(ctx, netip.AddrPortFrom(backend, b.Probe)) }()
	}
	healthy := []netip.Addr{}
	for i, answer := range answers {
		if <-answer {
			healthy = append(healthy, b.Backends[i])
		}
	}
	return healthy
}

func isHealthy(ctx context.Context, at netip.AddrPort) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+"/healthz", nil)
	if err != nil {
		return false
	}
	resp, err := prober.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (a *agent) setHealthy(frontend netip.Addr, backends []netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if have, known := a.healthy[frontend]; known && slices.Equal(have, backends) {
		return
	}
	a.healthy[frontend] = backends
	a.updateLocked()
}

// balanced replaces frontends with their healthy backends, because that is where packets go.
func (a *agent) balanced(routes []EffectiveRoute) []EffectiveRoute {
	out := slices.Clone(routes)
	for i, r := range out {
		var hops []netip.Addr
		for _, hop := range r.NextHops {
			if backends, isFrontend := a.healthy[hop]; isFrontend {
				hops = append(hops, backends...)
			} else {
				hops = append(hops, hop)
			}
		}
		slices.SortFunc(hops, netip.Addr.Compare)
		out[i].NextHops = slices.Compact(hops)
	}
	return out
}
