package differential

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/differential/gen"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
	"github.com/nvad/nvad/integration/rivals"
)

// A machine with a second NIC, and routes that a DHCP client and an operator have added. Their
// metrics are higher than that of BGP.
var (
	secondNIC = []string{
		"addr add 10.255.1.1/24 dev eth0", "addr add 10.255.4.1/24 dev eth0",
		"link add e2 type veth peer name e2far", "link set e2far up", "link set e2 up", "addr add 10.0.2.1/24 dev e2 metric 200",
		"addr add 10.99.0.1/32 dev lo", "addr add 10.99.0.2/32 dev e2",
		"route add default via 10.255.1.9 proto dhcp metric 100",
		"route add 168.63.129.16 via 10.255.1.9 proto dhcp metric 100", "route add 169.254.169.254 via 10.255.1.9 proto dhcp metric 100",
		"route add 10.3.0.0/16 via 10.0.2.9 proto static metric 100",
		"route add 10.4.0.0/16 via 10.0.2.9 proto dhcp metric 100",
		"route add 10.5.0.0/16 via 10.0.2.9 metric 100",
		"route add unreachable 10.6.0.0/16 metric 4278198272",
	}
	beyond = []string{"addr add 10.255.1.2/24 dev eth0", "addr add 10.255.4.2/24 dev eth0"}
)

// staticsTo lists the file's static routes by prefix, and where both daemons route them: to
// e2, through each other, or nowhere if they form a loop or lead only to the default route.
var staticsTo = [][3]string{
	{"10.61.0.0/24", "10.0.2.2", "10.0.2.2"},
	{"10.62.0.0/16", "10.61.0.9", "10.0.2.2"},
	{"10.0.0.0/8", "10.0.2.2", "10.0.2.2"},
	{"10.2.0.128/26", "10.0.2.2", "10.0.2.2"}, // a neighbor is in this prefix
	{"10.9.0.0/16", "10.0.2.2", "10.0.2.2"},   // learned, too
	{"10.0.2.0/24", "10.255.1.2", ""},         // connected
	{"172.17.0.0/16", "172.16.1.9", ""},
	{"172.16.1.0/24", "172.17.0.9", ""},
	{"172.19.0.0/16", "172.18.1.9", ""},
}

// learned is where both daemons route what the neighbor announces.
var learned = map[string]string{
	"10.0.2.0/24": "", // connected
	"10.3.0.0/16": "", // foreign static
	"10.4.0.0/16": "", // foreign DHCP
	"10.5.0.0/16": "", // foreign, by hand
	"10.6.0.0/16": "10.255.1.2",
	"10.7.0.0/16": "", // originated here
	"10.8.0.0/16": "10.255.1.2",
	"10.9.0.0/16": "", // static
	"10.1.0.0/16": "10.255.1.2",
}

// TestPrecedence compares what the two daemons install beside connected routes, other
// programs' routes and static ones, and what they announce of the connected routes. It
// compares them with each other and with the expected result.
func TestPrecedence(t *testing.T) { forFRRs(t, testPrecedence) }

func testPrecedence(t *testing.T, version rivals.Rival) {
	feeder := gen.Neighbor{Name: "feeder", ASN: 64580, Address: netip.MustParseAddr("10.255.1.2"), Self: netip.MustParseAddr("10.255.1.1")}
	for _, prefix := range append(slices.Sorted(maps.Keys(learned)), "0.0.0.0/0") {
		feeder.Routes = append(feeder.Routes, announced(prefix, feeder.Address)...)
	}
	sink := gen.Neighbor{Name: "sink", ASN: 64581, Address: netip.MustParseAddr("10.255.4.2"), Self: netip.MustParseAddr("10.255.4.1")}
	neighbors := []gen.Neighbor{feeder, sink}
	frr := meet(t, startFRR(t, version, newBed(t, secondNIC, beyond), precedenceFRR(neighbors)), neighbors)
	beside := meet(t, startNvad(t, newBed(t, secondNIC, beyond), precedenceNvad(neighbors, "true")), neighbors)
	alone := meet(t, startNvad(t, newBed(t, secondNIC, beyond), precedenceNvad(neighbors, `"alone"`)), neighbors)
	for _, s := range []*side{frr, beside, alone} {
		lab.Eventually(t, 5*patience, s.settled)
		static, route := "200", ""
		switch s {
		case frr:
			static = "196"
		case beside:
			route = "10.255.1.2" // difference 12
		}
		lab.Eventually(t, 2*patience, func() error { return wantPrecedence(t, s, static, route) })
		lab.Eventually(t, 2*patience, func() error { return wantConnected(s.sessions[1]) })
	}
}

