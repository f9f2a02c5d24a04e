package config

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Health says where nvad answers health probes, and which conditions the NVA must meet
// to carry traffic, besides being in sync and not draining.
type Health struct {
	Listen         []netip.AddrPort
	MinEstablished map[string]int // established neighbors required, by peer-group
	Tunnels        []string
}

var healthTable = tomlfile.Single[Config, Health]{
	Name: "health", Doc: "When this NVA should carry traffic: never before it is in sync, nor during a drain.",
	Of: func(c *Config) *Health { return &c.Health }, Fields: healthFields,
}

func healthFields(h *Health) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "listen", Value: tomlfile.Listen(&h.Listen), Example: `["10.0.0.4:8080"]`, Shown: true,
			Doc: "Addresses that answer /healthz over HTTP, for the load balancer's probe: 200 if this NVA should carry traffic, " +
				"otherwise 503 with the reasons. Default: none."},
		{Key: "min-established", Value: minimums(&h.MinEstablished), Example: "{ route-server = 1 }", Shown: true,
			Doc: "For each peer-group, how many of its neighbors must be established at least."},
		{Key: "tunnels", Value: tomlfile.Names(&h.Tunnels, tomlfile.Name), Example: `["vxlan0"]`, Shown: true,
			Doc: "Tunnels that must be up. If a tunnel has neighbors, at least one of them must be established."},
	}
}

// minimums returns a Value for a table with a positive number for each peer-group.
func minimums(p *map[string]int) tomlfile.Value {
	return tomlfile.TableOf(p, "table of numbers", func(_ string, c tomlfile.Cell) (n int, ok bool) {
		tomlfile.Number(&n, 1, tomlfile.MaxUint16).Set(c)
		return n, true
	}, strconv.Itoa)
}

// health reports a minimum that its peer-group can't reach, and unknown tunnels.
func (v *checker) health() {
	for _, group := range tomlfile.SortedKeys(v.cfg.Health.MinEstablished) {
		have := 0
		if g := v.cfg.Groups[group]; len(g.ListenRanges) > 0 {
			have = g.listenLimit()
		}
		for _, n := range v.cfg.Neighbors {
			if n.PeerGroup == group {
				have++
			}
		}
		if _, known := v.cfg.Groups[group]; known && v.cfg.Health.MinEstablished[group] > have {
			v.fail("health.min-established."+group, "peer-group %s has only %s, so this minimum is never reached; lower it", group, count(have, "neighbor"))
		}
	}
	var tunnels []string
	for _, t := range v.cfg.Tunnels {
		tunnels = append(tunnels, t.Name)
	}
	for _, name := range v.cfg.Health.Tunnels {
		if !slices.Contains(tunnels, name) {
			v.fail("health.tunnels", "there is no tunnel %q%s", name, tomlfile.DidYouMean(name, tunnels))
		}
	}
}

// Metrics says where Prometheus can scrape.
type Metrics struct{ Listen []netip.AddrPort }

var metricsTable = tomlfile.Single[Config, Metrics]{
	Name: "metrics", Doc: "Metrics for Prometheus.",
	Of: func(c *Config) *Metrics { return &c.Metrics }, Fields: metricsFields,
}

func metricsFields(m *Metrics) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "listen", Value: tomlfile.Listen(&m.Listen), Example: `["127.0.0.1:9179"]`,
			Doc: "Addresses that answer /metrics over HTTP; they may be those of health.listen. Everyone who can reach them can " +
				"read names and counters. Default: none."},
	}
}
