package router

import (
	"fmt"
	"net/netip"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Table lists the paths that passed the import rules.
func (r *Router) Table() ([]Route, error) {
	return r.list(api.TableType_TABLE_TYPE_GLOBAL, "")
}

// Received lists what neighbor announced, as it was on the wire.
func (r *Router) Received(neighbor netip.Addr) ([]Route, error) {
	received, err := r.list(api.TableType_TABLE_TYPE_ADJ_IN, neighbor.String())
	if err != nil {
		return nil, err
	}
	table, err := r.Table()
	if err != nil {
		return nil, err
	}
	accepted := map[netip.Prefix]Route{}
	for _, route := range table {
		if route.Neighbor == neighbor {
			accepted[route.Prefix] = route
		}
	}
	for i := range received {
		route, ok := accepted[received[i].Prefix]
		received[i].Accepted, received[i].Best = ok, route.Best
	}
	if r.wire != nil {
		return r.wire.restore(received)
	}
	return received, nil
}

// Advertised lists what is announced to neighbor.
func (r *Router) Advertised(neighbor netip.Addr) ([]Route, error) {
	return r.list(api.TableType_TABLE_TYPE_ADJ_OUT, neighbor.String())
}

func (r *Router) list(kind api.TableType, name string) ([]Route, error) {
	routes := []Route{}
	request := apiutil.ListPathRequest{TableType: kind, Name: name, Family: bgp.RF_IPv4_UC}
	err := r.server.ListPath(request, func(_ bgp.NLRI, paths []*apiutil.Path) {
		for _, p := range paths {
			if route, ok := fromPath(p, r.config.ASN); ok {
				route.Accepted = kind != api.TableType_TABLE_TYPE_ADJ_IN
				routes = append(routes, route)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list routes of %q: %w", name, err)
	}
	return sortRoutes(routes), nil
}