func wantPrecedence(t *testing.T, s *side, static, byDefault string) error {
	bgp, file := s.kernel(t, "bgp"), s.kernel(t, static)
	for prefix, want := range learned {
		if bgp[prefix] != want {
			return fmt.Errorf("%s: BGP leads %s to %q, want %q", s.name(), prefix, bgp[prefix], want)
		}
	}
	if bgp["default/32"] != byDefault {
		return fmt.Errorf("%s: BGP's default route leads to %q, want %q", s.name(), bgp["default/32"], byDefault)
	}
	for _, r := range staticsTo {
		if got := file[r[0]]; got != r[2] {
			return fmt.Errorf("%s: the static route %s leads to %q, want %q", s.name(), r[0], got, r[2])
		}
	}
	return nil
}

func wantConnected(sink *rawbgp.Session) error {
	table := sink.Table()
	for prefix, want := range map[string]bool{
		"10.99.0.1/32": true, "10.99.0.2/32": true, "10.0.2.0/24": true, "10.255.1.0/24": true, "127.0.0.0/8": false,
	} {
		if _, got := table[netip.MustParsePrefix(prefix)]; got != want {
			return fmt.Errorf("%s is announced: %t, want %t", prefix, got, want)
		}
	}
	return nil
}

func precedenceFRR(neighbors []gen.Neighbor) string {
	var w strings.Builder
	for _, s := range staticsTo {
		fmt.Fprintf(&w, "ip route %s %s\n", s[0], s[1])
	}
	fmt.Fprintln(&w, "no ip nht resolve-via-default\nrouter bgp 65001\n bgp router-id 10.255.1.1\n no bgp ebgp-requires-policy\n no bgp network import-check\n coalesce-time 0")
	fmt.Fprintln(&w, " neighbor 10.2.0.132 remote-as 64999\n neighbor 10.2.0.132 ebgp-multihop")
	for _, n := range neighbors {
		fmt.Fprintf(&w, " neighbor %s remote-as %d\n neighbor %[1]s advertisement-interval 0\n", n.Address, n.ASN)
	}
	fmt.Fprintln(&w, " address-family ipv4 unicast\n  network 10.7.0.0/16\n  redistribute connected")
	return w.String()
}

func precedenceNvad(neighbors []gen.Neighbor, allowDefault string) string {
	var w strings.Builder
	fmt.Fprintf(&w, "asn = 65001\nrouter-id = \"10.255.1.1\"\n[kernel]\nallow-default = %s\n", allowDefault)
	for _, s := range staticsTo {
		fmt.Fprintf(&w, "[[static-route]]\nprefix = %q\nvia = %q\n", s[0], s[1])
	}
	fmt.Fprintln(&w, "[[network]]\nprefix = \"10.7.0.0/16\"\n[[redistribute]]\nsource = \"connected\"")
	fmt.Fprintln(&w, "[[neighbor]]\naddress = \"10.2.0.132\"\nremote-asn = 64999\nebgp-multihop = 255\nimport = \"accept\"\nexport = \"accept\"")
	for _, n := range neighbors {
		fmt.Fprintf(&w, "[[neighbor]]\naddress = %q\nremote-asn = %d\nimport = \"accept\"\nexport = \"accept\"\n", n.Address, n.ASN)
	}
	return w.String()
}
