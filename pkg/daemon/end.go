package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/nvad/nvad/pkg/speaker/gobgp"
)

// Times to part from the neighbors and to clean the kernel. systemd's default
// patience is 90 s.
const (
	farewellTime = 5 * time.Second
	flushTime    = 60 * time.Second
)

// end parts from the neighbors and leaves the kernel as order says. The engine
// stops first: a session that ends now must not take routes with it.
func (d *daemon) end(order stopOrder, p *parts) error {
	flush := order.flush || !d.config.get().Daemon.PreserveFIB
	d.log.Info("stopping", "reason", order.why, "flush", flush)
	d.notify("STOPPING=1")
	errs := []error{p.stop("engine")}

	ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
	defer cancel()
	errs = append(errs, d.speaker.Close(ctx, gobgp.CloseOptions{Graceful: !flush, Message: order.message}))
	if flush {
		ctx, cancel := context.WithTimeout(context.Background(), flushTime)
		defer cancel()
		errs = append(errs, d.plane.Flush(ctx))
	}
	return errors.Join(errs...)
}
