package daemon

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
)

var _ api.Controller = (*daemon)(nil)

// running is the configuration in force.
type running struct {
	mu    sync.Mutex // held over a whole reload: two never overlap
	cfg   *config.Config
	cfgMu sync.RWMutex
}

func (r *running) get() *config.Config {
	r.cfgMu.RLock()
	defer r.cfgMu.RUnlock()
	return r.cfg
}

func (r *running) set(cfg *config.Config) {
	r.cfgMu.Lock()
	defer r.cfgMu.Unlock()
	r.cfg = cfg
}

// Reload implements api.Controller: read, validate, compile, and only then
// apply. Sessions that did not change are not reset.
func (d *daemon) Reload(ctx context.Context) ([]api.Change, error) {
	d.config.mu.Lock()
	defer d.config.mu.Unlock()
	defer d.reloading()()
	cfg, err := load(d.opt.Config)
	if err != nil {
		return nil, api.Invalid("%s", err)
	}
	changes := config.Diff(d.config.get(), cfg)
	if err := reloadable(changes); err != nil {
		return nil, err
	}
	if err := d.apply(ctx, cfg); err != nil {
		return nil, err
	}
	d.log.Info("configuration reloaded", "changes", len(changes))
	return told(changes), nil
}

// Preview implements api.Reader: all that Reload does, but for applying.
func (d *daemon) Preview(context.Context) (api.Preview, error) {
	cfg, err := load(d.opt.Config)
	if err != nil {
		return api.Preview{}, api.Invalid("%s", err)
	}
	changes := config.Diff(d.config.get(), cfg)
	out := api.Preview{Changes: told(changes)}
	if err := reloadable(changes); err != nil {
		out.Refused = err.Error()
	}
	return out, nil
}

// told is changes in the words of the API.
func told(changes []config.Change) (out []api.Change) {
	for _, c := range changes {
		out = append(out, api.Change{What: c.Object + ": " + c.What, Impact: c.Impact.String()})
	}
	return out
}

// reloadable refuses what only a restart can change.
func reloadable(changes []config.Change) error {
	var needs []string
	for _, c := range changes {
		if c.Impact == config.Restart {
			needs = append(needs, c.Object+": "+c.What)
		}
	}
	if len(needs) == 0 {
		return nil
	}
	return api.Conflict("%s: only a restart changes that; a reload is refused", strings.Join(needs, ", "))
}

// apply makes cfg the running configuration. Policies are compiled first; an
// error leaves everything as it was.
func (d *daemon) apply(ctx context.Context, cfg *config.Config) error {
	if err := d.http.Set(d.endpoints(cfg)); err != nil {
		return api.Conflict("%s", err)
	}
	if err := d.engine.Apply(ctx, cfg); err != nil {
		return errors.Join(err, d.http.Set(d.endpoints(d.config.get())))
	}
	d.plane.SetWanted(wanted(cfg))
	setLevel(d.level, cfg.Daemon.LogLevel)
	d.config.set(cfg)
	return nil
}

// Reset implements api.Controller.
func (d *daemon) Reset(ctx context.Context, neighbor netip.Addr, kind api.ResetKind) error {
	switch kind {
	case api.ResetSoftIn:
		return apiError(d.engine.SoftIn(ctx, neighbor))
	case api.ResetSoftOut:
		return apiError(d.engine.SoftOut(ctx, neighbor))
	}
	return apiError(d.engine.Reset(ctx, neighbor))
}

// SetNeighborShutdown implements api.Controller.
func (d *daemon) SetNeighborShutdown(ctx context.Context, neighbor netip.Addr, down bool, message string) error {
	return apiError(d.engine.SetShutdown(ctx, neighbor, down, message))
}

// Shutdown implements api.Controller.
func (d *daemon) Shutdown(_ context.Context, o api.ShutdownOptions) error {
	select {
	case d.stop <- stopOrder{why: "nvactl shutdown", flush: o.Flush, message: o.Message}:
		return nil
	default:
		return errors.New("already stopping")
	}
}

// SetLogLevel implements api.Controller.
func (d *daemon) SetLogLevel(_ context.Context, level string) error {
	if !setLevel(d.level, level) {
		return api.Invalid("%q is not a log level (debug, info, warn, error)", level)
	}
	d.log.Info("log level changed", "level", level)
	return nil
}
