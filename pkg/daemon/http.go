package daemon

import (
	"context"
	"net/http"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/health"
	"github.com/nvad/nvad/pkg/httpd"
	"github.com/nvad/nvad/pkg/metrics"
)

// starting is the addresses of cfg before there is anything to tell on them.
func starting(cfg *config.Config) httpd.Endpoints {
	out := httpd.Endpoints{}
	notYet := map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "nvad is starting", http.StatusServiceUnavailable)
	})}
	out.Add(cfg.Health.Listen, notYet)
	out.Add(cfg.Metrics.Listen, notYet)
	return out
}

// askVitals is the engine's, who is there once HTTP serves more than a start.
func (d *daemon) askVitals(ctx context.Context) (engine.Vitals, error) { return d.engine.Vitals(ctx) }

// endpoints is what cfg has served over HTTP; nothing if it is nil.
func (d *daemon) endpoints(cfg *config.Config) httpd.Endpoints {
	out := httpd.Endpoints{}
	if cfg == nil {
		return out
	}
	out.Add(cfg.Health.Listen, health.Handlers(health.Options{
		Vitals: d.ask.vitals, Conditions: func() config.Health { return cfg.Health }, Log: d.log,
	}))
	sample := shared(func(ctx context.Context) (metrics.Sample, error) { return d.sample(ctx, cfg.Health) })
	out.Add(cfg.Metrics.Listen, metrics.Handlers(sample))
	return out
}
