// Package routeserver emulates one instance of an Azure Route Server: AS 65515, an ordinary
// BGP router that is not in the data path. The SDN agent programs the NVAs' routes into the
// VNet. With branch-to-branch on, the gateway gets them too, and the gateway's routes are
// announced to the NVAs.
//
// The behaviour follows Microsoft's documentation and published captures. One thing differs on
// the wire: GoBGP also announces the FQDN, extended message and extended next hop
// capabilities, and has no option to leave them out.
package routeserver

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/nvad/nvad/integration/lab/emulator/router"
	"github.com/nvad/nvad/integration/lab/emulator/rpc"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// ASN is the AS number of every Route Server and gateway of Azure.
const ASN = 65515

// DefaultRouteLimit is how many routes an NVA may announce.
const DefaultRouteLimit = 4000

// gatewayPreference is the LOCAL_PREF of gateway-learned routes: Azure prefers ExpressRoute to NVAs by
// default.
// All others have the default of 100.
const gatewayPreference = 200

// Config describes one instance.
type Config struct {
	// Name identifies the instance to the SDN agent.
	Name    string
	Address netip.Addr
	VNet    netip.Prefix
	// Spokes are the prefixes of peered VNets that use the Route Server.
	Spokes []netip.Prefix
	// Subnet is the RouteServerSubnet.
	Subnet  netip.Prefix
	NVAs    []NVA
	Gateway netip.Addr
	// BranchToBranch exchanges routes between NVAs and the gateway.
	BranchToBranch bool
	RouteLimit     int
	// Dial makes the instance open sessions and not only accept them.
	Dial bool
	// Fabrics are the sockets of the SDN agents of the VNet and of the VNets that use its
	// Route Server. Socket is the instance's own.
	Fabrics []string
	Socket  string
}

// NVA is a configured peer of the Route Server.
type NVA struct {
	Address netip.Addr
	ASN     uint32
}

// Run runs the instance in the network namespace it is started in, until ctx
// is done.
//
//	GET /sessions                    all sessions
//	GET /received?neighbor=ADDR      what a neighbor announced
//	GET /advertised?neighbor=ADDR    what is announced to a neighbor
//	GET /updates?neighbor=ADDR       every UPDATE of a neighbor
//	GET /lost                        prefixes that went from the table
//	POST /nvas                       makes a list of NVAs its peers
func Run(ctx context.Context, c Config) error {
	r, err := router.Start(ctx, c.router())
	if err != nil {
		return fmt.Errorf("route server %s: %w", c.Name, err)
	}
	if err := r.Originate(append([]netip.Prefix{c.VNet}, c.Spokes...)...); err != nil {
		return fmt.Errorf("route server %s: %w", c.Name, err)
	}
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return rpc.Serve(ctx, c.Socket, c.handler(ctx, r)) })
	tasks.Go(func() error {
		return sdn.Feed(ctx, c.Fabrics, c.Name, r.Changed(), func() ([]sdn.Learned, error) { return learned(r) })
	})
	return tasks.Wait()
}

// handler is Handler with what changes the instance.
func (c Config) handler(ctx context.Context, r *router.Router) http.Handler {
	mux := Handler(r)
	rpc.Receive(mux, "POST /nvas", func(nvas *[]NVA) error {
		return r.SetNeighbors(ctx, c.peers(*nvas), func(n router.Neighbor) bool { return n.Address == c.Gateway })
	})
	return mux
}

// Handler answers questions about a router's sessions and tables.
func Handler(r *router.Router) *http.ServeMux {
	mux := http.NewServeMux()
	rpc.Handle(mux, "/sessions", func(*http.Request) ([]router.Session, error) { return r.Sessions(), nil })
	rpc.Handle(mux, "/received", ofNeighbor(r.Received))
	rpc.Handle(mux, "/advertised", ofNeighbor(r.Advertised))
	rpc.Handle(mux, "/updates", ofNeighbor(r.Updates))
	rpc.Handle(mux, "/lost", func(*http.Request) ([]netip.Prefix, error) { return r.Lost(), nil })
	return mux
}

