package lab

import (
	"net/netip"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// oneHub is for the emulator's own tests: a hub with a pair of NVAs, and
// a VNet behind its circuit.
func oneHub(Options) Topology {
	second := nva("vm-hub00-2", "10.0.0.6")
	second.ASN = 65002
	return Topology{
		VNets: []VNet{
			vnet("hub00", "10.0.0.0/16", nva("vm-hub00", "10.0.0.4"), second, vm("vm-hub00-b", "10.0.0.5")).on("circuit01").routeServer(),
			vnet("hub100", "10.100.0.0/16", vm("vm-hub100", "10.100.0.4")).on("circuit01"),
		},
		Circuits: twoCircuits()[:1],
	}
}

// spokeECMP is for the emulator's own tests: two peered spokes whose packets take a summary
// to both NVAs of their hub, as the routes of their peerings are off.
func spokeECMP(Options) Topology {
	spoke := func(name, prefix, addr string, peers ...string) VNet {
		host := vm("vm-"+name, addr)
		host.Services = []uint16{80}
		v := vnet(name, prefix, host).peered(peers...)
		v.UserRoutes = []SubnetRoutes{{Subnet: subnetDefault, NoPeeringRoutes: true, Routes: []sdn.UserRoute{
			{Name: "summary", Prefix: netip.MustParsePrefix("10.0.0.0/8"), NextHops: addrs("10.0.0.4", "10.0.0.6")},
		}}}
		return v
	}
	return Topology{VNets: []VNet{
		vnet("hub00", "10.0.0.0/16", nva("vm-hub00", "10.0.0.4"), nva("vm-hub00-2", "10.0.0.6")).peered("spoke10", "spoke20"),
		spoke("spoke10", "10.10.0.0/16", "10.10.0.4", "hub00", "spoke20"),
		spoke("spoke20", "10.20.0.0/16", "10.20.0.4", "hub00", "spoke10"),
	}}
}

// twoHubs is two peered hub VNets, each on an ExpressRoute circuit with another VNet behind
// it. The hubs' NVAs connect the two outer VNets.
func twoHubs(o Options) Topology {
	circuits := twoCircuits()
	if o.OnPremises {
		circuits[0].Site = site("192.168.100.0/24", "192.168.100.4")
	}
	return Topology{
		VNets: []VNet{
			vnet("hub00", "10.0.0.0/16", nva("vm-hub00", "10.0.0.4"), vm("vm-hub00-b", "10.0.0.5")).on("circuit01").routeServer().peered("hub10"),
			vnet("hub10", "10.10.0.0/16", nva("vm-hub10", "10.10.0.4"), vm("vm-hub10-b", "10.10.0.5")).on("circuit02").routeServer().peered("hub00"),
			vnet("hub100", "10.100.0.0/16", vm("vm-hub100", "10.100.0.4")).on("circuit01"),
			vnet("hub110", "10.110.0.0/16", vm("vm-hub110", "10.110.0.4")).on("circuit02"),
		},
		Circuits: circuits,
	}
}

// acrossHubs is the traffic between the two outer VNets, for which the scenario exists.
var acrossHubs = []Flow{{"vm-hub100", "10.110.0.4"}, {"vm-hub110", "10.100.0.4"}}

// twoHubsShow lists the commands that the article of the two hubs shows, in its order.
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

// twoHubsCommunities is two-hubs with NVA configurations that contain no prefix of any spoke.
// hub120 is deployed, but not connected to its circuit at first.
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
		hub120 := vnet("hub120", "10.120.0.0/16", vm("vm-hub120", "10.120.0.4")).on("circuit02")
		hub120.Unconnected = true
		t.VNets = append(t.VNets, hub120)
		return t
	},
}

// twoHubsIPv6 is two-hubs with an IPv6 network at each NVA. Neither Route Server nor the VNets
// know these networks; the overlay carries their traffic.
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

