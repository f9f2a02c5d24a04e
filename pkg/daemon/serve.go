package daemon

import (
	"context"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/nvad/nvad/pkg/config"
)

const socketMode fs.FileMode = 0o660

func (d *daemon) socketPath(cfg *config.Config) string {
	if d.opt.Socket != "" {
		return d.opt.Socket
	}
	return cfg.Daemon.Socket
}

// ready tells systemd that configuration, links and static routes stand. It
// does not wait for them forever: the rest works without.
func (d *daemon) ready(whole context.Context) {
	ctx, cancel := context.WithTimeout(whole, readyTime)
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
