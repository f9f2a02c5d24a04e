package azure

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// world is a sound Azure with two NVAs, a Route Server, an ExpressRoute gateway and a spoke. Tests
// break one thing; derive then does what Azure would.
type world struct {
	s    Snapshot
	self Self
	// down are instances whose session is down for no reason that Azure knows, lost the
	// prefixes that no instance learns, and uninjected those that no NIC gets.
	down       map[netip.Addr]bool
	lost       map[netip.Prefix]bool
	uninjected map[netip.Prefix]bool
	spokeNIC   map[string]bool // NICs by name that have learned routes removed by hand
}

const testSub = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg-nva/providers/microsoft.network/"

var taken = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func ip(s string) netip.Addr    { return netip.MustParseAddr(s) }

func pfxs(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, pfx(s))
	}
	return out
}

var (
	rs0, rs1   = ip("10.0.1.4"), ip("10.0.1.5")
	nva1, nva2 = ip("10.0.0.4"), ip("10.0.0.5")
	farNVA     = ip("10.10.0.4")
)

func vnet(name string, space string, subnets ...Subnet) VNet {
	id := testSub + "virtualnetworks/" + name
	for i := range subnets {
		subnets[i].ID = id + "/subnets/" + strings.ToLower(subnets[i].Name)
	}
	return VNet{ID: id, Name: name, ResourceGroup: "rg-nva", Subscription: "00000000-0000-0000-0000-000000000001", Location: "westeurope", Space: pfxs(space), Subnets: subnets}
}

func peer(v, far *VNet, use, transit bool) {
	v.Peerings = append(v.Peerings, Peering{
		Name: v.Name + "-to-" + far.Name, Remote: far.ID, State: "Connected", Sync: "FullyInSync", Space: far.Space,
		AllowVNetAccess: true, AllowForwardedTraffic: true, AllowGatewayTransit: transit, UseRemoteGateways: use, CompleteVNets: true,
	})
}

func table(name string) *RouteTable {
	return &RouteTable{ID: testSub + "routetables/" + name, Name: name, ResourceGroup: "rg-nva", Propagation: true}
}

func nsgRules(group string) []SecurityRule {
	var out []SecurityRule
	vnets := pfxs("10.0.0.0/16", "10.1.0.0/16", "10.10.0.0/16")
	for _, in := range []bool{true, false} {
		out = append(out,
			SecurityRule{Group: group, Name: "defaultSecurityRules/AllowVnet", Inbound: in, Allow: true, Priority: 65000, Protocol: "All", Ports: []string{"0-65535"}, Sources: vnets, Destinations: vnets},
			SecurityRule{Group: group, Name: "defaultSecurityRules/DenyAll", Inbound: in, Priority: 65500, Protocol: "All", Ports: []string{"0-65535"}, Sources: pfxs("0.0.0.0/0"), Destinations: pfxs("0.0.0.0/0")})
	}
	return out
}

