package lab

import (
	"fmt"
	"net/netip"
	"strings"
)

// Numbers of a VNet router's routing tables: one for each subnet with
// user-defined routes, and one for each NIC that peered VNets have for a next
// hop.
const (
	userTable = 100
	hopTable  = 200
)

// routeTables gives the subnets of v that have user-defined routes a table of
// their own. It starts as a copy of the system routes; the SDN agent adds the
// others.
func (n *network) routeTables(v VNet) {
	r := n.node(routerNode(v.Name))
	system := r.ip
	for i, table := range v.UserRoutes {
		for _, command := range system {
			if strings.HasPrefix(command, "route add ") {
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

// hops lets VNets use next hops in VNets that they are peered with: NVAs, and
// the gateway of the one whose gateway they use.
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

// hop makes a way from the router of v to a NIC of the peered VNet p that leads
// there whatever a packet's destination: the routes of p are not asked. The
// router of p answers ARP for the NIC on it.
func (n *network) hop(v, p VNet, to nic, count int) {
	far := fmt.Sprintf("hop%d", count)
	n.link(routerNode(v.Name), hopDevice(to.name), routerNode(p.Name), far)
	// Without an address there, ARP would ask from one that p has as well.
	n.node(routerNode(v.Name)).add("addr add 100.64.%d.0/31 dev %s", 128+count, hopDevice(to.name))
	r := n.node(routerNode(p.Name))
	r.sysctls["net/ipv4/conf/"+far+"/proxy_arp"] = "1"
	r.sysctls["net/ipv4/neigh/"+far+"/proxy_delay"] = "0"
	r.add("route add default via %s dev %s onlink table %d", to.address, port(to.name), hopTable+count)
	r.add("rule add iif %s lookup %d", far, hopTable+count)
}

// hopDevice is a VNet router's device towards a next hop in a peered VNet.
func hopDevice(name string) string { return port("hop-" + name) }

// remotePorts maps the next hops that v has in peered VNets to devices.
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
