package daemon

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/health"
	"github.com/nvad/nvad/pkg/httpd"
	"github.com/nvad/nvad/pkg/kernel"
	"github.com/nvad/nvad/pkg/metrics"
	"github.com/nvad/nvad/pkg/telemetry"
	"github.com/nvad/nvad/pkg/tunnel"
)

// starting returns the listeners of cfg for the time before there is an engine to ask.
func starting(cfg *config.Config) httpd.Endpoints {
	out := httpd.Endpoints{}
	notYet := map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "nvad is starting", http.StatusServiceUnavailable)
	})}
	out.Add(cfg.Health.Listen, notYet)
	out.Add(cfg.Metrics.Listen, notYet)
	return out
}

// askVitals asks the engine. HTTP handlers use it only after the start.
func (d *daemon) askVitals(ctx context.Context) (engine.Vitals, error) {
	v, err := d.engine.Vitals(ctx)
	d.wg.silence(v)
	return v, err
}

// endpoints returns what cfg serves over HTTP.
func (d *daemon) endpoints(cfg *config.Config) httpd.Endpoints {
	out := httpd.Endpoints{}
	out.Add(cfg.Health.Listen, health.Handlers(health.Options{
		Vitals: d.ask.vitals, Conditions: func() config.Health { return cfg.Health }, Log: d.log,
	}))
	sample := shared(func(ctx context.Context) (metrics.Sample, error) { return d.sample(ctx, cfg.Health) })
	out.Add(cfg.Metrics.Listen, metrics.Handlers(sample))
	return out
}

// sample measures the daemon for one scrape of the metrics.
func (d *daemon) sample(ctx context.Context, c config.Health) (metrics.Sample, error) {
	measured, err := d.engine.Sample(ctx)
	if err != nil {
		return metrics.Sample{}, err
	}
	d.wg.silence(measured.Vitals)
	return metrics.Sample{
		Build: telemetry.Build(), Engine: measured, Healthy: len(health.Problems(c, measured.Vitals)) == 0,
		Plane: d.plane.Counters(), Waiting: d.plane.Waiting(), Tunnels: d.seenTunnels(),
		BFD: d.liveness.manager.Snapshot(), Reloads: d.reloads.get(), Degraded: counted(d.degraded()),
		Azure: d.polls.sample(), Journal: d.chronicle.sample(), Stations: d.stations.Status(),
	}, nil
}

// seenTunnels returns the tunnels as the forwarding plane saw them last, with their
// present traffic counters.
func (d *daemon) seenTunnels() []tunnel.Status {
	seen := d.plane.SeenTunnels()
	out := make([]tunnel.Status, len(seen))
	names := make([]string, len(seen))
	for i, t := range seen {
		out[i], names[i] = t, t.Name
	}
	traffic, err := kernel.Traffic(kernel.Namespace{}, names)
	if err != nil {
		return out // with the counters of that time
	}
	for i := range out {
		out[i].Stats = traffic[out[i].Name]
	}
	return out
}

// reloads counts reloads of the configuration.
type reloads struct {
	mu   sync.Mutex
	seen metrics.Reloads
}

func (r *reloads) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen.Last, r.seen.LastApplied = time.Now(), err == nil
	if err == nil {
		r.seen.Applied++
	} else {
		r.seen.Refused++
	}
}

func (r *reloads) get() metrics.Reloads {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	seen.LastApplied = seen.LastApplied || seen.Last.IsZero()
	return seen
}
