package sdn

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestDampening(t *testing.T) {
	via := func(hop string) []Learned {
		if hop == "" {
			return nil
		}
		return []Learned{{netip.MustParsePrefix("10.5.0.0/16"), []netip.Addr{netip.MustParseAddr(hop)}, NVA, 1}}
	}
	type step struct {
		after       time.Duration
		wanted, got string
		again       time.Duration
	}
	const s, g = time.Second, gathering
	at := []step{{0, "10.0.0.4", "", g}, {g, "10.0.0.4", "10.0.0.4", 0}}
	for name, steps := range map[string][]step{
		"one replacement":       {{40 * s, "10.0.0.6", "10.0.0.4", g}, {g, "10.0.0.6", "10.0.0.6", 0}},
		"by both instances":     {{40 * s, "10.0.0.5", "10.0.0.4", g}, {g / 2, "10.0.0.6", "10.0.0.4", g / 2}, {g / 2, "10.0.0.6", "10.0.0.6", 0}},
		"withdraw and announce": {{40 * s, "", "10.0.0.4", g}, {g, "", "", 0}, {1 * s, "10.0.0.6", "", 29 * s}, {29 * s, "10.0.0.6", "10.0.0.6", 0}},
		"withdrawn soon":        {{10 * s, "", "10.0.0.4", 20 * s}, {20 * s, "", "", 0}},
		"there and back":        {{10 * s, "10.0.0.6", "10.0.0.4", 20 * s}, {1 * s, "10.0.0.4", "10.0.0.4", 0}, {10 * s, "10.0.0.6", "10.0.0.4", 9 * s}},
		"forgotten in the end":  {{40 * s, "", "10.0.0.4", g}, {g, "", "", 0}, {40 * s, "", "", 0}, {1 * s, "10.0.0.4", "", g}},
	} {
		t.Run(name, func(t *testing.T) {
			d := dampener{window: DefaultDampening, last: map[netip.Prefix]damped{}}
			now := time.Unix(0, 0)
			for i, s := range append(at, steps...) {
				now = now.Add(s.after)
				routes, again := d.pass(via(s.wanted), now)
				if got := fmt.Sprint(nextHops(routes)); got != fmt.Sprintf("[%s]", s.got) || again != s.again {
					t.Errorf("step %d: next hops %s, ask again in %v, want [%s], %v", i, got, again, s.got, s.again)
				}
			}
		})
	}
}
