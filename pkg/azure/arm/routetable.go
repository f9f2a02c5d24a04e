package arm

import (
	"context"
	"net/netip"

	"github.com/nvad/nvad/pkg/azure"
)

// tableVersion is the first version of the API that has VirtualApplianceEcmp.
const tableVersion = "2025-07-01"

// maxTables bounds how many route tables are read.
const maxTables = 512

// The answers about route tables, of which all that nvad knows is read.
type (
	rawTable struct {
		ID         string
		Properties struct {
			DisableBgpRoutePropagation bool
			Routes                     []*rawRoute
		}
	}
	rawRoute struct {
		Name       string
		Properties routeProperties
	}
	routeProperties struct {
		AddressPrefix    string
		NextHopType      string
		NextHopIPAddress *string `json:"nextHopIpAddress"`
		NextHop          *struct {
			NextHopIPAddresses []*string `json:"nextHopIpAddresses"`
		}
	}
)

// table reads a route table, once. If it can't be read, it is returned as one that
// takes nothing away.
func (r *reading) table(ctx context.Context, id string) (*azure.RouteTable, error) {
	if t := r.tables[id]; t != nil {
		return t, nil
	}
	at, err := locate(id)
	t := &azure.RouteTable{ID: id, Name: at.name, ResourceGroup: at.group, Propagation: true}
	if len(r.tables) < maxTables {
		r.tables[id] = t
	} else if err == nil {
		err = refuse("more than %d route tables are not read", maxTables)
	}
	if err != nil {
		return t, r.missing(id, azure.WhatRouteTable, err)
	}
	raw, err := r.getTable(ctx, id, at)
	if err != nil {
		return t, r.missing(id, azure.WhatRouteTable, err)
	}
	t.Propagation = !raw.Properties.DisableBgpRoutePropagation
	for route := range each(raw.Properties.Routes) {
		t.Routes = append(t.Routes, route.user())
	}
	return t, nil
}

func (r *reading) getTable(ctx context.Context, id string, at place) (rawTable, error) {
	return r.tableShelf.get(at.subscription, id,
		func() ([]rawTable, error) {
			return rawList[rawTable](ctx, r.Client, "the route tables of subscription "+at.subscription,
				"/subscriptions/"+at.subscription+"/providers/Microsoft.Network/routeTables", tableVersion, nil)
		},
		func(t rawTable) string { return t.ID },
		func() (raw rawTable, err error) {
			r.begin("route table " + at.name)
			_, err = r.get(ctx, id, tableVersion, nil, &raw)
			return raw, err
		})
}

func (r rawRoute) user() azure.UserRoute {
	p, _ := prefix(r.Properties.AddressPrefix)
	return azure.UserRoute{Name: r.Name, Prefix: p, NextHopType: r.Properties.NextHopType, NextHops: r.Properties.hops()}
}

func (p routeProperties) hops() []netip.Addr {
	if p.NextHop != nil {
		return addresses(p.NextHop.NextHopIPAddresses)
	}
	return addresses([]*string{p.NextHopIPAddress})
}
