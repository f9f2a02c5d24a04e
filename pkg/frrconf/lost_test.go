package frrconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// accepts runs the import policy of the first neighbor.
func accepts(t *testing.T, cfg *config.Config, prefix string) bool {
	t.Helper()
	return passes(t, cfg, cfg.Neighbors[0].Import, prefix)
}

func passes(t *testing.T, cfg *config.Config, chain policy.Chain, prefix string) bool {
	t.Helper()
	prog, err := policy.NewCompiler(&cfg.Policies).Compile(chain, policy.Session{LocalASN: 65001, PeerASN: 65002})
	if err != nil {
		t.Fatal(err)
	}
	attrs := &route.Attrs{ASPath: route.ASPath{{Type: route.ASSequence, ASNs: []uint32{65002}}}}
	return prog.Run(&policy.Input{Prefix: netip.MustParsePrefix(prefix), Attrs: attrs}).Accept
}

// lostRules are lists with a rule that can't be carried over, between rules that permit
// everything.
var lostRules = []struct{ kind, use, match, list string }{
	{"prefix-list", "prefix-list A", "ip address prefix-list A", "ip prefix-list A deny 10.0.0.0/8 ge 4\nip prefix-list A permit any\n"},
	{"prefix-list", "prefix-list A", "ip address prefix-list A", "ip prefix-list A permit any\nno ip prefix-list A permit 10.0.0.0/8\n"},
	{"prefix-list", "", "ip next-hop prefix-list A", "ip prefix-list A deny fd00::/8\nip prefix-list A permit any\n"},
	{"access-list", "distribute-list A", "ip address A", "access-list A deny 10.0.0.0 0.255.0.255\naccess-list A permit any\n"},
	{"access-list", "distribute-list A", "ip address A", "access-list A permit any\naccess-list A deny ip 10.0.0.0 0.0.0.255 255.255.255.0 0.0.0.0\n"},
	{"access-list", "", "ip next-hop A", "access-list A seq 5 reject any\naccess-list A permit any\n"},
	{"access-list", "distribute-list A", "ip address A", "access-list A permit any\nno access-list A deny any\n"},
	{"as-path-list", "filter-list A", "as-path A", "bgp as-path access-list A deny [0-9_]+\nbgp as-path access-list A permit .*\n"},
	{"as-path-list", "filter-list A", "as-path A", "ip as-path access-list A permit .*\nno ip as-path access-list A deny 65002\n"},
	{"community-list", "", "community A", "bgp community-list standard A deny 1:x\nbgp community-list standard A permit internet\n"},
	{"community-list", "", "community A exact-match", "bgp community-list expanded A permit .*\nbgp community-list expanded A deny [0-9_]+\n"},
	{"large-community-list", "", "large-community A", "bgp large-community-list expanded A deny [0-9_]+\nbgp large-community-list expanded A permit .*\n"},
	{"ext-community-list", "", "extcommunity A", "bgp extcommunity-list standard A deny color 1\nbgp extcommunity-list expanded A permit .*\n"},
	{"ext-community-list", "", "extcommunity A", "bgp extcommunity-list expanded A permit .*\nno bgp extcommunity-list expanded A permit x\n"},
}

