package rules

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/gateway"
	"github.com/nvad/nvad/integration/lab/emulator/routeserver"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// Down returns why a session is not established, "" if it is. The peer object decides first:
// Route Server refuses whom it does not know.
func (n Network) Down(s Session, sent Sent) string {
	what, tried := sent[s]
	rs, ok := n.routeServer(s.Instance)
	i := slices.IndexFunc(rs.Peers, func(p Peer) bool { return p.Address == s.NVA })
	nic, at := n.nicAt(s.NVA)
	switch {
	case !tried:
		return "the NVA does not connect"
	case !ok:
		return "no Route Server has this address"
	case i < 0:
		return "not a peer"
	case i >= arm.MaxPeers:
		return "too many peers"
	case rs.Peers[i].ASN != what.ASN:
		return "wrong ASN"
	case !at || !nic.Running || !n.near(nic, rs):
		return "not reachable"
	case !n.Allows(nic, Packet{Protocol: "Tcp", Remote: s.Instance, Port: 179}):
		return "dropped by a network security group"
	case counted(what) > routeserver.DefaultRouteLimit:
		return "maximum number of prefixes reached"
	}
	return ""
}

// counted is how many routes Route Server counts: current ones and incoming ones.
func counted(a Announcement) int {
	if a.Again {
		return 2 * len(a.Routes)
	}
	return len(a.Routes)
}

// near reports whether a NIC may be a peer: it is in Route Server's VNet or one that is
// directly peered with it.
func (n Network) near(nic NIC, rs RouteServer) bool {
	if nic.VNet == rs.VNet {
		return true
	}
	_, own := n.vnet(nic.VNet).peering(rs.VNet)
	_, far := n.vnet(rs.VNet).peering(nic.VNet)
	return own && far
}

func (n Network) routeServer(instance netip.Addr) (RouteServer, bool) {
	for _, rs := range n.RouteServers {
		if slices.Contains(rs.Addresses, instance) {
			return rs, true
		}
	}
	return RouteServer{}, false
}

// Learned lists what an instance learned from an NVA. Paths with Azure's own ASN are dropped,
// and the prefix of RouteServerSubnet is ignored.
func (n Network) Learned(s Session, sent Sent) []Route {
	if n.Down(s, sent) != "" {
		return nil
	}
	rs, _ := n.routeServer(s.Instance)
	return slices.DeleteFunc(slices.Clone(sent[s].Routes), func(r Route) bool {
		return slices.Contains(r.ASPath, routeserver.ASN) || slices.Contains(n.ownSubnet(rs), r.Prefix)
	})
}

// fromNVAs lists what all instances of a Route Server learned.
func (n Network) fromNVAs(rs RouteServer, sent Sent) []Route {
	var all []Route
	for _, p := range rs.Peers {
		for _, instance := range rs.Addresses {
			all = append(all, n.Learned(Session{p.Address, instance}, sent)...)
		}
	}
	return all
}

// ownSubnet returns the prefixes of RouteServerSubnet.
func (n Network) ownSubnet(rs RouteServer) []netip.Prefix {
	for _, s := range n.vnet(rs.VNet).Subnets {
		if s.Name == "RouteServerSubnet" {
			return s.Prefixes
		}
	}
	return nil
}

// candidate is a route that an instance may choose, and where it is from.
type candidate struct {
	Route
	source sdn.Source
	from   netip.Addr // the NVA; invalid: a gateway
}

// best returns the route that an instance advertises for each prefix that it learned. With
// equal paths the lowest address wins.
func (n Network) best(rs RouteServer, instance netip.Addr, sent Sent) map[netip.Prefix]candidate {
	chosen := map[netip.Prefix]candidate{}
	add := func(c candidate) {
		have, ok := chosen[c.Prefix]
		if !ok || cmp.Or(c.learned(c.source).Compare(have.learned(have.source), rs.ByPath), c.from.Compare(have.from)) < 0 {
			chosen[c.Prefix] = c
		}
	}
	for _, p := range rs.Peers {
		for _, r := range n.Learned(Session{p.Address, instance}, sent) {
			add(candidate{Route: r, source: sdn.NVA, from: p.Address})
		}
	}
	for _, g := range n.Gateways {
		if g.VNet != rs.VNet || n.circuitDown(g, sent) {
			continue
		}
		for _, r := range g.Circuit {
			add(candidate{Route: r, source: sdn.Gateway})
		}
	}
	return chosen
}

// Advertised lists what an instance advertises to an NVA: the VNet's space and its spokes',
// the routes of other NVAs, and with branch-to-branch those of gateways. The next hop is
// always the instance.
func (n Network) Advertised(s Session, sent Sent) []Route {
	if n.Down(s, sent) != "" {
		return nil
	}
	rs, _ := n.routeServer(s.Instance)
	var out []Route
	own := n.served(rs.VNet)
	for _, p := range own {
		out = append(out, Route{Prefix: p, NextHop: s.Instance, ASPath: []uint32{routeserver.ASN}})
	}
	for _, c := range n.best(rs, s.Instance, sent) {
		kept := c.NoAdvertise || c.source == sdn.Gateway && !rs.BranchToBranch || slices.Contains(own, c.Prefix)
		if kept || c.from == s.NVA || slices.Contains(c.ASPath, sent[s].ASN) {
			continue
		}
		out = append(out, Route{Prefix: c.Prefix, NextHop: s.Instance, ASPath: append([]uint32{routeserver.ASN}, c.ASPath...)})
	}
	return sorted(out)
}

// served lists the address space of a hub and of the spokes that use its gateways.
func (n Network) served(hub string) []netip.Prefix {
	space := slices.Clone(n.vnet(hub).Space)
	for _, v := range n.VNets {
		if v.ID != hub && n.uses(v, hub) {
			space = append(space, v.Space...)
		}
	}
	return space
}

// TowardsCircuit lists the prefixes that a gateway announces over its circuit. Above
// [gateway.DefaultCircuitLimit] the session with the circuit ends.
func (n Network) TowardsCircuit(g Gateway, sent Sent) []netip.Prefix {
	prefixes := n.served(g.VNet)
	for _, rs := range n.RouteServers {
		if rs.VNet != g.VNet || !rs.BranchToBranch {
			continue
		}
		for _, r := range n.fromNVAs(rs, sent) {
			if !r.NoAdvertise {
				prefixes = append(prefixes, r.Prefix)
			}
		}
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	return slices.Compact(prefixes)
}

func (n Network) circuitDown(g Gateway, sent Sent) bool {
	return len(n.TowardsCircuit(g, sent)) > gateway.DefaultCircuitLimit
}

// FromCircuit lists what a gateway learned over its circuit.
func (n Network) FromCircuit(g Gateway, sent Sent) []Route {
	if n.circuitDown(g, sent) {
		return nil
	}
	return g.Circuit
}

func sorted(routes []Route) []Route {
	slices.SortFunc(routes, func(a, b Route) int {
		return cmp.Or(a.Prefix.Compare(b.Prefix), a.NextHop.Compare(b.NextHop))
	})
	return routes
}
