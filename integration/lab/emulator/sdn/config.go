package sdn

import (
	"net/netip"
	"time"
)

// Config describes one VNet to its SDN agent.
type Config struct {
	VNet     string
	Prefix   netip.Prefix
	Peerings []Peering
	// RouteTables are the user-defined routes.
	RouteTables   []RouteTable
	LoadBalancers []LoadBalancer
	// Ports maps every address that can be a next hop to the router's device
	// towards it.
	Ports map[netip.Addr]string
	// Dampening is how long a second change of a prefix is delayed; 0: not at all.
	Dampening time.Duration
	// Socket is where the agent accepts feeds and answers requests.
	Socket string
}

// Peering is a VNet peering to another VNet.
type Peering struct {
	VNet   string
	Prefix netip.Prefix
}

// RouteTable is the route table of a subnet.
type RouteTable struct {
	Subnet netip.Prefix
	// Kernel is the number of the router's table for NICs of the subnet. Apart from the
	// user-defined routes, it is a copy of the main table.
	Kernel int
	Routes []UserRoute
	// NoPropagation keeps learned routes out of the subnet.
	NoPropagation bool
	// NoPeeringRoutes leaves out the system routes of peerings (disablePeeringRoute All), so
	// that a shorter user-defined route leads to peered VNets.
	NoPeeringRoutes bool
}

// Subnet is all that decides about the effective routes of a subnet's NICs, apart from the
// learned routes.
type Subnet struct {
	// Space is the address space of the VNet.
	Space    []netip.Prefix
	Peerings []Peering
	User     []UserRoute
	// NoPropagation keeps learned routes out of the subnet, NoPeeringRoutes the system routes
	// of peerings.
	NoPropagation, NoPeeringRoutes bool
	// ByPath chooses among learned routes by the AS path alone (hub routing preference
	// ASPath). By default ExpressRoute wins.
	ByPath bool
}

// InternetHop is the address through which a VNet's router reaches the internet.
var InternetHop = netip.MustParseAddr("100.127.0.1")

// UserRoute is a user-defined route.
type UserRoute struct {
	Name   string
	Prefix netip.Prefix
	// Type is one of the Type constants; empty: TypeAppliance if there are next hops,
	// TypeInternet if there are none.
	Type     string
	NextHops []netip.Addr
}

// nextHopType returns the type of the route's next hop.
func (u UserRoute) nextHopType() string {
	switch {
	case u.Type != "":
		return u.Type
	case len(u.NextHops) > 0:
		return TypeAppliance
	}
	return TypeInternet
}

// LoadBalancer is an internal load balancer that shares all ports of its frontend among the
// backends that answer GET /healthz on Probe with 200.
type LoadBalancer struct {
	Frontend netip.Addr
	Backends []netip.Addr
	Probe    uint16
}

// Source names the kind of a Learned route's origin.
type Source string

const (
	// Gateway marks routes of an ExpressRoute gateway.
	Gateway Source = "gateway"
	// NVA marks routes that a Route Server learned from an NVA.
	NVA Source = "nva"
)

// Learned is a route fed by a Route Server instance or a gateway.
type Learned struct {
	Prefix     netip.Prefix `json:"prefix"`
	NextHops   []netip.Addr `json:"next_hops"`
	Source     Source       `json:"source"`
	PathLength int          `json:"path_length"`
}

// EffectiveRoute is one row group of a NIC's effective routes.
type EffectiveRoute struct {
	Source      string       `json:"source"`
	State       string       `json:"state"`
	Prefix      netip.Prefix `json:"prefix"`
	NextHopType string       `json:"next_hop_type"`
	NextHops    []netip.Addr `json:"next_hops,omitempty"`
	// Name is the name of a user-defined route.
	Name string `json:"name,omitempty"`
}

// The words of Azure's effective route table.
const (
	SourceDefault = "Default"
	SourceGateway = "Virtual network gateway"
	SourceUser    = "User"
	TypeVNet      = "Virtual network"
	TypePeering   = "VNet peering"
	TypeGateway   = "Virtual network gateway"
	TypeAppliance = "Virtual appliance"
	TypeInternet  = "Internet"
	TypeNone      = "None"
	StateActive   = "Active"
	StateInvalid  = "Invalid"
)
