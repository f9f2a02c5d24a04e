package daemon

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/engine"
)

// statusInterval is the time between two status lines for systemd.
const statusInterval = 2 * time.Second

// notify notifies systemd, if nvad runs under it.
func (d *daemon) notify(state ...string) {
	if _, err := sd.SdNotify(false, strings.Join(state, "\n")); err != nil {
		d.log.Warn("systemd not notified", "reason", err)
	}
}

// reloading tells systemd that a reload begins. Call done when it ends, whether it
// succeeded or not: the daemon keeps serving.
func (d *daemon) reloading() (done func()) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		d.log.Warn("monotonic clock", "reason", err)
	}
	d.notify(sd.SdNotifyReloading, fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
	return func() { d.notify(sd.SdNotifyReady) }
}

// report keeps systemd informed until ctx ends.
func (d *daemon) report(ctx context.Context) error {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	watchdog, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		d.log.Warn("systemd's watchdog gets no news", "reason", err)
	}
	return heartbeat{watchdog: watchdog, status: d.engine.Status, notify: d.notify}.run(ctx)
}

// heartbeat asks the engine for its status. If the engine does not answer, the
// heartbeat waits, and the watchdog gets no news and restarts nvad.
type heartbeat struct {
	watchdog time.Duration // the longest time that the watchdog waits for news; 0: there is none
	status   func(context.Context) (engine.Status, error)
	notify   func(state ...string)
}

func (h heartbeat) run(ctx context.Context) error {
	interval := statusInterval
	if h.watchdog > 0 {
		interval = min(interval, h.watchdog/2)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	last := ""
	for {
		s, err := h.status(ctx)
		if err != nil {
			return err
		}
		var news []string
		if text := statusText(s); text != last {
			last = text
			news = append(news, "STATUS="+text)
		}
		if h.watchdog > 0 {
			news = append(news, sd.SdNotifyWatchdog)
		}
		if len(news) > 0 {
			h.notify(news...)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// statusText is the line that systemctl status shows.
func statusText(s engine.Status) string {
	text := fmt.Sprintf("%d of %d neighbors established, %d prefixes", s.Established, s.Neighbors, s.Prefixes)
	if !s.InSync {
		text += ", not in sync yet"
	}
	if !s.Drain.Since.IsZero() {
		text += ", draining"
	}
	return text
}

// ready tells systemd that configuration, links and static routes are in place. It
// waits for them for readyTime at most: everything else works without.
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

// staticsTried reports whether every static route that can stand was installed or
// rejected.
func (d *daemon) staticsTried(ctx context.Context) bool {
	if err := d.engine.Settle(ctx); err != nil {
		return false
	}
	routes, err := d.plane.Tally(ctx)
	return err == nil && routes.Untried == 0
}