// TestLostRule checks that a list with a rule that can't be carried over lets nothing pass,
// whoever uses it: a neighbor, an entry that permits, one that denies, or a called route-map.
func TestLostRule(t *testing.T) {
	const neighbor = "neighbor 10.0.0.9 "
	for _, tt := range lostRules {
		uses := []string{
			neighbor + "route-map M in\nroute-map M permit 10\nmatch " + tt.match + "\n",
			neighbor + "route-map M in\nroute-map M deny 10\nmatch " + tt.match + "\nroute-map M permit 20\n",
			neighbor + "route-map M in\nroute-map M permit 10\ncall N\nroute-map N deny 10\nmatch " + tt.match + "\nroute-map N permit 20\n",
		}
		if tt.use != "" {
			uses = append(uses, neighbor+tt.use+" in\n")
		}
		for _, use := range uses {
			for _, text := range []string{bgpHead + use + tt.list, tt.list + bgpHead + use} {
				cfg, left := convert(t, text)
				if accepts(t, cfg, "10.1.0.0/16") || accepts(t, cfg, "192.168.0.0/16") {
					t.Errorf("a route is accepted in spite of the lost rule:\n%s", text)
				}
				if told := slices.ContainsFunc(left, func(l Leftover) bool { return strings.Contains(l.Reason, "denies everything here") }); !told {
					t.Errorf("nothing tells that the use denies:\n%s%v", text, left)
				}
			}
		}
	}
}

// lostConditions can't be carried over. The last ones are carried over alone, but not beside
// another one on the same.
var lostConditions = []string{
	"match rpki invalid", "match interface eth0", "match peer local", "match peer eth0", "match mac address A", "match evpn vni 5",
	"match alias x", "match probability 5", "match ip route-source A", "match source-vrf blue", "match community A what", "match metric x",
	"match origin nowhere", "match ip next-hop type blackhole", "no match tag 5", "no call A", "on-match goto 5", "no on-match next", "no continue",
	"set table 5", "set distance 255", "no set metric 5",
	"match ip address A\nmatch ip address prefix-list A", "match ip address prefix-list A\nmatch ipv6 address prefix-list A",
	"match ip next-hop A\nmatch ip next-hop prefix-list A",
}

// TestLostCondition checks that a route-map with a condition that can't be carried over
// accepts nothing, and that the entry is not written without its condition.
func TestLostCondition(t *testing.T) {
	const lists = "access-list A permit any\nip prefix-list A permit any\nipv6 prefix-list A permit any\n"
	for _, condition := range lostConditions {
		for _, action := range []string{"permit", "deny"} {
			head := bgpHead + "neighbor 10.0.0.9 route-map M in\n" + lists
			cfg, left := convert(t, head+"route-map M "+action+" 10\n"+condition+"\nroute-map M permit 20\n")
			if accepts(t, cfg, "10.1.0.0/16") || accepts(t, cfg, "fd00::/16") {
				t.Errorf("%s: %s: a route is accepted:\n%s", action, condition, config.Print(cfg, false))
			}
			for _, e := range cfg.Policies.RouteMaps["M"] {
				lost := strings.HasPrefix(condition, "match") || strings.HasPrefix(condition, "no match")
				if e.Seq == 10 && lost && e.Match.PathLength != never {
					t.Errorf("%s: %s: the entry is %+v", action, condition, e)
				}
			}
			if !strings.Contains(text(left), "so route-map M denies everything here") {
				t.Errorf("%s: %s: nothing tells:\n%s", action, condition, text(left))
			}
		}
	}
}

// TestLostOrigin checks that what FRR originates through a lost route-map is not originated.
func TestLostOrigin(t *testing.T) {
	const lost = "route-map M permit 10\nmatch interface eth0\nroute-map M permit 20\n"
	for _, origin := range []string{
		"network 10.0.0.0/8 route-map M", "redistribute connected route-map M", "redistribute static route-map M",
		"aggregate-address 10.0.0.0/8 route-map M", "neighbor 10.0.0.9 default-originate route-map M",
	} {
		cfg, left := convert(t, bgpHead+"no bgp network import-check\n"+origin+"\n"+lost)
		for _, prefix := range []string{"10.0.0.0/8", "0.0.0.0/0"} {
			if passes(t, cfg, config.OriginChain("M"), prefix) {
				t.Errorf("%s: %s is originated", origin, prefix)
			}
		}
		if !slices.ContainsFunc(left, func(l Leftover) bool { return l.Text == origin && l.Kind == Attention }) {
			t.Errorf("%s: nothing tells:\n%s", origin, text(left))
		}
	}
}

