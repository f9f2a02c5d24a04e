package sdn

import "net/netip"

// Config describes one VNet to its SDN agent.
type Config struct {
	VNet     string
	Prefix   netip.Prefix
	Peerings []Peering
	// Ports maps every address that can be a next hop to the router's device
	// towards it.
	Ports map[netip.Addr]string
	// Preference decides between a gateway's and an NVA's route for one prefix.
	Preference Preference
	// Socket is where the agent takes feeds and answers questions.
	Socket string
}

// Peering is a VNet peering to another VNet.
type Peering struct {
	VNet   string
	Prefix netip.Prefix
}

// Preference is Azure's hub routing preference.
type Preference string

const (
	// PreferExpressRoute prefers ExpressRoute over NVAs. It is the default.
	PreferExpressRoute Preference = "ExpressRoute"
	// PreferASPath prefers the shorter AS path.
	PreferASPath Preference = "ASPath"
)

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
}

// The words of Azure's effective route table.
const (
	SourceDefault = "Default"
	SourceGateway = "Virtual network gateway"
	TypeVNet      = "Virtual network"
	TypePeering   = "VNet peering"
	TypeGateway   = "Virtual network gateway"
	stateActive   = "Active"
)
