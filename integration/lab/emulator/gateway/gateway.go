// Package gateway emulates an Azure ExpressRoute gateway. It announces its VNet's prefix and
// the NVAs' routes, which it gets from Route Server, to the circuit's MSEE. It passes the
// MSEE's announcements to the VNet and to Route Server.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"

	"github.com/nvad/nvad/integration/lab/emulator/router"
	"github.com/nvad/nvad/integration/lab/emulator/routeserver"
	"github.com/nvad/nvad/integration/lab/emulator/rpc"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// MSEEASN is the AS number of Microsoft's edge routers.
const MSEEASN = 12076

// Limits of private peering: how many prefixes a circuit accepts from a gateway, and how many
// a gateway accepts from a circuit of the Standard SKU. Either session ends when its limit is
// exceeded.
const (
	DefaultCircuitLimit    = 1000
	DefaultOnPremisesLimit = 4000
)

// mseePreference makes ExpressRoute win over an NVA's route for the same prefix.
const mseePreference = 200

// Config describes one gateway.
type Config struct {
	// Name identifies the gateway to the SDN agent.
	Name    string
	Address netip.Addr
	VNet    netip.Prefix
	// Spokes are the prefixes of peered VNets that use this gateway.
	Spokes []netip.Prefix
	MSEE   netip.Addr
	// RouteServers are the VNet's Route Server instances, if it has any.
	RouteServers []netip.Addr
	// NextHops are the next hops of this gateway's routes in effective routes.
	NextHops []netip.Addr
	// OnPremisesLimit is how many prefixes the MSEE may announce.
	OnPremisesLimit int
	// Fabrics are the sockets of the SDN agents of the VNet and of its spokes. Socket is the
	// gateway's own.
	Fabrics []string
	Socket  string
}

// Run runs the gateway in the network namespace that it is started in, until ctx is done. It
// answers the same requests as a Route Server instance, except for the record of everything
// that was ever announced.
func Run(ctx context.Context, c Config) error {
	r, err := router.Start(ctx, c.router())
	if err != nil {
		return fmt.Errorf("gateway %s: %w", c.Name, err)
	}
	if err := r.Originate(append([]netip.Prefix{c.VNet}, c.Spokes...)...); err != nil {
		return fmt.Errorf("gateway %s: %w", c.Name, err)
	}
	fib := &kernel{via: c.MSEE}
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return rpc.Serve(ctx, c.Socket, routeserver.Handler(r)) })
	tasks.Go(func() error {
		return sdn.Feed(ctx, c.Fabrics, c.Name, r.Changed(), func() ([]sdn.Learned, error) {
			routes, err := c.learned(r)
			if err != nil {
				return nil, err
			}
			return routes, fib.sync(routes)
		})
	})
	return tasks.Wait()
}

func (c Config) router() router.Config {
	rc := router.Config{
		ASN: routeserver.ASN,
		ID:  c.Address,
		Neighbors: []router.Neighbor{
			{Address: c.MSEE, ASN: MSEEASN, Passive: true, Limit: c.OnPremisesLimit, CountOnce: true},
		},
		Import: []router.Rule{
			{Name: "loop", ASPath: "_65515_"},
			{Name: "msee", RouteType: router.External, LocalPref: mseePreference, Accept: true},
		},
	}
	for _, a := range c.RouteServers {
		rc.Neighbors = append(rc.Neighbors, router.Neighbor{Address: a, ASN: routeserver.ASN})
	}
	if len(c.RouteServers) > 0 {
		// Route Server knows the VNet's prefix already.
		rc.Export = []router.Rule{{Name: "vnet", Neighbors: c.RouteServers, RouteType: router.Local}}
	}
	return rc
}

// learned lists the best routes from the circuit.
func (c Config) learned(r *router.Router) ([]sdn.Learned, error) {
	return routeserver.Learned(r, sdn.Gateway, func(route router.Route) []netip.Addr {
		if !route.Best || route.Neighbor != c.MSEE {
			return nil
		}
		return c.NextHops
	})
}

// kernel installs the gateway's routes over the circuit. Everything else follows the gateway's
// default route into the VNet.
type kernel struct {
	via       netip.Addr
	installed map[netip.Prefix]bool
}

func (k *kernel) sync(routes []sdn.Learned) error {
	wanted := map[netip.Prefix]bool{}
	for _, r := range routes {
		wanted[r.Prefix] = true
		if err := netlink.RouteReplace(k.route(r.Prefix)); err != nil {
			return fmt.Errorf("route %s: %w", r.Prefix, err)
		}
	}
	for prefix := range k.installed {
		if wanted[prefix] {
			continue
		}
		if err := netlink.RouteDel(k.route(prefix)); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("delete route %s: %w", prefix, err)
		}
	}
	k.installed = wanted
	return nil
}

func (k *kernel) route(p netip.Prefix) *netlink.Route {
	dst := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
	return &netlink.Route{Dst: dst, Gw: k.via.AsSlice()}
}
