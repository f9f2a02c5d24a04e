package engine

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
)

func TestExplain(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		x, err := e.Explain(t.Context(), rib.ExplainQuery{Prefix: prefix})
		if err != nil || len(x.Paths) != 1 || len(x.Exports) != 2 {
			t.Fatalf("%+v, %v", x, err)
		}
		if w := x.Route; w == nil || w.Class != fib.BGP || w.Hops[0].Link != 3 {
			t.Errorf("wanted %+v", w)
		}
		if got := x.Exports[0]; got.Neighbor != routeServer || got.Sent != p.sent[routeServer][prefix] {
			t.Errorf("what was sent is not what is told: %+v", got)
		}
		x, err = e.Explain(t.Context(), rib.ExplainQuery{Prefix: netip.MustParsePrefix("10.1.2.0/24")})
		if err != nil || x.Known || x.Covering != prefix || x.Route != nil {
			t.Errorf("absent prefix: %+v, %v", x, err)
		}
		stranger := netip.MustParseAddr("192.0.2.77")
		if _, err := e.Explain(t.Context(), rib.ExplainQuery{Prefix: prefix, ExportTo: stranger}); !errors.Is(err, ErrNoNeighbor) {
			t.Errorf("unknown neighbor: %v", err)
		}
	})
}

// After a reload, explain traces the new policy.
func TestExplainFollowsReload(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		cfg := hub00()
		cfg.Neighbors[1].Import = policy.Chain{Accept: true, DenyASNs: policy.Private}
		if err := e.Apply(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		x, err := e.Explain(t.Context(), rib.ExplainQuery{Prefix: prefix})
		if err != nil || len(x.Paths) != 1 {
			t.Fatalf("%+v, %v", x, err)
		}
		if s := x.Paths[0]; s.Differs || s.Accepted != nil || s.Rule != "deny-asns private: AS 65515" || len(s.Steps) != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// Try treats a route as an engine does.
func TestTryIsWhatHappens(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		x, err := Try(hub00(), Trial{Neighbor: routeServer, Export: true, Prefix: prefix, Attrs: route.Attrs{ASPath: route.NewASPath(65515)}})
		if err != nil || len(x.Exports) != 1 || x.Paths[0].Neighbor != farNVA {
			t.Fatalf("%+v, %v", x, err)
		}
		synctest.Wait()
		if sent := p.sent[routeServer][prefix]; x.Exports[0].Sent == nil || !x.Exports[0].Sent.Equal(sent) {
			t.Errorf("tried %+v, sent %+v", x.Exports[0].Sent, sent)
		}
	})
}

func TestTry(t *testing.T) {
	path := func(asns ...uint32) route.Attrs { return route.Attrs{ASPath: route.NewASPath(asns...)} }
	pref := path(65515)
	pref.LocalPref = route.Some(300)
	alone := hub00()
	alone.Neighbors = alone.Neighbors[:1]
	for _, c := range []struct {
		what string
		cfg  *config.Config
		t    Trial
		want string // rule that rejects, reason that holds back, or AS path as accepted or sent
	}{
		{"in", hub00(), Trial{Neighbor: routeServer, Attrs: path(65515, 12076)}, "65515 12076"},
		{"in, loop", hub00(), Trial{Neighbor: routeServer, Attrs: path(65515, 65001)}, "AS path loop: contains own AS 65001"},
		{"out", hub00(), Trial{Neighbor: routeServer, Export: true, Attrs: path(12076)}, "65001 12076"},
		{"out, loop and all", hub00(), Trial{Neighbor: routeServer, Export: true, Attrs: path(65001)}, "65001 65001"},
		{"out, to iBGP", hub00(), Trial{Neighbor: farNVA, Export: true, Attrs: pref}, "65515"},
		{"out, from a stranger", alone, Trial{Neighbor: routeServer, Export: true, Attrs: path(7)}, "65001 7"},
		{"out, to where it is from", hub00(), Trial{Neighbor: routeServer, Export: true, From: routeServer, Attrs: path(7)}, "learned from this neighbor"},
	} {
		t.Run(c.what, func(t *testing.T) {
			c.t.Prefix = prefix
			x, err := Try(c.cfg, c.t)
			if err != nil {
				t.Fatal(err)
			}
			if got := outcomeOf(x, c.t.Export); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	x, err := Try(hub00(), Trial{Neighbor: farNVA, Export: true, Prefix: prefix, Attrs: pref})
	if err != nil || x.Exports[0].Sent.LocalPref != route.Some(300) {
		t.Errorf("LOCAL_PREF is lost: %+v, %v", x.Exports, err)
	}
	for _, bad := range []Trial{{Neighbor: stranger}, {Neighbor: farNVA, Export: true, From: stranger}} {
		if _, err := Try(hub00(), bad); !errors.Is(err, ErrNoNeighbor) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func outcomeOf(x Explanation, export bool) string {
	switch {
	case !export && x.Paths[0].Evaluated == nil:
		return x.Paths[0].Rule
	case !export:
		return x.Paths[0].Evaluated.ASPath.String()
	case x.Exports[0].Sent == nil:
		return x.Exports[0].Held
	}
	return x.Exports[0].Sent.ASPath.String()
}
