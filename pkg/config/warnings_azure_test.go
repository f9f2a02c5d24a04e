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
			"nvad.toml:4: peer-group.rs.neighbors[1].address: warning: only one instance of Route Server ars-10.0.210.0 is a neighbor; Azure sends half of the traffic nowhere",
		}},
		{"one instance without a domain", server + "domain = \"\"\n[[neighbor]]\naddress = \"10.10.210.4\"\npeer-group = \"rs\"\ndomain = \"\"\n", []string{
			"nvad.toml:7: neighbor.10.10.210.4.address: warning: only one instance of Route Server ars-10.10.210.0 is a neighbor; Azure sends half of the traffic nowhere",
			"nvad.toml:9: neighbor.10.10.210.4.domain: warning: a Route Server without domain gets back what its other instance taught",
			"nvad.toml:5: peer-group.rs.domain: warning: a Route Server without domain gets back what its other instance taught",
		}},
		{"no hold time", server + "hold-time = 0\n", []string{
			"nvad.toml:5: peer-group.rs.hold-time: warning: without a hold time neither side notices that the other is gone",
		}},
		{"a long hold time", server + "hold-time = 240\n", []string{
			"nvad.toml:5: peer-group.rs.hold-time: warning: the lower of both hold times counts, and Route Server's is 180 s: more has no effect",
		}},
		{"a short hold time", server + "hold-time = 3\n", []string{
			"nvad.toml:5: peer-group.rs.hold-time: warning: Azure freezes VMs for seconds to move them: 3 s end the session each time, 10 s or more may not",
		}},
		{"the VNet's own prefix", server + "vnet = [\"10.0.0.0/16\", \"10.1.0.0/16\"]\n" +
			"[[network]]\nprefix = \"10.0.0.0/16\"\n[[network]]\nprefix = \"10.0.0.0/15\"\n[[aggregate]]\nprefix = \"10.1.16.0/20\"\n", []string{
			"nvad.toml:7: network.10.0.0.0/16.prefix: warning: 10.0.0.0/16 is in the VNet's own address space 10.0.0.0/16: Azure ignores it, and nvad does not send it to Route Server; only a wider one has an effect",
			"nvad.toml:11: aggregate.10.1.16.0/20.prefix: warning: 10.1.16.0/20 is in the VNet's own address space 10.1.0.0/16: Azure ignores it, and nvad does not send it to Route Server; only a wider one has an effect",
		}},
		{"RouteServerSubnet", server + "[[network]]\nprefix = \"10.0.210.0/24\"\n[[network]]\nprefix = \"10.0.210.0/27\"\n[[network]]\nprefix = \"10.0.208.0/22\"\n", []string{
			"nvad.toml:6: network.10.0.210.0/24.prefix: warning: 10.0.210.0/24 is RouteServerSubnet: Azure ignores it without a word, and nvad does not send it to Route Server",
			"nvad.toml:8: network.10.0.210.0/27.prefix: warning: 10.0.210.0/27 is RouteServerSubnet: Azure ignores it without a word, and nvad does not send it to Route Server",
		}},
		{"an MTU that fits", tunnel + "mtu = 1450\nmss-clamp = 1350\n", nil},
		{"a large MTU", tunnel + "mtu = 1500\n", []string{
			"nvad.toml:7: tunnel.vxlan0.mtu: warning: VNets carry packets of 1500 bytes to each other: more than 1450 do not fit into them with VXLAN; Azure advises 1400",
		}},
		{"a large MTU over IPv6", strings.Replace(tunnel, "10.10.0.4", "fd00::4", 1) + "mtu = 1450\n", []string{
			"nvad.toml:7: tunnel.vxlan0.mtu: warning: VNets carry packets of 1500 bytes to each other: more than 1430 do not fit into them with VXLAN; Azure advises 1400",
		}},
		{"large segments", tunnel + "mss-clamp = 1460\n", []string{
			"nvad.toml:7: tunnel.vxlan0.mss-clamp: warning: segments of 1460 bytes do not fit into Azure's packets of 1500 with VXLAN: at most 1410 do, Azure advises 1350",
		}},
		{"no MSS clamp", tunnel + "mss-clamp = \"off\"\n", []string{
			"nvad.toml:7: tunnel.vxlan0.mss-clamp: warning: TCP through the tunnel sends segments that do not fit: hosts behind it do not know its MTU; Azure advises 1350",
		}},
	} {
		t.Run(c.name, func(t *testing.T) { wantWarnings(t, c.file, c.want) })
	}
}
