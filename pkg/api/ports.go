package api

import (
	"context"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/watch"
)

// Status is the daemon at a glance: the engine's view and what the forwarding
// plane adds to it.
type Status struct {
	engine.Status
	Host         string // name of the machine; empty if that can't be read
	FIBWanted    int
	FIBInstalled int
	Tunnels      int
	TunnelsUp    int
	NICs         []nic.Status
	Config       ConfigState
	Problems     []Problem
	// What tunnels lead to, and how many of that are alive.
	TunnelPeers   int
	TunnelPeersUp int
}

// Problem is one thing that is wrong at this moment.
type Problem struct {
	Kind  string    // "neighbor", "route-server", "tunnel", "default-route" or "drain"
	Name  string    // of the neighbor, Route Server or tunnel; empty: of none
	Text  string    // for people
	Since time.Time // when it began; zero: not known
}

// Reader answers questions. It may be called concurrently, and what it hands
// out is the caller's to keep.
type Reader interface {
	ConfigReader
	Status(ctx context.Context) (Status, error)
	// Neighbors are all configured ones, ordered by address.
	Neighbors(ctx context.Context) ([]engine.NeighborView, error)
	Summaries(ctx context.Context, neighbor netip.Addr) ([]route.Summary, error)
	// PolicyHits is how often the rules of a neighbor's policies decided; an unknown
	// neighbor is [NotFound].
	PolicyHits(ctx context.Context, neighbor netip.Addr) ([]engine.PolicyHits, error)
	// Routes yields what q selects, ordered by prefix, and stops at yield's
	// first error, which it returns. An unknown neighbor is [NotFound]. Yield
	// blocks for as long as the client likes; the engine must not wait for it.
	Routes(ctx context.Context, q RouteQuery, yield func(engine.PathView) error) error
	// FIB yields the routes that are wanted in the kernel, under the same terms.
	FIB(ctx context.Context, yield func(engine.FIBView) error) error
	// Tunnels are all configured ones, ordered by name.
	Tunnels(ctx context.Context) ([]engine.TunnelView, error)
	// Explain tells the story of a prefix; an unknown neighbor is [NotFound].
	Explain(ctx context.Context, q rib.ExplainQuery) (engine.Explanation, error)
	// Lookup tells what becomes of a packet for addr.
	Lookup(ctx context.Context, addr netip.Addr) (engine.LookupView, error)
	// NAT are the rules of the nftables table with their counters.
	NAT(ctx context.Context) ([]nat.Status, error)
	// Links are the interfaces of the kernel.
	Links(ctx context.Context) ([]fib.Link, error)
	// Events is where changes are told as they happen. It is closed when serving
	// ends.
	Events() *watch.Hub
}

// Controller takes commands. A command that cannot be carried out changes
// nothing and returns [NotFound], [Invalid] or [Conflict].
type Controller interface {
	ConfigController
	Reset(ctx context.Context, neighbor netip.Addr, kind ResetKind) error
	// SetNeighborShutdown holds a neighbor down, with a shutdown communication
	// for it (RFC 9003), or lets it up again.
	SetNeighborShutdown(ctx context.Context, neighbor netip.Addr, down bool, message string) error
	// Drain has this NVA take leave of its traffic for a reason, which may be
	// empty, and returns how long it takes from now on until traffic is taken to
	// have moved.
	Drain(ctx context.Context, reason string) (time.Duration, error)
	// Undrain ends that, whoever wanted it.
	Undrain(ctx context.Context) error
	// Shutdown starts the end of the daemon and returns. The daemon should stop
	// serving last: clients take the closed connection for the end.
	Shutdown(ctx context.Context, opts ShutdownOptions) error
	// SetLogLevel takes "debug", "info", "warn" or "error".
	SetLogLevel(ctx context.Context, level string) error
}

// RouteKind names a routing table.
type RouteKind uint8

// Routing tables.
const (
	LocRIB     RouteKind = iota // accepted paths of all neighbors, and local ones
	Received                    // Adj-RIB-In, before policy
	Accepted                    // what the import policy let in, as it changed it
	Rejected                    // what it did not let in, with the rule
	Advertised                  // Adj-RIB-Out
)

// RouteQuery selects routes.
type RouteQuery struct {
	Kind     RouteKind
	Neighbor netip.Addr   // valid for every kind but LocRIB
	Prefix   netip.Prefix // exactly this one; invalid: all
	Longer   bool         // also what lies within Prefix
	Address  netip.Addr   // the longest prefix around it, of LocRIB; invalid: none
	Filter   engine.Filter
}

// Change is one difference that a reload made.
type Change struct {
	What   string // "neighbor 10.0.210.4: hold-time 180s -> 60s"
	Impact string // "live", "soft refresh", "session reset", "device recreated"
}

// ResetKind says how much of a session is reset.
type ResetKind uint8

// Kinds of reset.
const (
	ResetHard    ResetKind = iota // Cease, then a new session
	ResetSoftIn                   // run the import policy again
	ResetSoftOut                  // send the Adj-RIB-Out again
)

// ShutdownOptions say how the daemon ends.
type ShutdownOptions struct {
	Flush   bool   // remove own routes, next hops and devices from the kernel
	Message string // shutdown communication for every neighbor (RFC 9003)
}
