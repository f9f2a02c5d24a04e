package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Parts of files.
const (
	warnHead      = "asn = 65001\nrouter-id = \"10.0.0.4\"\n"
	warnStatic    = "[[static-route]]\nprefix = \"10.0.210.0/24\"\nvia = \"10.0.0.1\"\n"
	warnPair      = "[[neighbor]]\naddress = \"10.0.210.4\"\npeer-group = \"rs\"\n[[neighbor]]\naddress = \"10.0.210.5\"\npeer-group = \"rs\"\n"
	warnWireGuard = "[[tunnel]]\nname = \"wg0\"\ntype = \"wireguard\"\npublic-key = \"L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q=\"\n" +
		"endpoint = \"10.10.0.4:51820\"\naddress = \"169.254.0.1/30\"\n"
	warnGroup = "[peer-group.rs]\nremote-asn = 65515\nebgp-multihop = 2\ndomain = \"ars\"\nimport = \"accept\"\nexport = \"deny\"\n"
)

// warningCase is a valid file and its warnings.
type warningCase struct {
	name, file string
	want       []string
}

func TestNeighborWarnings(t *testing.T) {
	for _, c := range []warningCase{
		{"none", warnHead + warnStatic + warnGroup + warnPair, nil},
		{"one instance", warnHead + warnStatic + warnGroup + "[[neighbor]]\naddress = \"10.0.210.4\"\npeer-group = \"rs\"\n", []string{
			"nvad.toml:13: neighbor.10.0.210.4.address: warning: only one of the two instances of Route Server ars is a neighbor: half of the traffic is lost; add the other instance",
		}},
		{"what Route Server needs", warnHead + warnPair + "[peer-group.rs]\nremote-asn = 65515\nimport = { deny-asns = [\"private\"] }\nfamilies = [\"ipv4\", \"ipv6\"]\npassword = \"x\"\n", []string{
			"nvad.toml:10: peer-group.rs.remote-asn: warning: domain is not set: routes learned from one instance of Route Server are sent to the other, and traffic may loop; set the same domain for both instances",
			"nvad.toml:10: peer-group.rs.remote-asn: warning: Route Server is more than one hop away, so the session does not come up; set ebgp-multihop to 2 or more",
			`nvad.toml:12: peer-group.rs.families: warning: Route Server does not exchange IPv6 routes; remove "ipv6" from families`,
			"nvad.toml:13: peer-group.rs.password: warning: Route Server does not support TCP-MD5, so the session never comes up; remove the password",
			`nvad.toml:12: peer-group.rs.families: warning: IPv6 routes over an IPv4 session have no usable next hop; set one with next-hop-ipv6 in a route-map, or remove "ipv6"`,
			"nvad.toml:3: neighbor.10.0.210.4.export: warning: without export policy, no route is sent to an eBGP neighbor (RFC 8212); set export",
			"nvad.toml:6: neighbor.10.0.210.5.export: warning: without export policy, no route is sent to an eBGP neighbor (RFC 8212); set export",
			`nvad.toml:11: peer-group.rs.import.deny-asns: warning: "private" includes AS 65515, with which all paths from Route Server begin: all its routes are rejected; use "reserved"`,
		}},
		{"no policy", warnHead + "[[neighbor]]\naddress = \"10.0.1.4\"\nremote-asn = 65002\nimport = \"deny\"\n", []string{
			"nvad.toml:3: neighbor.10.0.1.4.export: warning: without export policy, no route is sent to an eBGP neighbor (RFC 8212); set export",
		}},
		{"iBGP needs none", warnHead + "[[neighbor]]\naddress = \"10.0.1.4\"\nremote-asn = 65001\n", nil},
		{"neighbors that are not there", warnHead + "[[neighbor]]\naddress = \"10.0.1.4\"\nremote-asn = 65001\nimport = { route-map = \"a\" }\n" +
			"[[route-map.a]]\naction = \"permit\"\nmatch = { neighbor = \"10.0.1.5\", peer = \"10.0.1.6\" }\n" +
			"[[route-map.a]]\naction = \"permit\"\nmatch = { neighbor = \"10.0.1.4\", peer = \"10.0.1.4\" }\n", []string{
			"nvad.toml:9: route-map.a.5.match.neighbor: warning: never matches, because 10.0.1.5 is not a neighbor; correct the address",
			"nvad.toml:9: route-map.a.5.match.peer: warning: never matches, because 10.0.1.6 is not a neighbor; correct the address",
		}},
	} {
		t.Run(c.name, func(t *testing.T) { wantWarnings(t, c.file, c.want) })
	}
}

