package metrics

import (
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nvad/nvad/pkg/speaker"
)

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// all returns every metric of nvad, in the order of the documentation.
func all() []metric {
	return slices.Concat(daemonMetrics, neighborMetrics, ribMetrics, fibMetrics, tunnelMetrics, bfdMetrics)
}

var daemonMetrics = []metric{
	{"nvad_build_info", "The build that runs; always 1.", gauge, []string{"version", "commit", "go_version"},
		func(s *Sample, out emit) { out(1, s.Build.Version, s.Build.Commit, s.Build.GoVersion) }},
	{"nvad_in_sync", "1 once every neighbor has announced its routes after the start, or nvad has stopped waiting for it.", gauge, nil,
		func(s *Sample, out emit) { out(one(s.Engine.InSync)) }},
	{"nvad_healthy", "1 if this NVA should carry traffic by the conditions of [health], and so /healthz answers 200.", gauge, nil,
		func(s *Sample, out emit) { out(one(s.Healthy)) }},
	{"nvad_draining", "1 while this NVA moves its traffic away (nvactl drain).", gauge, nil,
		func(s *Sample, out emit) { out(one(!s.Engine.Drain.Since.IsZero())) }},
	{"nvad_config_reloads_total", "Reloads of the configuration, by result: applied or refused.", counter, []string{"result"},
		func(s *Sample, out emit) {
			out(float64(s.Reloads.Applied), "applied")
			out(float64(s.Reloads.Refused), "refused")
		}},
	{"nvad_config_last_reload_successful", "0 if the last reload was refused, so that nvad does not run the file.", gauge, nil,
		func(s *Sample, out emit) { out(one(s.Reloads.LastApplied)) }},
	{"nvad_config_last_reload_timestamp_seconds", "Unix time of the last reload; absent if there was none.", gauge, nil,
		func(s *Sample, out emit) {
			if !s.Reloads.Last.IsZero() {
				out(unix(s.Reloads.Last))
			}
		}},
	{"nvad_degraded", "Things that nvad lacks at present and tries to get back, by kind: configuration (it runs another one than it should), " +
		"history (not on disk), lock (nothing keeps a second nvad out), listen (ports and sockets). nvactl status says why.", gauge, []string{"kind"},
		func(s *Sample, out emit) {
			for _, kind := range Degradations {
				out(float64(s.Degraded[kind]), kind)
			}
		}},
	{"nvad_engine_events_waiting", "Session events that the engine has not handled yet.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Events)) }},
	{"nvad_memory_in_use_bytes", "Memory that the last garbage collection found in use, plus what the runtime itself needs.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Memory.InUse)) }},
	{"nvad_memory_budget_bytes", "Memory that nvad may use before it closes the session whose routes take most; absent if there is no budget.", gauge, nil,
		func(s *Sample, out emit) { out.ifAny(float64(s.Engine.Memory.Budget)) }},
}

var ribMetrics = []metric{
	{"nvad_rib_prefixes", "Prefixes in the Loc-RIB.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Prefixes)) }},
	{"nvad_rib_paths", "Paths of all neighbors, rejected ones too, and local ones.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Paths)) }},
	{"nvad_rib_prefixes_waiting", "Prefixes that wait for a decision, or to be advertised.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Backlog)) }},
}

// one returns 1 for true.
func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// stateNumber numbers states like bgpPeerState (RFC 4273).
func stateNumber(s speaker.State) float64 { return float64(s) + 1 }

func text(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
