package lab

import (
	"fmt"
	"net/netip"
	"strings"
)

// network is the plan of a lab's namespaces. It is built in memory from a
// Topology and then carried out, so that it can be tested without root.
type network struct {
	prefix string
	nodes  map[string]*node
	// order keeps nodes as they were added.
	order []string
	links []string
}

// node is one namespace: ip(8) commands to run in it, sysctls and an nftables
// ruleset.
type node struct {
	name    string
	ip      []string
	sysctls map[string]string
	nft     string
}

func newNetwork(prefix string) *network {
	return &network{prefix: prefix, nodes: map[string]*node{}}
}

// ns is the network namespace of a node.
func (n *network) ns(name string) string { return namespace(n.prefix, name) }

func namespace(prefix, name string) string { return prefix + "-" + name }

func (n *network) node(name string) *node {
	if have, ok := n.nodes[name]; ok {
		return have
	}
	fresh := &node{name: name, sysctls: map[string]string{}}
	fresh.add("link set lo up")
	n.nodes[name] = fresh
	n.order = append(n.order, name)
	return fresh
}

func (n *node) add(format string, args ...any) {
	n.ip = append(n.ip, fmt.Sprintf(format, args...))
}

// forward makes the node a router without IPv6, which the underlay has not.
func (n *node) forward() {
	n.sysctls["net/ipv4/ip_forward"] = "1"
	n.sysctls["net/ipv6/conf/all/disable_ipv6"] = "1"
}

// link joins two nodes by a veth pair and brings it up.
func (n *network) link(a, devA, b, devB string) {
	n.node(a).add("link set %s up", devA)
	n.node(b).add("link set %s up", devB)
	n.links = append(n.links, fmt.Sprintf("link add %s netns %s type veth peer name %s netns %s", devA, n.ns(a), devB, n.ns(b)))
}

// nic attaches a node's eth0 to a VNet: a point-to-point port on which the
// VNet's router answers ARP for everything, so that also neighbors within a
// subnet talk through it. The node itself sees only its /24.
func (n *network) nic(router, name string, addr netip.Addr) {
	subnet, _ := addr.Prefix(24)
	gw := host(subnet, 1)
	n.link(name, "eth0", router, port(name))
	r := n.node(router)
	r.add("addr add %s/32 dev %s", gw, port(name))
	r.add("route add %s/32 dev %s", addr, port(name))
	r.sysctls["net/ipv4/conf/"+port(name)+"/proxy_arp"] = "1"
	r.sysctls["net/ipv4/neigh/"+port(name)+"/proxy_delay"] = "0"
	m := n.node(name)
	m.add("addr add %s/24 dev eth0", addr)
	m.ip = append(m.ip, dhcpRoutes(addr)...)
}

// dhcpRoutes are what a VM's DHCP client installs.
func dhcpRoutes(addr netip.Addr) []string {
	subnet, _ := addr.Prefix(24)
	var routes []string
	for _, dst := range []string{"default", wireServer, metadata} {
		routes = append(routes, fmt.Sprintf("route add %s via %s dev eth0 proto dhcp src %s metric 100", dst, host(subnet, 1), addr))
	}
	return routes
}

// The platform's addresses, present in every VNet.
const (
	wireServer = "168.63.129.16"
	metadata   = "169.254.169.254"
)

// port is the router's device towards a NIC.
func port(name string) string {
	if len(name) > 15 {
		panic("device name too long: " + name)
	}
	return name
}

// batch is everything to do for a node as input of `ip -batch`.
func (n *node) batch() string { return strings.Join(n.ip, "\n") + "\n" }
