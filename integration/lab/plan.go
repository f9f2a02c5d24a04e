package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Names of nodes by role.
func routerNode(vnet string) string    { return "net-" + vnet }
func gatewayNode(vnet string) string   { return "ergw-" + vnet }
func rsNode(vnet string, i int) string { return fmt.Sprintf("rs-%s-%d", vnet, i) }
func mseeNode(circuit string) string   { return "msee-" + circuit }
func segmentNode(name string) string   { return "seg-" + name }
func siteNode(circuit string) string   { return "site-" + circuit }
func natNode(branch string) string     { return branch + "-nat" }
func circuitNet(circuit, link int) [2]string {
	at := func(host int) string { return fmt.Sprintf("172.16.%d.%d", circuit, 4*link+host) }
	return [2]string{at(1), at(2)}
}

// plan lays out a topology's namespaces.
func plan(prefix string, t Topology) *network {
	n := &network{prefix: prefix, nodes: map[string]*node{}}
	for _, v := range t.VNets {
		n.vnet(v)
	}
	for i, c := range t.Circuits {
		n.circuit(i, c, t)
	}
	n.peerings(t)
	for _, v := range t.VNets {
		n.routeTables(v)
	}
	n.hops(t)
	for _, s := range t.Segments {
		n.segment(s)
	}
	for _, b := range t.Branches {
		n.branch(b)
	}
	return n
}

// segment lays out a bridge with its hosts. There is no querier to find out who listens to
// which group, so multicast snooping is off.
func (n *network) segment(s Segment) {
	b := n.node(segmentNode(s.Name))
	b.add("link add br0 type bridge mcast_snooping 0")
	b.add("link set br0 up")
	for _, h := range s.Hosts {
		n.link(h.Name, "eth1", segmentNode(s.Name), port(h.Name))
		b.add("link set %s master br0", port(h.Name))
		n.node(h.Name).add("addr add %s/24 dev eth1", h.Address)
		n.node(h.Name).sysctls["net/ipv4/ip_forward"] = "0"
	}
}

// vnet lays out a VNet's router and NICs. The VNet's own prefix is a blackhole under the NICs'
// host routes, so that no packet to an address within it follows a learned supernet.
func (n *network) vnet(v VNet) {
	name := routerNode(v.Name)
	r := n.node(name)
	r.forward()
	r.sysctls["net/ipv4/fib_multipath_hash_policy"] = "1"
	r.nft = sdnRules
	r.add("addr add %s/32 dev lo", wireServer)
	r.add("addr add %s/32 dev lo", metadataService)
	r.add("addr add %s/32 dev lo", managerAddress)
	r.add("route add blackhole %s", v.Prefix)
	for _, nic := range v.nics() {
		n.nic(name, nic.name, nic.address)
	}
	if v.onInternet() {
		n.internet(name, v)
	}
	for _, m := range v.VMs {
		n.node(m.Name).sysctls["net/ipv4/ip_forward"] = "0"
		if m.Loopback.IsValid() {
			n.node(m.Name).add("addr add %s dev lo", m.Loopback)
		}
	}
}

// circuit lays out an MSEE with its links to the gateways and the site.
func (n *network) circuit(i int, c Circuit, t Topology) {
	name := mseeNode(c.Name)
	m := n.node(name)
	m.forward()
	m.nft = mseeRules
	links := 0
	join := func(node, device string) {
		ends := circuitNet(i+1, links)
		links++
		n.link(name, port(node), node, device)
		m.add("addr add %s/30 dev %s", ends[0], port(node))
		n.node(node).add("addr add %s/30 dev %s", ends[1], device)
	}
	for _, v := range t.VNets {
		if v.Circuit != c.Name {
			continue
		}
		join(gatewayNode(v.Name), "circuit")
		if v.Unconnected {
			m.add("link set %s down", port(gatewayNode(v.Name)))
		}
		g := n.node(gatewayNode(v.Name))
		g.forward()
		// A default route may come over the circuit.
		for _, inside := range append([]VNet{v}, t.spokes(v)...) {
			g.add("route add %s via %s dev eth0", inside.Prefix, host(v.Subnet(subnetGateway), 1))
		}
		g.nft = gatewayRules
		for _, hop := range c.NextHops {
			g.add("addr add %s/32 dev lo", hop)
		}
	}
	if c.Site != nil {
		join(siteNode(c.Name), "circuit")
		s := n.node(siteNode(c.Name))
		s.forward()
		s.add("addr add %s/32 dev lo", c.Site.Address)
	}
	if c.Edge != nil {
		n.edge(name, *c.Edge)
	}
}

