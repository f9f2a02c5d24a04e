package gen

import (
	"math/rand/v2"
	"net/netip"

	"github.com/nvad/nvad/integration/rawbgp"
)

// Pools that routes and policies draw from.
var (
	asns = []uint32{
		65515, 12076, 64580, 65010, 64512, 64999, 23456, 7018, 131072, 398000, 4200000001, 4200000100,
	}
	// Sets contain a public ASN: if remove-private-AS removes every ASN of a set, FRR sends
	// the set empty, which is malformed according to RFC 7606 7.2.
	public  = []uint32{12076, 7018, 131072, 398000}
	private = []uint32{65515, 64580, 65010, 64999, 4200000001}
	// settable leaves out the ASN that nvad refuses to write into a route.
	settable    = []uint32{12076, 64580, 64512, 7018, 4200000001, LocalASN}
	communities = []uint32{
		65001<<16 | 100, 65001<<16 | 200, 65515<<16 | 1, 12076<<16 | 5, 64580<<16 | 77, 1<<16 | 1,
	}
	wellKnown = []uint32{0xffffff01, 0xffffff02, 0xffffff03, 0xffff0000}
	large     = [][3]uint32{{65001, 1, 1}, {65001, 1, 2}, {65001, 2, 1}, {4200000001, 7, 4294967295}}
	ext       = []uint64{
		0x0002_fde9_0000_0001, // rt 65001:1
		0x0002_fde9_0000_0002, // rt 65001:2
		0x0003_fde9_0000_0007, // soo 65001:7
		0x0202_fa56_ea01_0005, // rt 4200000001:5
		0x0102_0a00_0001_0009, // rt 10.0.0.1:9
		0x0300_0000_0000_0064, // opaque
	}
	meds       = []uint32{0, 10, 50, 100, 4294967295}
	localPrefs = []uint32{0, 50, 100, 200, 4294967290}
)

// announcements draws the routes of the feeders. As in practice, several routes share one
// attribute set. The feeders have some prefixes in common.
func (g *generator) announcements(total int) {
	var feeders []*Neighbor
	for i := range g.c.Neighbors[:3] {
		feeders = append(feeders, &g.c.Neighbors[i])
	}
	taken := map[netip.Prefix]int{}
	for i, n := range feeders {
		for want := total / len(feeders); len(n.Routes) < want; {
			attrs := g.attrs(n, i)
			for range 1 + g.IntN(4) {
				p := g.prefix()
				if g.chance(50) {
					p = g.shared(feeders[0].Routes, p)
				}
				if taken[p]&(1<<i) == 0 {
					taken[p] |= 1 << i
					n.Routes = append(n.Routes, rawbgp.Route{Prefix: p, Attrs: attrs})
				}
			}
		}
	}
}

func (g *generator) shared(routes []rawbgp.Route, otherwise netip.Prefix) netip.Prefix {
	if len(routes) == 0 {
		return otherwise
	}
	return pick(g, routes).Prefix
}

// prefix draws a prefix outside the sessions' subnets.
func (g *generator) prefix() netip.Prefix {
	lengths := []int{8, 12, 16, 16, 20, 22, 24, 24, 24, 24, 28, 30, 32}
	bases := []netip.Addr{
		netip.AddrFrom4([4]byte{10, byte(g.IntN(16)), byte(g.IntN(256)), byte(g.IntN(256))}),
		netip.AddrFrom4([4]byte{172, byte(16 + g.IntN(4)), byte(g.IntN(256)), byte(g.IntN(256))}),
		netip.AddrFrom4([4]byte{203, 0, 113, byte(g.IntN(256))}),
	}
	p, _ := pick(g, bases).Prefix(pick(g, lengths))
	return p
}

