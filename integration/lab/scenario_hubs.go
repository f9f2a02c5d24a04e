package lab

import "net/netip"

// oneHub is what the emulator's own tests need: a hub with a pair of NVAs, and
// a VNet behind its circuit.
func oneHub(Options) Topology {
	second := nva("vm-hub00-2", "10.0.0.6")
	second.ASN = 65002
	return Topology{
		VNets: []VNet{
			{
				Name: "hub00", Prefix: netip.MustParsePrefix("10.0.0.0/16"),
				Circuit: "circuit01", RouteServer: true,
				VMs: []VM{nva("vm-hub00", "10.0.0.4"), second, vm("vm-hub00-b", "10.0.0.5")},
			},
			{
				Name: "hub100", Prefix: netip.MustParsePrefix("10.100.0.0/16"), Circuit: "circuit01",
				VMs: []VM{vm("vm-hub100", "10.100.0.4")},
			},
		},
		Circuits: []Circuit{{Name: "circuit01", NextHops: addrs("10.2.146.76", "10.2.146.77")}},
	}
}

// twoHubs is two peered hub VNets, each on an ExpressRoute circuit with another
// VNet behind it. The hubs' NVAs are to join the two outer VNets.
func twoHubs(o Options) Topology {
	circuit01 := Circuit{Name: "circuit01", NextHops: addrs("10.2.146.76", "10.2.146.77")}
	if o.OnPremises {
		circuit01.Site = &Site{
			ASN:     64580,
			Prefix:  netip.MustParsePrefix("192.168.100.0/24"),
			Address: netip.MustParseAddr("192.168.100.4"),
		}
	}
	return Topology{
		VNets: []VNet{
			{
				Name: "hub00", Prefix: netip.MustParsePrefix("10.0.0.0/16"),
				Peers: []string{"hub10"}, Circuit: "circuit01", RouteServer: true,
				VMs: []VM{nva("vm-hub00", "10.0.0.4"), vm("vm-hub00-b", "10.0.0.5")},
			},
			{
				Name: "hub10", Prefix: netip.MustParsePrefix("10.10.0.0/16"),
				Peers: []string{"hub00"}, Circuit: "circuit02", RouteServer: true,
				VMs: []VM{nva("vm-hub10", "10.10.0.4"), vm("vm-hub10-b", "10.10.0.5")},
			},
			{
				Name: "hub100", Prefix: netip.MustParsePrefix("10.100.0.0/16"), Circuit: "circuit01",
				VMs: []VM{vm("vm-hub100", "10.100.0.4")},
			},
			{
				Name: "hub110", Prefix: netip.MustParsePrefix("10.110.0.0/16"), Circuit: "circuit02",
				VMs: []VM{vm("vm-hub110", "10.110.0.4")},
			},
		},
		Circuits: []Circuit{circuit01, {Name: "circuit02", NextHops: addrs("10.2.146.62")}},
	}
}

// acrossHubs is the flow that the two hubs are there for.
var acrossHubs = []Flow{{"vm-hub100", "10.110.0.4"}, {"vm-hub110", "10.100.0.4"}}

// twoHubsShow is what the article of the two hubs shows, in its order.
var twoHubsShow = []string{
	"vm-hub00# ip -d link show vxlan0",
	"vm-hub100# traceroute -n -q 1 -N 1 -w 1 10.110.0.4",
	"vm-hub110# traceroute -n -q 1 -N 1 -w 1 10.100.0.4",
	"azure# effective-routes vm-hub100",
	"azure# effective-routes vm-hub00",
	"vm-hub00# nvactl routes",
	"vm-hub00# ip route",
	"azure# effective-routes vm-hub10",
}

// twoHubsCommunities is two-hubs without a prefix of any spoke in the NVAs'
// configurations. hub120 is deployed, but not connected to its circuit yet.
var twoHubsCommunities = Scenario{
	Name:  "two-hubs-communities",
	About: "two-hubs by tags: a new spoke needs no edit on any NVA",
	NVAs:  nvads("hub00-communities", "hub10-communities"),
	Reach: acrossHubs,
	Show: []string{
		"azure# effective-routes vm-hub100",
		"azure# connect hub120",
		"vm-hub100# ping -c 3 -w 15 10.120.0.4",
		"azure# effective-routes vm-hub100",
		"vm-hub00# nvactl routes advertised 10.0.210.4",
		"vm-hub10# nvactl routes received 10.10.210.4",
	},
	topology: func(o Options) Topology {
		t := twoHubs(o)
		t.VNets = append(t.VNets, VNet{
			Name: "hub120", Prefix: netip.MustParsePrefix("10.120.0.0/16"), Circuit: "circuit02", Unconnected: true,
			VMs: []VM{vm("vm-hub120", "10.120.0.4")},
		})
		return t
	},
}

// twoHubsIPv6 is two-hubs with an IPv6 network at each NVA. Neither Route Server
// nor the VNets know of it; the overlay carries it.
var twoHubsIPv6 = Scenario{
	Name:  "two-hubs-ipv6",
	About: "two-hubs with IPv6 between the NVAs, sessions and routes",
	NVAs:  nvads("hub00-ipv6", "hub10-ipv6"),
	Reach: append([]Flow{{"vm-hub00", "fd00:10::1"}, {"vm-hub10", "fd00::1"}}, acrossHubs...),
	Show: []string{
		"vm-hub00# nvactl neighbors",
		"vm-hub00# nvactl routes",
		"vm-hub00# ip -6 route show proto bgp",
		"vm-hub00# ping -c 3 -i 0.2 -I fd00::1 fd00:10::1",
		"vm-hub00# nvactl tunnels vxlan0",
		"azure# effective-routes vm-hub00",
	},
	topology: func(o Options) Topology {
		t := twoHubs(o)
		for i, addr := range addrs("fd00::1", "fd00:10::1") {
			t.VNets[i].VMs[0].Loopback = addr
		}
		return t
	},
}

func vm(name, addr string) VM { return VM{Name: name, Address: netip.MustParseAddr(addr)} }

func nva(name, addr string) VM {
	return VM{Name: name, Address: netip.MustParseAddr(addr), NVA: true, ASN: 65001}
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}
