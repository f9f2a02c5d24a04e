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

// all is every metric of nvad, in the order of the documentation.
func all() []metric {
	return slices.Concat(daemonMetrics, neighborMetrics, ribMetrics, fibMetrics, tunnelMetrics, bfdMetrics)
}

var daemonMetrics = []metric{
	{"nvad_build_info", "The build that runs; always 1.", gauge, []string{"version", "commit", "go_version"},
		func(s *Sample, out emit) { out(1, s.Build.Version, s.Build.Commit, s.Build.GoVersion) }},
	{"nvad_in_sync", "1 once every neighbor has told what it knows after the start, or was given up.", gauge, nil,
		func(s *Sample, out emit) { out(one(s.Engine.InSync)) }},
	{"nvad_healthy", "1 if this NVA should carry traffic by the conditions of [health]: what /healthz answers.", gauge, nil,
		func(s *Sample, out emit) { out(one(s.Healthy)) }},
	{"nvad_draining", "1 while this NVA takes leave of its traffic (nvactl drain).", gauge, nil,
		func(s *Sample, out emit) { out(one(!s.Engine.Drain.Since.IsZero())) }},
	{"nvad_config_reloads_total", "Reloads of the configuration, by result: applied or refused.", counter, []string{"result"},
		func(s *Sample, out emit) {
			out(float64(s.Reloads.Applied), "applied")
			out(float64(s.Reloads.Refused), "refused")
		}},
	{"nvad_config_last_reload_successful", "0 if the last reload was refused, so that the file is not what runs.", gauge, nil,
		func(s *Sample, out emit) { out(one(s.Reloads.LastApplied)) }},
	{"nvad_config_last_reload_timestamp_seconds", "Unix time of the last reload; absent if there was none.", gauge, nil,
		func(s *Sample, out emit) {
			if !s.Reloads.Last.IsZero() {
				out(unix(s.Reloads.Last))
			}
		}},
	{"nvad_degraded", "Things that nvad does without for now and tries to get back, by kind: configuration (it runs another than it should), " +
		"history (not on disk), lock (a second nvad is not kept out), listen (ports and sockets). nvactl status says why.", gauge, []string{"kind"},
		func(s *Sample, out emit) {
			for _, kind := range Degradations {
				out(float64(s.Degraded[kind]), kind)
			}
		}},
	{"nvad_engine_events_waiting", "Events of sessions that the engine has not taken yet.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Events)) }},
	{"nvad_memory_in_use_bytes", "Memory that the last collection of garbage found in use, and what the runtime needs beside it.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Memory.InUse)) }},
	{"nvad_memory_budget_bytes", "Memory that may be in use before the neighbor that holds most is closed; absent where there is no budget.", gauge, nil,
		func(s *Sample, out emit) {
			if b := s.Engine.Memory.Budget; b > 0 {
				out(float64(b))
			}
		}},
}

var ribMetrics = []metric{
	{"nvad_rib_prefixes", "Prefixes in the Loc-RIB.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Prefixes)) }},
	{"nvad_rib_paths", "Paths of all neighbors, rejected ones too, and local ones.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Paths)) }},
	{"nvad_rib_prefixes_waiting", "Prefixes that wait for a decision, or for a neighbor to be told of them.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Backlog)) }},
}

// one is 1 for true.
func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// states are numbered as by bgpPeerState (RFC 4273).
func stateNumber(s speaker.State) float64 { return float64(s) + 1 }

func text(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
