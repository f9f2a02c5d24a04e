package differential

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/differential/gen"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
	"github.com/nvad/nvad/integration/rivals"
	"github.com/nvad/nvad/pkg/policy"
)

// The prefixes that show the differences.
const (
	plain    = "203.0.113.0/24" // announced by feeder, over eBGP
	internal = "203.0.114.0/24" // announced by feeder-ibgp, without MED
	dropped  = "203.0.115.0/24" // announced by twin over eBGP; should be dropped
	confed   = "203.0.116.0/24" // announced by feeder-ibgp, with a confederation segment
	beyondIt = "203.0.117.0/24" // announced by feeder-ibgp, with a next hop in plain
	foreign  = "203.0.118.0/24" // announced by twin, with a path that begins with another AS
)

// told is one entry of docs/frr-differences.md: how each daemon behaves.
type told struct {
	number int
	fact
	frr8, frr10, nvad string
}

// frr is how a version of FRR behaves.
func (d *told) frr(version rivals.Rival) string {
	if version == rivals.FRR8 {
		return d.frr8
	}
	return d.frr10
}

// differences are in the order of docs/frr-differences.md.
var differences = []told{
	{1, fact{"sibling", plain, "next-hop"}, "10.255.1.2", "10.255.1.2", "10.255.1.1"},
	{2, fact{"feeder", plain, there}, "yes", "yes", ""},
	{3, fact{"client", internal, "med"}, "0", "0", ""},
	{4, fact{"sink-hops", plain, "aggregator"}, "3388172398 10.255.1.9", "3388172398 10.255.1.9", "4200000001 10.255.1.9"},
	{4, fact{"sink-hops", plain, "ext-communities"}, "01020a0000010009 0300000000000064", "", "01020a0000010009 0300000000000064"},
	{5, fact{"sink-ibgp", plain, "communities"}, "", "", "65001:5"},
	{6, fact{"sink-hops", plain, "next-hop"}, "10.255.5.1", "10.255.5.1", "10.255.9.77"},
	{7, fact{"sink-ebgp", plain, "communities"}, "65001:7", "65001:7", ""},
	{7, fact{"sink-public", plain, "as-path"}, "65001 64700", "65001", "65001 64700"},
	{8, fact{"sink-ebgp", plain, "as-path"}, "65001 64580", "65001 65010 64580", "65001 65010 64580"},
	{8, fact{"sink-order", plain, "as-path"}, "65001 65010 65001 65001", "65001 65001 65001 65001", "65001 65010 65001 65001"},
	{8, fact{"sink-order", plain, "communities"}, "", "65001:8", ""},
	{9, fact{"sink-ibgp", plain, "as-path"}, "64580 65010", "64580 65010", "65001 65001"},
	{9, fact{"sink-within", plain, "as-path"}, "64580", "64580 65010", "64580"},
	{10, fact{"kernel", dropped, "next hops"}, "10.255.2.2", "10.255.2.2", "blackhole"},
	{11, fact{"kernel", confed, "next hops"}, "10.255.3.2", "10.255.3.2", ""},
	{13, fact{"kernel", beyondIt, "next hops"}, "10.255.1.2", "10.255.1.2", ""},
	{14, fact{"sink-within", plain, "communities"}, "65001:13", "", "65001:13"},
	{15, fact{"sink-ebgp", foreign, there}, "yes", "", ""},
}

// TestDifferences shows each permanent difference, so that the document is true for both
// daemons.
func TestDifferences(t *testing.T) { forFRRs(t, testDifferences) }

func testDifferences(t *testing.T, version rivals.Rival) {
	c := differing()
	// FRR applies changes in the order of the lines.
	frrConf := strings.Replace(c.FRR(), " set as-path exclude 65010\n set as-path prepend 65010\n", " set as-path prepend 65010\n set as-path exclude 65010\n", 1)
	frrConf = strings.Replace(frrConf, " neighbor 10.255.2.2 enforce-first-as\n", "", 1) // the default of each version
	daemon, peers := links(c.Neighbors)
	frr := meet(t, startFRR(t, version, newBed(t, daemon, peers), frrConf), c.Neighbors)
	nvad := meet(t, startNvad(t, newBed(t, daemon, peers), c.Nvad()), c.Neighbors)
	for _, s := range []*side{frr, nvad} {
		lab.Eventually(t, patience*5, s.settled)
	}
	a, b := shown(t, frr), shown(t, nvad)
	for _, d := range differences {
		if a[d.fact] != d.frr(version) || b[d.fact] != d.nvad {
			t.Errorf("%d: %s", d.number, difference{d.fact, a[d.fact], b[d.fact]})
		}
	}
}

// shown returns the routes advertised to the neighbors, and those in the kernel.
func shown(t *testing.T, s *side) facts {
	t.Helper()
	out := s.observe(t)
	maps.Copy(out, s.heard())
	return out
}

