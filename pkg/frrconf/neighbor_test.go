package frrconf

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
)

// TestDefaultVRF checks the commands that name the default VRF: they mean the same without.
func TestDefaultVRF(t *testing.T) {
	for _, text := range []string{
		"router bgp 65001 vrf default\nneighbor 10.0.0.9 remote-as 65002\n",
		"router bgp 65001 vrf default as-notation plain\nneighbor 10.0.0.9 remote-as 65002\n",
		bgpHead + "exit\nrouter bgp\nneighbor 10.0.0.8 remote-as 65003\n",
		bgpHead + "exit\nvrf default\nip route 10.2.0.0/16 10.0.0.1\nexit-vrf\nip route 10.3.0.0/16 10.0.0.1\n",
		bgpHead + "exit\nip route 10.2.0.0/16 10.0.0.1 vrf default\nip route 10.3.0.0/16 10.0.0.1 nexthop-vrf default vrf default\n",
		bgpHead + "exit\nip route 10.2.0.0/16 10.0.0.1 eth0 nexthop-vrf default\nip route 10.3.0.0/16 10.0.0.1\n",
		bgpHead + "exit\ninterface eth0 vrf default\ndescription x\n",
		bgpHead + "exit\nrouter-id 10.0.0.7 vrf default\n",
		bgpHead + "address-family ipv4 unicast\nexit-address-family\naddress-family ipv4\nexit-address-family\naddress-family ipv6\n",
	} {
		cfg, left := convert(t, text)
		if cfg.ASN != 65001 || cfg.Neighbors[0].RemoteASN != 65002 || meaningful(left) != "" {
			t.Errorf("%s\n%+v\n%s", text, cfg.Neighbors, meaningful(left))
		}
		if strings.Contains(text, "ip route") && len(cfg.Statics) != 2 {
			t.Errorf("%s\nstatic routes are %+v", text, cfg.Statics)
		}
	}
	cfg, _ := convert(t, bgpHead+"neighbor 10.0.0.9 description the vrf default uplink\n")
	if got := cfg.Neighbors[0].Description; got != "the vrf default uplink" {
		t.Errorf("the description is %q", got)
	}
	for _, other := range []string{
		"router bgp 65001 vrf blue\nneighbor 10.0.0.8 remote-as 5\n", "router bgp 65001 view blue\nneighbor 10.0.0.8 remote-as 5\n",
		"vrf blue\nip route 10.2.0.0/16 10.0.0.1\nexit-vrf\n", "ip route 10.2.0.0/16 10.0.0.1 vrf blue\n", "ip route 10.2.0.0/16 10.0.0.1 nexthop-vrf blue\n",
		"interface eth0 vrf blue\nip address 10.0.0.4/24\n", "router bgp 65001\naddress-family ipv4 multicast\nneighbor 10.0.0.8 remote-as 5\n",
		"router bgp 65001\naddress-family vpnv4\nneighbor 10.0.0.8 activate\n", "router bgp 65001\naddress-family ipv4 labeled-unicast\nneighbor 10.0.0.8 activate\n",
	} {
		cfg, left := convert(t, bgpHead+"exit\n"+other)
		if len(cfg.Neighbors) != 1 || len(cfg.Statics) != 0 || !strings.Contains(text(left), "not supported") {
			t.Errorf("%s\n%+v, %+v\n%s", other, cfg.Neighbors, cfg.Statics, text(left))
		}
	}
}

// TestRemoteAS checks the forms of remote-as, over each other and in a peer-group.
func TestRemoteAS(t *testing.T) {
	const n = "neighbor 10.0.0.9 remote-as "
	const group = "neighbor G peer-group\n"
	const member = "neighbor 10.0.0.9 peer-group G\n"
	tests := []struct {
		lines string
		asn   uint32
		word  string
		told  string
	}{
		{n + "internal\n", 65001, "internal", ""},
		{n + "65002\n" + n + "internal\n", 65001, "internal", ""},
		{n + "internal\n" + n + "65002\n", 65002, "", ""},
		{n + "65002\n" + n + "external\n", 0, "external", ""},
		{n + "external\n" + n + "65002\n", 65002, "", ""},
		{n + "external\n", 0, "external", ""},
		{n + "auto\n", 0, "external", "also accepts its own ASN"},
		{n + "internal\nneighbor 10.0.0.9 local-as 65077 no-prepend replace-as\n", 65077, "internal", ""},
		{group + "neighbor G remote-as external\n" + member, 0, "external", ""},
		{group + member + "neighbor G remote-as external\n", 0, "external", ""},
		{group + n + "65002\n" + member + "neighbor G remote-as external\n", 0, "external", "of peer-group G counts"},
		{group + "neighbor G remote-as internal\n" + member, 65001, "internal", ""},
		{group + "neighbor G remote-as 65003\n" + member + n + "65004\n", 65003, "", "of peer-group G counts"},
	}
	for _, tt := range tests {
		cfg, left := convert(t, "router bgp 65001\n"+tt.lines)
		got := cfg.Neighbors[0]
		if got.RemoteASN != tt.asn || got.RemoteType != tt.word || (tt.told == "") != (meaningful(left) == "") || !strings.Contains(meaningful(left), tt.told) {
			t.Errorf("%s\nremote ASN %d %s, want %d %s\n%s", tt.lines, got.RemoteASN, got.RemoteType, tt.asn, tt.word, meaningful(left))
		}
		if external := tt.word == "external" || tt.asn == 65002; external != (got.Import == policy.Chain{}) && tt.asn != 65003 {
			t.Errorf("%s\nimport is %+v", tt.lines, got.Import)
		}
	}
}