func TestOtherWarnings(t *testing.T) {
	for _, c := range []warningCase{
		{"multicast", warnHead + "[[tunnel]]\nname = \"vxlan42\"\nvni = 42\ndevice = \"eth0\"\ngroup = \"239.1.1.1\"\n", []string{
			"nvad.toml:7: tunnel.vxlan42.group: warning: Azure does not carry multicast; list the other ends in remotes instead",
		}},
		{"nobody at the other end", warnHead + warnStatic + "[[tunnel]]\nname = \"vxlan77\"\nvni = 77\ndevice = \"eth0\"\nremotes = [\"10.10.0.4\"]\n" +
			"address = \"169.254.0.1/24\"\nbfd = true\n", []string{
			"nvad.toml:12: tunnel.vxlan77.bfd: warning: BFD watches nothing: no static route has its gateway in a subnet of this tunnel; add one, or remove bfd",
		}},
		{"too large for WireGuard and what is in it", warnHead + warnWireGuard + "mtu = 1450\n[[tunnel]]\nname = \"vxlan0\"\nvni = 77\ndevice = \"wg0\"\nremotes = [\"169.254.0.2\"]\nmtu = 1400\nmss-clamp = 1351\n" +
			"[[neighbor]]\naddress = \"10.10.0.4\"\nremote-asn = 65001\n", []string{
			"nvad.toml:18: neighbor.10.10.0.4.address: warning: 10.10.0.4 is the remote of tunnel wg0, not an address inside it: the session and the next hops bypass the tunnel, so packets leave without WireGuard; use the other end's address inside the tunnel",
			"nvad.toml:9: tunnel.wg0.mtu: warning: VNets carry packets of 1500 bytes between each other, and WireGuard leaves 1440 of these for the tunnel; set mtu to 1400, as Azure advises",
			"nvad.toml:15: tunnel.vxlan0.mtu: warning: VNets carry packets of 1500 bytes between each other, and VXLAN in WireGuard leaves 1390 of these for the tunnel; set mtu to 1390, as Azure advises",
			"nvad.toml:16: tunnel.vxlan0.mss-clamp: warning: with VXLAN in WireGuard around them, segments of 1351 bytes do not fit into Azure's packets of 1500 bytes, at most 1350 do; set mss-clamp to 1350, as Azure advises",
		}},
		{"an encrypted tunnel", warnHead + warnWireGuard, nil},
		{"unused", warnHead + "[prefix-list]\np = [\"permit any\"]\n[peer-group.g]\nremote-asn = 65002\n[[route-map.m]]\naction = \"deny\"\n", []string{
			"nvad.toml:5: peer-group.g: warning: nothing uses this peer-group; remove it, or refer to it where it was meant to apply",
			"nvad.toml:4: prefix-list.p: warning: nothing uses this prefix-list; remove it, or refer to it where it was meant to apply",
			"nvad.toml:7: route-map.m: warning: nothing uses this route-map; remove it, or refer to it where it was meant to apply",
		}},
		{"the article's bogons", warnHead + warnStatic + strings.Replace(warnGroup, `"accept"`, `{ route-map = "rmap-bogon-asns" }`, 1) + warnPair + `
[as-path-list]
bogon-asns = [
  "permit _0_",
  "permit _23456_",
  "permit _1310[0-6][0-9]_|_13107[0-1]_",
  "deny _65515_",
  "permit ^65",
]
[[route-map.rmap-bogon-asns]]
action = "deny"
match = { as-path-list = "bogon-asns" }
[[route-map.rmap-bogon-asns]]
action = "permit"
`, []string{
			`nvad.toml:23: as-path-list.bogon-asns[3]: warning: _1310[0-6][0-9]_|_13107[0-1]_ matches only 131000-131071 of the reserved ASNs 65552-131071 and lets 65552-130999 pass; use deny-asns = "reserved" in import, which covers them all`,
			`nvad.toml:25: as-path-list.bogon-asns[5]: warning: ^65 never matches a route from Route Server: the earlier rule "_65515_" exempts every path with 65515, whatever else it contains; use deny-asns = "reserved" in import, which exempts none`,
		}},
		{"who shares a tunnel", warnHead + "[[tunnel]]\nname = \"vxlan0\"\nvni = 77\ndevice = \"eth0\"\nremotes = [\"10.10.0.4\", \"10.10.0.5\"]\n" +
			"address = \"169.254.0.1/24\"\npeers = [\"10.10.0.5=169.254.0.3\"]\n" +
			"[[static-route]]\nprefix = \"10.9.0.0/16\"\nvia = \"169.254.0.4\"\n" +
			"[[neighbor]]\naddress = \"169.254.0.2\"\nremote-asn = 65001\n[[neighbor]]\naddress = \"169.254.0.3\"\nremote-asn = 65001\n[kernel]\nip-forward = true\n", []string{
			`nvad.toml:9: tunnel.vxlan0.peers: warning: each of the 2 remotes can claim the address 169.254.0.2; name its owner, as in peers = ["10.10.0.4=169.254.0.2"]`,
			`nvad.toml:9: tunnel.vxlan0.peers: warning: each of the 2 remotes can claim the address 169.254.0.4; name its owner, as in peers = ["10.10.0.4=169.254.0.4"]`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) { wantWarnings(t, c.file, c.want) })
	}
}

// wantWarnings parses a valid file and compares its warnings.
func wantWarnings(t *testing.T, file string, want []string) {
	t.Helper()
	cfg, err := Parse("nvad.toml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range Warnings(cfg) {
		got = append(got, w.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The shipped files are beyond reproach; those of VyOS are for a segment outside of
// Azure, which does carry multicast, and hub00-default needs the user-defined route
// that its warning asks for.
func TestShippedFilesHaveNoWarnings(t *testing.T) {
	files, err := filepath.Glob("../../configs/*.toml")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		cfg, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range Warnings(cfg) {
			base := filepath.Base(file)
			if w.Code == "multicast" && strings.HasPrefix(base, "vyos") || w.Code == "default-to-azure" && base == "hub00-default.toml" {
				continue
			}
			t.Error(w)
		}
	}
}

// Each case breaks a rule of Azure.
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
