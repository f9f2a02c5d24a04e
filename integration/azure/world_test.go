package azure

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	fake "github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/arm/rules"
	"github.com/nvad/nvad/pkg/azure"
)

// world is Azure as a State, and the NVAs in it. In an undisturbed world everything is as it
// should be:
//
//	vnet-hub00 10.0.0.0/16    rs-hub00, the gateway ergw-hub00, the NVAs vm-hub00 and vm-hub00-2
//	vnet-spoke01 10.1.0.0/16  uses the gateway of vnet-hub00
//	vnet-hub10 10.10.0.0/16   is peered; rs-hub10, the NVA vm-hub10
//
// nvactl runs on vm-hub00.
type world struct {
	state *fake.State
	// nva is nvad on vm-hub00; others are the other NVAs' announcements.
	nva    nva
	others rules.Sent
	// circuit are the routes that ergw-hub00 learns over its circuit.
	circuit []rules.Route
	ids     ids
}

// ids are the IDs of resources that faults change.
type ids struct {
	hub, spoke, far                string // VNets
	rs                             string // rs-hub00
	connection                     string // of vm-hub00
	vm, nic, spokeVM, spokeNIC     string
	table, spokeTable              string // route tables
	group                          string // network security group of vm-hub00's NIC
	gateway, vpn                   string
	hubToSpoke, spokeToHub, hubFar string // peerings
}

// nva is nvad: its configuration, as far as Azure sees it.
type nva struct {
	address netip.Addr
	// ownASN is the daemon's, asn the one that it uses towards Route Server.
	ownASN, asn uint32
	// neighbors are the instances of Route Servers that it has as neighbors.
	neighbors []netip.Addr
	// routes are those that it sends. Instance 1 is not sent the prefix omits.
	routes []rules.Route
	omits  netip.Prefix
	again  bool   // it has sent everything twice
	astray string // why its connections do not arrive; empty: they do
	// group are the lines of the peer-group of Route Server that were added to nvad.toml.
	group  map[string]string
	tunnel azure.SelfTunnel
	bfd    []azure.SelfBFD
}

// The addresses of the world.
var (
	nvaAddress   = netip.MustParseAddr("10.0.0.4")
	otherAddress = netip.MustParseAddr("10.0.0.6")
	farAddress   = netip.MustParseAddr("10.10.0.4")
	instance0    = netip.MustParseAddr("10.0.210.4")
	instance1    = netip.MustParseAddr("10.0.210.5")
	farInstances = []netip.Addr{netip.MustParseAddr("10.10.210.4"), netip.MustParseAddr("10.10.210.5")}
)

func newWorld() *world {
	w := &world{state: fake.NewState(), others: rules.Sent{}}
	b := w.state.Site("", "")
	w.buildNetwork(b)
	w.buildMachines(b)
	w.nva = nva{
		address: nvaAddress, ownASN: 65001, asn: 65001, group: map[string]string{}, neighbors: []netip.Addr{instance0, instance1},
		routes: []rules.Route{
			announce("10.110.0.0/16", nvaAddress, 65001, 65001, 65001),
			announce("172.20.0.0/16", nvaAddress, 65001),
		},
		tunnel: azure.SelfTunnel{Name: "vxlan0", Port: 4789, Remotes: []netip.Addr{farAddress}},
		bfd:    []azure.SelfBFD{{Address: farAddress, Port: 4784}},
	}
	for _, i := range []netip.Addr{instance0, instance1} {
		w.others[rules.Session{NVA: otherAddress, Instance: i}] = rules.Announcement{ASN: 65002, Routes: []rules.Route{announce("10.120.0.0/16", otherAddress, 65002)}}
	}
	for _, i := range farInstances {
		w.others[rules.Session{NVA: farAddress, Instance: i}] = rules.Announcement{ASN: 65001, Routes: []rules.Route{announce("10.100.0.0/16", farAddress, 65001)}}
	}
	w.circuit = []rules.Route{announce("192.168.100.0/24", netip.MustParseAddr("10.2.146.76"), 12076, 64580)}
	return w
}

