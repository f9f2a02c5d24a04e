package gen

import (
	"math/rand/v2"
	"net/netip"

	"github.com/nvad/nvad/integration/rawbgp"
)

// Routes draws routes of one neighbor, which is the next hop of all. Prefixes
// that cover or are of the subnets of an NVA and its Route Server are left out
// but for whole VNets, and no two seeds share one: which of two paths is best
// depends in FRR's default configuration on which came first.
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
