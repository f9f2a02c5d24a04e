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

// statusInterval is the time between two looks at the engine for systemd.
const statusInterval = 2 * time.Second

// notify tells systemd; without systemd it does nothing.
func (d *daemon) notify(state ...string) {
	if _, err := sd.SdNotify(false, strings.Join(state, "\n")); err != nil {
		d.log.Warn("systemd not notified", "reason", err)
	}
}

// reloading tells systemd that a reload has begun. It returns what tells of its
// end, good or bad: the daemon serves on either way.
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
		d.log.Warn("systemd's watchdog is not served", "reason", err)
	}
	return heartbeat{watchdog: watchdog, status: d.engine.Status, notify: d.notify}.run(ctx)
}

// heartbeat asks the engine how it is. An engine that answers is news for the
// watchdog; one that does not keeps the heartbeat waiting, and so the watchdog
// hungry.
type heartbeat struct {
	watchdog time.Duration // the longest time without news; 0: nobody watches
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
	told := ""
	for {
		s, err := h.status(ctx)
		if err != nil {
			return err
		}
		var news []string
		if text := statusText(s); text != told {
			told = text
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