func (w *world) buildNetwork(b fake.Site) {
	w.ids.table = b.RouteTable("rt-hub00", true)
	w.ids.spokeTable = b.RouteTable("rt-spoke01", true)
	w.ids.group = b.SecurityGroup("nsg-vm-hub00")
	subnet := b.SecurityGroup("nsg-hub00")
	w.ids.hub = b.VNet("vnet-hub00", []string{"10.0.0.0/16"},
		fake.Subnet{Name: "default", Prefix: "10.0.0.0/24", RouteTable: w.ids.table, SecurityGroup: subnet},
		fake.Subnet{Name: "GatewaySubnet", Prefix: "10.0.200.0/24"}, fake.Subnet{Name: "RouteServerSubnet", Prefix: "10.0.210.0/26"})
	w.ids.spoke = b.VNet("vnet-spoke01", []string{"10.1.0.0/16"}, fake.Subnet{Name: "default", Prefix: "10.1.0.0/24", RouteTable: w.ids.spokeTable})
	w.ids.far = b.VNet("vnet-hub10", []string{"10.10.0.0/16"},
		fake.Subnet{Name: "default", Prefix: "10.10.0.0/24"}, fake.Subnet{Name: "RouteServerSubnet", Prefix: "10.10.210.0/26"})
	w.state.Peer(w.ids.hub, w.ids.spoke, true)
	w.state.Peer(w.ids.hub, w.ids.far, false)
	side := func(from, to string) string { return from + "/virtualNetworkPeerings/to-" + to }
	w.ids.hubToSpoke, w.ids.spokeToHub, w.ids.hubFar = side(w.ids.hub, "vnet-spoke01"), side(w.ids.spoke, "vnet-hub00"), side(w.ids.hub, "vnet-hub10")
	w.ids.rs = b.RouteServer(fake.RouteServer{Name: "rs-hub00", VNet: w.ids.hub, Addresses: []netip.Addr{instance0, instance1}, BranchToBranch: true})
	far := b.RouteServer(fake.RouteServer{Name: "rs-hub10", VNet: w.ids.far, Addresses: farInstances, BranchToBranch: true})
	w.ids.connection = w.state.Connect(w.ids.rs, "vm-hub00", nvaAddress.String(), 65001)
	w.state.Connect(w.ids.rs, "vm-hub00-2", otherAddress.String(), 65002)
	w.state.Connect(far, "vm-hub10", farAddress.String(), 65001)
	w.ids.gateway = b.Gateway("ergw-hub00", w.ids.hub, armnetwork.VirtualNetworkGatewayTypeExpressRoute, "10.0.200.4")
}

func (w *world) buildMachines(b fake.Site) {
	vm := func(name, vnet string, nva bool, addr netip.Addr) (string, string) {
		m := fake.VM{Name: name, Subnet: vnet + "/subnets/default", Addresses: []netip.Addr{addr}, Forwarding: nva, Identity: nva}
		if nva {
			m.PublicAddress = b.ID(fake.TypePublicAddress, "pip-"+name)
			m.Tags = map[string]string{"nvad": "site1"}
		}
		if name == "vm-hub00" {
			m.SecurityGroup = w.ids.group
		}
		return b.VM(m)
	}
	w.ids.vm, w.ids.nic = vm("vm-hub00", w.ids.hub, true, nvaAddress)
	vm("vm-hub00-2", w.ids.hub, true, otherAddress)
	vm("vm-hub10", w.ids.far, true, farAddress)
	w.ids.spokeVM, w.ids.spokeNIC = vm("vm-spoke01", w.ids.spoke, false, netip.MustParseAddr("10.1.0.4"))
}

func announce(prefix string, hop netip.Addr, path ...uint32) rules.Route {
	return rules.Route{Prefix: netip.MustParsePrefix(prefix), NextHop: hop, ASPath: path}
}

// model is Azure's network: what the fake Resource Manager asks.
func (w *world) model() rules.Model {
	return rules.Model{State: w.state, Sent: w.sent, Circuit: map[string][]rules.Route{strings.ToLower(w.ids.gateway): w.circuit}}
}

// sent returns the routes of all NVAs.
func (w *world) sent() rules.Sent {
	sent := rules.Sent{}
	for s, a := range w.others {
		sent[s] = a
	}
	for _, instance := range w.nva.neighbors {
		if w.nva.astray != "" {
			break
		}
		sent[rules.Session{NVA: w.nva.address, Instance: instance}] = rules.Announcement{ASN: w.nva.asn, Routes: w.nva.sends(instance), Again: w.nva.again}
	}
	return sent
}

// sends lists what nvad sends to an instance.
func (n nva) sends(instance netip.Addr) []rules.Route {
	return slices.DeleteFunc(slices.Clone(n.routes), func(r rules.Route) bool { return instance == instance1 && r.Prefix == n.omits })
}

// self describes the NVA as nvad does.
func (w *world) self(m rules.Moment) azure.Self {
	n, sent := m.Network, m.Sent
	self := azure.Self{ASN: w.nva.asn, Tunnels: []azure.SelfTunnel{w.nva.tunnel}, BFD: w.nva.bfd}
	for _, instance := range w.nva.neighbors {
		s := rules.Session{NVA: w.nva.address, Instance: instance}
		peer := azure.SelfNeighbor{Address: instance, LocalASN: w.nva.asn, Established: true, State: "Established"}
		if why := n.Down(s, sent); why != "" {
			switch why {
			case "the NVA does not connect":
				why = w.nva.astray
			case "maximum number of prefixes reached":
				why = "received Cease: Maximum Number of Prefixes Reached"
			}
			peer.Established, peer.State, peer.Reason = false, "Active", why
		} else {
			peer.Sent, peer.Received = selfRoutes(w.nva.sends(instance)), selfRoutes(n.Advertised(s, sent))
		}
		self.Neighbors = append(self.Neighbors, peer)
	}
	return self
}

func selfRoutes(routes []rules.Route) []azure.SelfRoute {
	var out []azure.SelfRoute
	for _, r := range routes {
		out = append(out, azure.SelfRoute{Prefix: r.Prefix, NextHop: r.NextHop, ASPath: r.ASPath, NoAdvertise: r.NoAdvertise})
	}
	slices.SortFunc(out, func(a, b azure.SelfRoute) int { return a.Prefix.Compare(b.Prefix) })
	return out
}

// change alters a resource of the world, which must exist.
func change[T any](t testing.TB, w *world, id string, alter func(*T)) {
	t.Helper()
	if !fake.Change(w.state, id, alter) {
		t.Fatalf("there is no %s", id)
	}
}
