package api

import (
	"context"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/bmp"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/history"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/watch"
)

// Reader answers questions. It may be called concurrently; the caller must not
// change an answer, which others may share. What its owner knows of something comes
// as the owner's own type, whole: a new field needs no change here.
type Reader interface {
	Status(ctx context.Context) (Status, error)
	// Neighbors returns all neighbors, configured and dynamic ones, ordered by address.
	Neighbors(ctx context.Context) ([]Neighbor, error)
	// Ranges returns the prefixes from which dynamic neighbors may connect.
	Ranges(ctx context.Context) ([]engine.Range, error)
	// Summaries suggests shorter announcements to a neighbor; see [engine.Engine.Summaries].
	Summaries(ctx context.Context, neighbor netip.Addr) ([]route.Summary, error)
	// PolicyHits counts how often the rules of a neighbor's policies decided.
	PolicyHits(ctx context.Context, neighbor netip.Addr) ([]engine.PolicyHits, error)
	// Routes yields the routes that q selects, ordered by prefix. It stops at yield's
	// first error and returns it. Yield blocks for as long as the client likes; the
	// engine must not wait for it.
	Routes(ctx context.Context, q engine.Query, yield func(engine.Path) error) error
	// FIB yields the routes that nvad wants in the kernel, under the same terms.
	FIB(ctx context.Context, yield func(FIBRoute) error) error
	// Tunnels returns all configured tunnels, ordered by name.
	Tunnels(ctx context.Context) ([]Tunnel, error)
	// Explain explains why a prefix is accepted, chosen, advertised and installed, or not.
	Explain(ctx context.Context, q rib.ExplainQuery) (Explanation, error)
	// Lookup asks the kernel where a packet for addr goes.
	Lookup(ctx context.Context, addr netip.Addr) (Lookup, error)
	// NAT returns the rules of the nftables table with their counters.
	NAT(ctx context.Context) ([]nat.Status, error)
	// Links returns the kernel's interfaces.
	Links(ctx context.Context) ([]fib.Link, error)
	// Events is where changes are published. It is closed when serving ends.
	Events() *watch.Hub
	// Past opens the journal of past events. [Conflict] if none is kept.
	Past(ctx context.Context) (Past, error)

	// Config returns a configuration, for version 0 the running one, as normalised TOML
	// with secrets masked. Expanded writes out presets and derived settings. [NotFound]
	// if the version is not kept.
	Config(ctx context.Context, version int, expanded bool) (string, error)
	// Configs returns the history of configurations.
	Configs(ctx context.Context) (history.Record, error)
	// Preview says what a reload would do and, with effect, how the routes would
	// change. [Invalid] if the file is, with a line for each of its errors.
	Preview(ctx context.Context, effect bool) (Preview, error)
}

// Controller carries out commands. A command that cannot be carried out changes
// nothing and returns [NotFound], [Invalid] or [Conflict].
type Controller interface {
	Reset(ctx context.Context, neighbor netip.Addr, kind ResetKind) error
	// SetNeighborShutdown shuts a neighbor down, with a shutdown communication
	// (RFC 9003), or enables it again.
	SetNeighborShutdown(ctx context.Context, neighbor netip.Addr, down bool, message string) error
	// MakeTunnelKey makes the private key of the tunnel that takes the place of a
	// WireGuard tunnel, unless there is one, and returns that tunnel's name and public
	// key.
	MakeTunnelKey(ctx context.Context, name string) (successor string, key tunnel.Key, err error)
	// Drain moves traffic away from this NVA. The reason may be empty. It returns the
	// time left until traffic should have moved.
	Drain(ctx context.Context, reason string) (time.Duration, error)
	// Undrain ends a drain, whoever started it.
	Undrain(ctx context.Context) error
	// Shutdown begins to stop the daemon and returns, with a shutdown communication for
	// every neighbor. Flush removes nvad's routes, next hops and devices from the kernel.
	// The daemon should stop serving last: clients take the closed connection for the end.
	Shutdown(ctx context.Context, flush bool, message string) error
	// SetLogLevel takes "debug", "info", "warn" or "error".
	SetLogLevel(ctx context.Context, level string) error
	// BeginAzurePoll returns in words why no poll of Azure is due. Empty: the caller asks
	// Azure and reports by EndAzurePoll.
	BeginAzurePoll(ctx context.Context) (notDue string, err error)
	// EndAzurePoll keeps what a poll saw or, if it failed, why. [Conflict] if none has
	// begun.
	EndAzurePoll(ctx context.Context, seen azure.Poll, failure string) error

	// Reload reads the configuration file and applies it. [Invalid] if the file is,
	// with a line for each of its errors. The change is undone after the time confirm
	// unless it is confirmed; 0: never.
	Reload(ctx context.Context, confirm time.Duration) (Reloaded, error)
	// Confirm keeps a pending change and returns its version. [Conflict] if none is
	// pending.
	Confirm(ctx context.Context) (version int, err error)
	// Rollback applies a kept configuration; version 0 is the one before.
	Rollback(ctx context.Context, version int) (RolledBack, error)
	// FetchConfig returns a kept configuration as it was written, with its secrets,
	// and the path of the configuration file. Version 0 is the running one.
	FetchConfig(ctx context.Context, version int) (path string, text []byte, err error)
}

