package frrconf

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// convert converts an FRR configuration with a router bgp block, of FRR 8.4 unless it says
// otherwise.
func convert(t *testing.T, frr string) (*config.Config, []Leftover) {
	t.Helper()
	in := Input{FRR: []byte(frr), FRRVersion: "8.4", RouterID: netip.MustParseAddr("10.0.0.4")}
	accounted(t, in)
	cfg, left, err := Convert(in)
	if err != nil {
		t.Fatal(err)
	}
	reread(t, cfg, rendered(t, cfg, left))
	return cfg, left
}

const bgpHead = "router bgp 65001\nneighbor 10.0.0.9 remote-as 65002\n"

// TestWithoutPolicy checks RFC 8212 as in FRR: on by default since 7.4 in the traditional
// profile, and for eBGP only.
func TestWithoutPolicy(t *testing.T) {
	deny, accept := policy.Chain{}, policy.Chain{Accept: true}
	listed := policy.Chain{Accept: true, PrefixList: "p"}
	const list = "ip prefix-list p permit any\n"
	tests := []struct {
		name, frr string
		in, out   policy.Chain
	}{
		{"traditional", bgpHead, deny, deny},
		{"one direction", list + bgpHead + "neighbor 10.0.0.9 prefix-list p out\n", deny, listed},
		{"turned off", bgpHead + "no bgp ebgp-requires-policy\n", accept, accept},
		{"before 7.4", "frr version 7.3.1\n" + bgpHead, accept, accept},
		{"from 7.4 on", "frr version 7.4\n" + bgpHead, deny, deny},
		{"datacenter", "frr version 8.4\nfrr defaults datacenter\n" + bgpHead, accept, accept},
		{"iBGP", "router bgp 65002\nneighbor 10.0.0.9 remote-as internal\n", accept, accept},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, _ := convert(t, tt.frr)
			n := cfg.Neighbors[0]
			if n.Import != tt.in || n.Export != tt.out {
				t.Errorf("import %v, export %v; want %v and %v", n.Import, n.Export, tt.in, tt.out)
			}
		})
	}
}

// TestDefaults checks the defaults of FRR that differ from nvad's.
func TestDefaults(t *testing.T) {
	cfg, _ := convert(t, bgpHead)
	n := cfg.Neighbors[0]
	if n.EnforceFirstAS || !n.AllowASSets || cfg.Kernel.MaxPaths != 256 || cfg.Kernel.ResolveDefault || cfg.Kernel.AllowDefault {
		t.Errorf("got %+v and %+v", n.Settings, cfg.Kernel)
	}
}

func TestTimers(t *testing.T) {
	tests := []struct {
		lines           string
		hold, keepalive time.Duration
	}{
		{"", 180 * time.Second, 60 * time.Second},
		{"timers bgp 10 60\n", 60 * time.Second, 10 * time.Second},
		{"timers bgp 60 60\n", 60 * time.Second, 20 * time.Second}, // never less often than a third
		{"neighbor 10.0.0.9 timers 0 0\n", 0, 60 * time.Second},
		{"timers bgp 10 60\nneighbor 10.0.0.9 timers 3 9\n", 9 * time.Second, 3 * time.Second},
	}
	for _, tt := range tests {
		cfg, _ := convert(t, bgpHead+tt.lines)
		if n := cfg.Neighbors[0]; n.HoldTime != tt.hold || n.Keepalive != tt.keepalive {
			t.Errorf("%q: hold time %v, keepalive %v; want %v, %v", tt.lines, n.HoldTime, n.Keepalive, tt.hold, tt.keepalive)
		}
	}
}

