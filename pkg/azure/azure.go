// Package azure compares what an NVA sends with what Azure does with it. An NVA sees only
// its own half: a session that is up says nothing about a prefix that Route Server ignores,
// a user-defined route that wins, or a NIC that may not forward. Azure Resource Manager
// knows the other half, but names no reasons.
//
// A [Snapshot] is that other half, read at one time. The package derives from it, and from
// what nvad says of itself, every difference with its reason and the command that mends it.
// It promises to claim nothing that was not read: what is missing in a Snapshot is named in
// it, and what depends on it is not judged.
//
// It is pure: package arm reads Snapshots, and nvactl shows the results. It keeps no state.
package azure

import (
	"net/netip"
	"strings"
	"time"
)

// Route Server's ASN is always the same, and it has two instances.
const (
	RouteServerASN       = 65515
	RouteServerInstances = 2
)

// Limits of Azure that a change by nvactl must not exceed.
const (
	MaxPeers = 8  // BGP peers of a Route Server
	MaxHops  = 64 // next hops of a user-defined route
)

// Snapshot has the answers of Azure Resource Manager about one NVA and everything that decides
// about its routes. Resources refer to each other by their resource IDs, in lower case.
type Snapshot struct {
	// Taken is when the last answer arrived.
	Taken time.Time `json:"taken"`
	// Cloud is the name of the cloud, as the metadata service gives it: AzurePublicCloud,
	// AzureUSGovernmentCloud, AzureChinaCloud.
	Cloud string `json:"cloud"`
	// VM is the machine that asked.
	VM VM `json:"vm"`
	// NVAs are the other machines with the tag that was asked for, in all subscriptions
	// and resource groups that may be read, in the order of their IDs.
	NVAs []VM `json:"nvas,omitempty"`
	// NICs are the NICs of VM, and those that the operator named (spokes). A NIC of VM has
	// VM's ID in its field VM.
	NICs []NIC `json:"nics"`
	// VNets are the VNets of NICs, those of RouteServers, and the VNets that are peered
	// with these, as far as they may be read.
	VNets []VNet `json:"vnets"`
	// RouteServers are those of the VNets of VM's NICs and of the VNets peered with them.
	RouteServers []RouteServer `json:"route_servers"`
	// Gateways are the VPN and ExpressRoute gateways of the VNets of RouteServers.
	Gateways []Gateway `json:"gateways,omitempty"`
	// Missing lists what could not be read. Nothing that depends on it may be judged.
	Missing []Missing `json:"missing,omitempty"`
}

// Missing is a part of a Snapshot that could not be read.
type Missing struct {
	// ID is the resource ID of what could not be read.
	ID string `json:"id"`
	// What says which part: one of the What constants.
	What What `json:"what"`
	// Permission is the action that the identity lacks, as role definitions name it
	// (Microsoft.Network/virtualHubs/read); empty if something else was the reason.
	Permission string `json:"permission,omitempty"`
	// Reason is Azure's answer in one line.
	Reason string `json:"reason"`
}

// What names a part of a Snapshot.
type What string

// The parts that can be missing.
const (
	WhatVM              What = "vm"
	WhatNVAs            What = "nvas"
	WhatNIC             What = "nic"
	WhatEffectiveRoutes What = "effective-routes"
	WhatEffectiveRules  What = "effective-rules"
	WhatVNet            What = "vnet"
	WhatRouteTable      What = "route-table"
	WhatRouteServer     What = "route-server"
	WhatConnections     What = "connections"
	WhatLearned         What = "learned-routes"
	WhatAdvertised      What = "advertised-routes"
	WhatGateway         What = "gateway"
)

// VM is a virtual machine.
type VM struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	ResourceGroup string            `json:"resource_group"`
	Subscription  string            `json:"subscription"`
	Location      string            `json:"location,omitempty"`
	Tags          map[string]string `json:"tags,omitempty"`
	// Addresses are the private IPv4 addresses of its NICs, the primary one first.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// VNet is the ID of the VNet of its primary NIC.
	VNet string `json:"vnet,omitempty"`
}

