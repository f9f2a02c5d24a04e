package daemon

import (
	"context"
	"time"
)

// Who may want a drain.
const byOperator = "operator"

// Drain implements api.Controller.
func (d *daemon) Drain(ctx context.Context, reason string) (time.Duration, error) {
	return d.drain(ctx, byOperator, reason)
}

// drain begins a drain that by wants, or joins the one there is. It returns how
// long it takes from now on until traffic is taken to have moved.
func (d *daemon) drain(ctx context.Context, by, reason string) (time.Duration, error) {
	if err := d.engine.Drain(ctx, by, reason); err != nil {
		return 0, err
	}
	s, err := d.engine.Status(ctx)
	return max(0, d.config.get().Drain.Hold-time.Since(s.Drain.Since)), err
}

// Undrain implements api.Controller.
func (d *daemon) Undrain(ctx context.Context) error { return d.engine.Undrain(ctx, "") }
