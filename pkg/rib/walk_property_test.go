package rib

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

// A walk visits every destination that exists from its start to its end, whatever is added and
// removed meanwhile. What is scheduled to follow the walk happens once, after all of them.
func TestWalkMeetsEverything(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		b := newEdge(t)
		present := map[netip.Prefix]bool{}
		change := func(keep map[netip.Prefix]bool) {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, 0, byte(rnd.IntN(60)), 0}), 24)
			switch {
			case !present[p]:
				b.announce(nva, "65515", p.String())
				present[p] = true
			case rnd.IntN(3) > 0:
				b.withdraw(nva, p.String())
				delete(present, p)
				delete(keep, p)
			}
		}
		for range 40 {
			change(nil)
		}
		b.flush()
		for range 5 {
			unmet, done := map[netip.Prefix]bool{}, 0
			for p := range present {
				unmet[p] = true
			}
			b.r.Readvertise(addr(branch), route.IPv4, func(route.Family) { done++ })
			for turns := 0; done == 0; turns++ {
				if turns == 1000 {
					t.Fatalf("seed %d: the walk does not end", seed)
				}
				for range rnd.IntN(4) {
					change(unmet)
				}
				b.r.Flush(1 + rnd.IntN(6))
				for _, a := range b.r.Take().Out {
					for _, c := range a.Changes {
						if c.Attrs != nil {
							delete(unmet, c.Prefix)
						}
					}
				}
			}
			if len(unmet) > 0 || done != 1 {
				t.Fatalf("seed %d: not visited: %v, done %d times", seed, unmet, done)
			}
		}
		b.flush()
		b.wantWhole()
	}
}
