package api

import (
	"context"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
)

// ConfigReader tells about configurations, in force and not.
type ConfigReader interface {
	// Config is a configuration as normalised TOML, secrets masked. One that is
	// not kept is [NotFound].
	Config(ctx context.Context, q ConfigQuery) (string, error)
	// Configs are the kept configurations, the oldest first.
	Configs(ctx context.Context) ([]ConfigVersion, error)
	// Preview tells what a reload would do, and with effect what becomes of the
	// routes. A bad file is Invalid, as for [ConfigController].
	Preview(ctx context.Context, effect bool) (Preview, error)
}

// ConfigController changes the configuration.
type ConfigController interface {
	// Reload reads the configuration file and applies it. A bad file is
	// Invalid with one line for each of its errors.
	Reload(ctx context.Context, o ReloadOptions) (Reloaded, error)
	// Confirm makes a change stay that waits for it, and returns its version;
	// Conflict if none does.
	Confirm(ctx context.Context) (version int, err error)
	// Rollback applies a kept configuration; version 0 is the one before.
	Rollback(ctx context.Context, version int) (RolledBack, error)
	// FetchConfig is a kept configuration as it was written, with its secrets,
	// and the path of the configuration file. Version 0 is the running one.
	FetchConfig(ctx context.Context, version int) (path string, text []byte, err error)
}

// ConfigQuery names a configuration and chooses its form.
type ConfigQuery struct {
	Version  int  // 0: the one that runs
	Expanded bool // with presets and what is derived written out
}

// ReloadOptions say how sure the operator is.
type ReloadOptions struct {
	Confirm time.Duration // undo the change after it unless it is confirmed; 0: it stays
}

// Cautions are the warnings of a configuration file.
type Cautions struct {
	Warnings []config.Warning // those that are new first
	New      int              // how many of them the configuration that runs does not have
}

// Effect is what a reload does to the routes.
type Effect struct {
	rib.Effect
	Resets  []netip.Addr // neighbors whose sessions it resets
	Unknown string       // why nothing else is known; empty: it is
}

// Reloaded is what a reload did.
type Reloaded struct {
	Changes []Change
	Cautions
	Version  int       // that runs now; 0 if no history is kept
	Deadline time.Time // when the change is undone; zero: it stays
	Fallback int       // the version that then runs again
	Effect   *Effect
}

// RolledBack is what a rollback did.
type RolledBack struct {
	Changes []Change
	To      int // the version whose text runs again
	Version int // the new version it runs as
}

// Preview is what a reload would do.
type Preview struct {
	Changes []Change
	Cautions
	Effect  *Effect // nil: not asked for, or it would be refused
	Refused string  // why the reload would be refused all the same; empty: it would not
}

// ConfigVersion is one configuration that came into force.
type ConfigVersion struct {
	Version int
	Time    time.Time
	Cause   string // "start", "reload", "rollback"
	By      string // who caused it; empty for a start
	Origin  int    // of a rollback: the version whose text it has
	Result  string // "applied", "confirmed", ...
	Judge   string // who confirmed it or rolled it back
	Running bool
}

// ConfigState is how the configuration that runs stands to the file.
type ConfigState struct {
	Version   int // that runs; 0 if no history is kept
	Since     time.Time
	File      string    // path
	FileState string    // "same", "differs", "held back", "unreadable"
	Deadline  time.Time // when the change is undone unless confirmed; zero: none waits
	Fallback  int       // the version that then runs again
}