// edge connects an edge to its MSEE and to the internet.
func (n *network) edge(msee string, e Edge) {
	n.link(msee, port(e.Name), e.Name, "bond0.1000")
	n.node(msee).add("addr add %s/30 dev %s", e.MSEE, port(e.Name))
	m := n.node(e.Name)
	m.sysctls["net/ipv4/ip_forward"] = "0"
	m.add("addr add %s/30 dev bond0.1000", e.Address)
	n.link(e.Name, "bond0", internetNode, "eth0")
	m.add("addr add %s/31 dev bond0", e.Uplink)
	m.add("route add default via %s dev bond0 onlink", e.Upstream)
	i := n.node(internetNode)
	i.add("addr add %s/31 dev eth0", e.Upstream)
	i.add("addr add %s/32 dev lo", e.Internet)
}

// peerings connects the routers of peered VNets. Only the peer's own prefix is routed there:
// routes that the peer has learned are not shared.
func (n *network) peerings(t Topology) {
	count := 0
	for _, v := range t.VNets {
		for _, peer := range v.Peers {
			if v.Name > peer {
				continue
			}
			p, _ := t.vnet(peer)
			ends := [2]string{fmt.Sprintf("100.64.%d.0", count), fmt.Sprintf("100.64.%d.1", count)}
			count++
			n.link(routerNode(v.Name), peeringDevice(peer), routerNode(peer), peeringDevice(v.Name))
			n.peering(v, peer, ends[0], ends[1], p.Prefix)
			n.peering(p, v.Name, ends[1], ends[0], v.Prefix)
		}
	}
}

func (n *network) peering(v VNet, peer, local, remote string, prefix netip.Prefix) {
	r := n.node(routerNode(v.Name))
	r.add("addr add %s/31 dev %s", local, peeringDevice(peer))
	r.add("route add %s via %s dev %s", prefix, remote, peeringDevice(peer))
}

func peeringDevice(vnet string) string { return port("peer-" + vnet) }

// The packet rules of a VNet drop what Azure does not carry, and addresses that exist in no
// VNet. The SDN is not a hop, so the rules first add the TTL that the router will subtract.
// Only low values matter to a traceroute.
var sdnRules = table(
	chain("prerouting", "mangle", ttlRules()...),
	chain("forward", "filter",
		"meta pkttype { broadcast, multicast } drop",
		"ip daddr 224.0.0.0/4 drop",
		"meta l4proto { gre, ipencap } drop",
		"udp sport 65330 drop",
		"ip saddr 169.254.0.0/16 drop"),
	silent,
)

// A gateway is not a hop either. It never sends a packet back to where it came from, which
// bounds every loop through hops that do not decrease the TTL.
var gatewayRules = table(
	chain("prerouting", "mangle", ttlRules()...),
	chain("forward", "filter",
		`iifname "eth0" oifname "eth0" drop`,
		`iifname "circuit" oifname "circuit" drop`),
	silent,
)

// An MSEE is a hop that does not answer.
var mseeRules = table(silent)

var silent = chain("output", "filter", "icmp type { time-exceeded, destination-unreachable, redirect } drop")

func ttlRules() []string {
	rules := []string{"ip ttl > 32 accept"}
	for ttl := 32; ttl >= 1; ttl-- {
		rules = append(rules, fmt.Sprintf("ip ttl %d ip ttl set %d accept", ttl, ttl+1))
	}
	return rules
}

