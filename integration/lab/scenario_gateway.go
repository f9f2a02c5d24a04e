package lab

import (
	"net/netip"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// The scenarios in this file reach a spoke whose VNet can't use the hub's
// gateway, because it has a gateway or a Route Server of its own.

// vxlanStatic works without Route Server: it has a tunnel between the hub and on-premises,
// static routes into it, and user-defined routes to its ends. The on-premises network is a
// VNet, as in the article's template.
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
		onPremises := vnet("hub100", "10.100.0.0/16", vm("vm-hub101", "10.100.0.5"), nva("vm-hub100", "10.100.0.4")).on("circuit01")
		return Topology{
			VNets: []VNet{
				hubOfSpoke10(),
				spokeWithGateway(),
				onPremises.routed(subnetDefault, udr("to-spoke10", "10.10.0.0/16", "10.100.0.4")),
			},
			Circuits: twoCircuits(),
		}
	},
}

// spokeAdvertise is the article's first solution with Route Server.
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
				// Without the route, traffic to the spoke would bypass the NVA.
				hubOfSpoke10().routeServer().routed(subnetGateway, udr("to-spoke10", "10.10.0.0/16", "10.0.0.4")),
				spokeWithGateway(),
				vnet("hub100", "10.100.0.0/16", vm("vm-hub100", "10.100.0.4")).on("circuit01"),
			},
			Circuits: twoCircuits(),
		}
	},
}

// oneWayNAT makes the spoke reachable through an address in the hub, so that neither end needs
// a route to the other. The spoke can't open a connection.
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
				hubOfSpoke10(),
				spoke,
				vnet("hub100", "10.100.0.0/16", vm("vm-hub100", "10.100.0.4"), vm("vm-hub101", "10.100.0.5")).on("circuit01"),
			},
			Circuits: twoCircuits(),
		}
	},
}

// hubOfSpoke10 is the hub of these scenarios. The network behind its circuit, circuit01, is
// hub100.
func hubOfSpoke10() VNet {
	return vnet("hub00", "10.0.0.0/16", nva("vm-hub00", "10.0.0.4")).on("circuit01").peered("spoke10")
}

// spokeWithGateway is a spoke of hub00 that can't use hub00's gateway. Its traffic to
// on-premises goes to the hub's NVA.
func spokeWithGateway() VNet {
	spoke := vnet("spoke10", "10.10.0.0/16", vm("vm-spoke10", "10.10.0.4")).on("circuit02").peered("hub00")
	return spoke.routed(subnetDefault, udr("to-onprem", "10.100.0.0/16", "10.0.0.4"))
}

func twoCircuits() []Circuit {
	return []Circuit{
		{Name: "circuit01", NextHops: addrs("10.2.146.76", "10.2.146.77")},
		{Name: "circuit02", NextHops: addrs("10.2.146.62")},
	}
}

func udr(name, prefix, hop string) sdn.UserRoute {
	return sdn.UserRoute{Name: name, Prefix: netip.MustParsePrefix(prefix), NextHops: addrs(hop)}
}

// The scenarios in this file have a VNet between hubs that each lead to a site. spoke00 can't
// use a hub's gateway, because it would have to choose one.

// dualHomed lets one NVA carry routes between its hub's Route Server and the
// spoke's own.
var dualHomed = Scenario{
	Name:  "dual-homed",
	About: "one NVA between two Route Servers, each told of the other",
	NVAs:  nvads("hub10-dual"),
	Reach: []Flow{{"vm-spoke00", "192.168.100.4"}, {"site-circuit01", "10.0.0.4"}},
	Show: []string{
		"azure# route-server-routes spoke00",
		"azure# route-server-routes hub10",
		"azure# effective-routes vm-spoke00",
		"site-circuit01# ip route",
		"vm-hub10# nvactl neighbors",
		"vm-spoke00# traceroute -n -q 1 -N 1 -w 1 192.168.100.4",
		"site-circuit01# ping -c 3 -i 0.2 10.0.0.4",
	},
	topology: func(Options) Topology {
		spoke := betweenHubs("hub10")
		spoke.RouteServer, spoke.NVAsOf = true, []string{"hub10"}
		return Topology{VNets: []VNet{spoke, hub10WithSite()}, Circuits: sites()[:1]}
	},
}

