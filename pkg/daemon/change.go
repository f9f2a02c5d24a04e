package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/history"
	"github.com/nvad/nvad/pkg/watch"
)

// Reload implements api.Controller. It waits for the effect on the routes only after
// others may change the configuration again.
func (d *daemon) Reload(ctx context.Context, confirm time.Duration) (api.Reloaded, error) {
	out, err := d.reload(ctx, confirm)
	if err == nil {
		out.Effect = d.effect(ctx)
	}
	return out, err
}

// reload reads, validates and compiles the file, and only then applies it. Sessions
// that do not change are not reset.
func (d *daemon) reload(ctx context.Context, confirm time.Duration) (out api.Reloaded, err error) {
	defer func() {
		d.reloads.note(err)
		d.operation(ctx, watch.Operation{What: "reload", Detail: reloadText(out, confirm), Version: out.Version}, err)
	}()
	d.config.mu.Lock()
	defer d.config.mu.Unlock()
	defer d.reloading()()
	next, err := load(d.opt.Config)
	if err != nil {
		return api.Reloaded{}, api.Invalid("%s", err)
	}
	record, err := d.planned(next, by(ctx), confirm)
	if err != nil {
		return api.Reloaded{}, err
	}
	cautions := cautions(d.config.get(), next.cfg)
	changes, err := d.change(ctx, next, record, changeOptions{recorded: confirm > 0, whole: true})
	if err != nil {
		return api.Reloaded{}, err
	}
	out = api.Reloaded{Changes: changes, Cautions: cautions, Version: d.history.Record().Running, Pending: d.history.Record().Pending}
	if p := out.Pending; p != nil {
		d.log.Warn("configuration waits for confirmation", "config_version", out.Version, "deadline", p.Deadline, "fallback", p.Fallback)
	}
	d.log.Info("configuration reloaded", "changes", len(changes), "config_version", out.Version)
	return out, nil
}

// reloadText describes a reload that was carried out.
func reloadText(r api.Reloaded, confirm time.Duration) string {
	text := changesText(r.Changes)
	if r.Pending != nil {
		text = fmt.Sprintf("to be confirmed within %s: %s", confirm, text)
	}
	return text
}

// planned returns the history record that activating next would write, or why the
// reload is refused.
func (d *daemon) planned(next candidate, who string, confirm time.Duration) (history.Record, error) {
	r := d.history.Record()
	now := time.Now()
	same := bytes.Equal(next.text, d.config.both().text)
	entry := history.Entry{Time: now, Cause: history.Reload, By: who}
	switch {
	case r.Pending != nil && confirm == 0:
		return r, api.Conflict("version %d waits for confirmation until %s: confirm it or roll it back first, or reload with --confirm",
			r.Running, r.Pending.Deadline.Local().Format(time.TimeOnly))
	case confirm == 0 && same:
		r.HeldBack = ""
		return r, nil
	case confirm == 0:
		return r.Next(entry), nil
	case !same:
		if err := d.history.Sync(); err != nil { // a rollback must be possible
			return r, api.Conflict("%s: nvad could not undo the change after a crash; nothing was changed", err)
		}
		return r.NextPending(entry, now, confirm), nil
	case r.Pending != nil:
		return r.Prolong(now, confirm), nil
	}
	return r, api.Conflict("nvad already runs this file: there is nothing to confirm")
}

// changeOptions say which failures refuse a change.
type changeOptions struct {
	recorded bool // it can't be written to the history
	whole    bool // an address can't be listened on; otherwise nvad keeps trying
}

// change makes next the running configuration and writes record to the history. If the
// history can't be written now, keepHistory does so later. An error leaves everything
// as it was.
func (d *daemon) change(ctx context.Context, next candidate, record history.Record, o changeOptions) ([]config.Change, error) {
	changes := config.Diff(d.complete(d.config.get()), d.complete(next.cfg))
	if err := reloadable(changes); err != nil {
		return nil, err
	}
	before := d.history.Record()
	text := next.text
	if record.Running == before.Running {
		text = nil
	}
	store := d.history.Note
	if o.recorded {
		store = d.history.Commit
	}
	switch err := store(record, text); {
	case err != nil && o.recorded:
		return nil, api.Conflict("%s: nvad could not undo the change after a crash; nothing was changed", err)
	case err != nil:
		d.log.Warn("configuration not kept, tried again", "reason", err)
	}
	if err := d.apply(ctx, next, o.whole); err != nil {
		return nil, errors.Join(err, d.history.Note(before, nil))
	}
	d.notices.set("configuration", "")
	d.history.Prune()
	d.deadline.poke()
	return changes, nil
}

// Preview implements api.Reader. It does everything that Reload does, except applying
// the file.
func (d *daemon) Preview(ctx context.Context, effect bool) (api.Preview, error) {
	if effect {
		return d.ask.effect(ctx)
	}
	return d.ask.preview(ctx)
}

