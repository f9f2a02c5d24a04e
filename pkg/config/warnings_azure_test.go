package config

import (
	"strings"
	"testing"
)

// Azure's rules, each broken once.
func TestAzureWarnings(t *testing.T) {
	const head = "asn = 65001\n"
	const server = head + "[peer-group.rs]\npreset = \"azure-route-server\"\nneighbors = [\"10.0.210.4\", \"10.0.210.5\"]\n"
	const tunnel = head + "[[tunnel]]\nname = \"vxlan0\"\nvni = 77\ndevice = \"eth0\"\nremotes = [\"10.10.0.4\"]\n"
	for _, c := range []struct {
		name, file string
		want       []string
	}{
		{"nothing", server, nil},
		{"one instance", strings.Replace(server, `, "10.0.210.5"`, "", 1), []string{
			"nvad.toml:4: peer-group.rs.neighbors[1].address: warning: only one of the two instances of Route Server ars-10.0.210.0 is a neighbor: half of the traffic is lost; add the other instance",
		}},
		{"one instance without a domain", server + "domain = \"\"\n[[neighbor]]\naddress = \"10.10.210.4\"\npeer-group = \"rs\"\ndomain = \"\"\n", []string{
			"nvad.toml:7: neighbor.10.10.210.4.address: warning: only one of the two instances of Route Server ars-10.10.210.0 is a neighbor: half of the traffic is lost; add the other instance",
			"nvad.toml:9: neighbor.10.10.210.4.domain: warning: domain is not set: routes learned from one instance of Route Server are sent to the other, and traffic may loop; set the same domain for both instances",
			"nvad.toml:5: peer-group.rs.domain: warning: domain is not set: routes learned from one instance of Route Server are sent to the other, and traffic may loop; set the same domain for both instances",
		}},
		{"no hold time", server + "hold-time = 0\n", []string{
			"nvad.toml:5: peer-group.rs.hold-time: warning: hold-time is 0: neither side notices when the other is gone; set 10 s or more",
		}},
		{"a long hold time", server + "hold-time = 240\n", []string{
			"nvad.toml:5: peer-group.rs.hold-time: warning: Route Server proposes 180 s and the lower hold time wins, so a longer one has no effect",
		}},
		{"a short hold time", server + "hold-time = 3\n", []string{
			"nvad.toml:5: peer-group.rs.hold-time: warning: Azure freezes a VM for several seconds to move it: with a hold time of 3 s, this closes the session each time; set 10 s or more",
		}},
		{"the VNet's own prefix", server + "vnet = [\"10.0.0.0/16\", \"10.1.0.0/16\"]\n" +
			"[[network]]\nprefix = \"10.0.0.0/16\"\n[[network]]\nprefix = \"10.0.0.0/15\"\n[[aggregate]]\nprefix = \"10.1.16.0/20\"\n", []string{
			"nvad.toml:7: network.10.0.0.0/16.prefix: warning: 10.0.0.0/16 is part of the VNet's own address space 10.0.0.0/16: Azure ignores such a route, so nvad does not send it to Route Server; announce a wider prefix",
			"nvad.toml:11: aggregate.10.1.16.0/20.prefix: warning: 10.1.16.0/20 is part of the VNet's own address space 10.1.0.0/16: Azure ignores such a route, so nvad does not send it to Route Server; announce a wider prefix",
		}},
		{"RouteServerSubnet", server + "[[network]]\nprefix = \"10.0.210.0/24\"\n[[network]]\nprefix = \"10.0.210.0/27\"\n[[network]]\nprefix = \"10.0.208.0/22\"\n", []string{
			"nvad.toml:6: network.10.0.210.0/24.prefix: warning: 10.0.210.0/24 is RouteServerSubnet: Azure silently ignores such a route, so nvad does not send it to Route Server; remove it",
			"nvad.toml:8: network.10.0.210.0/27.prefix: warning: 10.0.210.0/27 is RouteServerSubnet: Azure silently ignores such a route, so nvad does not send it to Route Server; remove it",
		}},
		{"an MTU that fits", tunnel + "mtu = 1450\nmss-clamp = 1350\n", nil},
		{"a large MTU", tunnel + "mtu = 1500\n", []string{
			"nvad.toml:7: tunnel.vxlan0.mtu: warning: VNets carry packets of 1500 bytes between each other, and VXLAN leaves 1450 of these for the tunnel; set mtu to 1400, as Azure advises",
		}},
		{"a large MTU over IPv6", strings.Replace(tunnel, "10.10.0.4", "fd00::4", 1) + "mtu = 1450\n", []string{
			"nvad.toml:7: tunnel.vxlan0.mtu: warning: VNets carry packets of 1500 bytes between each other, and VXLAN leaves 1430 of these for the tunnel; set mtu to 1400, as Azure advises",
		}},
		{"large segments", tunnel + "mss-clamp = 1460\n", []string{
			"nvad.toml:7: tunnel.vxlan0.mss-clamp: warning: with VXLAN around them, segments of 1460 bytes do not fit into Azure's packets of 1500 bytes, at most 1410 do; set mss-clamp to 1350, as Azure advises",
		}},
		{"no MSS clamp", tunnel + "mss-clamp = \"off\"\n", []string{
			"nvad.toml:7: tunnel.vxlan0.mss-clamp: warning: hosts behind the tunnel do not know its MTU, so they send TCP segments that do not fit; set mss-clamp to 1350, as Azure advises",
		}},
	} {
		t.Run(c.name, func(t *testing.T) { wantWarnings(t, c.file, c.want) })
	}
}
