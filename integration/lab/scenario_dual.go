package lab

import "net/netip"

// The scenarios in this file have a VNet between hubs that each lead to a site:
// spoke00 can use no hub's gateway, as it would have to choose one.

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
		return Topology{
			VNets:    []VNet{spoke, hubWithSite("hub10", "10.10.0.0/16", "circuit01", nva("vm-hub10", "10.10.0.4"))},
			Circuits: sites()[:1],
		}
	},
}

// singleHomedUDR does without a Route Server in the spoke: the hubs' NVAs announce
// its space, and user-defined routes lead back to them.
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
		spoke := betweenHubs("hub10", "hub20")
		spoke.UserRoutes = userRoutes(subnetDefault,
			udr("to-site1", "192.168.100.0/24", "10.10.0.4"), udr("to-site2", "192.168.200.0/24", "10.20.0.4"))
		return Topology{
			VNets: []VNet{
				spoke,
				hubWithSite("hub10", "10.10.0.0/16", "circuit01", nva("vm-hub10", "10.10.0.4")),
				hubWithSite("hub20", "10.20.0.0/16", "circuit02", nva("vm-hub20", "10.20.0.4")),
			},
			Circuits: sites(),
		}
	},
}

func betweenHubs(hubs ...string) VNet {
	return VNet{
		Name: "spoke00", Prefix: netip.MustParsePrefix("10.0.0.0/16"), Peers: hubs,
		VMs: []VM{vm("vm-spoke00", "10.0.0.4")},
	}
}

func hubWithSite(name, prefix, circuit string, nva VM) VNet {
	return VNet{
		Name: name, Prefix: netip.MustParsePrefix(prefix), Circuit: circuit, RouteServer: true,
		Peers: []string{"spoke00"}, VMs: []VM{nva},
	}
}

// sites are two circuits with a site each.
func sites() []Circuit {
	circuits := twoCircuits()
	circuits[0].Site = site("192.168.100.0/24", "192.168.100.4")
	circuits[1].Site = site("192.168.200.0/24", "192.168.200.4")
	return circuits
}

func site(prefix, addr string) *Site {
	return &Site{ASN: 64580, Prefix: netip.MustParsePrefix(prefix), Address: netip.MustParseAddr(addr)}
}
