package daemon

import (
	"context"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/telemetry"
)

const socketMode fs.FileMode = 0o660

func (d *daemon) socketPath(cfg *config.Config) string {
	if d.opt.Socket != "" {
		return d.opt.Socket
	}
	return cfg.Daemon.Socket
}

// listen opens the API's socket. It fails where another nvad answers there, so
// that two never manage the same kernel by mistake.
func (d *daemon) listen(cfg *config.Config) (net.Listener, error) {
	l, err := api.Listen(d.socketPath(cfg), socketMode, cfg.Daemon.SocketGroup)
	if err != nil {
		return nil, err
	}
	return d.clients.unix.Listener(l), nil
}

func (d *daemon) serve(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, d.changes.Close)() // ends the streams of those who watch
	return api.Serve(ctx, l, api.NewServer(api.Params{Reader: d, Controller: d, Build: telemetry.Build(), Limits: d.clients.calls}))
}

// ready tells systemd that configuration, links and static routes stand. It
// does not wait for them forever: the rest works without.
func (d *daemon) ready(whole context.Context) {
	ctx, cancel := context.WithTimeout(whole, startTime)
	defer cancel()
	select {
	case <-d.seen:
	case <-ctx.Done():
	}
	for ctx.Err() == nil && !d.staticsTried(ctx) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if whole.Err() != nil {
		return // ended before
	}
	d.notify(sd.SdNotifyReady)
	d.log.Info("ready")
}

// staticsTried reports whether every static route that can stand was written or
// refused.
func (d *daemon) staticsTried(ctx context.Context) bool {
	if err := d.engine.Settle(ctx); err != nil {
		return false
	}
	routes, err := d.plane.Tally(ctx)
	return err == nil && routes.Untried == 0
}

// setLevel sets the log level by its name; false if there is no such level.
func setLevel(v *slog.LevelVar, name string) bool {
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(name))); err != nil {
		return false
	}
	v.Set(l)
	return true
}