// ofNeighbor turns a function that lists by neighbor into a getter that reads the neighbor
// from the query.
func ofNeighbor[T any](list func(netip.Addr) (T, error)) func(*http.Request) (T, error) {
	return func(req *http.Request) (T, error) {
		neighbor, err := netip.ParseAddr(req.FormValue("neighbor"))
		if err != nil {
			var none T
			return none, err
		}
		return list(neighbor)
	}
}

// learned lists the NVAs' routes for the SDN agent. The agent also chooses between them: it
// uses all next hops with equally long AS paths at once.
func learned(r *router.Router) ([]sdn.Learned, error) {
	return Learned(r, sdn.NVA, func(route router.Route) []netip.Addr {
		if !route.Neighbor.IsValid() || route.Internal {
			return nil
		}
		return []netip.Addr{route.NextHop}
	})
}

// Learned lists a router's routes for the SDN agent, with the next hops that hops returns. It
// leaves out routes without any.
func Learned(r *router.Router, source sdn.Source, hops func(router.Route) []netip.Addr) ([]sdn.Learned, error) {
	table, err := r.Table()
	routes := []sdn.Learned{}
	for _, route := range table {
		if via := hops(route); via != nil {
			routes = append(routes, sdn.Learned{Prefix: route.Prefix, NextHops: via, Source: source, PathLength: len(route.ASPath)})
		}
	}
	return routes, err
}

// noAdvertise is the well-known community NO_ADVERTISE.
const noAdvertise = "65535:65282"

func (c Config) router() router.Config {
	rc := router.Config{
		ASN:    ASN,
		ID:     c.Address,
		Listen: []netip.Addr{c.Address},
		Import: c.importRules(),
		Export: c.exportRules(),

		WireLog: true,
	}
	rc.Neighbors = c.peers(c.NVAs)
	if c.Gateway.IsValid() {
		rc.Neighbors = append(rc.Neighbors, router.Neighbor{Address: c.Gateway, ASN: ASN, Passive: true})
	}
	return rc
}

func (c Config) peers(nvas []NVA) []router.Neighbor {
	var list []router.Neighbor
	for _, nva := range nvas {
		list = append(list, router.Neighbor{Address: nva.Address, ASN: nva.ASN, Passive: !c.Dial, Multihop: true, Limit: c.RouteLimit})
	}
	return list
}

// importRules begins with the loop check, which comes first in Azure too. AS-path length is
// the only attribute by which an NVA can influence the choice, so a LOCAL_PREF that it sends
// is overwritten.
func (c Config) importRules() []router.Rule {
	rules := []router.Rule{
		{Name: "loop", RouteType: router.External, ASPath: "_65515_"},
		{Name: "own-subnet", RouteType: router.External, Prefix: c.Subnet},
		{Name: "nva", RouteType: router.External, LocalPref: 100, Accept: true},
	}
	if c.Gateway.IsValid() {
		rules = append(rules, router.Rule{
			Name: "gateway", RouteType: router.Internal, LocalPref: gatewayPreference, Accept: true,
		})
	}
	return rules
}

// exportRules keeps no-advertise routes within the VNet. With branch-to-branch off, it
// exchanges nothing between NVAs and gateway. The gateway announces the prefixes of the VNet
// and its spokes itself.
func (c Config) exportRules() []router.Rule {
	rules := []router.Rule{{Name: "no-advertise", Community: noAdvertise}}
	if !c.Gateway.IsValid() {
		return rules
	}
	gateway := []netip.Addr{c.Gateway}
	rules = append(rules, router.Rule{Name: "vnet", Neighbors: gateway, RouteType: router.Local})
	if !c.BranchToBranch {
		rules = append(rules,
			router.Rule{Name: "nva-to-gateway", Neighbors: gateway},
			router.Rule{Name: "gateway-to-nva", RouteType: router.Internal})
	}
	return rules
}
