package differential

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/differential/gen"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
	"github.com/nvad/nvad/pkg/policy"
)

// The prefixes that show the differences.
const (
	plain    = "203.0.113.0/24" // announced by feeder, over eBGP
	internal = "203.0.114.0/24" // announced by feeder-ibgp, without MED
	dropped  = "203.0.115.0/24" // announced by twin over eBGP; should be dropped
	confed   = "203.0.116.0/24" // announced by feeder-ibgp, with a confederation segment
	beyondIt = "203.0.117.0/24" // announced by feeder-ibgp, with a next hop in plain
)

// told is one entry of docs/frr-differences.md: how each daemon behaves.
type told struct {
	number int
	fact
	frr, nvad string
}

// differences are in the order of docs/frr-differences.md.
var differences = []told{
	{1, fact{"sibling", plain, "next-hop"}, "10.255.1.2", "10.255.1.1"},
	{2, fact{"feeder", plain, there}, "yes", ""},
	{3, fact{"client", internal, "med"}, "0", ""},
	{4, fact{"sink-hops", plain, "aggregator"}, "3388172398 10.255.1.9", "4200000001 10.255.1.9"},
	{5, fact{"sink-ibgp", plain, "communities"}, "", "65001:5"},
	{6, fact{"sink-hops", plain, "next-hop"}, "10.255.5.1", "10.255.9.77"},
	{7, fact{"sink-ebgp", plain, "communities"}, "65001:7", ""},
	{8, fact{"sink-ebgp", plain, "as-path"}, "65001 64580", "65001 65010 64580"},
	{9, fact{"sink-ibgp", plain, "as-path"}, "64580 65010", "65001 65001"},
	{10, fact{"kernel", dropped, "next hops"}, "10.255.2.2", "blackhole"},
	{11, fact{"kernel", confed, "next hops"}, "10.255.3.2", ""},
	{13, fact{"kernel", beyondIt, "next hops"}, "10.255.1.2", ""},
}

// TestDifferences shows each permanent difference, so that the document is true for both
// daemons.
func TestDifferences(t *testing.T) {
	requirements(t)
	c := differing()
	// FRR applies changes in the order of the lines.
	frrConf := strings.Replace(c.FRR(), " set as-path exclude 65010\n set as-path prepend 65010\n", " set as-path prepend 65010\n set as-path exclude 65010\n", 1)
	daemon, peers := links(c.Neighbors)
	frr := meet(t, startFRR(t, newBed(t, daemon, peers), frrConf), c.Neighbors)
	nvad := meet(t, startNvad(t, newBed(t, daemon, peers), c.Nvad()), c.Neighbors)
	for _, s := range []*side{frr, nvad} {
		lab.Eventually(t, patience*5, s.settled)
	}
	a, b := shown(t, frr), shown(t, nvad)
	for _, d := range differences {
		if a[d.fact] != d.frr || b[d.fact] != d.nvad {
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
	c := &gen.Case{Library: policy.Library{RouteMaps: exportMaps()}}
	twin := neighbor("twin", 64580, "10.255.2.2", "10.255.2.1", "")
	twin.Routes = announced(dropped, twin.Address)
	twin.Routes[0].Attrs.Communities = []uint32{0xffff029a}
	feeder := neighbor("feeder", 64580, "10.255.1.2", "10.255.1.1", "")
	feeder.Routes = announced(plain, feeder.Address)
	feeder.Routes[0].Attrs.MED = &[]uint32{50}[0]
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
	}
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
