package daemon

import (
	"fmt"

	"github.com/nvad/nvad/pkg/config"
)

// What nvad needs, as measured with 100,000 routes of a Route Server that go to two other
// neighbors (docs/performance.md).
const (
	ownOctets   = 12 << 20 // without routes
	routeOctets = 700
)

// fullTable is the number of routes that a neighbor without maximum-prefix is expected to
// announce at most: the Internet's.
const fullTable = 1_200_000

// limitMemory applies a configuration's limit, and warns if its routes may not fit, unless
// the last warning said the same.
func (d *daemon) limitMemory(cfg *config.Config) {
	m := d.memory
	m.set(cfg.Limits)
	why := memoryShortage(cfg, m.limit.Load(), m.Budget(), m.from)
	if why != "" && why != m.warned {
		d.log.Warn("memory may not be enough", "reason", why)
	}
	m.warned = why
}

// memoryShortage says, in words, that the neighbors may announce more routes than fit into
// memory, and what to do; "" if they fit. Otherwise the first to know would be the operator
// whose sessions are closed once the budget is exceeded. From allows nvad to use limit;
// routes may take the budget, a part of it.
func memoryShortage(cfg *config.Config, limit, budget uint64, from string) string {
	if budget == 0 {
		return ""
	}
	allowed, boundless := allowedRoutes(cfg)
	fit := int((max(budget, ownOctets)-ownOctets)/routeOctets) / 1000 * 1000
	var what string
	switch {
	case boundless != "" && fit < fullTable:
		what = fmt.Sprintf("nothing limits the routes of neighbor %s (maximum-prefix)", boundless)
	case allowed > fit:
		what = fmt.Sprintf("the neighbors may announce %d routes together (maximum-prefix), for which nvad needs about %d MiB",
			allowed, (ownOctets+uint64(allowed)*routeOctets)>>20)
	default:
		return ""
	}
	return fmt.Sprintf("%s, but %s allows %d MiB, enough for about %d routes; beyond that nvad closes sessions: "+
		"give nvad more memory (MemoryMax= of its unit, limits.memory) or lower maximum-prefix", what, from, limit>>20, fit)
}

// allowedRoutes adds up how many routes the neighbors may announce. Boundless is one of
// those, if there are any, that may announce any number.
func allowedRoutes(cfg *config.Config) (sum int, boundless string) {
	add := func(s *config.Settings, times int, name string) {
		if s.MaximumPrefix == 0 || s.MaximumPrefixAction == config.ActionWarn {
			boundless = name
		}
		sum += s.MaximumPrefix * times
	}
	for i := range cfg.Neighbors {
		n := &cfg.Neighbors[i]
		add(&n.Settings, 1, n.Address.String())
	}
	counted := map[string]bool{} // peer-groups: all ranges of one share its limit
	for i := range cfg.Ranges {
		r := &cfg.Ranges[i]
		if !counted[r.PeerGroup] {
			counted[r.PeerGroup] = true
			add(&r.Settings, r.Limit, "of "+r.Prefix.String())
		}
	}
	return sum, boundless
}