func sound() *world {
	hub := vnet("hub", "10.0.0.0/16",
		Subnet{Name: "nva", Prefixes: pfxs("10.0.0.0/24"), RouteTable: table("rt-nva"), SecurityGroup: testSub + "networksecuritygroups/nsg-nva"},
		Subnet{Name: "RouteServerSubnet", Prefixes: pfxs("10.0.1.0/26")},
		Subnet{Name: "VirtualNetworkApplianceSubnet", Prefixes: pfxs("10.0.9.0/24")})
	hub.Subnets[0].RouteTable.Routes = []UserRoute{{Name: "internet", Prefix: pfx("0.0.0.0/0"), NextHopType: "Internet"}}
	spoke := vnet("spoke", "10.1.0.0/16", Subnet{Name: "work", Prefixes: pfxs("10.1.0.0/24"), RouteTable: table("rt-work")})
	far := vnet("far", "10.10.0.0/16", Subnet{Name: "nva", Prefixes: pfxs("10.10.0.0/24")})
	peer(&hub, &spoke, false, true)
	peer(&spoke, &hub, true, false)
	peer(&hub, &far, false, false)
	peer(&far, &hub, false, false)
	vm := VM{ID: testSub + "virtualmachines/nva1", Name: "nva1", ResourceGroup: "rg-nva", Subscription: "00000000-0000-0000-0000-000000000001", Addresses: []netip.Addr{nva1}, VNet: hub.ID}
	group := hub.Subnets[0].SecurityGroup
	advertised := 4
	w := &world{down: map[netip.Addr]bool{}, lost: map[netip.Prefix]bool{}, uninjected: map[netip.Prefix]bool{}}
	rsID := testSub + "virtualhubs/rs"
	w.s = Snapshot{
		Taken: taken, Cloud: "AzurePublicCloud", VM: vm,
		NVAs: []VM{{ID: testSub + "virtualmachines/nva2", Name: "nva2", Addresses: []netip.Addr{nva2}}},
		NICs: []NIC{
			{ID: testSub + "networkinterfaces/nva1-nic", Name: "nva1-nic", ResourceGroup: "rg-nva", VM: vm.ID, Primary: true, Addresses: []netip.Addr{nva1}, IPForwarding: true, VNet: hub.ID, Subnet: hub.Subnets[0].ID, Rules: nsgRules(group)},
			{ID: testSub + "networkinterfaces/work-nic", Name: "work-nic", ResourceGroup: "rg-nva", Addresses: []netip.Addr{ip("10.1.0.4")}, VNet: spoke.ID, Subnet: spoke.Subnets[0].ID},
		},
		VNets: []VNet{hub, spoke, far},
		RouteServers: []RouteServer{{
			ID: rsID, Name: "rs", ResourceGroup: "rg-nva", Subscription: "00000000-0000-0000-0000-000000000001", VNet: hub.ID, Addresses: []netip.Addr{rs0, rs1}, ASN: 65515,
			BranchToBranch: true, ProvisioningState: "Succeeded", RoutingState: "Provisioned",
			Connections: []Connection{
				{ID: rsID + "/bgpconnections/nva1", Name: "nva1", Peer: nva1, ASN: 65001, ProvisioningState: "Succeeded"},
				{ID: rsID + "/bgpconnections/nva2", Name: "nva2", Peer: nva2, ASN: 65002, ProvisioningState: "Succeeded"},
			},
		}},
		Gateways: []Gateway{{ID: testSub + "virtualnetworkgateways/er", Name: "er", ResourceGroup: "rg-nva", VNet: hub.ID, Type: "ExpressRoute", ASN: 65515, Advertised: &advertised}},
	}
	other := []PeerRoute{{Prefix: pfx("10.60.0.0/16"), NextHop: nva2, Source: nva2, ASPath: "65002"}}
	for i, a := range []netip.Addr{rs0, rs1} {
		w.conn(1).Instances = append(w.conn(1).Instances, Instance{Role: "RouteServiceRole_IN_" + string(rune('0'+i)), Address: a, Learned: other})
		w.self.Neighbors = append(w.self.Neighbors, SelfNeighbor{Address: a, LocalASN: 65001, State: "Established", Since: taken.Add(-time.Hour)})
	}
	w.self.ASN = 65001
	w.self.Tunnels = []SelfTunnel{{Name: "vxlan0", Port: 4789, Remotes: []netip.Addr{farNVA}}}
	w.self.BFD = []SelfBFD{{Address: farNVA, Port: 4784}}
	w.send("10.50.0.0/16", "10.51.0.0/16", "10.52.0.0/16")
	return w
}

func (w *world) conn(i int) *Connection { return &w.s.RouteServers[0].Connections[i] }
func (w *world) rs() *RouteServer       { return &w.s.RouteServers[0] }
func (w *world) vnet(i int) *VNet       { return &w.s.VNets[i] }

// peering returns a side of the peering between hub (0) and spoke (1).
func (w *world) peering(v int) *Peering { return &w.s.VNets[v].Peerings[0] }

// send makes nvad send prefixes to both instances.
func (w *world) send(prefixes ...string) {
	for _, p := range prefixes {
		w.sendRoute(SelfRoute{Prefix: pfx(p), NextHop: nva1, ASPath: []uint32{65001}, Since: taken.Add(-time.Hour)})
	}
}

func (w *world) sendRoute(r SelfRoute) {
	for i := range w.self.Neighbors {
		w.self.Neighbors[i].Sent = append(w.self.Neighbors[i].Sent, r)
	}
}

// deny adds a rule to the NVA's network security group.
func (w *world) deny(name string, inbound bool, protocol, port string, priority int) {
	n := &w.s.NICs[0]
	n.Rules = append(n.Rules, SecurityRule{
		Group: w.vnet(0).Subnets[0].SecurityGroup, Name: "securityRules/" + name, Inbound: inbound, Priority: priority, Protocol: protocol,
		Ports: []string{port}, Sources: pfxs("0.0.0.0/0"), Destinations: pfxs("0.0.0.0/0"),
	})
}

// derive does what Azure does with what is configured.
func (w *world) derive() (Snapshot, Self) {
	for i := range w.self.Neighbors {
		n := &w.self.Neighbors[i]
		if w.up(n) {
			n.Established = true
			for _, p := range []string{"10.0.0.0/16", "10.1.0.0/16", "10.60.0.0/16", "10.200.0.0/16"} {
				if p != "10.200.0.0/16" || w.rs().BranchToBranch {
					n.Received = append(n.Received, SelfRoute{Prefix: pfx(p), NextHop: n.Address, ASPath: []uint32{65515}})
				}
			}
			continue
		}
		n.State, n.Sent = "Active", nil
	}
	for i := range w.rs().Connections {
		c := w.conn(i)
		if c.Peer != nva1 {
			continue
		}
		c.Instances = nil
		for _, n := range w.self.Neighbors {
			if slices.Contains(w.rs().Addresses, n.Address) {
				c.Instances = append(c.Instances, Instance{Address: n.Address, Learned: w.learned(n)})
			}
		}
	}
	for i := range w.s.NICs {
		w.s.NICs[i].Routes = w.effective(&w.s.NICs[i])
	}
	return w.s, w.self
}

