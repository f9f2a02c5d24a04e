package daemon

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config"
)

func TestMemoryShortage(t *testing.T) {
	const mib = 1 << 20
	neighbor := func(maximum int, action string) config.Neighbor {
		return config.Neighbor{Address: netip.MustParseAddr("10.0.0.4"),
			Settings: config.Settings{MaximumPrefix: maximum, MaximumPrefixAction: action}}
	}
	dynamic := func(limit, maximum int) config.Range {
		return config.Range{Prefix: netip.MustParsePrefix("10.1.0.0/24"), Limit: limit, Neighbor: neighbor(maximum, config.ActionDiscard)}
	}
	for name, c := range map[string]struct {
		limit     uint64 // MiB
		neighbors []config.Neighbor
		ranges    []config.Range
		want      string // "": all fits
	}{
		"fits": {106, []config.Neighbor{neighbor(100_000, config.ActionDiscard)}, nil, ""},
		"two do not": {106, []config.Neighbor{neighbor(100_000, config.ActionDiscard), neighbor(100_000, config.ActionShutdown)}, nil,
			"the neighbors may announce 200000 routes together (maximum-prefix), for which nvad needs about 145 MiB, but the group allows 106 MiB, enough for about 124000 routes"},
		"no limit":             {106, []config.Neighbor{neighbor(0, config.ActionDiscard)}, nil, "nothing limits the routes of neighbor 10.0.0.4 (maximum-prefix), but the group allows 106 MiB"},
		"a limit that warns":   {106, []config.Neighbor{neighbor(10, config.ActionWarn)}, nil, "nothing limits the routes of neighbor 10.0.0.4"},
		"no limit, but room":   {2000, []config.Neighbor{neighbor(0, config.ActionDiscard)}, nil, ""},
		"less than nvad needs": {8, []config.Neighbor{neighbor(1, config.ActionDiscard)}, nil, "enough for about 0 routes"},
		"a group's ranges":     {106, nil, []config.Range{dynamic(10, 10_000), dynamic(10, 10_000)}, ""},
		"too large a range":    {106, nil, []config.Range{dynamic(100, 10_000)}, "the neighbors may announce 1000000 routes"},
		"no budget":            {0, []config.Neighbor{neighbor(0, config.ActionDiscard)}, nil, ""},
	} {
		cfg := &config.Config{Neighbors: c.neighbors, Ranges: c.ranges}
		got := memoryShortage(cfg, c.limit*mib, c.limit*mib/10*9, "the group")
		if !strings.HasPrefix(got, c.want) && !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
