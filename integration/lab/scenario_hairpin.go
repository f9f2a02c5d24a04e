package lab

import "net/netip"

// expressRouteHairpin joins two hubs and their spokes by one circuit. No NVA is
// in it: it shows what Azure does by itself.
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
		hub := func(name, prefix, addr string, spokes ...string) VNet {
			return VNet{
				Name: name, Prefix: netip.MustParsePrefix(prefix), Circuit: "circuit01", Peers: spokes,
				VMs: []VM{vm("vm-"+name, addr)},
			}
		}
		spoke := func(name, prefix, addr, hub string) VNet {
			return VNet{
				Name: name, Prefix: netip.MustParsePrefix(prefix), Peers: []string{hub}, RemoteGateway: hub,
				VMs: []VM{vm("vm-"+name, addr)},
			}
		}
		return Topology{
			VNets: []VNet{
				hub("hub00", "10.0.0.0/16", "10.0.0.5", "spoke10", "spoke20"),
				spoke("spoke10", "10.10.0.0/16", "10.10.0.5", "hub00"),
				spoke("spoke20", "10.20.0.0/16", "10.20.0.5", "hub00"),
				hub("hub100", "10.100.0.0/16", "10.100.0.5", "spoke110", "spoke120"),
				spoke("spoke110", "10.110.0.0/16", "10.110.0.5", "hub100"),
				spoke("spoke120", "10.120.0.0/16", "10.120.0.5", "hub100"),
			},
			Circuits: twoCircuits()[:1],
		}
	},
}