func (w *world) up(n *SelfNeighbor) bool {
	known := slices.ContainsFunc(w.rs().Connections, func(c Connection) bool {
		return c.Peer == nva1 && c.ASN == n.LocalASN && c.ProvisioningState == "Succeeded"
	})
	dropped := slices.ContainsFunc(w.s.NICs[0].Rules, func(r SecurityRule) bool { return !r.Allow && slices.Contains(r.Ports, "179-179") })
	return known && !dropped && !w.down[n.Address] && w.rs().ProvisioningState == "Succeeded" && slices.Contains(w.rs().Addresses, n.Address)
}

func (w *world) learned(n SelfNeighbor) []PeerRoute {
	out := []PeerRoute{}
	for _, r := range n.Sent {
		if slices.Contains(r.ASPath, 65515) || r.Prefix == pfx("10.0.1.0/26") || w.lost[r.Prefix] {
			continue
		}
		if !r.NextHop.IsValid() {
			r.NextHop = nva1
		}
		out = append(out, PeerRoute{Prefix: r.Prefix, NextHop: r.NextHop, Source: nva1, ASPath: "65001" + strings.Repeat("-65001", len(r.ASPath)-1)})
	}
	return out
}

// effective computes the effective routes of a NIC.
func (w *world) effective(n *NIC) []EffectiveRoute {
	var v *VNet
	var s *Subnet
	for i := range w.s.VNets {
		if w.vnet(i).ID == n.VNet {
			v = w.vnet(i)
		}
	}
	for i := range v.Subnets {
		if v.Subnets[i].ID == n.Subnet {
			s = &v.Subnets[i]
		}
	}
	routes := []EffectiveRoute{{Source: "Default", Active: true, Prefixes: v.Space, NextHopType: "VnetLocal"}}
	served := v == w.vnet(0)
	for _, p := range v.Peerings {
		if p.State != "Connected" {
			continue
		}
		routes = append(routes, EffectiveRoute{Source: "Default", Active: true, Prefixes: p.Space, NextHopType: "VNetPeering"})
		served = served || p.UseRemoteGateways && w.peering(0).AllowGatewayTransit && w.peering(0).State == "Connected"
	}
	system := prefixSet{}
	for _, r := range routes {
		system.add(r.Prefixes...)
	}
	if served && (s.RouteTable == nil || s.RouteTable.Propagation) {
		routes = append(routes, w.propagated(&system)...)
	}
	for _, p := range []string{"0.0.0.0/0", "10.0.0.0/8"} {
		kind := map[string]string{"0.0.0.0/0": "Internet", "10.0.0.0/8": "None"}[p]
		if !slices.ContainsFunc(routes, func(r EffectiveRoute) bool { return slices.Contains(r.Prefixes, pfx(p)) }) {
			routes = append(routes, EffectiveRoute{Source: "Default", Active: true, Prefixes: pfxs(p), NextHopType: kind})
		}
	}
	if s.RouteTable == nil {
		return routes
	}
	for _, u := range s.RouteTable.Routes {
		for i := range routes {
			if slices.Contains(routes[i].Prefixes, u.Prefix) {
				routes[i].Active = false
			}
		}
		routes = append(routes, EffectiveRoute{Name: u.Name, Source: "User", Active: true, Prefixes: []netip.Prefix{u.Prefix}, NextHopType: u.NextHopType, NextHops: u.NextHops})
	}
	return routes
}

func (w *world) propagated(system *prefixSet) []EffectiveRoute {
	type best struct {
		length int
		hops   []netip.Addr
	}
	all := map[netip.Prefix]best{pfx("10.200.0.0/16"): {0, []netip.Addr{ip("10.0.2.4")}}}
	for _, c := range w.rs().Connections {
		for _, in := range c.Instances {
			for _, r := range in.Learned {
				have, ok := all[r.Prefix]
				n := pathLength(r.ASPath)
				unreachable := !system.contains(r.NextHop)
				switch {
				case unreachable, w.uninjected[r.Prefix]:
				case !ok || n < have.length:
					all[r.Prefix] = best{n, []netip.Addr{r.NextHop}}
				case n == have.length && !slices.Contains(have.hops, r.NextHop):
					all[r.Prefix] = best{n, append(have.hops, r.NextHop)}
				}
			}
		}
	}
	var out []EffectiveRoute
	for p, b := range all {
		if _, ok := system.covering(p); !ok {
			out = append(out, EffectiveRoute{Source: "VirtualNetworkGateway", Active: true, Prefixes: []netip.Prefix{p}, NextHopType: "VirtualNetworkGateway", NextHops: b.hops})
		}
	}
	return out
}