// azureFromNothing is two-hubs whose NVAs have a tag, an identity and their user-data. No Route
// Server has a peer, no NIC may forward, and no file of an NVA has an address.
var azureFromNothing = Scenario{
	Name:  "azure-from-nothing",
	About: "two-hubs from VMs with a tag and an identity only",
	Note: `The VMs share this machine's programs, and boot neither systemd nor cloud-init.
What runs in them is the script of configs/cloud-init/bootstrap.yaml.
"go test ./integration/boot" boots machines that run cloud-init.`,
	NVAs: map[string]NVA{
		"vm-hub00": {Kind: CloudInit, Config: "cloud-init/bootstrap.yaml"},
		"vm-hub10": {Kind: CloudInit, Config: "cloud-init/bootstrap.yaml"},
	},
	Operator: true,
	Reach:    acrossHubs,
	Show: []string{
		"azure# cloud-init vm-hub00",
		"vm-hub00# nvactl config show",
		"vm-hub00# nvactl neighbors",
		"vm-hub00# nvactl azure show",
		"vm-hub100# traceroute -n -q 1 -w 1 10.110.0.4",
		"vm-hub100# ping -c 5 -i 0.2 10.110.0.4",
		"vm-hub110# ping -c 5 -i 0.2 10.100.0.4",
		"vm-hub00# nvactl azure diff",
	},
	topology: func(o Options) Topology {
		t := twoHubs(o)
		for i := range t.VNets[:2] {
			nva := &t.VNets[i].VMs[0]
			nva.Unregistered, nva.Tags = true, map[string]string{tagName: tagValue}
		}
		return t
	},
}

// twoHubsWireGuard is two-hubs with an encrypted tunnel between the NVAs.
var twoHubsWireGuard = Scenario{
	Name:  "two-hubs-wireguard",
	About: "two-hubs with WireGuard between the NVAs, nothing readable",
	NVAs:  nvads("hub00-wireguard", "hub10-wireguard"),
	Reach: acrossHubs,
	Show: []string{
		"vm-hub00# nvactl tunnels wg0",
		"vm-hub00# nvactl neighbors",
		"vm-hub00# ip route show proto bgp",
		"vm-hub100# traceroute -n -q 1 -N 1 -w 1 10.110.0.4",
		"azure# effective-routes vm-hub100",
	},
	topology: twoHubs,
}

// twoHubsHA is two-hubs with a pair of NVAs in each hub behind an internal load balancer. The
// NVAs announce the load balancer's frontend as next hop.
var twoHubsHA = Scenario{
	Name:  "two-hubs-ha",
	About: "two-hubs with two NVAs each behind a load balancer",
	NVAs: map[string]NVA{
		"vm-hub00":   {Kind: Nvad, Config: "hub00-ha1.toml"},
		"vm-hub00-2": {Kind: Nvad, Config: "hub00-ha2.toml"},
		"vm-hub10":   {Kind: Nvad, Config: "hub10-ha1.toml"},
		"vm-hub10-2": {Kind: Nvad, Config: "hub10-ha2.toml"},
	},
	Reach: acrossHubs,
	Show: []string{
		"azure# effective-routes vm-hub00",
		"net-hub00# ip route show 10.110.0.0/16",
		"vm-hub00# nvactl neighbors",
		"vm-hub00# nvactl routes advertised 10.0.210.4",
		"vm-hub00# ip route show 10.110.0.0/16",
		"vm-hub00# nvactl tunnels vxlan0",
		"vm-hub100# ping -c 5 -i 0.2 10.110.0.4",
	},
	topology: func(o Options) Topology {
		t := twoHubs(o)
		for i, second := range []VM{nva("vm-hub00-2", "10.0.0.6"), nva("vm-hub10-2", "10.10.0.6")} {
			t.VNets[i].VMs = append(t.VNets[i].VMs, second)
		}
		t.VNets[0].LoadBalancer = netip.MustParseAddr("10.0.0.100")
		t.VNets[1].LoadBalancer = netip.MustParseAddr("10.10.0.100")
		return t
	},
}

