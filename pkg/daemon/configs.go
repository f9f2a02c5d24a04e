package daemon

import (
	"bytes"
	"context"
	"os"
	"slices"
	"sync"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/history"
)

// Config implements api.Reader.
func (d *daemon) Config(ctx context.Context, version int, expanded bool) (string, error) {
	cfg, err := d.version(version)
	if err != nil {
		return "", err
	}
	if expanded {
		if cfg, err = d.expanded(ctx, cfg, version == 0); err != nil {
			return "", err
		}
	}
	return string(config.Print(cfg, true)), nil
}

// expanded returns cfg with its presets written out and, if it is the running one, with
// what this machine adds.
func (d *daemon) expanded(ctx context.Context, cfg *config.Config, runs bool) (*config.Config, error) {
	if !runs {
		return cfg.Expanded(), nil
	}
	derived, err := d.engine.Derived(ctx)
	out := d.complete(cfg).Expanded()
	out.Statics = slices.Concat(out.Statics, derived)
	return out, err
}

// version returns a kept configuration, or the running one for version 0.
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

// text returns the text of a version, or of the running one for version 0.
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

// configState compares the file with the running configuration.
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

// candidate is a valid configuration and the text it was read from.
type candidate struct {
	text []byte
	cfg  *config.Config
}

// load reads the configuration file at path, and the files with its TCP-MD5 and BFD
// keys. The error is that of config.Load, or names key and file; it never quotes what
// is in a file.
func load(path string) (candidate, error) {
	text, err := config.Read(path)
	if err != nil {
		return candidate{}, err
	}
	return examine(path, text)
}

// examine is like load, with the text of the file at path.
func examine(path string, text []byte) (candidate, error) {
	cfg, err := config.Parse(path, text)
	if err != nil {
		return candidate{}, err
	}
	cfg, err = withPasswords(path, cfg, os.Getenv("CREDENTIALS_DIRECTORY"))
	return candidate{text, cfg}, err
}

// running keeps the running configuration.
type running struct {
	mu  sync.Mutex // held during a whole change, so that two never overlap
	now candidate
	nmu sync.RWMutex // guards now
}

func (r *running) get() *config.Config { return r.both().cfg }

func (r *running) both() candidate {
	r.nmu.RLock()
	defer r.nmu.RUnlock()
	return r.now
}

func (r *running) set(c candidate) {
	r.nmu.Lock()
	defer r.nmu.Unlock()
	r.now = c
}