// attrs draws the attributes of a route that neighbor number i announces.
func (g *generator) attrs(n *Neighbor, i int) *rawbgp.Attrs {
	a := &rawbgp.Attrs{
		Origin:      uint8(g.IntN(3)),
		Path:        g.path(n),
		NextHop:     g.nextHop(n, i),
		Communities: g.communities(),
		Large:       some(g, large, max(0, g.IntN(5)-1)),
		Ext:         some(g, ext, max(0, g.IntN(5)-1)),
		Atomic:      g.chance(10),
	}
	if n.Internal() || g.chance(60) { // FRR adds a MED to a reflected path without one
		a.MED = ptr(pick(g, meds))
	}
	if n.Internal() {
		a.LocalPref = ptr(pick(g, localPrefs))
		if g.chance(20) {
			a.OriginatorID = subnetHost(i, 100+g.IntN(3))
			a.ClusterList = []netip.Addr{subnetHost(i, 101), subnetHost(i, 102)}[:1+g.IntN(2)]
		}
	}
	if g.chance(10) {
		a.AggregatorASN, a.AggregatorAddress = pick(g, asns), subnetHost(i, 9)
	}
	if g.chance(5) {
		a.Unknown = []byte{1, 2, 3}
	}
	return a
}

// nextHop draws the neighbor's address, the address of a third router on its subnet, or rarely
// one that can't be resolved.
func (g *generator) nextHop(n *Neighbor, i int) netip.Addr {
	switch {
	case g.chance(3) && n.Internal():
		return netip.MustParseAddr("198.51.100.1")
	case g.chance(30):
		return subnetHost(i, 10+g.IntN(3))
	}
	return n.Address
}

func (g *generator) communities() []uint32 {
	out := some(g, communities, g.IntN(4))
	if g.chance(10) {
		out = append(out, pick(g, wellKnown))
	}
	g.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// path draws an AS_PATH: mostly a sequence, sometimes with a set at its end or in the middle,
// or with the daemon's own ASN.
func (g *generator) path(n *Neighbor) []rawbgp.Segment {
	var out []rawbgp.Segment
	if seq := g.sequence(n); len(seq) > 0 {
		out = append(out, rawbgp.Segment{Type: rawbgp.Sequence, ASNs: seq})
	}
	if g.chance(10) {
		out = append(out, rawbgp.Segment{Type: rawbgp.Set, ASNs: append(some(g, public, 1), some(g, private, g.IntN(3))...)})
		if g.chance(30) {
			out = append(out, rawbgp.Segment{Type: rawbgp.Sequence, ASNs: some(g, asns, 1+g.IntN(2))})
		}
	}
	return out
}

func (g *generator) sequence(n *Neighbor) []uint32 {
	var seq []uint32
	if !n.Internal() && !g.chance(3) {
		seq = append(seq, n.ASN)
	}
	for range g.IntN(4) {
		seq = append(seq, pick(g, asns))
	}
	if g.chance(5) {
		seq = append(seq, LocalASN)
	}
	if !n.Internal() && len(seq) == 0 {
		seq = append(seq, pick(g, asns))
	}
	return seq
}

// Routes draws routes of one neighbor, which is the next hop of all. Prefixes that cover the
// subnets of an NVA and its Route Server, or are part of them, are left out except whole
// VNets. No two seeds share a prefix, because in FRR's default configuration the choice
// between two paths depends on which came first.
func Routes(seed uint64, n *Neighbor, count int) []rawbgp.Route {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1)), c: &Case{}}
	var out []rawbgp.Route
	taken := map[netip.Prefix]bool{}
	for len(out) < count {
		attrs := g.attrs(n, 0)
		attrs.NextHop = n.Address
		for range 1 + g.IntN(4) {
			p := g.prefix()
			if b := p.Addr().As4(); taken[p] || uint64(b[1]%4) != seed%4 || b[0] != 10 || b[1]%10 == 0 && p.Bits() > 16 {
				continue
			}
			taken[p] = true
			out = append(out, rawbgp.Route{Prefix: p, Attrs: attrs})
		}
	}
	return out
}

// Moved returns the routes with another next hop.
func Moved(routes []rawbgp.Route, nextHop netip.Addr) []rawbgp.Route {
	var out []rawbgp.Route
	moved := map[*rawbgp.Attrs]*rawbgp.Attrs{}
	for _, r := range routes {
		if moved[r.Attrs] == nil {
			a := *r.Attrs
			a.NextHop = nextHop
			moved[r.Attrs] = &a
		}
		out = append(out, rawbgp.Route{Prefix: r.Prefix, Attrs: moved[r.Attrs]})
	}
	return out
}
