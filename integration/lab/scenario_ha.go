package lab

import "net/netip"

// twoHubsHA is two-hubs with a pair of NVAs in each hub behind an internal load
// balancer, whose frontend is the next hop that they announce.
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
