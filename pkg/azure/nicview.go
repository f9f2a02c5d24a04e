package azure

import (
	"net/netip"
	"slices"
	"strings"
)

// The next hop types and sources of effective routes that decide something.
const (
	sourceUser     = "User"
	sourceDefault  = "Default"
	typeVNet       = "VnetLocal"
	typePeering    = "VNetPeering"
	typeInternet   = "Internet"
	typeNone       = "None"
	typeApplianceE = "VirtualApplianceEcmp"
)

// nicView is a NIC with its routes by prefix.
type nicView struct {
	nic    *NIC
	own    bool
	vnet   *VNet
	subnet *Subnet
	table  *RouteTable // nil: none, or it could not be read
	// tableSeen says that table is known, be it nil.
	tableSeen bool
	// seen says whether the effective routes are known.
	seen   bool
	active map[netip.Prefix]*hops
	set    prefixSet // of active
	users  map[netip.Prefix]*hops
	userIn prefixSet
}

// hops is where a NIC's packets for a prefix go.
type hops struct {
	source, name, kind string
	addrs              []netip.Addr
	via                string // as text, once it was asked for
}

func (d *differ) view(n *NIC) *nicView {
	v := &nicView{
		nic: n, own: d.s.VM.ID != "" && n.VM == d.s.VM.ID, vnet: d.vnets[n.VNet], subnet: d.subnets[n.Subnet],
		seen:   len(n.Routes) > 0 && !d.lacking(WhatEffectiveRoutes, n.ID),
		active: map[netip.Prefix]*hops{}, users: map[netip.Prefix]*hops{},
	}
	for i := range n.Routes {
		if r := &n.Routes[i]; r.Active && v.seen {
			v.add(r)
		}
	}
	if v.subnet == nil {
		return v
	}
	v.table = v.subnet.RouteTable
	v.tableSeen = !d.lacking(WhatRouteTable)
	if v.table != nil {
		// Of several tables beyond a bound, only the first is named as missing.
		empty := v.table.Propagation && len(v.table.Routes) == 0
		v.tableSeen = !d.lacking(WhatRouteTable, v.table.ID) && !(empty && d.lacking(WhatRouteTable))
	}
	if !v.tableSeen {
		v.table = nil
		return v
	}
	if v.table != nil {
		for _, u := range v.table.Routes {
			if p := u.Prefix; p.IsValid() && p.Addr().Is4() {
				v.userIn.add(p)
				v.users[p.Masked()] = &hops{source: sourceUser, name: u.Name, kind: u.NextHopType, addrs: bounded(u.NextHops)}
			}
		}
	}
	return v
}

// add notes an active route. A user-defined route wins over others for its prefix; the
// next hops of several routes for one prefix count together.
func (v *nicView) add(r *EffectiveRoute) {
	for _, p := range r.Prefixes {
		if !p.IsValid() || !p.Addr().Is4() {
			continue
		}
		p = p.Masked()
		v.set.add(p)
		have := v.active[p]
		switch {
		case have == nil || r.Source == sourceUser && have.source != sourceUser:
			v.active[p] = &hops{source: r.Source, name: r.Name, kind: r.NextHopType, addrs: bounded(r.NextHops)}
		case have.source == r.Source && len(have.addrs) < MaxHops:
			have.addrs = bounded(append(slices.Clone(have.addrs), bounded(r.NextHops)...))
		}
	}
}

// lookup returns the route that the NIC uses for p, and the prefix of that route.
func (v *nicView) lookup(p netip.Prefix) (netip.Prefix, *hops) {
	c, ok := v.set.covering(p)
	if !ok {
		return c, nil
	}
	return c, v.active[c]
}

// userLookup is lookup among the routes of the subnet's route table.
func (v *nicView) userLookup(p netip.Prefix) *hops {
	c, ok := v.userIn.covering(p)
	if !ok {
		return nil
	}
	return v.users[c]
}

// noPropagation reports whether the subnet's route table keeps learned routes away.
func (v *nicView) noPropagation() bool { return v.table != nil && !v.table.Propagation }

func bounded(addrs []netip.Addr) []netip.Addr { return addrs[:min(len(addrs), MaxHops)] }

// maxVia bounds the next hops that a cell names.
const maxVia = 4

// String says where the packets go.
func (h *hops) String() string {
	if h.via != "" {
		return h.via
	}
	var words []string
	for i, a := range h.addrs {
		if i == maxVia {
			words = append(words, "...")
			break
		}
		words = append(words, a.String())
	}
	h.via = strings.Join(words, ", ")
	if h.via == "" {
		h.via = h.kind
	}
	if h.source == sourceUser {
		h.via = "user-defined route " + h.name + " to " + h.via
	}
	return h.via
}

// here reports whether packets arrive at the NVA, or at the next hop that it announces.
func (d *differ) here(h *hops, announced netip.Addr) bool {
	return h != nil && slices.ContainsFunc(h.addrs, func(a netip.Addr) bool {
		return a == announced && a.IsValid() || d.ownAddrs[a]
	})
}
