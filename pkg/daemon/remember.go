package daemon

import (
	"context"
	"strings"
	"time"
)

// tellSkipped logs what was to run before what does, a line for each fault.
func (d *daemon) tellSkipped(c choice) {
	for _, err := range c.skipped {
		for line := range strings.Lines(err.Error()) {
			d.log.Error("configuration can't run", "reason", strings.TrimSuffix(line, "\n"))
		}
	}
	d.notices.set("configuration", c.degraded(d.opt.Config))
}

// remember writes what runs since the start into the history, and tells where it
// is not the file.
func (d *daemon) remember(c choice) {
	text := c.text
	if c.record.Running == d.history.Record().Running {
		text = nil
	}
	if err := d.history.Note(c.record, text); err != nil {
		d.log.Warn("configuration not kept, tried again", "reason", err)
	}
	d.history.Prune()
	if c.warn == "" {
		return
	}
	d.log.Warn(c.warn, "config_version", c.record.Running, "config", d.opt.Config)
	if p := c.record.Pending; p != nil {
		d.log.Warn("rollback unless confirmed", "deadline", p.Deadline, "fallback", p.Fallback)
	}
}

// keepTime is the time between attempts to write what could not be written.
const keepTime = 30 * time.Second

// keepHistory writes into the history, once that is possible, what ran while it could
// not be written.
func (d *daemon) keepHistory(ctx context.Context) error {
	tick := time.NewTicker(keepTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if d.history.Behind() == nil {
			continue
		}
		d.config.mu.Lock()
		if err := d.history.Sync(); err == nil {
			d.history.Prune()
			d.log.Info("configuration kept", "config_version", d.history.Record().Running)
		}
		d.config.mu.Unlock()
	}
}