// singleHomedUDR needs no Route Server in the spoke: the hubs' NVAs announce the spoke's
// prefix, and user-defined routes lead back to them.
var singleHomedUDR = Scenario{
	Name:  "single-homed-udr",
	About: "a spoke of two hubs, reached by user-defined routes",
	NVAs:  nvads("hub10-udr", "hub20-udr"),
	Reach: []Flow{
		{"vm-spoke00", "192.168.100.4"}, {"vm-spoke00", "192.168.200.4"},
		{"site-circuit01", "10.0.0.4"}, {"site-circuit02", "10.0.0.4"},
	},
	Show: []string{
		"vm-hub10# nvactl routes advertised 10.10.210.4",
		"vm-hub20# nvactl routes advertised 10.20.210.4",
		"azure# effective-routes vm-spoke00",
		"site-circuit01# ip route",
		"site-circuit02# ip route",
		"vm-spoke00# traceroute -n -q 1 -N 1 -w 1 192.168.100.4",
		"vm-spoke00# traceroute -n -q 1 -N 1 -w 1 192.168.200.4",
	},
	topology: func(Options) Topology {
		spoke := betweenHubs("hub10", "hub20").routed(subnetDefault,
			udr("to-site1", "192.168.100.0/24", "10.10.0.4"), udr("to-site2", "192.168.200.0/24", "10.20.0.4"))
		hub20 := vnet("hub20", "10.20.0.0/16", nva("vm-hub20", "10.20.0.4")).on("circuit02").routeServer().peered("spoke00")
		return Topology{VNets: []VNet{spoke, hub10WithSite(), hub20}, Circuits: sites()}
	},
}

func betweenHubs(hubs ...string) VNet {
	return vnet("spoke00", "10.0.0.0/16", vm("vm-spoke00", "10.0.0.4")).peered(hubs...)
}

func hub10WithSite() VNet {
	return vnet("hub10", "10.10.0.0/16", nva("vm-hub10", "10.10.0.4")).on("circuit01").routeServer().peered("spoke00")
}

// sites returns two circuits with one site each.
func sites() []Circuit {
	circuits := twoCircuits()
	circuits[0].Site = site("192.168.100.0/24", "192.168.100.4")
	circuits[1].Site = site("192.168.200.0/24", "192.168.200.4")
	return circuits
}

func site(prefix, addr string) *Site {
	return &Site{ASN: 64580, Prefix: netip.MustParsePrefix(prefix), Address: netip.MustParseAddr(addr)}
}

// expressRouteEdge is a router at the far end of a circuit, through which the
// VMs in Azure reach the internet.
var expressRouteEdge = Scenario{
	Name:  "expressroute-edge",
	About: "an edge behind the circuit: forced tunneling, with NAT",
	NVAs:  map[string]NVA{"edge": {Kind: Nvad, Config: "edge.toml"}},
	Reach: []Flow{{"vm-er-test", "203.0.113.10"}, {"vm-peered", "203.0.113.10"}},
	Show: []string{
		"edge# ip route",
		"edge# nvactl routes advertised 192.168.0.2",
		"edge# nvactl routes received 192.168.0.2",
		"azure# gateway-routes vnet00",
		"azure# effective-routes vm-er-test",
		"vm-er-test# curl -sS http://203.0.113.10/",
		"vm-er-test# traceroute -n -q 1 -N 1 -w 1 203.0.113.10",
		"edge# nvactl nat",
	},
	topology: func(Options) Topology {
		edge := nva("edge", "192.168.0.1")
		edge.ASN = 64580
		return Topology{
			VNets: []VNet{
				vnet("vnet00", "10.0.0.0/16", vm("vm-er-test", "10.0.0.4")).on("circuit01").peered("vnet01"),
				vnet("vnet01", "10.1.0.0/16", vm("vm-peered", "10.1.0.4")).spokeOf("vnet00"),
			},
			Circuits: []Circuit{{
				Name: "circuit01", NextHops: addrs("10.2.146.76", "10.2.146.77"),
				Edge: &Edge{
					VM: edge, MSEE: netip.MustParseAddr("192.168.0.2"),
					Uplink: netip.MustParseAddr("198.51.100.1"), Upstream: netip.MustParseAddr("198.51.100.0"),
					Internet: netip.MustParseAddr("203.0.113.10"),
				},
			}},
		}
	},
}