// The scenarios in this file are those of docs/recipes.md that no article describes.

// hubSpokes gives spokes a default route through the hub's NVA, but gives none to the site
// behind the hub's circuit.
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
		web := vm("vm-spoke02", "10.2.0.4")
		web.Services = []uint16{80}
		hub := vnet("hub00", "10.0.0.0/16", nva("vm-hub00", "10.0.0.4")).on("circuit01").routeServer().peered("spoke01", "spoke02")
		hub.Internet = netip.MustParseAddr("203.0.113.10")
		// Route Server programs the NVA's default route on the NVA's own NIC too.
		hub = hub.routed(subnetDefault, sdn.UserRoute{Name: "to-internet", Prefix: netip.MustParsePrefix("0.0.0.0/0")})
		return Topology{
			VNets: []VNet{
				hub,
				vnet("spoke01", "10.1.0.0/16", vm("vm-spoke01", "10.1.0.4")).spokeOf("hub00"),
				vnet("spoke02", "10.2.0.0/16", web).spokeOf("hub00"),
			},
			Circuits: sites()[:1],
		}
	},
}

// threeHubs is three hubs with a site each. Two of them are peered only with the third, whose
// NVA carries their traffic.
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
		circuit00 := Circuit{Name: "circuit00", NextHops: addrs("10.2.146.90"), Site: site("192.168.50.0/24", "192.168.50.4")}
		return Topology{
			VNets: []VNet{
				vnet("hub00", "10.0.0.0/16", nva("vm-hub00", "10.0.0.4")).on("circuit00").routeServer().peered("hub10", "hub20"),
				vnet("hub10", "10.10.0.0/16", nva("vm-hub10", "10.10.0.4")).on("circuit01").routeServer().peered("hub00"),
				vnet("hub20", "10.20.0.0/16", nva("vm-hub20", "10.20.0.4")).on("circuit02").routeServer().peered("hub00"),
			},
			Circuits: append(sites(), circuit00),
		}
	},
}

// expressRouteHairpin connects two hubs and their spokes through one circuit. It has no NVA
// and shows what Azure does by itself.
var expressRouteHairpin = Scenario{
	Name:  "expressroute-hairpin",
	About: "two hubs with spokes, joined by one circuit, no NVA",
	Reach: []Flow{{"vm-spoke10", "10.100.0.5"}, {"vm-spoke10", "10.110.0.5"}, {"vm-spoke10", "10.120.0.5"}},
	Show: []string{
		"azure# effective-routes vm-spoke10",
		"vm-spoke10# traceroute -n -q 1 -N 1 -w 1 10.0.0.5",
		"vm-spoke10# traceroute -n -q 1 -N 1 -w 1 10.100.0.5",
		"vm-spoke10# traceroute -n -q 1 -N 1 -w 1 10.110.0.5",
		"vm-spoke10# traceroute -n -q 1 -N 1 -w 1 10.120.0.5",
	},
	topology: func(Options) Topology {
		return Topology{
			VNets: []VNet{
				vnet("hub00", "10.0.0.0/16", vm("vm-hub00", "10.0.0.5")).on("circuit01").peered("spoke10", "spoke20"),
				vnet("spoke10", "10.10.0.0/16", vm("vm-spoke10", "10.10.0.5")).spokeOf("hub00"),
				vnet("spoke20", "10.20.0.0/16", vm("vm-spoke20", "10.20.0.5")).spokeOf("hub00"),
				vnet("hub100", "10.100.0.0/16", vm("vm-hub100", "10.100.0.5")).on("circuit01").peered("spoke110", "spoke120"),
				vnet("spoke110", "10.110.0.0/16", vm("vm-spoke110", "10.110.0.5")).spokeOf("hub100"),
				vnet("spoke120", "10.120.0.0/16", vm("vm-spoke120", "10.120.0.5")).spokeOf("hub100"),
			},
			Circuits: twoCircuits()[:1],
		}
	},
}