// TestOtherDaemons checks lines in a route-map that bgpd does not know: FRR's bgpd refuses
// them when it reads the file, and keeps the entry without them.
func TestOtherDaemons(t *testing.T) {
	for _, condition := range []string{
		"match ip address prefix-len 24", "match ipv6 address prefix-len 48", "match ip next-hop prefix-len 24", "match source-protocol static",
		"match source-instance 1",
	} {
		cfg, left := convert(t, bgpHead+"neighbor 10.0.0.9 route-map M in\nroute-map M permit 10\n"+condition+"\n")
		if !accepts(t, cfg, "10.1.0.0/16") || !strings.Contains(text(left), "does not know this line") {
			t.Errorf("%s: accepted: %v\n%s", condition, accepts(t, cfg, "10.1.0.0/16"), text(left))
		}
	}
}

// TestReplacedCondition checks that a condition takes the place of an earlier one of its kind.
func TestReplacedCondition(t *testing.T) {
	cfg, left := convert(t, bgpHead+"bgp community-list standard A permit 1:1\nbgp community-list standard B permit 1:2\n"+
		"ip prefix-list A permit any\nip prefix-list B permit any\nroute-map M permit 10\n"+
		"match community A exact-match\nmatch community B\nmatch ip address prefix-list A\nmatch ip address prefix-list B\nmatch tag 5\nmatch tag 6\n")
	m := cfg.Policies.RouteMaps["M"][0].Match
	if m.CommunityList != "B" || m.CommunityExact || m.PrefixList != "B" || *m.Tag != 6 {
		t.Errorf("the entry is %+v", m)
	}
	if n := strings.Count(text(left), "takes its place"); n != 3 {
		t.Errorf("%d lines are told to be replaced:\n%s", n, text(left))
	}
}

// TestNextHopList checks that the name after "match ip next-hop" is an access-list, whatever
// it looks like.
func TestNextHopList(t *testing.T) {
	cfg, _ := convert(t, bgpHead+"route-map M permit 10\nmatch ip next-hop 10.0.0.1\nroute-map M permit 20\nmatch ip next-hop address 10.0.0.2\n"+
		"route-map M permit 30\nmatch ipv6 next-hop fd00::1\nroute-map M permit 40\nmatch ipv6 next-hop six\n"+
		"access-list 10.0.0.1 permit 10.0.0.0/24\nipv6 access-list six permit fd00::/64\n")
	m := cfg.Policies.RouteMaps["M"]
	if m[0].Match.NextHopPrefixList != "10.0.0.1" || m[0].Match.NextHop.IsValid() || m[1].Match.NextHop != netip.MustParseAddr("10.0.0.2") ||
		m[2].Match.NextHop != netip.MustParseAddr("fd00::1") || m[3].Match.NextHopPrefixList != "six" {
		t.Errorf("the entries are %+v", m)
	}
}

