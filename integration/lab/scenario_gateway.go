package lab

import (
	"net/netip"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// The scenarios in this file reach a spoke whose VNet can't use the hub's
// gateway, because it has a gateway or a Route Server of its own.

// vxlanStatic is the way without Route Server: a tunnel between the hub and
// on-premises, static routes into it, user-defined routes to its ends. The
// on-premises network is a VNet, as in the article's template.
var vxlanStatic = Scenario{
	Name:  "vxlan-static",
	About: "a spoke reached by a tunnel and static routes alone",
	NVAs:  nvads("hub00-static", "hub100-static"),
	Reach: []Flow{{"vm-hub101", "10.10.0.4"}, {"vm-spoke10", "10.100.0.5"}},
	Show: []string{
		"vm-hub00# ip -d link show vxlan0",
		"vm-hub00# ip route",
		"vm-hub101# traceroute -n -q 1 -N 1 -w 1 10.10.0.4",
		"vm-spoke10# traceroute -n -q 1 -N 1 -w 1 10.100.0.5",
		"azure# effective-routes vm-hub101",
		"azure# effective-routes vm-spoke10",
		"vm-hub00# nvactl tunnels vxlan0",
	},
	topology: func(Options) Topology {
		onPremises := onPremisesVNet(vm("vm-hub101", "10.100.0.5"), nva("vm-hub100", "10.100.0.4"))
		onPremises.UserRoutes = userRoutes(subnetDefault, udr("to-spoke10", "10.10.0.0/16", "10.100.0.4"))
		return Topology{
			VNets: []VNet{
				{
					Name: "hub00", Prefix: netip.MustParsePrefix("10.0.0.0/16"), Circuit: "circuit01",
					Peers: []string{"spoke10"}, VMs: []VM{nva("vm-hub00", "10.0.0.4")},
				},
				spokeWithGateway(), onPremises,
			},
			Circuits: twoCircuits(),
		}
	},
}

// spokeAdvertise is the article's first way with Route Server.
var spokeAdvertise = Scenario{
	Name:  "spoke-advertise",
	About: "a spoke reached because the hub's NVA announces its space",
	NVAs:  nvads("hub00-spokes"),
	Reach: []Flow{{"vm-hub100", "10.10.0.4"}, {"vm-spoke10", "10.100.0.4"}},
	Show: []string{
		"vm-hub00# nvactl routes advertised 10.0.210.4",
		"vm-hub00# nvactl routes received 10.0.210.4",
		"vm-hub00# ip route",
		"vm-hub100# traceroute -n -q 1 -N 1 -w 1 10.10.0.4",
		"vm-spoke10# traceroute -n -q 1 -N 1 -w 1 10.100.0.4",
		"azure# effective-routes vm-hub100",
		"azure# effective-routes vm-spoke10",
	},
	topology: func(Options) Topology {
		return Topology{
			VNets: []VNet{
				{
					Name: "hub00", Prefix: netip.MustParsePrefix("10.0.0.0/16"), Circuit: "circuit01", RouteServer: true,
					Peers: []string{"spoke10"}, VMs: []VM{nva("vm-hub00", "10.0.0.4")},
					// Without it the way there would pass the NVA by.
					UserRoutes: userRoutes(subnetGateway, udr("to-spoke10", "10.10.0.0/16", "10.0.0.4")),
				},
				spokeWithGateway(),
				onPremisesVNet(vm("vm-hub100", "10.100.0.4")),
			},
			Circuits: twoCircuits(),
		}
	},
}

// oneWayNAT reaches the spoke through an address in the hub, so that no route has
// to be known at either end; the spoke can't begin a conversation.
var oneWayNAT = Scenario{
	Name:  "nat",
	About: "a spoke reached one way, through an address of the NVA",
	NVAs:  nvads("hub00-nat"),
	Reach: []Flow{{"vm-hub100", "10.0.0.4"}, {"vm-hub101", "10.0.0.4"}, {"vm-hub00", "10.10.0.4"}},
	Show: []string{
		"azure# effective-routes vm-hub100",
		"azure# effective-routes vm-spoke10",
		"vm-hub100# curl -sS http://10.0.0.4:8080/",
		"vm-hub101# curl -sS http://10.0.0.4:9009/",
		"vm-hub00# nvactl nat",
	},
	topology: func(Options) Topology {
		spoke := spokeWithGateway()
		spoke.UserRoutes = nil
		spoke.VMs[0].Services = []uint16{80, 9000, 9009}
		return Topology{
			VNets: []VNet{
				{
					Name: "hub00", Prefix: netip.MustParsePrefix("10.0.0.0/16"), Circuit: "circuit01",
					Peers: []string{"spoke10"}, VMs: []VM{nva("vm-hub00", "10.0.0.4")},
				},
				spoke,
				onPremisesVNet(vm("vm-hub100", "10.100.0.4"), vm("vm-hub101", "10.100.0.5")),
			},
			Circuits: twoCircuits(),
		}
	},
}

// spokeWithGateway is a spoke of hub00 that can't use its gateway. What is
// on-premises is sent to the hub's NVA.
func spokeWithGateway() VNet {
	return VNet{
		Name: "spoke10", Prefix: netip.MustParsePrefix("10.10.0.0/16"), Circuit: "circuit02",
		Peers:      []string{"hub00"},
		UserRoutes: userRoutes(subnetDefault, udr("to-onprem", "10.100.0.0/16", "10.0.0.4")),
		VMs:        []VM{vm("vm-spoke10", "10.10.0.4")},
	}
}

// onPremisesVNet stands for the network behind circuit01.
func onPremisesVNet(vms ...VM) VNet {
	return VNet{Name: "hub100", Prefix: netip.MustParsePrefix("10.100.0.0/16"), Circuit: "circuit01", VMs: vms}
}

func twoCircuits() []Circuit {
	return []Circuit{
		{Name: "circuit01", NextHops: addrs("10.2.146.76", "10.2.146.77")},
		{Name: "circuit02", NextHops: addrs("10.2.146.62")},
	}
}

func userRoutes(subnet byte, routes ...sdn.UserRoute) []SubnetRoutes {
	return []SubnetRoutes{{Subnet: subnet, Routes: routes}}
}

func udr(name, prefix, hop string) sdn.UserRoute {
	return sdn.UserRoute{Name: name, Prefix: netip.MustParsePrefix(prefix), NextHop: netip.MustParseAddr(hop)}
}