func TestBFD(t *testing.T) {
	for lines, want := range map[string]string{
		"":                               "",
		"neighbor 10.0.0.9 bfd":          "bfd = true",
		"neighbor 10.0.0.9 bfd 5 300 50": "bfd = { min-tx = 50, multiplier = 5 }",
		"neighbor 10.0.0.9 bfd\nno neighbor 10.0.0.9 bfd": "",
	} {
		cfg, _ := convert(t, bgpHead+lines+"\n")
		got := ""
		for line := range strings.Lines(string(config.Print(cfg, false))) {
			if strings.HasPrefix(line, "bfd") {
				got = strings.TrimSpace(line)
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
}

func TestActivation(t *testing.T) {
	const v6 = "router bgp 65001\nneighbor fd00::9 remote-as 65001\n"
	tests := []struct {
		frr      string
		want     route.Family
		shutdown bool
	}{
		{bgpHead, route.IPv4, false},
		{bgpHead + "no bgp default ipv4-unicast\n", route.IPv4, true},
		{bgpHead + "no bgp default ipv4-unicast\naddress-family ipv4 unicast\nneighbor 10.0.0.9 activate\n", route.IPv4, false},
		{bgpHead + "address-family ipv6 unicast\nneighbor 10.0.0.9 activate\n", route.IPv4 | route.IPv6, false},
		{v6 + "address-family ipv6 unicast\nneighbor fd00::9 activate\n", route.IPv4 | route.IPv6, false},
		{v6 + "no bgp default ipv4-unicast\naddress-family ipv6\nneighbor fd00::9 activate\n", route.IPv6, false},
		{v6 + "address-family ipv6\nneighbor fd00::9 activate\nneighbor fd00::9 next-hop-self\n", route.IPv6, false},
	}
	for _, tt := range tests {
		cfg, _ := convert(t, tt.frr)
		if n := cfg.Neighbors[0]; n.Families != tt.want || n.Shutdown != tt.shutdown {
			t.Errorf("%s\n%v, shut down %t; want %v, %t", tt.frr, n.Families, n.Shutdown, tt.want, tt.shutdown)
		}
	}
}

// TestLeftovers checks the reasons for single lines; empty if the line is carried over.
func TestLeftovers(t *testing.T) {
	tests := []struct{ frr, kind, reason string }{
		{bgpHead + "neighbor 10.0.0.9 local-as 65009 no-prepend", string(NotSupported), "local-as"},
		{bgpHead + "neighbor 10.0.0.9 update-source lo", "", ""},
		{bgpHead + "neighbor 10.0.0.9 local-role customer strict-mode", "", ""},
		{bgpHead + "bgp bestpath as-path multipath-relax", "", ""},
		{bgpHead + "bgp bestpath as-path multipath-relax as-set", string(NotSupported), "set"},
		{bgpHead + "neighbor 10.0.0.9 maximum-prefix 5", "", ""},
		{bgpHead + "neighbor 10.0.0.9 send-community both", "", ""},
		{bgpHead + "neighbor 10.0.0.9 bfd 0 300 300", string(Attention), "multiplier"},
		{bgpHead + "neighbor 10.0.0.9 bfd profile fast", string(Attention), "no profile fast"},
		{bgpHead + "bgp bestpath compare-routerid", "", ""},
		{bgpHead + "bgp graceful-restart preserve-fw-state", string(NoMeaning), "preserve-fib"},
		{bgpHead + "bgp graceful-restart notification", string(NoMeaning), "notifications"},
		{bgpHead + "bgp default show-hostname", string(NoMeaning), "shows"},
		{bgpHead + "bgp default subgroup-pkt-queue-max 40", string(NoMeaning), "pace"},
		{bgpHead + "bgp default l2vpn-evpn", string(NotSupported), "families"},
		{bgpHead + "neighbor 10.0.0.9 timers connect 5", string(NoMeaning), "reconnect"},
		{bgpHead + "what is this", string(NotSupported), "unknown"},
		{bgpHead + "network 10.0.0.0", string(Attention), "no length"},
		{bgpHead + "no bgp network import-check\nnetwork 10.0.0.0/8", "", ""},
		{bgpHead + "network 10.0.0.0 mask 255.0.0.0 route-map none", string(Attention), "no route-map none"},
		{bgpHead + "redistribute ospf", string(NotSupported), "routes of ospf"},
		{bgpHead + "redistribute static metric 5", string(NotSupported), "metric"},
		{bgpHead + "aggregate-address 10.0.0.0/8 as-set", string(NotSupported), "as-set"},
		{bgpHead + "neighbor 10.0.0.9 maximum-prefix 5 warning-only", "", ""},
		{bgpHead + "neighbor 10.0.0.9 maximum-prefix 5 restart 0", string(Attention), "minutes"},
		{"router ospf\n" + "router-id 10.0.0.1", string(NotSupported), "BGP in the default VRF"},
		{"router bgp 1 vrf blue\nneighbor 10.0.0.1 remote-as 5", string(NotSupported), "default VRF"},
		{"ip route 10.0.0.0/8 10.0.0.1 onlink", string(NotSupported), "onlink"},
		{"ip prefix-list a seq 5 permit 10.0.0.0/8 ge 4", string(Attention), "ge 4"},
		{"ip prefix-list a seq 5 permit fd00::/8", string(Attention), "address family"},
		{"bgp as-path access-list a permit [0-9_]+", string(Attention), "separator"},
		{"bgp community-list standard a permit llgr-stale 4259840100", "", ""},
		{"bgp community-list a permit 1:1", string(Attention), "neither standard nor expanded"},
		{"route-map a permit 10\nset as-path prepend 1\nset as-path exclude 2", string(Attention), "other order"},
		{"route-map a permit 10\non-match goto 5", string(Attention), "later entry"},
		{"route-map a permit 10\nset metric rtt", string(NotSupported), "rtt"},
	}
	for _, tt := range tests {
		cfgLines := tt.frr
		if !strings.HasPrefix(tt.frr, "router bgp 65001") {
			cfgLines = bgpHead + "exit\n" + tt.frr
		}
		_, left := convert(t, cfgLines)
		number := 1 + strings.Count(cfgLines, "\n")
		var got Leftover
		for _, l := range left {
			if l.Line == number {
				got = l
			}
		}
		if string(got.Kind) != tt.kind || !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%s\nleft over: %q %q; want %q %q", tt.frr, got.Kind, got.Reason, tt.kind, tt.reason)
		}
	}
}

// TestBlocksWithin checks that the end of an inner block does not end the skipped block
// around it, and that the lines after both are read.
func TestBlocksWithin(t *testing.T) {
	cfg, left := convert(t, "bfd\n peer 10.0.0.1\n  detect-multiplier 5\n exit\n !\n profile fast\n  transmit-interval 100\n exit\n !\nexit\n!\n"+
		"router bgp 65001\n address-family l2vpn evpn\n  vni 7\n   rd 1:1\n  exit-vni\n  advertise-all-vni\n exit-address-family\n neighbor 10.0.0.9 remote-as 65009\n")
	if len(cfg.Neighbors) != 1 || len(left) == 0 {
		t.Errorf("%d neighbors, %d left", len(cfg.Neighbors), len(left))
	}
	for _, l := range left {
		if strings.Contains(l.Reason, "unknown") {
			t.Error(l)
		}
	}
}

// An access-list and a prefix-list of one name are two things.
func TestDistributeListBesidePrefixList(t *testing.T) {
	cfg, _ := convert(t, "ip prefix-list lan permit 10.0.0.0/8\naccess-list lan permit 192.168.0.0/16\n"+bgpHead+
		"neighbor 10.0.0.9 distribute-list lan in\n")
	if got := cfg.Neighbors[0].Import.PrefixList; got != "lan-access-list" {
		t.Errorf("import asks %q", got)
	}
}

// FRR evaluates only the list of the family that the match names.
func TestMatchOfOneFamily(t *testing.T) {
	const lists = "ip prefix-list OWN permit 10.0.0.0/8 le 24\nipv6 prefix-list OWN permit fd00::/8 le 48\n"
	cfg, left := convert(t, lists+bgpHead+"route-map RM permit 10\nmatch ip address prefix-list OWN\n"+
		"route-map RM permit 20\nmatch ipv6 address prefix-list OWN\nmatch ipv6 next-hop prefix-list V4\n"+
		"ip prefix-list V4 permit any\nip prefix-list OWN-ipv6 permit any\n")
	lib := cfg.Policies
	first, second := lib.RouteMaps["RM"][0].Match, lib.RouteMaps["RM"][1].Match
	if first.PrefixList != "OWN-ipv4" || second.PrefixList != "OWN-ipv6-list" || second.NextHopPrefixList != "V4-ipv6" {
		t.Errorf("asked are %q, %q and %q", first.PrefixList, second.PrefixList, second.NextHopPrefixList)
	}
	for name, prefix := range map[string]string{"OWN-ipv4": "10.0.0.0/8", "OWN-ipv6-list": "fd00::/8"} {
		if l := lib.PrefixLists[name]; len(l) != 1 || l[0].Prefix.String() != prefix {
			t.Errorf("%s is %+v", name, l)
		}
	}
	if l := lib.PrefixLists["V4-ipv6"]; len(l) != 1 || l[0].Permit || !l[0].Any {
		t.Errorf("V4-ipv6 is %+v", l)
	}
	if !slices.ContainsFunc(left, func(l Leftover) bool { return l.Line == 9 && strings.Contains(l.Reason, "there is no prefix-list V4") }) {
		t.Errorf("nothing tells of V4: %v", left)
	}
}

// No key is among the leftovers.
func TestSecretsLeftOver(t *testing.T) {
	for _, text := range []string{
		"ip ospf message-digest-key 1 md5 KEY", "area-password md5 KEY", "domain-password clear KEY", "ip rip authentication string KEY",
		"neighbor 10.0.0.1 password\tKEY", "neighbor 10.0.0.1 password KEY password KEY", "key-string KEY", "password 8 KEY",
	} {
		if got := hideSecret(text); strings.Contains(got, "KEY") {
			t.Errorf("%q shows %q", text, got)
		}
	}
}

// TestByteOrderMark checks that the mark of a Windows editor is not part of the first line.
func TestByteOrderMark(t *testing.T) {
	cfg, _ := convert(t, "\ufeffrouter bgp 65001\n neighbor 10.0.0.9 remote-as 65009\n")
	if cfg.ASN != 65001 || len(cfg.Neighbors) != 1 {
		t.Errorf("AS %d, %d neighbors", cfg.ASN, len(cfg.Neighbors))
	}
}

// TestOneFamilyOfTwo checks that a policy of one family never serves another.
func TestOneFamilyOfTwo(t *testing.T) {
	cfg, left := convert(t, "router bgp 65001\nneighbor 10.0.0.9 remote-as 65001\n"+
		"neighbor 10.0.0.9 route-map strict in\naddress-family ipv6 unicast\nneighbor 10.0.0.9 activate\n"+
		"neighbor 10.0.0.9 next-hop-self\nexit\nexit\nroute-map strict deny 10\n")
	n := cfg.Neighbors[0]
	if n.Families != route.IPv4 || n.NextHopSelf || n.Import.RouteMap != "strict" {
		t.Errorf("got %v, %+v", n.Families, n.Settings)
	}
	if !strings.Contains(text(left), "next-hop-self") {
		t.Errorf("the line of the other family is not told:\n%s", text(left))
	}
}

// TestPeerAddress checks peer-address, whose meaning depends on the direction, also in a
// route-map that another one calls.
func TestPeerAddress(t *testing.T) {
	for direction, want := range map[string]string{"in": "peer", "out": "self"} {
		cfg, _ := convert(t, bgpHead+"neighbor 10.0.0.9 route-map a "+direction+
			"\nexit\nroute-map a permit 10\ncall b\nexit\nroute-map b permit 10\nset ip next-hop peer-address\n")
		if got := cfg.Policies.RouteMaps["b"][0].Set.NextHop; got != want {
			t.Errorf("%s: %q, want %q", direction, got, want)
		}
	}
}

// TestGoingOn checks the verdict of FRR 8.4 for a route without tag after an entry with
// on-match or continue.
func TestGoingOn(t *testing.T) {
	const next, to30 = "on-match next\n", "on-match goto 30\n"
	tests := []struct {
		name, frr string
		accept    bool
	}{
		{"no later match", "route-map m permit 10\n" + next + "route-map m permit 20\nmatch tag 9\n", false},
		{"no later entry", "route-map m permit 10\n" + next, true},
		{"beyond the end", "route-map m permit 10\n" + to30 + "route-map m permit 20\n", true},
		{"no later denial", "route-map m permit 10\n" + next + "route-map m deny 20\nmatch tag 9\n", false},
		{"a match after none", "route-map m permit 10\n" + next + "route-map m permit 20\nmatch tag 9\nroute-map m permit 30\n", true},
		{"over a denial", "route-map m permit 10\n" + to30 + "route-map m deny 20\nroute-map m permit 30\nmatch tag 9\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, _ := convert(t, bgpHead+"exit\n"+tt.frr)
			prog, err := policy.NewCompiler(&cfg.Policies).Compile(policy.Chain{Accept: true, RouteMap: "m"}, policy.Session{})
			if err != nil {
				t.Fatal(err)
			}
			out := prog.Run(&policy.Input{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Attrs: &route.Attrs{}})
			if out.Accept != tt.accept {
				t.Errorf("accepted: %t, want %t; %+v", out.Accept, tt.accept, cfg.Policies.RouteMaps["m"])
			}
		})
	}
}

// TestSetOrder checks what is told of changes that FRR makes in another order than nvad: FRR 8
// in the order of the lines, FRR 10 by the names of the commands.
func TestSetOrder(t *testing.T) {
	for lines, want := range map[string][2]bool{ // told for FRR 8.4, for 10.3
		"set as-path exclude 1\nset as-path prepend 2":            {false, false},
		"set as-path prepend 2\nset as-path exclude 1":            {true, false},
		"set as-path replace any\nset as-path prepend 2":          {false, true},
		"set as-path prepend 2\nset as-path replace any":          {true, true},
		"set as-path replace any\nset as-path exclude 1":          {false, true},
		"set as-path prepend 2\nset as-path prepend 3":            {false, false},
		"set community 1:1\nset comm-list A delete":               {false, true},
		"set comm-list A delete\nset community 1:1":               {true, true},
		"set comm-list A delete\nset community 1:1 additive":      {false, false},
		"set community 1:1 additive\nset comm-list A delete":      {true, false},
		"set large-community 1:1:1\nset large-comm-list A delete": {false, true},
		"set extcommunity rt 1:1\nset community 1:1":              {false, false},
	} {
		for i, version := range []string{"8.4.4", "10.3"} {
			_, left := convert(t, "frr version "+version+"\nbgp community-list standard A permit 1:1\nbgp large-community-list standard A permit 1:1:1\n"+
				bgpHead+"exit\nroute-map M permit 10\n"+lines+"\n")
			if got := strings.Contains(text(left), "in the other order"); got != want[i] {
				t.Errorf("FRR %s: %q: told: %v, want %v", version, lines, got, want[i])
			}
		}
	}
}

// TestShutdown checks the commands that hold sessions down.
func TestShutdown(t *testing.T) {
	for lines, want := range map[string]bool{
		"": false, "bgp shutdown\n": true, "bgp shutdown message for now\n": true, "bgp shutdown\nno bgp shutdown\n": false,
		"bgp default shutdown\n": true, "bgp default shutdown\nno neighbor 10.0.0.9 shutdown\n": false,
		"neighbor 10.0.0.9 shutdown\n": true, "neighbor 10.0.0.9 shutdown\nno neighbor 10.0.0.9 shutdown\n": false,
	} {
		cfg, left := convert(t, bgpHead+lines)
		if cfg.Neighbors[0].Shutdown != want || meaningful(left) != "" {
			t.Errorf("%q: shut down: %v, want %v\n%s", lines, cfg.Neighbors[0].Shutdown, want, meaningful(left))
		}
	}
}

// TestConditionalAdvertising checks that a neighbor is sent nothing if a line is lost that
// holds routes back.
func TestConditionalAdvertising(t *testing.T) {
	for _, lines := range []string{
		"neighbor 10.0.0.9 advertise-map A non-exist-map B\nneighbor 10.0.0.9 route-map A out\n",
		"neighbor 10.0.0.9 route-map A out\nneighbor 10.0.0.9 advertise-map A exist-map B\n",
		"neighbor G peer-group\nneighbor 10.0.0.9 peer-group G\nneighbor G advertise-map A exist-map B\nneighbor 10.0.0.9 route-map A out\n",
	} {
		cfg, left := convert(t, bgpHead+"no bgp ebgp-requires-policy\n"+lines+"exit\nroute-map A permit 10\n")
		if n := cfg.Neighbors[0]; n.Export != (policy.Chain{}) || n.Import == (policy.Chain{}) || !strings.Contains(meaningful(left), "is sent nothing here") {
			t.Errorf("%s\nexport %+v\n%s", lines, n.Export, meaningful(left))
		}
	}
}

// TestTyped checks lines that people type in vtysh around a configuration.
func TestTyped(t *testing.T) {
	_, left := convert(t, "conf t\n"+bgpHead+"end\nwr mem\nconfigure terminal\nip route 10.1.0.0/16 10.0.0.1\nend\nwrite memory\n")
	if len(left) != 0 {
		t.Errorf("left over:\n%s", text(left))
	}
}