// TestAccessLists compares access-lists with what FRR's filters say about each prefix: a
// wildcard compares the address alone, a prefix contains.
func TestAccessLists(t *testing.T) {
	tests := []struct{ rules, permitted, denied string }{
		{"deny 10.0.0.0 0.255.255.255\npermit any", "9.0.0.0/8 11.0.0.0/8 0.0.0.0/0 8.0.0.0/7", "10.0.0.0/8 10.1.0.0/16 10.1.1.1/32 10.0.0.0/7"},
		{"deny 192.168.0.0 0.0.255.255\npermit any", "192.160.0.0/12 192.170.0.0/15 192.169.0.0/16", "192.168.0.0/16 192.168.0.0/13 192.168.0.0/15 192.168.7.0/24"},
		{"permit 0.0.0.0", "0.0.0.0/0 0.0.0.0/8", "1.0.0.0/8 10.0.0.0/8"},
		{"permit host 10.1.0.0", "10.1.0.0/16 10.1.0.0/24 10.1.0.0/32", "10.1.1.0/24 10.0.0.0/8 10.1.0.0/15"},
		{"permit 10.1.2.3 0.0.0.0", "10.1.2.3/32", "10.1.2.2/31 10.1.2.0/24"},
		{"permit 10.1.2.3 0.0.0.255", "10.1.2.0/24 10.1.2.0/23 10.1.2.4/30", "10.1.0.0/16"},
		{"permit 0.0.0.0 255.255.255.255", "0.0.0.0/0 10.0.0.0/8", ""},
		{"deny ip 10.0.0.0 0.255.255.255 any\npermit ip any any", "11.0.0.0/8", "10.0.0.0/8 10.1.0.0/16"},
		{"permit ip host 10.0.0.0 any", "10.0.0.0/8", "10.1.0.0/16"},
		{"permit 10.0.0.0/8", "10.0.0.0/8 10.1.0.0/16", "10.0.0.0/7"},
		{"permit 10.0.0.0/8 exact-match", "10.0.0.0/8", "10.1.0.0/16 10.0.0.0/7"},
		{"seq 20 permit any\nseq 10 deny 10.0.0.0 0.0.255.255", "11.0.0.0/8", "10.0.0.0/16 10.0.1.0/24"},
	}
	for _, tt := range tests {
		list := ""
		for rule := range strings.Lines(tt.rules) {
			list += fmt.Sprintf("access-list A %s\n", strings.TrimSpace(rule))
		}
		cfg, left := convert(t, list+bgpHead+"neighbor 10.0.0.9 distribute-list A in\n")
		if strings.Contains(text(left), "access-list") {
			t.Errorf("%s: left over:\n%s", tt.rules, text(left))
		}
		for _, p := range strings.Fields(tt.permitted) {
			if !accepts(t, cfg, p) {
				t.Errorf("%s: %s is denied", tt.rules, p)
			}
		}
		for _, p := range strings.Fields(tt.denied) {
			if accepts(t, cfg, p) {
				t.Errorf("%s: %s is permitted", tt.rules, p)
			}
		}
	}
}

// TestTreatAsWithdraw checks that nothing is accepted from a neighbor if a line is lost
// that rejects its routes.
func TestTreatAsWithdraw(t *testing.T) {
	for _, lines := range []string{
		"neighbor 10.0.0.9 path-attribute treat-as-withdraw 128\nneighbor 10.0.0.9 route-map A in\n",
		"neighbor G peer-group\nneighbor 10.0.0.9 peer-group G\nneighbor G path-attribute treat-as-withdraw 26 128\nneighbor 10.0.0.9 route-map A in\n",
	} {
		file := bgpHead + "no bgp ebgp-requires-policy\n" + lines + "exit\nroute-map A permit 10\n"
		cfg, left := convert(t, file)
		if n := cfg.Neighbors[0]; n.Import != (policy.Chain{}) || n.Export == (policy.Chain{}) || !strings.Contains(meaningful(left), "nothing is accepted") {
			t.Errorf("%s\nimport %+v\n%s", lines, n.Import, meaningful(left))
		}
		agrees(t, Input{FRR: []byte(file)})
	}
}

// TestLatin1 checks that names of lists in an old encoding stay apart.
func TestLatin1(t *testing.T) {
	file := bgpHead + "neighbor 10.0.0.9 prefix-list K\xf6ln in\nexit\nip prefix-list K\xf6ln deny any\nip prefix-list K\xfcln permit any\n"
	agrees(t, Input{FRR: []byte(file)})
	cfg, _ := convert(t, file)
	if got := cfg.Policies.PrefixLists["Köln"]; len(got) != 1 || got[0].Permit || cfg.Neighbors[0].Import.PrefixList != "Köln" {
		t.Errorf("%+v, import %s", cfg.Policies.PrefixLists, cfg.Neighbors[0].Import)
	}
}
