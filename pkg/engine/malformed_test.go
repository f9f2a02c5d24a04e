package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

func malformedUpdate(routes ...netip.Prefix) speaker.Update {
	return speaker.Update{
		From: speaker.From{Peer: farNVA}, Withdrawn: routes,
		Err: &speaker.Malformed{
			Action: speaker.TreatAsWithdraw, Class: speaker.WrongLength, Attribute: 8,
			Text: "COMMUNITIES has 3 octets (RFC 7606 7.8)", Routes: len(routes),
		},
	}
}

// Explain names who announced a prefix in a malformed UPDATE, when, and what was wrong,
// until a correct UPDATE has the prefix or the neighbor is removed. It survives the
// session.
func TestExplainMalformed(t *testing.T) {
	bad, other := pfx("10.77.0.0/16"), pfx("10.78.0.0/16")
	attrs := &route.Attrs{NextHop: farNVA, LocalPref: route.Some(100)}
	for _, c := range []struct {
		name string
		then func(t *testing.T, p *ports, e *Engine)
		want bool
	}{
		{"nothing", func(*testing.T, *ports, *Engine) {}, true},
		{"another prefix", func(_ *testing.T, p *ports, _ *Engine) {
			p.events <- speaker.Update{From: speaker.From{Peer: farNVA}, Attrs: attrs, Announced: []netip.Prefix{other}}
		}, true},
		{"the end of the session", func(_ *testing.T, p *ports, _ *Engine) {
			p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Reason: "hold timer expired"}
		}, true},
		{"an announcement", func(_ *testing.T, p *ports, _ *Engine) {
			p.events <- speaker.Update{From: speaker.From{Peer: farNVA}, Attrs: attrs, Announced: []netip.Prefix{bad}}
		}, false},
		{"a withdrawal", func(_ *testing.T, p *ports, _ *Engine) {
			p.events <- speaker.Update{From: speaker.From{Peer: farNVA}, Withdrawn: []netip.Prefix{bad}}
		}, false},
		{"the neighbor's removal", func(t *testing.T, _ *ports, e *Engine) {
			without := hub00()
			without.Neighbors = slices.DeleteFunc(without.Neighbors, func(n config.Neighbor) bool { return n.Address == farNVA })
			apply(t, e, without)
			apply(t, e, hub00())
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, false, func(t *testing.T, e *Engine, p *ports) {
				p.establish(farNVA, false, false)
				p.events <- speaker.Update{From: speaker.From{Peer: farNVA}, Attrs: attrs, Announced: []netip.Prefix{bad}}
				p.events <- malformedUpdate(bad)
				c.then(t, p, e)
				synctest.Wait()
				x, err := e.Explain(t.Context(), rib.ExplainQuery{Prefix: bad})
				if err != nil {
					t.Fatal(err)
				}
				if got := len(x.Malformed) == 1; got != c.want {
					t.Fatalf("%+v", x.Malformed)
				}
				if !c.want {
					return
				}
				m := x.Malformed[0]
				if m.Neighbor != farNVA || m.At.IsZero() || !strings.Contains(m.Reason, "RFC 7606 7.8") || x.Known || x.NoRoute != onlyMalformed {
					t.Errorf("%+v, known %t, %s", m, x.Known, x.NoRoute)
				}
				if x, _ = e.Explain(t.Context(), rib.ExplainQuery{Prefix: bad, Neighbor: routeServer}); len(x.Malformed) > 0 {
					t.Error("told of a neighbor that was not asked about")
				}
			})
		})
	}
}

// Of a million malformed announcements only the last ones are remembered; then all are
// forgotten.
func TestTreatedIsBounded(t *testing.T) {
	var m treated
	nth := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	}
	const many = 1_000_000
	batch := make([]netip.Prefix, 0, 1000)
	for i := range many {
		if batch = append(batch, nth(i)); len(batch) == cap(batch) {
			m.add(batch, "reason", time.Time{})
			batch = batch[:0]
		}
		if len(m.remarks) > mostTreated || len(m.order) > mostTreated || cap(m.order) > 2*mostTreated {
			t.Fatalf("%d remarks, %d slots", len(m.remarks), cap(m.order))
		}
	}
	for i := range mostTreated {
		if _, ok := m.remarks[nth(many-1-i)]; !ok {
			t.Fatalf("the last but %d is forgotten", i)
		}
	}
	// One prefix over and over pushes out one other.
	for i := range 10 * mostTreated {
		m.add([]netip.Prefix{nth(7)}, fmt.Sprint(i), time.Time{})
	}
	if r := m.remarks[nth(7)]; r.reason != fmt.Sprint(10*mostTreated-1) || len(m.remarks) != mostTreated {
		t.Errorf("%+v, %d remarks", r, len(m.remarks))
	}
	m.forget([]netip.Prefix{nth(7)})
	m.forget(prefixesOf(m.remarks))
	if m.remarks != nil || m.order != nil {
		t.Errorf("%d remarks, %d slots stay", len(m.remarks), len(m.order))
	}
}

func prefixesOf(m map[netip.Prefix]remark) (out []netip.Prefix) {
	for p := range m {
		out = append(out, p)
	}
	return out
}
