package lab

import "net/netip"

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
				{
					Name: "vnet00", Prefix: netip.MustParsePrefix("10.0.0.0/16"), Circuit: "circuit01",
					Peers: []string{"vnet01"}, VMs: []VM{vm("vm-er-test", "10.0.0.4")},
				},
				{
					Name: "vnet01", Prefix: netip.MustParsePrefix("10.1.0.0/16"), RemoteGateway: "vnet00",
					Peers: []string{"vnet00"}, VMs: []VM{vm("vm-peered", "10.1.0.4")},
				},
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
