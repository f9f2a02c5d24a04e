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

// RouteTable is the user-defined routes of a subnet.
type RouteTable struct {
	Subnet netip.Prefix
	// Kernel is the number of the router's table for NICs of the subnet. Apart from the
	// user-defined routes, it is a copy of the main table.
	Kernel int
	Routes []UserRoute
}

// InternetHop is the address through which a VNet's router reaches the internet.
var InternetHop = netip.MustParseAddr("100.127.0.1")

// UserRoute is a user-defined route whose next hop is a virtual appliance, or the
// internet if there is none.
type UserRoute struct {
	Name    string
	Prefix  netip.Prefix
	NextHop netip.Addr
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
	stateActive   = "Active"
	stateInvalid  = "Invalid"
)
