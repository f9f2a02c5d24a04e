package engine

import (
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config"
)

// TestMaximumPrefixOutWarns fills the Adj-RIB-Out of Route Server up to its limit. Each
// threshold logs once.
func TestMaximumPrefixOutWarns(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		apply(t, e, limited(func(s *config.Settings) {
			s.MaximumPrefixOut, s.MaximumPrefixOutCount = 10, config.CountIncoming
		}))
		p.establish(routeServer, false, false)
		p.establish(farNVA, false, false)
		for _, step := range []struct {
			routes     int
			sent, held int
			says       string
		}{
			{5, 5, 0, ""},
			{6, 6, 0, "half used"},
			{8, 8, 0, "half used"},
			{9, 9, 0, "half used, nearly reached"},
			{10, 10, 0, "half used, nearly reached"},
			{12, 10, 2, "half used, nearly reached, held back"},
			{14, 10, 4, "half used, nearly reached, held back"},
		} {
			p.announce(farNVA, prefixes(step.routes)...)
			var said []string
			for _, line := range p.logged("maximum-prefix-out") {
				for _, words := range []string{"half used", "nearly reached", "held back"} {
					if strings.Contains(line, words) {
						said = append(said, words)
					}
				}
			}
			if got := strings.Join(said, ", "); got != step.says {
				t.Errorf("%d routes: said %q, want %q", step.routes, got, step.says)
			}
			list, err := e.Neighbors(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range list {
				if n.Address == routeServer && (n.Counts.Advertised != step.sent || n.Counts.Held != step.held || n.MaxPrefixOut != 10) {
					t.Errorf("%d routes: %d advertised, %d held back, limit %d", step.routes, n.Counts.Advertised, n.Counts.Held, n.MaxPrefixOut)
				}
			}
			wantOut(t, e, step.sent, step.held)
		}
	})
}

// wantOut checks what readers and metrics show of Route Server's Adj-RIB-Out.
func wantOut(t *testing.T, e *Engine, sent, held int) {
	t.Helper()
	gotSent, gotHeld := 0, 0
	err := e.Routes(t.Context(), Query{Table: AdjRIBOut, Neighbor: routeServer}, func(v Path) error {
		switch {
		case !v.Held:
			gotSent++
		case v.Attrs == nil || v.Best || v.Reason != "held back: maximum-prefix-out 10 reached":
			t.Errorf("held back: %+v", v)
		default:
			gotHeld++
		}
		return nil
	})
	if err != nil || gotSent != sent || gotHeld != held {
		t.Errorf("routes: %d sent, %d held back, want %d and %d (%v)", gotSent, gotHeld, sent, held, err)
	}
	s, err := e.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range s.Neighbors {
		if n.Address == routeServer && (n.Tallies[0].Held != held || n.Tallies[0].Advertised != sent || n.MaxPrefixOut != 10) {
			t.Errorf("sample: %+v, limit %d, want %d sent, %d held back", n.Tallies[0], n.MaxPrefixOut, sent, held)
		}
	}
}