// NIC is a network interface, with what Azure's network applies to it.
type NIC struct {
	ID            string       `json:"id"`
	Name          string       `json:"name"`
	ResourceGroup string       `json:"resource_group"`
	VM            string       `json:"vm,omitempty"` // ID of its VM
	Primary       bool         `json:"primary"`
	MAC           string       `json:"mac,omitempty"`
	Addresses     []netip.Addr `json:"addresses"` // private IPv4 addresses, the primary one first
	PublicIP      bool         `json:"public_ip"` // whether any address has a public one
	IPForwarding  bool         `json:"ip_forwarding"`
	VNet          string       `json:"vnet"`   // ID
	Subnet        string       `json:"subnet"` // ID
	// SecurityGroup is the ID of the network security group at the NIC itself.
	SecurityGroup string `json:"security_group,omitempty"`
	// Routes are its effective routes, in Azure's order. Azure gives none while the VM is
	// not running; then they are in Missing.
	Routes []EffectiveRoute `json:"routes,omitempty"`
	// Rules are its effective security rules, of its subnet's and its own groups.
	Rules []SecurityRule `json:"rules,omitempty"`
}

// EffectiveRoute is a route that the NIC's host uses, or would use.
type EffectiveRoute struct {
	Name     string         `json:"name,omitempty"` // of a user-defined route
	Source   string         `json:"source"`         // Default, User, VirtualNetworkGateway
	Active   bool           `json:"active"`
	Prefixes []netip.Prefix `json:"prefixes"`
	// NextHopType is VnetLocal, VNetPeering, VirtualNetworkGateway, VirtualAppliance,
	// Internet or None.
	NextHopType string       `json:"next_hop_type"`
	NextHops    []netip.Addr `json:"next_hops,omitempty"`
}

// SecurityRule is an effective rule of a network security group.
type SecurityRule struct {
	Group    string `json:"group"` // ID of the network security group
	Name     string `json:"name"`
	Inbound  bool   `json:"inbound"`
	Allow    bool   `json:"allow"`
	Priority int    `json:"priority"` // the lowest that matches decides, in each group
	Protocol string `json:"protocol"` // Tcp, Udp, Icmp or All
	// SourcePorts and Ports are ranges like 4789-4789; 0-65535 is any.
	SourcePorts []string `json:"source_ports,omitempty"`
	Ports       []string `json:"ports,omitempty"`
	// Sources and Destinations are prefixes; service tags are expanded by Azure, and any is
	// 0.0.0.0/0. A list is empty if Azure does not say what it stands for.
	Sources      []netip.Prefix `json:"sources,omitempty"`
	Destinations []netip.Prefix `json:"destinations,omitempty"`
}

// VNet is a virtual network.
type VNet struct {
	ID            string         `json:"id"`
	Name          string         `json:"name"`
	ResourceGroup string         `json:"resource_group"`
	Subscription  string         `json:"subscription"`
	Location      string         `json:"location,omitempty"`
	Space         []netip.Prefix `json:"space"`
	Subnets       []Subnet       `json:"subnets"`
	Peerings      []Peering      `json:"peerings,omitempty"`
}

// Subnet is a subnet of a VNet.
type Subnet struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Prefixes []netip.Prefix `json:"prefixes"`
	// RouteTable is nil if the subnet has none.
	RouteTable *RouteTable `json:"route_table,omitempty"`
	// SecurityGroup is the ID of its network security group.
	SecurityGroup string `json:"security_group,omitempty"`
	NATGateway    bool   `json:"nat_gateway"`
	// DefaultOutbound says whether VMs without a public address may reach the internet;
	// nil if Azure does not say.
	DefaultOutbound *bool `json:"default_outbound,omitempty"`
}

// RouteTable has the user-defined routes of a subnet.
type RouteTable struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	ResourceGroup string `json:"resource_group"`
	// Propagation says whether the subnet gets the routes of gateways and Route Server.
	Propagation bool        `json:"propagation"`
	Routes      []UserRoute `json:"routes,omitempty"`
}

// UserRoute is a user-defined route.
type UserRoute struct {
	Name   string       `json:"name"`
	Prefix netip.Prefix `json:"prefix"` // invalid if the route is for a service tag
	// NextHopType is VirtualNetworkGateway, VnetLocal, Internet, VirtualAppliance,
	// VirtualApplianceEcmp or None.
	NextHopType string       `json:"next_hop_type"`
	NextHops    []netip.Addr `json:"next_hops,omitempty"`
}