// TestFRRRefuses checks pairs of lines of which FRR refuses the second one.
func TestFRRRefuses(t *testing.T) {
	const n = "neighbor 10.0.0.9 "
	const group = "neighbor G peer-group\nneighbor 10.0.0.9 peer-group G\nneighbor G "
	tests := []struct {
		lines string
		good  func(n config.Neighbor) bool
		told  string
	}{
		{n + "ebgp-multihop 5\n" + n + "ttl-security hops 2\n", func(n config.Neighbor) bool { return n.EBGPMultihop == 5 && n.TTLSecurity == 0 }, "together"},
		{n + "ttl-security hops 2\n" + n + "ebgp-multihop 5\n", func(n config.Neighbor) bool { return n.EBGPMultihop == 0 && n.TTLSecurity == 2 }, "together"},
		{n + "ttl-security hops 2\n" + n + "ebgp-multihop\n", func(n config.Neighbor) bool { return n.EBGPMultihop == 0 && n.TTLSecurity == 2 }, ""},
		{n + "ebgp-multihop\n" + n + "ttl-security hops 2\n", func(n config.Neighbor) bool { return n.EBGPMultihop == 255 && n.TTLSecurity == 0 }, "together"},
		{group + "ebgp-multihop 5\n" + n + "ttl-security hops 2\n", func(n config.Neighbor) bool { return n.EBGPMultihop == 5 && n.TTLSecurity == 0 }, "together"},
		{group + "ttl-security hops 2\n" + n + "ebgp-multihop 5\n", func(n config.Neighbor) bool { return n.EBGPMultihop == 0 && n.TTLSecurity == 2 }, "together"},
		{n + "prefix-list P in\n" + n + "distribute-list D in\n", func(n config.Neighbor) bool { return n.Import.PrefixList == "P" }, "beside the prefix-list"},
		{n + "distribute-list D in\n" + n + "prefix-list P in\n", func(n config.Neighbor) bool { return n.Import.PrefixList == "D" }, "beside the access-list"},
		{n + "distribute-list D in\n" + n + "prefix-list P out\n", func(n config.Neighbor) bool { return n.Import.PrefixList == "D" && n.Export.PrefixList == "P" }, ""},
		{n + "prefix-list D in\n" + n + "prefix-list P in\n", func(n config.Neighbor) bool { return n.Import.PrefixList == "P" }, ""},
	}
	for _, tt := range tests {
		cfg, left := convert(t, "ip prefix-list P permit any\nip prefix-list D2 permit any\naccess-list D permit any\n"+
			strings.ReplaceAll(bgpHead+tt.lines, "prefix-list D", "prefix-list D2"))
		if !tt.good(cfg.Neighbors[0]) || (tt.told == "") != (meaningful(left) == "") || !strings.Contains(meaningful(left), tt.told) {
			t.Errorf("%s\n%+v\n%s", tt.lines, cfg.Neighbors[0].Settings, meaningful(left))
		}
	}
}

// TestInterfaceAddresses checks what is told of an address that only frr.conf gives a device.
func TestInterfaceAddresses(t *testing.T) {
	const frr = bgpHead + "exit\ninterface lo\nip address 10.255.0.1/32\nexit\ninterface eth1\nip address 10.0.1.4/24 label x\nipv6 address fd00::4/64\n"
	const given = "iface lo inet loopback\niface lo:0 inet static\naddress 10.255.0.1/32\niface eth1 inet static\naddress 10.0.1.4\nnetmask 255.255.255.0\n" +
		"iface eth1 inet6 static\naddress fd00::4/64\n"
	for interfaces, want := range map[string]int{"": 3, given: 0} {
		in := Input{FRR: []byte(frr), Interfaces: []byte(interfaces), FRRVersion: "8.4", RouterID: netip.MustParseAddr("10.0.0.4")}
		accounted(t, in)
		_, left, err := Convert(in)
		if err != nil {
			t.Fatal(err)
		}
		told := meaningful(left)
		if n := strings.Count(told, "needs attention: without this file"); n != want {
			t.Errorf("%d addresses need attention, want %d:\n%s", n, want, told)
		}
		for _, address := range []string{"lo: { addresses: [10.255.0.1/32] }", "Address=10.0.1.4/24", "eth1: { addresses: [fd00::4/64] }"} {
			if strings.Contains(told, address) != (want > 0) {
				t.Errorf("the lines to add for %s:\n%s", address, told)
			}
		}
	}
}
