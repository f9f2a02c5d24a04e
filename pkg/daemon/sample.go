package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/health"
	"github.com/nvad/nvad/pkg/kernel"
	"github.com/nvad/nvad/pkg/metrics"
	"github.com/nvad/nvad/pkg/telemetry"
	"github.com/nvad/nvad/pkg/tunnel"
)

// sample is what a scrape of the metrics tells.
func (d *daemon) sample(ctx context.Context, c config.Health) (metrics.Sample, error) {
	measured, err := d.engine.Sample(ctx)
	if err != nil {
		return metrics.Sample{}, err
	}
	return metrics.Sample{
		Build: telemetry.Build(), Engine: measured, Healthy: len(health.Problems(c, measured.Vitals)) == 0,
		Plane: d.plane.Counters(), Waiting: d.plane.Waiting(), Tunnels: d.seenTunnels(),
		BFD: d.liveness.manager.Snapshot(), Reloads: d.reloads.get(), Degraded: counted(d.degraded()),
	}, nil
}

// seenTunnels are the tunnels as the forwarding plane saw them last, and what has
// passed them until now.
func (d *daemon) seenTunnels() []tunnel.Status {
	seen := d.plane.SeenTunnels()
	out := make([]tunnel.Status, len(seen))
	names := make([]string, len(seen))
	for i, t := range seen {
		out[i], names[i] = t, t.Name
	}
	traffic, err := kernel.Traffic(kernel.Namespace{}, names)
	if err != nil {
		return out // with what was counted when they were seen
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