// differing returns the case in which the differences appear.
func differing() *gen.Case {
	neighbor := func(name string, asn uint32, address, self, export string) gen.Neighbor {
		n := neighbor(name, asn, address, self)
		n.Import, n.Export = policy.Chain{Accept: true}, policy.Chain{Accept: true, RouteMap: export}
		return n
	}
	c := &gen.Case{Library: policy.Library{RouteMaps: exportMaps(), CommunityLists: map[string]policy.CommunityList{
		"eight": {{Permit: true, Values: []string{"65001:8"}}},
		"all":   {{Permit: true, Regexp: ".*"}},
	}}}
	twin := neighbor("twin", 64580, "10.255.2.2", "10.255.2.1", "")
	twin.Routes = announced(dropped, twin.Address)
	twin.Routes[0].Attrs.Communities = []uint32{0xffff029a}
	twin.EnforceFirstAS = true // nvad's default
	twin.Routes = append(twin.Routes, announced(foreign, twin.Address)...)
	twin.Routes[1].Attrs.Path = []rawbgp.Segment{{Type: rawbgp.Sequence, ASNs: []uint32{65010, 64580}}}
	feeder := neighbor("feeder", 64580, "10.255.1.2", "10.255.1.1", "")
	feeder.Routes = announced(plain, feeder.Address)
	feeder.Routes[0].Attrs.MED = &[]uint32{50}[0]
	feeder.Routes[0].Attrs.Ext = []uint64{0x0102_0a00_0001_0009, 0x0300_0000_0000_0064}
	within := neighbor("feeder-ibgp", gen.LocalASN, "10.255.3.2", "10.255.3.1", "")
	within.Routes = announced(internal, within.Address)
	within.Routes[0].Attrs.LocalPref = &[]uint32{100}[0]
	within.Routes = append(within.Routes, announced(confed, within.Address)...)
	within.Routes[1].Attrs.LocalPref = within.Routes[0].Attrs.LocalPref
	within.Routes = append(within.Routes, announced(beyondIt, netip.MustParseAddr("203.0.113.9"))...)
	within.Routes[2].Attrs.LocalPref = within.Routes[0].Attrs.LocalPref
	path := &within.Routes[1].Attrs.Path
	*path = append([]rawbgp.Segment{{Type: rawbgp.ConfedSeq, ASNs: []uint32{64999}}}, *path...)
	client := neighbor("client", gen.LocalASN, "10.255.7.2", "10.255.7.1", "")
	client.Reflect = true
	c.Neighbors = []gen.Neighbor{
		twin, feeder, within, client,
		neighbor("sibling", 64700, "10.255.1.3", "10.255.1.1", ""),
		neighbor("sink-ebgp", 64999, "10.255.4.2", "10.255.4.1", "to-ebgp"),
		neighbor("sink-hops", 64998, "10.255.5.2", "10.255.5.1", "to-hops"),
		neighbor("sink-ibgp", gen.LocalASN, "10.255.6.2", "10.255.6.1", "to-ibgp"),
		neighbor("sink-order", 64997, "10.255.8.2", "10.255.8.1", "to-order"),
		neighbor("sink-within", gen.LocalASN, "10.255.10.2", "10.255.10.1", "to-within"),
		neighbor("sink-public", 64996, "10.255.11.2", "10.255.11.1", "to-public"),
	}
	c.Neighbors[len(c.Neighbors)-1].RemovePrivateAS = true
	return c
}

func announced(prefix string, nextHop netip.Addr) []rawbgp.Route {
	path := []rawbgp.Segment{{Type: rawbgp.Sequence, ASNs: []uint32{64580, 65010}}}
	return []rawbgp.Route{{Prefix: netip.MustParsePrefix(prefix), Attrs: &rawbgp.Attrs{Path: path, NextHop: nextHop}}}
}

func exportMaps() map[string]policy.RouteMap {
	med, sink := uint32(50), netip.MustParseAddr("10.255.6.2")
	rewrite := policy.Set{ASPathExclude: []uint32{65010}, ASPathPrepend: []uint32{65010}}
	return map[string]policy.RouteMap{
		"to-order": {{Seq: 10, Permit: true, Set: policy.Set{
			ASPathReplace: "any", ASPathPrepend: []uint32{65010}, Communities: []string{"65001:8"}, CommunityDelete: "eight",
		}}},
		"to-within": {
			{Seq: 10, Permit: true, Set: policy.Set{ASPathExclude: []uint32{65010}}, Next: policy.NextClause},
			{Seq: 20, Permit: true, Match: policy.Match{CommunityList: "all"}, Set: policy.Set{CommunitiesAdd: []string{"65001:13"}}},
			{Seq: 30, Permit: true},
		},
		"to-public": {{Seq: 10, Permit: true, Set: policy.Set{ASPathPrepend: []uint32{64700}}}},
		"to-ebgp": {
			{Seq: 10, Permit: true, Set: rewrite, Next: policy.NextClause},
			{Seq: 20, Permit: true, Match: policy.Match{MED: &med}, Set: policy.Set{CommunitiesAdd: []string{"65001:7"}}},
			{Seq: 30, Permit: true},
		},
		"to-hops": {
			{Seq: 10, Permit: true, Set: policy.Set{NextHop: "self"}, Next: policy.NextClause},
			{Seq: 20, Permit: true, Set: policy.Set{
				NextHop: "10.255.9.77", AggregatorASN: 4200000001, AggregatorAddress: netip.MustParseAddr("10.255.1.9"),
			}},
		},
		"to-ibgp": {
			{Seq: 10, Permit: true, Set: policy.Set{ASPathReplace: "any"}, Next: policy.NextClause},
			{Seq: 20, Permit: true, Match: policy.Match{Peer: sink}, Set: policy.Set{CommunitiesAdd: []string{"65001:5"}}},
			{Seq: 30, Permit: true},
		},
	}
}