func chain(hook, priority string, rules ...string) string {
	return fmt.Sprintf("chain %s {\ntype filter hook %s priority %s\n%s\n}\n", hook, hook, priority, strings.Join(rules, "\n"))
}

func table(chains ...string) string {
	return "table ip lab {\n" + strings.Join(chains, "") + "}\n"
}

// Numbers of a VNet router's routing tables: one for each subnet with user-defined routes, and
// one for each NIC that is a next hop for peered VNets.
const (
	userTable = 100
	hopTable  = 200
)

// routeTables gives each subnet of v with user-defined routes its own table. The table starts
// as a copy of the system routes, and the SDN agent adds the others.
func (n *network) routeTables(v VNet) {
	r := n.node(routerNode(v.Name))
	system := r.ip
	for i, table := range v.UserRoutes {
		for _, command := range system {
			peering := slices.ContainsFunc(v.Peers, func(p string) bool { return strings.HasSuffix(command, " dev "+peeringDevice(p)) })
			if strings.HasPrefix(command, "route add ") && !(peering && table.NoPeeringRoutes) {
				r.add("%s table %d", command, userTable+i)
			}
		}
		for _, nic := range v.nics() {
			if v.Subnet(table.Subnet).Contains(nic.address) {
				r.add("rule add iif %s lookup %d", port(nic.name), userTable+i)
			}
		}
	}
}

// hops lets VNets use next hops in peered VNets: NVAs, and the gateway of the VNet whose
// gateway they use.
func (n *network) hops(t Topology) {
	count := 0
	for _, v := range t.VNets {
		for _, peer := range v.Peers {
			p, _ := t.vnet(peer)
			for _, nic := range t.remoteHops(v, p) {
				n.hop(v, p, nic, count)
				count++
			}
		}
	}
}

// remoteHops lists the NICs of p that may be next hops in v.
func (t Topology) remoteHops(v, p VNet) []nic {
	var list []nic
	for _, nva := range p.NVAs() {
		list = append(list, nic{nva.Name, nva.Address})
	}
	if v.RemoteGateway == p.Name {
		list = append(list, nic{gatewayNode(p.Name), p.Gateway()})
	}
	return list
}

// hop creates a path from the router of v to a NIC of the peered VNet p, for packets to any
// destination: the routes of p are not consulted. The router of p answers ARP for the NIC on
// this path.
func (n *network) hop(v, p VNet, to nic, count int) {
	far := fmt.Sprintf("hop%d", count)
	n.link(routerNode(v.Name), hopDevice(to.name), routerNode(p.Name), far)
	// Without an address on this device, ARP would use one as its source that p has as well.
	n.node(routerNode(v.Name)).add("addr add 100.64.%d.0/31 dev %s", 128+count, hopDevice(to.name))
	r := n.node(routerNode(p.Name))
	r.sysctls["net/ipv4/conf/"+far+"/proxy_arp"] = "1"
	r.sysctls["net/ipv4/neigh/"+far+"/proxy_delay"] = "0"
	r.add("route add default via %s dev %s onlink table %d", to.address, port(to.name), hopTable+count)
	r.add("rule add iif %s lookup %d", far, hopTable+count)
}

// hopDevice returns the name of a VNet router's device towards a next hop in a peered VNet.
func hopDevice(name string) string { return port("hop-" + name) }

// remotePorts maps the next hops of v in peered VNets to devices.
func (t Topology) remotePorts(v VNet) map[netip.Addr]string {
	ports := map[netip.Addr]string{}
	for _, peer := range v.Peers {
		p, _ := t.vnet(peer)
		for _, nic := range t.remoteHops(v, p) {
			if nic.name != gatewayNode(p.Name) {
				ports[nic.address] = hopDevice(nic.name)
				continue
			}
			for _, hop := range t.circuitHops(p.Circuit) {
				ports[hop] = hopDevice(nic.name)
			}
		}
	}
	return ports
}
