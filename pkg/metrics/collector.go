// Package metrics shows Prometheus, in numbers, what nvad does.
//
// It promises that a scrape only reads counters that others keep: it never walks a
// table and never waits for the forwarding plane. If the engine does not answer in
// time, the whole scrape fails, because half a sample could pass for the truth. One
// table has all metrics, and docs/metrics.md is generated from it.
//
// The package counts nothing itself and decides nothing.
package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/bmp"
	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/telemetry"
	"github.com/nvad/nvad/pkg/tunnel"
)

// Sample is everything that one scrape shows.
type Sample struct {
	Build   telemetry.BuildInfo
	Engine  engine.Sample
	Healthy bool // what /healthz answers
	Plane   dataplane.Counters
	Waiting int // route changes that the forwarding plane has not taken yet
	Tunnels []tunnel.Status
	BFD     bfd.Snapshot
	Reloads Reloads
	// Degraded counts the things that nvad has to do without at present, by one of the
	// kinds of [Degradations].
	Degraded map[string]int
	Azure    Azure
	Stations []bmp.Status
	Journal  Journal
}

// Journal says what was recorded in the journal since the start; zero without a journal.
type Journal struct {
	Written, Lost uint64 // events
	Octets        int64  // on disk
}

// Azure describes the last polls of Azure; zero without polls.
type Azure struct {
	Taken    time.Time // of the last that succeeded; zero: none
	Failed   bool      // the last one
	Findings int
}

// Degradations are the kinds of things that nvad may have to do without: the
// configuration that it should run, a history or a journal on disk, its lock, a port or socket to
// listen on.
var Degradations = []string{"configuration", "history", "journal", "listen", "lock"}

// Reloads are the reloads of the configuration since the start.
type Reloads struct {
	Applied, Refused uint64
	Last             time.Time // zero: there was none
	LastApplied      bool      // also where there was none
}

// patience is how long a sample may take; Prometheus gives up after ten seconds.
const patience = 5 * time.Second

// metric describes one metric and how to read it from a sample.
type metric struct {
	name   string
	help   string
	kind   prometheus.ValueType
	labels []string
	read   func(*Sample, emit)
}

// emit emits a value, with one string for each label.
type emit func(value float64, labels ...string)

// ifAny emits a value unless it is 0, which stands for no limit.
func (out emit) ifAny(value float64) {
	if value > 0 {
		out(value)
	}
}

// collector implements [prometheus.Collector] with the table of metrics.
type collector struct {
	sample func(context.Context) (Sample, error)
	descs  []*prometheus.Desc // of all
}

func newCollector(sample func(context.Context) (Sample, error)) *collector {
	c := &collector{sample: sample}
	for _, m := range all() {
		c.descs = append(c.descs, prometheus.NewDesc(m.name, m.help, m.labels, nil))
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := c.sample(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(c.descs[0], err)
		return
	}
	for i, m := range all() {
		m.read(&s, func(value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(c.descs[i], m.kind, value, labels...)
		})
	}
}

// Handlers returns the handler of GET /metrics by pattern, in the text format of
// Prometheus. It answers 500 if there is no sample.
func Handlers(sample func(context.Context) (Sample, error)) map[string]http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(newCollector(sample), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return map[string]http.Handler{"GET /metrics": handler(r)}
}

// scrapes is how many scrapes are answered at once. Each takes a millisecond of
// processor time, and anybody may ask as often as the network allows.
const scrapes = 2

// handler replaces promhttp, whose compressor takes more memory than all of nvad's
// metrics.
func handler(from prometheus.Gatherer) http.Handler {
	turns := make(chan struct{}, scrapes)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), patience)
		defer cancel()
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		case <-ctx.Done():
			http.Error(w, "too many scrapes at once", http.StatusServiceUnavailable)
			return
		}
		families, err := from.Gather()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		format := expfmt.Negotiate(req.Header)
		w.Header().Set("Content-Type", string(format))
		enc := expfmt.NewEncoder(w, format)
		for _, f := range families {
			if enc.Encode(f) != nil {
				return // the client has gone
			}
		}
	})
}
