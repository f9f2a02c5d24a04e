package config

import (
	"fmt"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Daemon has the settings of the process.
type Daemon struct {
	Socket      string // path of the gRPC socket
	SocketGroup string // empty: see the key's default
	LogLevel    string // debug, info, warn, error
	PreserveFIB bool   // SIGTERM leaves the kernel's routes in place, and neighbors with graceful restart keep theirs
}

var defaultDaemon = Daemon{Socket: "/run/nvad/nvad.sock", LogLevel: "info", PreserveFIB: true}

var daemonTable = tomlfile.Single[Config, Daemon]{
	Name: "daemon", Doc: "The nvad process.",
	Of: func(c *Config) *Daemon { return &c.Daemon }, Fields: daemonFields,
}

func daemonFields(d *Daemon) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "socket", Value: tomlfile.Text(&d.Socket, checkPath), Impact: Restart,
			Doc: "Path of the Unix socket on which nvactl reaches nvad."},
		{Key: "socket-group", Value: tomlfile.Text(&d.SocketGroup, nil), Example: `"nvad-view"`, Impact: Restart,
			Doc: "Group of the socket. Its members may read everything and change nothing. Default: the group of the socket's " +
				"directory if that has the setgid bit, as the package's /run/nvad has (nvad-view); otherwise the group that nvad runs as."},
		{Key: "log-level", Value: tomlfile.OneOf(&d.LogLevel, "debug", "info", "warn", "error"),
			Doc: `Least severe messages to log: "debug", "info", "warn" or "error".`},
		{Key: "preserve-fib", Value: tomlfile.Bool(&d.PreserveFIB),
			Doc: "Keep routes and tunnels in the kernel when nvad stops, so that traffic continues during a restart. If false, " +
				"nvad removes them when it stops."},
	}
}

func checkPath(s string) error {
	if len(s) < 2 || s[0] != '/' {
		return fmt.Errorf("want an absolute path, got %s", tomlfile.Show(s))
	}
	return nil
}

// Limits bounds what others can make the process use.
type Limits struct {
	Memory int // MiB; 0: see the key's default
}

var limitsTable = tomlfile.Single[Config, Limits]{
	Name: "limits", Doc: "Limits on what others can make nvad use.",
	Of: func(c *Config) *Limits { return &c.Limits }, Fields: limitsFields,
}

func limitsFields(l *Limits) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "memory", Value: tomlfile.Number(&l.Memory, 32, 1<<20), Example: "512",
			Doc: "Maximum memory of nvad, in MiB. At nine tenths of it, nvad closes the session of the neighbor whose routes take " +
				"the most memory (Cease/Out of Resources, RFC 4486); the other sessions stay up. The closed session returns " +
				"after a minute; the pause doubles each further time, up to an hour. For Go's garbage collector, GOMEMLIMIT in " +
				"the environment takes precedence. Default: five sixths of the memory limit of nvad's control group, or half of " +
				"the machine's memory if that is less."},
	}
}

// Journal bounds the log of past events on disk.
type Journal struct {
	Size int // MiB; 0: none is kept
}

var defaultJournal = Journal{Size: 64}

var journalTable = tomlfile.Single[Config, Journal]{
	Name: "journal", Doc: "The journal of what happened, for nvactl events and for states at earlier times.",
	Of: func(c *Config) *Journal { return &c.Journal }, Fields: journalFields,
}

func journalFields(j *Journal) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "size", Value: tomlfile.Number(&j.Size, 0, 1024), Example: "256",
			Doc: "Maximum size of the journal on disk, in MiB, in the directory journal below nvad's state directory " +
				"(/var/lib/nvad in the package). The oldest events make room for new ones; an eighth is reserved for everything " +
				"but changes of routes. A table of 50,000 routes or more needs a larger journal, or its state at earlier times is not " +
				"kept. 0 keeps no journal, and leaves what there is on disk."},
	}
}
