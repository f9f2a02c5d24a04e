package daemon

import (
	"context"
	"errors"
	"net/netip"

	"github.com/nvad/nvad/pkg/api"
)

var _ api.Controller = (*daemon)(nil)

// Reset implements api.Controller.
func (d *daemon) Reset(ctx context.Context, neighbor netip.Addr, kind api.ResetKind) error {
	switch kind {
	case api.ResetSoftIn:
		return d.engine.SoftIn(ctx, neighbor)
	case api.ResetSoftOut:
		return d.engine.SoftOut(ctx, neighbor)
	}
	return d.engine.Reset(ctx, neighbor)
}

// SetNeighborShutdown implements api.Controller.
func (d *daemon) SetNeighborShutdown(ctx context.Context, neighbor netip.Addr, down bool, message string) error {
	return d.engine.SetShutdown(ctx, neighbor, down, message)
}

// Shutdown implements api.Controller.
func (d *daemon) Shutdown(_ context.Context, o api.ShutdownOptions) error {
	select {
	case d.stop <- stopOrder{why: "nvactl stop", flush: o.Flush, message: o.Message}:
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
