package daemon

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/history"
	"github.com/nvad/nvad/pkg/watch"
)

// Confirm implements api.Controller.
func (d *daemon) Confirm(ctx context.Context) (version int, err error) {
	defer func() { d.operation(ctx, watch.Operation{What: "confirm", Version: version}, err) }()
	d.config.mu.Lock()
	defer d.config.mu.Unlock()
	r := d.history.Record()
	if r.Pending == nil {
		return 0, api.Conflict("no change waits for confirmation")
	}
	if err := d.history.Commit(r.Confirm(by(ctx)), nil); err != nil {
		return 0, err
	}
	d.deadline.poke()
	d.log.Info("configuration confirmed", "config_version", r.Running, "by", by(ctx))
	return r.Running, nil
}

// Rollback implements api.Controller.
func (d *daemon) Rollback(ctx context.Context, version int) (out api.RolledBack, err error) {
	defer func() { d.operation(ctx, rollbackOperation(out.Changes, out.To, out.Version), err) }()
	d.config.mu.Lock()
	defer d.config.mu.Unlock()
	defer d.reloading()()
	r := d.history.Record()
	if version == 0 {
		version = r.Before()
	}
	to, ok := r.Find(version)
	switch {
	case version == 0:
		return api.RolledBack{}, api.Conflict("there is no earlier configuration to go back to")
	case !ok:
		return api.RolledBack{}, notKept(version)
	case version == r.Running:
		return api.RolledBack{}, api.Conflict("version %d is already running", version)
	}
	changes, err := d.back(ctx, to.Version, by(ctx), history.RolledBack)
	if err != nil {
		return api.RolledBack{}, err
	}
	return api.RolledBack{Changes: changes, To: version, Version: d.history.Record().Running}, nil
}

func rollbackOperation(changes []config.Change, to, version int) watch.Operation {
	return watch.Operation{What: "rollback", Detail: fmt.Sprintf("to version %d: %s", to, changesText(changes)), Version: version}
}

func notKept(version int) error {
	return api.NotFound("version %d is not kept (nvactl config history shows what is)", version)
}

// back makes the text of an earlier version run again.
func (d *daemon) back(ctx context.Context, version int, who, result string) ([]config.Change, error) {
	text, err := d.history.Text(version)
	if err != nil {
		return nil, err
	}
	next, err := examine(d.history.Path(version), text)
	if err != nil {
		return nil, api.Conflict("version %d can't run any more: %s", version, err)
	}
	before := d.history.Record()
	record := before.Back(version, history.Entry{Time: time.Now(), By: who}, result)
	record.HeldBack = heldBack(d.opt.Config, d.config.both().text, text)
	changes, err := d.change(ctx, next, record, changeOptions{})
	if err != nil {
		return nil, err
	}
	d.log.Warn("configuration rolled back", "was", before.Running, "config_version", d.history.Record().Running, "fallback", version, "by", who, "changes", len(changes))
	return changes, nil
}

// heldBack identifies the text that a start must not take instead of text: the file as
// it is, or the text that ran until now if the file can't be read. It is empty if the
// file has the text that runs.
func heldBack(path string, ran, text []byte) string {
	file, err := config.Read(path)
	if err != nil {
		file = ran
	}
	if bytes.Equal(file, text) {
		return ""
	}
	return history.Sum(file)
}

// expire rolls back a change that was not confirmed in time.
func (d *daemon) expire(ctx context.Context) {
	d.config.mu.Lock()
	defer d.config.mu.Unlock()
	p := d.history.Record().Pending
	if p == nil || p.Left(time.Now()) > 0 {
		return
	}
	defer d.reloading()()
	changes, err := d.back(ctx, p.Fallback, deadlineName, history.Unconfirmed)
	if err != nil {
		d.log.Error("configuration not confirmed, and not rolled back", "reason", err)
	}
	op := rollbackOperation(changes, p.Fallback, d.history.Record().Running)
	op.By = deadlineName
	d.operation(ctx, op, err)
}

// deadlineName stands in the history for a rollback by the deadline.
const deadlineName = "deadline"

// rollbackRetry is the time between two attempts at a rollback that failed.
const rollbackRetry = 10 * time.Second

// alarm wakes watchDeadline when the deadline may have changed.
type alarm chan struct{}

func (a alarm) poke() {
	select {
	case a <- struct{}{}:
	default:
	}
}

// watchDeadline rolls back changes that are not confirmed in time.
func (d *daemon) watchDeadline(ctx context.Context) error {
	for {
		var due <-chan time.Time
		if p := d.history.Record().Pending; p != nil {
			due = time.After(p.Left(time.Now()))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.deadline:
			continue
		case <-due:
		}
		d.expire(ctx)
		if p := d.history.Record().Pending; p != nil && p.Left(time.Now()) <= 0 {
			select {
			case <-time.After(rollbackRetry):
			case <-d.deadline:
			case <-ctx.Done():
			}
		}
	}
}
