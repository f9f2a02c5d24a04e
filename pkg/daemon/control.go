package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/imds"
	"github.com/nvad/nvad/pkg/maintenance"
	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/watch"
)

var _ api.Controller = (*daemon)(nil)

// Reset implements api.Controller.
func (d *daemon) Reset(ctx context.Context, neighbor netip.Addr, kind api.ResetKind) (err error) {
	op := watch.Operation{What: "reset", Target: neighbor.String()}
	defer func() { d.operation(ctx, op, err) }()
	switch kind {
	case api.ResetSoftIn:
		op.Detail = "soft in"
		return d.engine.SoftIn(ctx, neighbor)
	case api.ResetSoftOut:
		op.Detail = "soft out"
		return d.engine.SoftOut(ctx, neighbor)
	}
	return d.engine.Reset(ctx, neighbor)
}

// SetNeighborShutdown implements api.Controller.
func (d *daemon) SetNeighborShutdown(ctx context.Context, neighbor netip.Addr, down bool, message string) error {
	what := "enable"
	if down {
		what = "shutdown"
	}
	err := d.engine.SetShutdown(ctx, neighbor, down, message)
	d.operation(ctx, watch.Operation{What: what, Target: neighbor.String(), Detail: message}, err)
	return err
}

// MakeTunnelKey implements api.Controller.
func (d *daemon) MakeTunnelKey(ctx context.Context, name string) (successor string, key tunnel.Key, err error) {
	defer func() { d.operation(ctx, watch.Operation{What: "make-key", Target: name, Detail: successor}, err) }()
	return successorKey(d.opt, d.config.get(), name)
}

// Shutdown implements api.Controller.
func (d *daemon) Shutdown(ctx context.Context, flush bool, message string) (err error) {
	detail := message
	if flush {
		detail = strings.TrimSuffix("flush; "+message, "; ")
	}
	defer func() { d.operation(ctx, watch.Operation{What: "stop", Detail: detail}, err) }()
	select {
	case d.stop <- stopOrder{why: "nvactl stop", flush: flush, message: message}:
		return nil
	default:
		return errors.New("already stopping")
	}
}

// SetLogLevel implements api.Controller.
func (d *daemon) SetLogLevel(ctx context.Context, level string) (err error) {
	defer func() { d.operation(ctx, watch.Operation{What: "log-level", Target: level}, err) }()
	if !setLevel(d.level, level) {
		return api.Invalid("%q is not a log level (debug, info, warn, error)", level)
	}
	d.log.Info("log level changed", "level", level)
	return nil
}

// setLevel sets the log level by its name. It returns false if there is no such level.
func setLevel(v *slog.LevelVar, name string) bool {
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(name))); err != nil {
		return false
	}
	v.Set(l)
	return true
}

// byOperator names operators among those who ask for a drain.
const byOperator = "operator"

// Drain implements api.Controller.
func (d *daemon) Drain(ctx context.Context, reason string) (time.Duration, error) {
	left, err := d.drain(ctx, byOperator, reason)
	d.operation(ctx, watch.Operation{What: "drain", Detail: reason}, err)
	return left, err
}

// drain begins a drain for by, or joins the present one. It returns the time left until
// traffic should have moved.
func (d *daemon) drain(ctx context.Context, by, reason string) (time.Duration, error) {
	if err := d.engine.Drain(ctx, by, reason); err != nil {
		return 0, err
	}
	s, err := d.engine.Status(ctx)
	return max(0, d.config.get().Drain.Hold-time.Since(s.Drain.Since)), err
}

// Undrain implements api.Controller.
func (d *daemon) Undrain(ctx context.Context) error {
	err := d.engine.Undrain(ctx, "")
	d.operation(ctx, watch.Operation{What: "undrain"}, err)
	return err
}

// byAzure names scheduled events among those who ask for a drain. Operations name azureName.
const (
	byAzure   = "scheduled event"
	azureName = "Azure"
)

// nameTime bounds one attempt to read the VM's name.
const nameTime = time.Minute

// maintain handles Azure's scheduled events while the configuration asks for it.
func (d *daemon) maintain(ctx context.Context) error {
	enabled := func() bool { return d.config.get().Azure.ScheduledEvents }
	return maintenance.New(platform{imds.New()}, underMaintenance{d}, enabled, d.log).Run(ctx)
}

// platform gives maintenance access to the metadata service.
type platform struct{ *imds.Client }

// Name implements maintenance.Platform.
func (p platform) Name(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, nameTime)
	defer cancel()
	in, err := p.Instance(ctx)
	if err != nil {
		return "", err
	}
	return in.Name, nil
}

// underMaintenance lets maintenance act on the daemon.
type underMaintenance struct{ *daemon }

// Drain implements maintenance.Node.
func (d underMaintenance) Drain(ctx context.Context, reason string) (time.Duration, error) {
	left, err := d.drain(ctx, byAzure, reason)
	d.operation(ctx, watch.Operation{What: "drain", By: azureName, Detail: byAzure + ": " + strings.TrimPrefix(reason, "Azure: ")}, err)
	return left, err
}

// Undrain implements maintenance.Node.
func (d underMaintenance) Undrain(ctx context.Context) error {
	err := d.engine.Undrain(ctx, byAzure)
	d.operation(ctx, watch.Operation{What: "undrain", By: azureName, Detail: byAzure + " is over"}, err)
	return err
}

// Hold implements maintenance.Node. Neighbors are sent AdminDown, which is no failure
// (RFC 5882 3.2), and are not watched either.
func (d underMaintenance) Hold(on bool) { d.liveness.hold(on) }
