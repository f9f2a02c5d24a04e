package lab

import (
	"net/netip"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// siteToHub connects a site without a circuit: its NVA, behind a NAT, has a WireGuard tunnel to
// each of the hub's two NVAs. A load balancer leads what comes from the VNet to those of them that
// reach the site.
var siteToHub = Scenario{
	Name:  "site-to-hub",
	About: "a site behind NAT, by WireGuard to two NVAs of a hub",
	NVAs: map[string]NVA{
		"site":       {Kind: Nvad, Config: "site.toml"},
		"vm-hub00":   {Kind: Nvad, Config: "hub00-site1.toml"},
		"vm-hub00-2": {Kind: Nvad, Config: "hub00-site2.toml"},
	},
	Reach: []Flow{{"site-host", "10.0.0.5"}, {"vm-hub00-b", "192.168.60.10"}},
	Show: []string{
		"site# nvactl tunnels",
		"site# nvactl neighbors",
		"site# ip route show proto bgp",
		"vm-hub00# nvactl tunnels site",
		"vm-hub00-2# nvactl routes advertised 10.0.210.4",
		"azure# effective-routes vm-hub00-b",
		"site-host# traceroute -n -q 1 -N 1 -w 1 10.0.0.5",
		"vm-hub00-b# ping -c 3 -i 0.2 192.168.60.10",
	},
	topology: func(Options) Topology {
		first, second := nva("vm-hub00", "10.0.0.4"), nva("vm-hub00-2", "10.0.0.6")
		first.Public, second.Public = netip.MustParseAddr("198.51.100.4"), netip.MustParseAddr("198.51.100.6")
		hub := vnet("hub00", "10.0.0.0/16", first, second, vm("vm-hub00-b", "10.0.0.5")).routeServer()
		hub = hub.routed(subnetDefault, sdn.UserRoute{Name: "to-internet", Prefix: netip.MustParsePrefix("0.0.0.0/0")})
		hub.LoadBalancer = netip.MustParseAddr("10.0.0.100")
		return Topology{
			VNets: []VNet{hub},
			Branches: []Branch{{
				VM: vm("site", "192.168.50.2"), Public: netip.MustParseAddr("203.0.113.9"), Host: vm("site-host", "192.168.60.10"),
			}},
		}
	},
}
