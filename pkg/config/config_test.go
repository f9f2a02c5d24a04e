package config

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

var cmpOptions = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	cmpopts.IgnoreUnexported(Config{}),
}

// hub00Policies are the policies of hub00.toml, including those of its preset.
var hub00Policies = policy.Library{
	PrefixLists: map[string]policy.PrefixList{
		"vm-hub10": {
			{Seq: 5, Prefix: netip.MustParsePrefix("10.0.0.0/16"), GE: 16},
			{Seq: 10, Permit: true, Any: true},
		},
	},
	ASPathLists: map[string]policy.ASPathList{"azure-route-server": {{Seq: 5, Permit: true, Regexp: "_65515_"}}},
	RouteMaps: map[string]policy.RouteMap{"azure-route-server": {
		{Seq: 5, Permit: true, Match: policy.Match{ASPathList: "azure-route-server"}, Set: policy.Set{ASPathReplace: "any"}},
		{Seq: 10, Permit: true, Match: policy.Match{Source: "network"}},
		{Seq: 15, Permit: true, Match: policy.Match{Source: "aggregate"}},
	}},
}

func TestHub00(t *testing.T) {
	cfg, err := Load("../../configs/hub00.toml")
	if err != nil {
		t.Fatal(err)
	}
	settings := func(change func(*Settings)) Settings {
		s := DefaultSettings()
		change(&s)
		return s
	}
	complete := func(s Settings) Settings {
		s.Keepalive, s.Families = 60*time.Second, route.IPv4
		return s
	}
	routeServer := settings(func(s *Settings) {
		s.RemoteASN, s.EBGPMultihop, s.Domain, s.MaximumPrefixOut = 65515, 255, "auto", 4000
		s.VNet = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}
		s.MaximumPrefixOutCount = CountIncoming
		s.Import = policy.Chain{Accept: true, DenyASNs: policy.Reserved}
		s.Export = policy.Chain{Accept: true, RouteMap: "azure-route-server"}
	})
	nva := settings(func(s *Settings) {
		s.RemoteASN, s.NextHopSelf = 65001, true
		s.Import = policy.Chain{Accept: true}
		s.Export = policy.Chain{Accept: true, PrefixList: "vm-hub10"}
	})
	want := Default()
	want.ASN = 65001
	want.Kernel.IPForward = true
	want.Tunnels = []Tunnel{{
		Name: "vxlan0", VNI: 77, Device: "eth0", Port: 4789, Learning: true,
		Remotes:   []netip.Addr{netip.MustParseAddr("10.10.0.4")},
		Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")},
	}}
	want.Groups = map[string]Group{"route-server": {
		Name: "route-server", Preset: "azure-route-server", Settings: routeServer,
		Listed: []netip.Addr{netip.MustParseAddr("10.0.210.4"), netip.MustParseAddr("10.0.210.5")},
	}}
	routeServer.Domain = "ars-10.0.210.0"
	want.Neighbors = []Neighbor{
		{Address: netip.MustParseAddr("169.254.0.2"), Settings: complete(nva)},
		{Address: netip.MustParseAddr("10.0.210.4"), PeerGroup: "route-server", Settings: complete(routeServer)},
		{Address: netip.MustParseAddr("10.0.210.5"), PeerGroup: "route-server", Settings: complete(routeServer)},
	}
	want.Policies = hub00Policies
	if diff := cmp.Diff(want, cfg, cmpOptions); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The neighbors of inheritance.toml have settings of their group, of their own, and
// defaults that depend on their kind.
func TestInheritance(t *testing.T) {
	data, err := os.ReadFile("testdata/good/inheritance.toml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Parse("inheritance.toml", data)
	if err != nil {
		t.Fatal(err)
	}
	accept, deny := policy.Chain{Accept: true}, policy.Chain{}
	reserved := policy.Chain{Accept: true, DenyASNs: policy.Reserved}
	cases := []struct {
		address         string
		hold, keepalive time.Duration
		families        route.Family
		imports, export policy.Chain
		passive, force  bool
		domain          string
	}{
		{"169.254.0.2", 90, 20, route.IPv4, accept, deny, true, true, "d"},
		{"169.254.0.3", 180, 60, route.IPv4, deny, accept, false, false, ""},
		{"169.254.0.4", 180, 20, route.IPv4, deny, deny, true, true, "d"},
		{"10.0.1.4", 9, 3, route.IPv4, reserved, deny, false, false, ""},
		{"fd00::4", 0, 0, route.IPv6, deny, accept, false, false, ""},
		{"10.0.1.6", 180, 59, route.IPv4, deny, deny, false, false, ""},
	}
	for i, c := range cases {
		n := cfg.Neighbors[i]
		if n.Address.String() != c.address || n.HoldTime != c.hold*time.Second || n.Keepalive != c.keepalive*time.Second ||
			n.Families != c.families || n.Import != c.imports || n.Export != c.export ||
			n.Passive != c.passive || n.NextHopSelfForce != c.force || n.Domain != c.domain {
			t.Errorf("got %+v\nwant %+v", n, c)
		}
	}
}
