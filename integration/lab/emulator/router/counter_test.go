package router

import (
	"net/netip"
	"testing"
	"time"
)

func TestCounter(t *testing.T) {
	many := func(from, n int) []netip.Prefix {
		var list []netip.Prefix
		for i := from; i < from+n; i++ {
			list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24))
		}
		return list
	}
	quiet := 2 * settleTime
	type step struct {
		after               time.Duration
		announced, withdrew []netip.Prefix
		exceeded            bool
	}
	for name, steps := range map[string][]step{
		"exactly the limit":        {{quiet, many(0, 4000), nil, false}},
		"one more":                 {{quiet, many(0, 4000), nil, false}, {quiet, many(4000, 1), nil, true}},
		"half sent again":          {{quiet, many(0, 2000), nil, false}, {quiet, many(0, 2000), nil, false}},
		"more than half again":     {{quiet, many(0, 2001), nil, false}, {quiet, many(0, 2001), nil, true}},
		"again in several UPDATEs": {{quiet, many(0, 2001), nil, false}, {quiet, many(0, 1500), nil, false}, {0, many(1500, 501), nil, true}},
		"first time in several":    {{quiet, many(0, 2000), nil, false}, {0, many(2000, 2000), nil, false}},
		"room made first":          {{quiet, many(0, 4000), nil, false}, {quiet, nil, many(0, 10), false}, {quiet, many(0, 10), nil, false}},
	} {
		t.Run(name, func(t *testing.T) {
			c := counter{limit: 4000}
			now := time.Unix(0, 0)
			for i, s := range steps {
				now = now.Add(s.after)
				if got := c.add(s.announced, s.withdrew, now); got != s.exceeded {
					t.Errorf("step %d: exceeded %v, want %v", i, got, s.exceeded)
				}
			}
		})
	}
}