// Peering is one VNet's side of a peering; the other side is a resource of its own.
type Peering struct {
	Name   string         `json:"name"`
	Remote string         `json:"remote"` // ID of the other VNet
	State  string         `json:"state"`  // Initiated, Connected, Disconnected
	Sync   string         `json:"sync"`   // FullyInSync, or which side has to be synchronised
	Space  []netip.Prefix `json:"space"`  // of the other VNet, as this side knows it
	// AllowVNetAccess, AllowForwardedTraffic: whether traffic from the other VNet, and
	// traffic that the other VNet only forwards, may come in.
	AllowVNetAccess       bool `json:"allow_vnet_access"`
	AllowForwardedTraffic bool `json:"allow_forwarded_traffic"`
	AllowGatewayTransit   bool `json:"allow_gateway_transit"`
	UseRemoteGateways     bool `json:"use_remote_gateways"`
	// CompleteVNets is false if only LocalSubnets and RemoteSubnets are peered.
	CompleteVNets bool     `json:"complete_vnets"`
	LocalSubnets  []string `json:"local_subnets,omitempty"`
	RemoteSubnets []string `json:"remote_subnets,omitempty"`
}

// RouteServer is an Azure Route Server, a virtualHub without a virtual WAN.
type RouteServer struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	ResourceGroup string `json:"resource_group"`
	Subscription  string `json:"subscription"`
	VNet          string `json:"vnet"` // ID
	// Addresses are those of its instances, in ascending order.
	Addresses []netip.Addr `json:"addresses"`
	ASN       uint32       `json:"asn"`
	// BranchToBranch says whether it exchanges routes between NVAs and gateways.
	BranchToBranch bool `json:"branch_to_branch"`
	// Preference is ExpressRoute, VpnGateway or ASPath.
	Preference        string       `json:"preference,omitempty"`
	ProvisioningState string       `json:"provisioning_state"`
	RoutingState      string       `json:"routing_state,omitempty"`
	Connections       []Connection `json:"connections,omitempty"`
}

// Connection is a peer of a Route Server. Both instances use it.
type Connection struct {
	ID                string     `json:"id"`
	Name              string     `json:"name"`
	Peer              netip.Addr `json:"peer"`
	ASN               uint32     `json:"asn"`
	ProvisioningState string     `json:"provisioning_state"`
	// State is Connected, Connecting, NotConnected or Unknown; empty if Azure leaves it
	// out, which it often does even though the session is up.
	State string `json:"state,omitempty"`
	// Instances has, for each instance that answered, the routes it learned from this
	// peer, and if the peer is the VM, those it advertises to it.
	Instances []Instance `json:"instances,omitempty"`
}

// Failed reports whether Azure failed to make the connection. It keeps such a connection; writing it
// once more mends it.
func (c Connection) Failed() bool { return strings.EqualFold(c.ProvisioningState, "Failed") }

// Instance is one instance's side of a Connection.
type Instance struct {
	Role       string      `json:"role"` // RouteServiceRole_IN_0 or _1
	Address    netip.Addr  `json:"address"`
	Learned    []PeerRoute `json:"learned,omitempty"`
	Advertised []PeerRoute `json:"advertised,omitempty"`
}

// PeerRoute is a route that an instance learned or advertises.
type PeerRoute struct {
	Prefix  netip.Prefix `json:"prefix"`
	NextHop netip.Addr   `json:"next_hop"`
	Source  netip.Addr   `json:"source"` // the peer that it came from
	Origin  string       `json:"origin,omitempty"`
	ASPath  string       `json:"as_path,omitempty"` // ASNs joined by "-", as Azure writes it
	Weight  int          `json:"weight,omitempty"`
}

// Gateway is a VPN or ExpressRoute gateway.
type Gateway struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	ResourceGroup string `json:"resource_group"`
	VNet          string `json:"vnet"` // ID
	Type          string `json:"type"` // ExpressRoute or Vpn
	ActiveActive  bool   `json:"active_active"`
	ASN           uint32 `json:"asn,omitempty"`
	// Learned and Advertised count its routes; nil where Azure does not say.
	Learned    *int `json:"learned,omitempty"`
	Advertised *int `json:"advertised,omitempty"`
}
