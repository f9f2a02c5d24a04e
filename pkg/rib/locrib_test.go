package rib

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/nvad/nvad/pkg/route"
)

// There is one row for each step. The first path must win by that step, in whichever order the
// two arrive.
func TestDecisionSteps(t *testing.T) {
	base := func() route.Attrs { return route.Attrs{ASPath: asPath("65515 12076"), NextHop: addr(rs0)} }
	type cand struct {
		from string
		edit func(*route.Attrs)
	}
	none := func(*route.Attrs) {}
	for _, c := range []struct {
		step     Step
		win, los cand
	}{
		{StepLocalPref, cand{"169.254.0.3", func(a *route.Attrs) { a.LocalPref = route.Some(200) }}, cand{rs0, none}},
		{StepPathLength, cand{rs1, func(a *route.Attrs) { a.ASPath = asPath("65515") }}, cand{rs0, none}},
		{StepPathLength, cand{rs1, func(a *route.Attrs) { a.ASPath = asPath("65515 {1,2,3}") }},
			cand{rs0, func(a *route.Attrs) { a.ASPath = asPath("65515 1 2") }}},
		{StepOrigin, cand{rs1, none}, cand{rs0, func(a *route.Attrs) { a.Origin = route.OriginIncomplete }}},
		{StepMED, cand{rs1, none}, cand{rs0, func(a *route.Attrs) { a.MED = route.Some(1) }}},
		{StepExternal, cand{rs1, none}, cand{"169.254.0.3", none}},
		{StepRouterID, cand{rs0, none}, cand{rs1, none}},
		{StepRouterID, cand{"169.254.0.9", func(a *route.Attrs) { a.OriginatorID = addr("1.1.1.1") }}, cand{"169.254.0.3", none}},
		{StepCluster, cand{"169.254.0.9", func(a *route.Attrs) { a.OriginatorID = addr("1.1.1.1") }},
			cand{"169.254.0.3", func(a *route.Attrs) {
				a.OriginatorID, a.ClusterList = addr("1.1.1.1"), []netip.Addr{addr("2.2.2.2")}
			}}},
		{StepAddress, cand{"169.254.0.3", func(a *route.Attrs) { a.OriginatorID = addr("1.1.1.1") }},
			cand{"169.254.0.9", func(a *route.Attrs) { a.OriginatorID = addr("1.1.1.1") }}},
	} {
		for _, order := range []string{"win first", "win last"} {
			t.Run(fmt.Sprintf("%s/%s", c.step, order), func(t *testing.T) {
				b := decisionBed(t)
				pair := []cand{c.win, c.los}
				if order == "win last" {
					pair[0], pair[1] = pair[1], pair[0]
				}
				for _, p := range pair {
					a := base()
					p.edit(&a)
					b.send(p.from, a, "10.1.0.0/16")
				}
				b.flush()
				b.r.Lookup(pfx("10.1.0.0/16"), func(p Path) {
					if p.Best != (p.Neighbor == addr(c.win.from)) {
						t.Errorf("%s: best is %v", p.Neighbor, p.Best)
					}
					if p.Best && p.Step != c.step {
						t.Errorf("decided by %q, want %q", p.Step, c.step)
					}
				})
			})
		}
	}
}

func decisionBed(t *testing.T) *bed {
	b := newBed(t)
	for _, a := range []string{rs0, rs1} {
		b.peer(neighbor(a, 65515, ImportSettings{AllowASSets: true}), acceptAll, acceptAll)
		b.up(a)
	}
	for _, a := range []string{"169.254.0.3", "169.254.0.9"} {
		b.peer(neighbor(a, 65001, ImportSettings{AllowASSets: true}), acceptAll, acceptAll)
		b.r.PeerUp(addr(a), Session{LocalAddress: addr("169.254.0.1"), RemoteID: addr(a), Families: route.IPv4}, nil)
	}
	b.flush()
	return b
}

// MED is compared only between paths from the same neighboring AS, so a pairwise comparison
// would depend on the order of arrival. Elimination by groups does not: any order, with flaps
// in between, ends with the same best path.
func TestDecisionIsIndependentOfOrder(t *testing.T) {
	peers := []string{rs0, rs1, "169.254.0.3", "169.254.0.9"}
	rapid.Check(t, func(rt *rapid.T) {
		sets := make([]route.Attrs, len(peers))
		for i := range sets {
			sets[i] = route.Attrs{
				ASPath:    asPath(rapid.SampledFrom([]string{"65515 1", "65515 2", "65516 1", "65515 {1,2}"}).Draw(rt, "path")),
				MED:       route.Some(rapid.Uint32Range(0, 2).Draw(rt, "med")),
				LocalPref: route.Some(rapid.Uint32Range(100, 101).Draw(rt, "lp")),
				NextHop:   addr(rs0),
			}
		}
		outcome := func(order []int, flap bool) string {
			b := decisionBed(t)
			for _, i := range order {
				b.send(peers[i], sets[i], "10.1.0.0/16")
				if flap {
					b.flush()
					b.withdraw(peers[i], "10.1.0.0/16")
					b.send(peers[i], sets[i], "10.1.0.0/16")
				}
			}
			b.flush()
			var best string
			b.r.Lookup(pfx("10.1.0.0/16"), func(p Path) {
				if p.Best {
					best = fmt.Sprint(p.Neighbor, p.Step)
				}
			})
			return best
		}
		order := rapid.Permutation([]int{0, 1, 2, 3}).Draw(rt, "order")
		if a, z := outcome([]int{0, 1, 2, 3}, false), outcome(order, true); a != z {
			rt.Fatalf("best %s, in order %v %s", a, order, z)
		}
	})
}
