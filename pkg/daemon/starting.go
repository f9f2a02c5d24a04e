package daemon

import (
	"context"
	"fmt"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
)

// startup is how far the start is. It waits as long as it takes for what comes with
// the machine, a NIC and its address: the API tells meanwhile what that is.
type startup struct {
	done  chan struct{} // closed once nvad has started
	cfg   *config.Config
	began time.Time

	mu    sync.Mutex // guards waits
	waits string     // what for; empty: for nothing in particular
}

func newStartup(cfg *config.Config) *startup {
	return &startup{done: make(chan struct{}), cfg: cfg, began: time.Now()}
}

func (s *startup) waitFor(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = what
}

func (s *startup) waiting() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits
}

func (s *startup) isDone() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// text says what the start does, for an operator.
func (s *startup) text() string {
	if what := s.waiting(); what != "" {
		return fmt.Sprintf("still starting: it waits for %s, for %s so far", what, time.Since(s.began).Round(time.Second))
	}
	return "still starting"
}

// stillStarting is the API's answer to what can't be answered yet.
func (d *daemon) stillStarting() error {
	if d.startup.isDone() {
		return nil
	}
	return api.Conflict("nvad is %s", d.startup.text())
}

// statusOfStart is the daemon at a glance while it starts.
func (d *daemon) statusOfStart() api.Status {
	cfg := d.startup.cfg
	s := engine.Status{ASN: cfg.ASN, RouterID: cfg.RouterID, Since: d.startup.began, Neighbors: len(cfg.Neighbors)}
	s.Warnings = append(s.Warnings, config.Warning{Key: "nvad", Code: "starting", Msg: d.startup.text()})
	s.Warnings = append(s.Warnings, d.degraded()...)
	return api.Status{Status: s, Host: hostName(), Tunnels: len(cfg.Tunnels)}
}

// reportStart keeps systemd informed until nvad has started. A start that waits for
// longer than readyTime counts as done: a boot must not hang in it, least of all one
// that is to bring the NIC. Its watchdog is fed as long as it is known what for.
func (d *daemon) reportStart(ctx context.Context) error {
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	ready := time.After(readyTime)
	for {
		select {
		case <-d.startup.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ready:
			d.log.Warn("the start goes on in the background", "reason", d.startup.text())
			d.notify(sd.SdNotifyReady)
		case <-tick.C:
			if d.startup.waiting() != "" {
				d.notify("STATUS="+d.startup.text(), sd.SdNotifyWatchdog)
			}
		}
	}
}
