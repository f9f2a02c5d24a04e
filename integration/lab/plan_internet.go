package lab

import (
	"fmt"
	"strings"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// internetNode is a router between VNets and branches. Hosts on the internet have their
// addresses on its lo.
const internetNode = "internet"

// internet connects a VNet's router to the internet. Only the NVAs have public addresses.
// Packets of all others are dropped, because nobody could answer them.
func (n *network) internet(router string, v VNet) {
	n.link(router, "internet", internetNode, "eth0")
	i := n.node(internetNode)
	i.forward()
	i.add("addr add %s/31 dev eth0", sdn.InternetHop)
	if v.Internet.IsValid() {
		i.add("addr add %s/32 dev lo", v.Internet)
	}
	var in, out []string
	for _, nva := range v.NVAs() {
		if !nva.Public.IsValid() {
			out = append(out, fmt.Sprintf("oifname internet ip saddr %s masquerade", nva.Address))
			continue
		}
		i.add("route add %s/32 via %s dev eth0", nva.Public, sdn.InternetHop.Prev())
		in = append(in, fmt.Sprintf("iifname internet ip daddr %s dnat to %s", nva.Public, nva.Address))
		out = append(out, fmt.Sprintf("oifname internet ip saddr %s snat to %s", nva.Address, nva.Public))
	}
	out = append(out, "oifname internet drop")
	r := n.node(router)
	r.add("addr add %s/31 dev internet", sdn.InternetHop.Prev())
	r.nft += natTable(in, out)
}

// branch lays out a site's NVA, the NAT in front of it and a host behind it.
func (n *network) branch(b Branch) {
	nat := natNode(b.Name)
	n.link(b.Name, "eth0", nat, "lan")
	n.link(b.Name, "eth1", b.Host.Name, "eth0")
	n.link(nat, "wan", internetNode, port(nat))

	m := n.node(b.Name)
	m.sysctls["net/ipv4/ip_forward"] = "0"
	m.add("addr add %s/24 dev eth0", b.Address)
	m.add("addr add %s/24 dev eth1", host(b.LAN(), 1))
	m.add("route add default via %s", host(b.uplink(), 1))

	h := n.node(b.Host.Name)
	h.add("addr add %s/24 dev eth0", b.Host.Address)
	h.add("route add default via %s", host(b.LAN(), 1))

	r := n.node(nat)
	r.forward()
	r.add("addr add %s/24 dev lan", host(b.uplink(), 1))
	r.add("addr add %s/24 dev wan", b.Public)
	r.add("route add default via %s", host(b.provider(), 1))
	r.nft = natTable(nil, []string{"oifname wan masquerade"})
	n.node(internetNode).add("addr add %s/24 dev %s", host(b.provider(), 1), port(nat))
}

// natTable returns an nftables ruleset that translates destinations by the rules in and sources
// by the rules out.
func natTable(in, out []string) string {
	return fmt.Sprintf("table ip public {\nchain prerouting {\ntype nat hook prerouting priority dstnat\n%s\n}\n"+
		"chain postrouting {\ntype nat hook postrouting priority srcnat\n%s\n}\n}\n", strings.Join(in, "\n"), strings.Join(out, "\n"))
}