func (d *daemon) askPreview(context.Context) (api.Preview, error) {
	out, _, err := d.preview()
	return out, err
}

func (d *daemon) askEffect(ctx context.Context) (api.Preview, error) {
	out, next, err := d.preview()
	if err != nil || out.Refused != "" {
		return out, err
	}
	out.Effect = &api.Effect{}
	out.Effect.Effect, out.Effect.Resets, err = d.engine.Preview(ctx, d.complete(next))
	if err != nil {
		out.Effect.Unknown = err.Error()
	}
	return out, nil
}

// preview compares the file with the running configuration.
func (d *daemon) preview() (api.Preview, *config.Config, error) {
	next, err := load(d.opt.Config)
	if err != nil {
		return api.Preview{}, nil, api.Invalid("%s", err)
	}
	changes := config.Diff(d.complete(d.config.get()), d.complete(next.cfg))
	out := api.Preview{Changes: changes, Cautions: cautions(d.config.get(), next.cfg)}
	if err := reloadable(changes); err != nil {
		out.Refused = err.Error()
	}
	return out, next.cfg, nil
}

// effect waits until the effects of the last reload are decided, and returns how the
// routes changed.
func (d *daemon) effect(ctx context.Context) *api.Effect {
	out := &api.Effect{}
	var known bool
	var err error
	out.Effect, out.Resets, known, err = d.engine.Outcome(ctx)
	switch {
	case err != nil:
		out.Unknown = err.Error()
	case !known:
		out.Unknown = "it was not over within 10 s, or another change followed"
	}
	return out
}

// cautions returns the warnings of next, those first that running does not have.
func cautions(running, next *config.Config) (out api.Cautions) {
	has := map[config.Warning]bool{}
	lineless := func(w config.Warning) config.Warning { // a line added above moves a warning, but does not make it new
		w.File, w.Line = "", 0
		return w
	}
	for _, w := range config.Warnings(running) {
		has[lineless(w)] = true
	}
	var known []config.Warning
	for _, w := range config.Warnings(next) {
		if has[lineless(w)] {
			known = append(known, w)
		} else {
			out.Warnings = append(out.Warnings, w)
		}
	}
	out.New = len(out.Warnings)
	out.Warnings = append(out.Warnings, known...)
	return out
}

// reloadable refuses changes that need a restart.
func reloadable(changes []config.Change) error {
	var needs []string
	for _, c := range changes {
		if c.Impact == config.Restart {
			needs = append(needs, c.Object+": "+c.What)
		}
	}
	if len(needs) == 0 {
		return nil
	}
	return api.Conflict("%s: only a restart changes that; a reload is refused", strings.Join(needs, ", "))
}

// apply makes next the running configuration. It compiles policies and opens sockets
// first; an error leaves everything as it was. Unless whole is set, a socket that can't
// be opened is no error: a start and a rollback must not fail because of it.
func (d *daemon) apply(ctx context.Context, next candidate, whole bool) error {
	if whole {
		if err := d.prepare(ctx, next.cfg); err != nil {
			d.serveAsBefore()
			return api.Conflict("%s", err)
		}
	}
	if err := d.engine.Apply(ctx, d.complete(next.cfg)); err != nil {
		d.serveAsBefore()
		return err
	}
	if !whole {
		d.serve(next.cfg)
	}
	d.limitMemory(next.cfg)
	d.wg.set(next.cfg)
	d.polls.configure(next.cfg.Azure.Poll)
	d.chronicle.resize(next.cfg.Journal.Size)
	d.stations.Configure(stationsOf(next.cfg))
	setLevel(d.level, next.cfg.Daemon.LogLevel)
	d.config.set(next)
	return nil
}

// prepare does everything in a change that may fail.
func (d *daemon) prepare(ctx context.Context, cfg *config.Config) error {
	if err := errors.Join(d.tcp.set(cfg.API), d.http.Set(d.endpoints(cfg))); err != nil {
		return err
	}
	return d.engine.Prepare(ctx, d.complete(cfg))
}

// serveAsBefore restores the listeners after a change that failed.
func (d *daemon) serveAsBefore() {
	if cfg := d.config.get(); cfg != nil {
		d.serve(cfg)
	}
}

// serve opens the listeners of cfg, as far as that is possible.
func (d *daemon) serve(cfg *config.Config) {
	if err := d.tcp.set(cfg.API); err != nil {
		d.log.Warn("api over TCP keeps its certificates", "reason", err)
	}
	d.http.Force(d.endpoints(cfg))
}

// by names who asks for a change. A change without a caller comes from a signal.
func by(ctx context.Context) string {
	if name := api.CallerName(ctx); name != "" {
		return name
	}
	return "SIGHUP"
}
