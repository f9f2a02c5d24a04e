package config

import (
	"net/netip"
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
		s.RemoteASN, s.EBGPMultihop, s.Domain = 65515, 255, "ars-hub00"
		s.Import = policy.Chain{Accept: true, DenyASNs: policy.Reserved}
		s.Export = policy.Chain{Accept: true, PrefixList: "rs-hub00", RouteMap: "to-azure"}
	})
	nva := settings(func(s *Settings) {
		s.RemoteASN, s.NextHopSelf = 65001, true
		s.Import = policy.Chain{Accept: true}
		s.Export = policy.Chain{Accept: true, PrefixList: "vm-hub10"}
	})
	want := Default()
	want.ASN, want.RouterID = 65001, netip.MustParseAddr("10.0.0.4")
	want.Kernel.IPForward = true
	want.Tunnels = []Tunnel{{
		Name: "vxlan0", VNI: 77, Device: "eth0", Port: 4789, Learning: true,
		Remotes:   []netip.Addr{netip.MustParseAddr("10.10.0.4")},
		Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")},
	}}
	want.Statics = []Static{{Prefix: netip.MustParsePrefix("10.0.210.0/24"), Via: netip.MustParseAddr("10.0.0.1")}}
	want.Groups = map[string]Group{"route-server": {"route-server", routeServer}, "nva": {"nva", nva}}
	want.Neighbors = []Neighbor{
		{Address: netip.MustParseAddr("10.0.210.4"), PeerGroup: "route-server", Settings: complete(routeServer)},
		{Address: netip.MustParseAddr("10.0.210.5"), PeerGroup: "route-server", Settings: complete(routeServer)},
		{Address: netip.MustParseAddr("169.254.0.2"), PeerGroup: "nva", Settings: complete(nva)},
	}
	want.Policies = policy.Library{
		PrefixLists: map[string]policy.PrefixList{
			"rs-hub00": {
				{Seq: 5, Prefix: netip.MustParsePrefix("10.0.0.0/16")},
				{Seq: 10, Prefix: netip.MustParsePrefix("10.100.0.0/16")},
				{Seq: 15, Permit: true, Any: true},
			},
			"vm-hub10": {
				{Seq: 5, Prefix: netip.MustParsePrefix("10.0.0.0/16"), GE: 16},
				{Seq: 10, Permit: true, Any: true},
			},
		},
		ASPathLists: map[string]policy.ASPathList{"azure-asns": {{Seq: 5, Permit: true, Regexp: "_65515_"}}},
		RouteMaps: map[string]policy.RouteMap{"to-azure": {{
			Seq: 5, Permit: true,
			Match: policy.Match{ASPathList: "azure-asns"},
			Set:   policy.Set{ASPathReplace: "any"},
		}}},
	}
	if diff := cmp.Diff(want, cfg, cmpOptions); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
