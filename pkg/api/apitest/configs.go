package apitest

import (
	"context"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/history"
)

// Config implements api.Reader. Every version that is kept has the same text.
func (d *Daemon) Config(_ context.Context, q api.ConfigQuery) (string, error) {
	if err := d.kept(q.Version); err != nil {
		return "", err
	}
	if q.Expanded {
		return d.TOML + "# expanded\n", d.Err
	}
	return d.TOML, d.Err
}

func (d *Daemon) kept(version int) error {
	for _, v := range d.Versions {
		if v.Version == version {
			return nil
		}
	}
	if version == 0 {
		return nil
	}
	return api.NotFound("version %d is not kept", version)
}

// Configs implements api.Reader.
func (d *Daemon) Configs(context.Context) (history.Record, error) {
	return history.Record{Entries: d.Versions, Running: d.Versions[len(d.Versions)-1].Version}, d.Err
}

// Preview implements api.Reader.
func (d *Daemon) Preview(_ context.Context, effect bool) (api.Preview, error) {
	if !effect {
		return api.Preview{Changes: d.Changes, Cautions: d.Cautions, Refused: d.Refused}, d.Err
	}
	return api.Preview{Changes: d.Changes, Cautions: d.Cautions, Effect: d.Effect, Refused: d.Refused}, d.Err
}

// Reload implements api.Controller.
func (d *Daemon) Reload(_ context.Context, o api.ReloadOptions) (api.Reloaded, error) {
	out := api.Reloaded{Changes: d.Changes, Cautions: d.Cautions, Effect: d.Effect, Version: 5}
	if o.Confirm == 0 {
		return out, d.did("reload")
	}
	out.Pending = &history.Pending{Deadline: Now.Add(o.Confirm), Fallback: 4}
	return out, d.did("reload confirm=%s", o.Confirm.Round(time.Second))
}

// Confirm implements api.Controller.
func (d *Daemon) Confirm(context.Context) (int, error) { return 5, d.did("confirm") }

// Rollback implements api.Controller.
func (d *Daemon) Rollback(_ context.Context, version int) (api.RolledBack, error) {
	if err := d.kept(version); err != nil {
		return api.RolledBack{}, err
	}
	return api.RolledBack{Changes: d.Changes, To: 3, Version: 6}, d.did("rollback %d", version)
}

// FetchConfig implements api.Controller.
func (d *Daemon) FetchConfig(_ context.Context, version int) (string, []byte, error) {
	if err := d.kept(version); err != nil {
		return "", nil, err
	}
	return d.File, []byte(d.TOML), d.Err
}

// versions is a history with one of every fate.
func versions() []history.Entry {
	at := Now.Add(-26 * time.Hour)
	list := []history.Entry{
		{Version: 1, Time: at, Cause: "start", Result: "applied"},
		{Version: 2, Time: at.Add(time.Hour), Cause: "reload", By: "root", Result: "confirmed", Judge: "alice"},
		{Version: 3, Time: at.Add(2 * time.Hour), Cause: "reload", By: "SIGHUP", Result: "not confirmed"},
		{Version: 4, Time: at.Add(3 * time.Hour), Cause: "rollback", By: "deadline", Origin: 2, Result: "applied"},
		{Version: 5, Time: at.Add(4 * time.Hour), Cause: "reload", By: "root", Result: "waiting"},
	}
	return list
}
