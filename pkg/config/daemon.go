package config

import (
	"fmt"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Daemon is what concerns the process.
type Daemon struct {
	Socket      string // path of the gRPC socket
	SocketGroup string // its group; empty leaves the process's own
	LogLevel    string // debug, info, warn, error
	PreserveFIB bool   // SIGTERM keeps kernel state and graceful-restart peers' routes
}

var defaultDaemon = Daemon{Socket: "/run/nvad/nvad.sock", LogLevel: "info", PreserveFIB: true}

var daemonTable = tomlfile.Single[Config, Daemon]{
	Name: "daemon", Doc: "The process.",
	Of: func(c *Config) *Daemon { return &c.Daemon }, Fields: daemonFields,
}

var daemonFields = []tomlfile.Field[Daemon]{
	{
		Key: "socket", Impact: Restart,
		Doc:  "Unix socket that nvactl talks to.",
		Bind: func(d *Daemon) tomlfile.Value { return tomlfile.Text(&d.Socket, checkPath) },
	},
	{
		Key: "socket-group", Example: `"nvad-view"`, Impact: Restart,
		Doc: "Group of the socket, whose members may look. Default: that of the socket's directory if the directory has the setgid bit, " +
			"as /run/nvad of the package has (nvad-view), else the group nvad runs as.",
		Bind: func(d *Daemon) tomlfile.Value { return tomlfile.Text(&d.SocketGroup, nil) },
	},
	{
		Key:  "log-level",
		Doc:  `"debug", "info", "warn" or "error".`,
		Bind: func(d *Daemon) tomlfile.Value { return tomlfile.OneOf(&d.LogLevel, "debug", "info", "warn", "error") },
	},
	{
		Key:  "preserve-fib",
		Doc:  "Leave routes and tunnels in the kernel when nvad stops, so that it can restart unnoticed.",
		Bind: func(d *Daemon) tomlfile.Value { return tomlfile.Bool(&d.PreserveFIB) },
	},
}

func checkPath(s string) error {
	if len(s) < 2 || s[0] != '/' {
		return fmt.Errorf("want an absolute path, got %s", tomlfile.Show(s))
	}
	return nil
}

// Limits are bounds of what others can make the process take.
type Limits struct {
	Memory int // MiB; 0: a share of what there is
}

var limitsTable = tomlfile.Single[Config, Limits]{
	Name: "limits", Doc: "Bounds of what others can make nvad take.",
	Of: func(c *Config) *Limits { return &c.Limits }, Fields: limitsFields,
}

var limitsFields = []tomlfile.Field[Limits]{
	{
		Key: "memory", Example: "512",
		Doc: "MiB of memory that nvad takes at most; GOMEMLIMIT of the environment goes before it for the collector. When nine tenths " +
			"are in use, the neighbor that holds most is closed with Cease/Out of Resources (RFC 4486) and stays down for a minute, " +
			"then for twice as long each time, up to an hour: the others go on. " +
			"Default: five sixths of the limit of nvad's control group or, if that is less, half of the machine's memory.",
		Bind: func(l *Limits) tomlfile.Value { return tomlfile.Number(&l.Memory, 32, 1<<20) },
	},
}
