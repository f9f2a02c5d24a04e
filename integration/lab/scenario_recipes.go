package lab

import (
	"net/netip"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// The scenarios in this file are those of docs/recipes.md that no article has.

// hubSpokes gives spokes a default route through the hub's NVA, and the site behind
// the hub's circuit none.
var hubSpokes = Scenario{
	Name:  "hub-spokes",
	About: "spokes reach the internet and each other through the NVA",
	NVAs:  nvads("hub00-default"),
	Reach: []Flow{{"vm-spoke01", "203.0.113.10"}, {"vm-spoke02", "203.0.113.10"}, {"vm-spoke01", "10.2.0.4"}, {"vm-spoke01", "192.168.100.4"}},
	Show: []string{
		"vm-hub00# nvactl routes advertised 10.0.210.4",
		"azure# effective-routes vm-spoke01",
		"azure# effective-routes vm-hub00",
		"site-circuit01# ip route",
		"vm-spoke01# curl -sS http://203.0.113.10/",
		"vm-spoke01# curl -sS http://10.2.0.4/",
		"vm-hub00# nvactl nat",
	},
	topology: func(Options) Topology {
		spoke01, spoke02 := vm("vm-spoke01", "10.1.0.4"), vm("vm-spoke02", "10.2.0.4")
		spoke02.Services = []uint16{80}
		return Topology{
			VNets: []VNet{
				{
					Name: "hub00", Prefix: netip.MustParsePrefix("10.0.0.0/16"), Circuit: "circuit01", RouteServer: true,
					Peers: []string{"spoke01", "spoke02"}, VMs: []VM{nva("vm-hub00", "10.0.0.4")},
					Internet: netip.MustParseAddr("203.0.113.10"),
					// Route Server programs the NVA's default route on the NVA's NIC too.
					UserRoutes: userRoutes(subnetDefault, sdn.UserRoute{Name: "to-internet", Prefix: netip.MustParsePrefix("0.0.0.0/0")}),
				},
				{Name: "spoke01", Prefix: netip.MustParsePrefix("10.1.0.0/16"), RemoteGateway: "hub00", Peers: []string{"hub00"}, VMs: []VM{spoke01}},
				{Name: "spoke02", Prefix: netip.MustParsePrefix("10.2.0.0/16"), RemoteGateway: "hub00", Peers: []string{"hub00"}, VMs: []VM{spoke02}},
			},
			Circuits: sites()[:1],
		}
	},
}

// threeHubs are hubs with a site each. Two of them are peered with the third alone,
// whose NVA carries their traffic.
var threeHubs = Scenario{
	Name:  "three-hubs",
	About: "two hubs reach each other through a third one",
	NVAs:  nvads("hub00-transit", "hub10-transit", "hub20-transit"),
	Reach: []Flow{{"site-circuit01", "192.168.200.4"}, {"site-circuit02", "192.168.100.4"}, {"site-circuit00", "192.168.200.4"}},
	Show: []string{
		"vm-hub00# nvactl tunnels",
		"vm-hub00# nvactl neighbors",
		"vm-hub10# nvactl routes advertised 10.10.210.4",
		"site-circuit01# ip route",
		"site-circuit01# traceroute -n -q 1 -N 1 -w 1 192.168.200.4",
	},
	topology: func(Options) Topology {
		hub := func(name, prefix, circuit string, vms ...VM) VNet {
			return VNet{Name: name, Prefix: netip.MustParsePrefix(prefix), Circuit: circuit, RouteServer: true, VMs: vms}
		}
		middle := hub("hub00", "10.0.0.0/16", "circuit00", nva("vm-hub00", "10.0.0.4"))
		hub10 := hub("hub10", "10.10.0.0/16", "circuit01", nva("vm-hub10", "10.10.0.4"))
		hub20 := hub("hub20", "10.20.0.0/16", "circuit02", nva("vm-hub20", "10.20.0.4"))
		middle.Peers, hub10.Peers, hub20.Peers = []string{"hub10", "hub20"}, []string{"hub00"}, []string{"hub00"}
		circuit00 := Circuit{Name: "circuit00", NextHops: addrs("10.2.146.90"), Site: site("192.168.50.0/24", "192.168.50.4")}
		return Topology{VNets: []VNet{middle, hub10, hub20}, Circuits: append(sites(), circuit00)}
	},
}
