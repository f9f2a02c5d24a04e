package daemon

import (
	"bytes"
	"context"
	"slices"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/history"
)

// Config implements api.Reader.
func (d *daemon) Config(ctx context.Context, q api.ConfigQuery) (string, error) {
	cfg, err := d.version(q.Version)
	if err != nil {
		return "", err
	}
	if q.Expanded {
		if cfg, err = d.expanded(ctx, cfg, q.Version == 0); err != nil {
			return "", err
		}
	}
	return string(config.Print(cfg, true)), nil
}

// expanded is cfg with presets written out, and what this machine adds to it if it
// runs.
func (d *daemon) expanded(ctx context.Context, cfg *config.Config, runs bool) (*config.Config, error) {
	if !runs {
		return cfg.Expanded(), nil
	}
	derived, err := d.engine.Derived(ctx)
	out := d.complete(cfg).Expanded()
	out.Statics = slices.Concat(out.Statics, derived)
	return out, err
}

// version is a configuration that is kept, or what runs for version 0.
func (d *daemon) version(version int) (*config.Config, error) {
	if version == 0 {
		return d.config.get(), nil
	}
	text, err := d.text(version)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Parse(d.history.Path(version), text)
	if err != nil {
		return nil, api.Conflict("this nvad does not understand version %d any more: %s", version, err)
	}
	return cfg, nil
}

// text is that of a version, or what runs for version 0.
func (d *daemon) text(version int) ([]byte, error) {
	if version == 0 {
		return d.config.both().text, nil
	}
	if _, ok := d.history.Record().Find(version); !ok {
		return nil, notKept(version)
	}
	return d.history.Text(version)
}

// FetchConfig implements api.Controller.
func (d *daemon) FetchConfig(_ context.Context, version int) (string, []byte, error) {
	text, err := d.text(version)
	return d.history.Record().File, text, err
}

// Configs implements api.Reader.
func (d *daemon) Configs(context.Context) (history.Record, error) { return d.history.Record(), nil }

// configState compares the file with what runs.
func (d *daemon) configState() api.ConfigState {
	r := d.history.Record()
	s := api.ConfigState{Record: r, FileState: "same"}
	text, err := config.Read(r.File)
	switch {
	case err != nil:
		s.FileState = "unreadable"
	case bytes.Equal(text, d.config.both().text):
	case history.Sum(text) == r.HeldBack:
		s.FileState = "held back"
	default:
		s.FileState = "differs"
	}
	return s
}
