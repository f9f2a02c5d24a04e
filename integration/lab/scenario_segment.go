package lab

import "net/netip"

// vxlanMulticast is three hosts on one Ethernet segment whose VXLAN devices find
// each other through a multicast group. The article's two VyOS routers run nvad,
// its Ubuntu host its commands.
var vxlanMulticast = Scenario{
	Name:  "vxlan-multicast",
	About: "three hosts, VXLAN over a multicast group, one by ip link",
	NVAs: map[string]NVA{
		"vyos01": {Kind: Nvad, Config: "vyos01.toml"},
		"vyos02": {Kind: Nvad, Config: "vyos02.toml"},
		"ubuntu": {Kind: Plain},
	},
	Reach: []Flow{
		{"ubuntu", "10.0.1.254"}, {"ubuntu", "10.0.1.253"}, {"vyos01", "10.0.1.253"}, {"vyos02", "10.0.1.1"},
	},
	Show: []string{
		"vyos01# ip -d link show vxlan0",
		"ubuntu# ping -c 3 -i 0.2 10.0.1.254",
		"ubuntu# ping -c 3 -i 0.2 10.0.1.253",
		"ubuntu# bridge fdb show dev vxlan0",
		"vyos01# nvactl tunnels",
		"vyos01# nvactl tunnels vxlan0",
	},
	topology: func(Options) Topology {
		host := func(name, addr string) VM {
			return VM{Name: name, Address: netip.MustParseAddr(addr)}
		}
		return Topology{Segments: []Segment{{
			Name:  "tunneling",
			Hosts: []VM{host("vyos01", "10.0.2.254"), host("vyos02", "10.0.2.253"), host("ubuntu", "10.0.2.1")},
		}}}
	},
}
