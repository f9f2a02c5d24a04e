// Package rules says what Azure does with what NVAs send: which sessions come up, what each
// instance of a Route Server learns and advertises, and each NIC's effective routes and
// security rules. It answers behind the fake Resource Manager where no emulator runs.
//
// The rules are those that Microsoft documents or that published captures show. What nobody
// knows is not decided here: a limit whose consequence is undocumented only counts. How
// effective routes come about is package sdn's.
//
// It is pure and keeps no state.
package rules

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// Network is all of Azure that decides about routes. Resources refer to each other by ID.
type Network struct {
	VNets        []VNet
	NICs         []NIC
	RouteServers []RouteServer
	Gateways     []Gateway
}

// VNet is a virtual network.
type VNet struct {
	ID       string
	Space    []netip.Prefix
	Subnets  []Subnet
	Peerings []Peering
}

// Subnet is a subnet with its route table and network security group.
type Subnet struct {
	ID       string
	Name     string
	Prefixes []netip.Prefix
	// User are the routes of its route table, and NoPropagation the table's switch.
	User          []sdn.UserRoute
	NoPropagation bool
	Group         *Group
}

// Peering is one VNet's side of a peering.
type Peering struct {
	Remote    string // ID of the other VNet
	Connected bool
	// Space is the other VNet's address space as this side knows it, which is an old one
	// while the peering is not in sync.
	Space               []netip.Prefix
	UseRemoteGateways   bool
	AllowGatewayTransit bool
	// AllowForwarded lets packets in that the other VNet only forwards.
	AllowForwarded bool
	// LocalSubnets and RemoteSubnets are the names of the peered subnets; none: the whole
	// VNets are peered.
	LocalSubnets, RemoteSubnets []string
}

// NIC is a network interface.
type NIC struct {
	ID        string
	VNet      string // ID
	Subnet    string // ID
	Addresses []netip.Addr
	// Running says that its VM is. Azure computes nothing for others.
	Running bool
	Group   *Group
}

// RouteServer is a Route Server with its peers in the order in which they were made.
type RouteServer struct {
	ID             string
	VNet           string // ID
	Addresses      []netip.Addr
	BranchToBranch bool
	// ByPath is the hub routing preference ASPath.
	ByPath bool
	Peers  []Peer
}

// Peer is a BGP connection of a Route Server.
type Peer struct {
	ID      string // of the connection
	Address netip.Addr
	ASN     uint32
}

// Gateway is an ExpressRoute gateway.
type Gateway struct {
	ID   string
	VNet string // ID
	// Peer is the other end of its circuit; invalid: it has none.
	Peer netip.Addr
	// Circuit are the routes that it learns over its circuit.
	Circuit []Route
}

// Route is a route of BGP.
type Route struct {
	Prefix      netip.Prefix
	NextHop     netip.Addr
	ASPath      []uint32
	NoAdvertise bool
}

// Session is a session between an NVA and an instance of a Route Server, by their addresses.
type Session struct {
	NVA      netip.Addr
	Instance netip.Addr
}

// Announcement has the routes that an NVA sends in a session.
type Announcement struct {
	ASN    uint32
	Routes []Route
	// Again says that it has sent everything a second time, as an answer to ROUTE-REFRESH.
	Again bool
}

// Sent contains each session that an NVA tries to open.
type Sent map[Session]Announcement

func (n Network) vnet(id string) VNet {
	for _, v := range n.VNets {
		if v.ID == id {
			return v
		}
	}
	return VNet{}
}

func (v VNet) subnet(id string) Subnet {
	for _, s := range v.Subnets {
		if s.ID == id {
			return s
		}
	}
	return Subnet{}
}

// peering returns v's side of its peering with another VNet, if that is connected.
func (v VNet) peering(with string) (Peering, bool) {
	for _, p := range v.Peerings {
		if p.Remote == with && p.Connected {
			return p, true
		}
	}
	return Peering{}, false
}

// peered returns the address space that p makes reachable: all that this side knows of the
// other VNet, or the peered subnets.
func (n Network) peered(p Peering) []netip.Prefix {
	if len(p.RemoteSubnets) == 0 {
		return p.Space
	}
	var space []netip.Prefix
	for _, s := range n.vnet(p.Remote).Subnets {
		for _, name := range p.RemoteSubnets {
			if s.Name == name {
				space = append(space, s.Prefixes...)
			}
		}
	}
	return space
}

// covers reports whether a subnet of this side's VNet is peered.
func (p Peering) covers(subnet string) bool {
	return len(p.LocalSubnets) == 0 || slices.ContainsFunc(p.LocalSubnets, func(name string) bool { return strings.EqualFold(name, subnet) })
}

// reaches reports whether a subnet of VNet v gets the routes of the Route Server and the
// gateways of VNet hub.
func (n Network) reaches(v VNet, s Subnet, hub string) bool {
	p, peered := v.peering(hub)
	return n.uses(v, hub) && (!peered || p.covers(s.Name))
}

// uses reports whether VNet v gets the routes of the Route Server and the gateways of VNet
// hub: its own, or those of a peered VNet if both sides of the peering say so.
func (n Network) uses(v VNet, hub string) bool {
	if v.ID == hub {
		return true
	}
	own, ok := v.peering(hub)
	far, back := n.vnet(hub).peering(v.ID)
	return ok && back && own.UseRemoteGateways && far.AllowGatewayTransit
}

// nicAt returns the NIC with an address.
func (n Network) nicAt(a netip.Addr) (NIC, bool) {
	for _, nic := range n.NICs {
		for _, own := range nic.Addresses {
			if own == a {
				return nic, true
			}
		}
	}
	return NIC{}, false
}
