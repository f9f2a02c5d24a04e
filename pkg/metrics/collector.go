package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
)

// patience is how long a sample may take; Prometheus gives up after ten seconds.
const patience = 5 * time.Second

// metric is one metric: what it is, and how it is read from a sample.
type metric struct {
	name   string
	help   string
	kind   prometheus.ValueType
	labels []string
	read   func(*Sample, emit)
}

// emit tells a value, with one string for each label.
type emit func(value float64, labels ...string)

// collector implements [prometheus.Collector] over the table of metrics.
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
// Prometheus. It answers 500 where there is no sample.
func Handlers(sample func(context.Context) (Sample, error)) map[string]http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(newCollector(sample), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return map[string]http.Handler{"GET /metrics": handler(r)}
}

// scrapes is how many are answered at once. Each costs a millisecond of processor
// time, and anybody may ask as often as the network allows.
const scrapes = 2

// handler stands in for promhttp, which brings a compressor along that costs more
// memory than all of nvad's metrics.
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
				return // whoever asked has gone
			}
		}
	})
}