// Status summarizes the daemon: the engine's part and that of the forwarding plane.
type Status struct {
	engine.Status
	Host      string // name of the machine; empty if that can't be read
	Time      time.Time
	FIB       fib.Tally
	Tunnels   int
	TunnelsUp int
	NICs      []nic.Status
	Config    ConfigState
	Problems  []Problem
	Unhealthy []string // why this NVA should not carry traffic; empty: it should
	// Neighbors and gateways that tunnels lead to, and how many of them are alive.
	TunnelPeers   int
	TunnelPeersUp int
	Azure         *AzureState // nil: it is not polled
	Stations      []bmp.Status
}

// AzureState summarizes the polls of Azure.
type AzureState struct {
	Interval time.Duration
	Taken    time.Time // of the last that succeeded; zero: none
	Stale    bool      // longer ago than three polls
	Prefixes int
	Findings int
	NotRead  int       // parts of Azure
	FailedAt time.Time // of the last poll; zero: it succeeded
	Failure  string
}

// AzureView is what the last poll of Azure saw of a prefix.
type AzureView struct {
	Taken   time.Time   // zero: none has succeeded yet
	Stale   bool        // longer ago than three polls
	Fate    *azure.Fate // with this prefix alone; nil: nvad had not sent it, or it was left out
	LeftOut int         // prefixes that the poll left out
}

// Problem is one thing that is wrong at this moment.
type Problem struct {
	Kind  string    // "neighbor", "route-server", "tunnel", "default-route" or "drain"
	Name  string    // of the neighbor, Route Server or tunnel; may be empty
	Text  string    // for people
	Since time.Time // when it began; zero: not known
}

// Neighbor is a neighbor with its BFD session.
type Neighbor struct {
	engine.NeighborStatus
	BFD *bfd.Status // nil: not watched
}

// FIBRoute is a route that nvad wants in the kernel.
type FIBRoute struct {
	fib.Status
	Derived bool // nvad derived this static route; it is not in the file
}

// Explanation is the engine's explanation with the kernel's routes for the prefix.
type Explanation struct {
	engine.Explanation
	Kernel []fib.Status // nvad's
	Others []fib.Status // of other programs
	Azure  *AzureView   // nil: it is not polled
}

// Tunnel is a tunnel with its forwarding database and what it leads to.
type Tunnel struct {
	tunnel.Status
	FDB       []tunnel.Entry
	Peers     []TunnelPeer
	Dropped   []nat.DropCount
	Unguarded bool // the rules that keep strangers out are not in the kernel
}

// TunnelPeer says whether the far side of a tunnel is alive: a neighbor that is
// reached through it, or the gateway of static routes.
type TunnelPeer struct {
	Remote   netip.Addr // of the tunnel, that it is behind; invalid: not known
	Neighbor netip.Addr
	Gateway  bool // not a neighbor, but a gateway of static routes
	Up       bool
	By       string // protocol that says so: "bfd" or "bgp"
	Reason   string // why it is not up, if known
}

// Lookup is where the kernel sends a packet for an address.
type Lookup struct {
	Address netip.Addr
	Way
	Tunnel *Encapsulation // nil: it enters no tunnel
	Azure  *AzureView     // of the longest prefix with the address; nil: it is not polled
}

// Way is one lookup in the kernel's table, and what nvad knows of the route found.
type Way struct {
	fib.Lookup
	Own      string     // "bgp" or "static" if nvad installed the route; empty: it did not
	Neighbor netip.Addr // that nvad learned it from
	ASPath   route.ASPath
}

// Encapsulation is the outer packet of a tunnel.
type Encapsulation struct {
	tunnel.Status
	Learned bool    // the device knows which remote to use
	Outer   []Outer // for that remote, or for each one
}

// Outer is where the outer packet to a remote goes.
type Outer struct {
	Remote netip.Addr
	Way
}

// ResetKind says how much of a session is reset.
type ResetKind uint8

// Kinds of reset.
const (
	ResetHard    ResetKind = iota // Cease, then a new session
	ResetSoftIn                   // run the import policy again
	ResetSoftOut                  // send the Adj-RIB-Out again
)

// ConfigState compares the running configuration with the file.
type ConfigState struct {
	history.Record
	FileState string // "same", "differs", "held back", "unreadable"
}

// Reloaded describes a reload that was carried out.
type Reloaded struct {
	Changes []config.Change // the most disruptive first
	Cautions
	Version int              // now running; 0 if no history is kept
	Pending *history.Pending // wait for confirmation; nil: the change stays
	Effect  *Effect
}

// RolledBack describes a rollback that was carried out.
type RolledBack struct {
	Changes []config.Change
	To      int // version whose text runs again
	Version int // new version that it runs as
}

// Preview describes what a reload would do.
type Preview struct {
	Changes []config.Change
	Cautions
	Effect  *Effect // nil: not asked for, or the reload would be refused
	Refused string  // why the reload would be refused although the file is valid
}

// Cautions are the warnings of a configuration file.
type Cautions struct {
	Warnings []config.Warning // new ones first
	New      int              // how many of them the running configuration does not have
}

// Effect is how a reload changes the routes.
type Effect struct {
	rib.Effect
	Resets  []netip.Addr // neighbors whose sessions it resets
	Unknown string       // why nothing else is known; empty: it is
}
