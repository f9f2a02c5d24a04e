package config

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Health is where to answer whether the NVA should carry traffic, and when it
// should: in sync and not draining, in any case.
type Health struct {
	Listen         []netip.AddrPort
	MinEstablished map[string]int // neighbors, by peer-group
	Tunnels        []string
}

var healthTable = tomlfile.Single[Config, Health]{
	Name: "health", Doc: "Whether this NVA should carry traffic. It should not before it is in sync, nor during a drain.",
	Of: func(c *Config) *Health { return &c.Health }, Fields: healthFields,
}

var healthFields = []tomlfile.Field[Health]{
	{
		Key: "listen", Example: `["10.0.0.4:8080"]`, Shown: true,
		Doc: "Where /healthz is answered over HTTP: 200 where this NVA should carry traffic, 503 with the reasons where not. " +
			"Let the load balancer probe it. Default: nowhere.",
		Bind: func(h *Health) tomlfile.Value { return tomlfile.Listen(&h.Listen) },
	},
	{
		Key: "min-established", Example: "{ route-server = 1 }", Shown: true,
		Doc:  "Neighbors of a peer-group that must be established at least, by peer-group.",
		Bind: func(h *Health) tomlfile.Value { return minimums(&h.MinEstablished) },
	},
	{
		Key: "tunnels", Example: `["vxlan0"]`, Shown: true,
		Doc:  "Tunnels that must be up, with a neighbor established over each that has any.",
		Bind: func(h *Health) tomlfile.Value { return tomlfile.Names(&h.Tunnels, tomlfile.Name) },
	},
}

// minimums returns a table with a positive number for each peer-group.
func minimums(p *map[string]int) tomlfile.Value {
	return tomlfile.TableOf(p, "table of numbers", func(_ string, c tomlfile.Cell) (n int, ok bool) {
		tomlfile.Number(&n, 1, tomlfile.MaxUint16).Set(c)
		return n, true
	}, strconv.Itoa)
}

// health reports a minimum that its peer-group can't reach, and tunnels that are
// not there.
func (v *checker) health() {
	for _, group := range tomlfile.SortedKeys(v.cfg.Health.MinEstablished) {
		have := 0
		for _, n := range v.cfg.Neighbors {
			if n.PeerGroup == group {
				have++
			}
		}
		if _, known := v.cfg.Groups[group]; known && v.cfg.Health.MinEstablished[group] > have {
			v.fail("health.min-established."+group, "peer-group %s has only %d neighbors", group, have)
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

// Metrics is where Prometheus scrapes.
type Metrics struct{ Listen []netip.AddrPort }

var metricsTable = tomlfile.Single[Config, Metrics]{
	Name: "metrics", Doc: "Numbers for Prometheus.",
	Of: func(c *Config) *Metrics { return &c.Metrics }, Fields: metricsFields,
}

var metricsFields = []tomlfile.Field[Metrics]{
	{
		Key: "listen", Example: `["127.0.0.1:9179"]`,
		Doc: "Where /metrics is answered over HTTP; it may be where health.listen is. It tells names and numbers to whoever " +
			"can reach it. Default: nowhere.",
		Bind: func(m *Metrics) tomlfile.Value { return tomlfile.Listen(&m.Listen) },
	},
}
