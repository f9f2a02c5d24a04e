package watch

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Kind is a kind of change. Kinds can be combined.
type Kind uint16

// Kinds of change.
const (
	Neighbors Kind = 1 << iota // sessions
	Routes                     // best paths
	FIB                        // routes of the kernel
	Tunnels
	NextHops   // that die and come back to life
	Repairs    // of what other programs changed
	Operations // that somebody asked for
	Problems   // that come and go
	Daemon     // its start and end
)

// Everything is all kinds.
const Everything = Neighbors | Routes | FIB | Tunnels | NextHops | Repairs | Operations | Problems | Daemon

// kept are the kinds rare enough to be published even while nobody watches.
const kept = Everything &^ (Routes | FIB)

// Event is a change and its time.
type Event struct {
	At     time.Time
	Change Change
}

// Kind returns the kind of the change.
func (ev Event) Kind() Kind { return ev.Change.kind() }

// Change is one of the structs of this package that describe a change. Values are
// immutable.
type Change interface {
	kind() Kind
	// matches reports whether f lets the change through.
	matches(f *Filter) bool
}

// Neighbor is a session that came up, went down, or fails to come up.
type Neighbor struct {
	Address netip.Addr
	ASN     uint32
	From    speaker.State
	To      speaker.State
	Reason  string // why it went down, or is not up
	Kept    bool   // its routes stay for now (RFC 4724)
}

// Route says that a prefix has another best path, or that its best path has other
// attributes.
type Route struct {
	Prefix   netip.Prefix
	Old, New Best
	Reason   string // why
}

// Best is a best path; the zero value is none.
type Best struct {
	Neighbor netip.Addr   // it came from; invalid: local
	Source   route.Source // of a local one
	Attrs    *route.Attrs // nil: there is no best path
}

// Forwarding is a change of the kernel's route for a prefix, or of a next-hop group and
// thus of all routes through it.
type Forwarding struct {
	Prefix   netip.Prefix // invalid: a group
	Group    uint32
	Routes   int    // through the group
	Class    string // "bgp" or "static"
	Old, New string // "via 10.0.0.1 dev eth0"; empty: none
	State    string // "installed", "removed", "failed", "refused", "outranked"
	Reason   string
}

// Tunnel is a change of the state of a tunnel.
type Tunnel struct {
	Name   string
	VNI    uint32
	Old    string // state before; empty: none
	New    string
	Reason string // why it is not up, or what is wrong with it
}

// NextHop says that a next hop died, so that no traffic is sent to it until it comes
// back, or that it came back to life.
type NextHop struct {
	Address netip.Addr
	Alive   bool
	By      string // what noticed: "bfd", "session", "link" or "wireguard"
	Reason  string
}

// Repair says that nvad put something back that another program had changed. Repairs of
// tunnels are a [Tunnel].
type Repair struct {
	Object string // "route", "nat", "nic" or "sysctl"
	Count  int
	Reason string // what was put back, in words
}

// Operation says that somebody asked nvad to do something, and what came of it.
type Operation struct {
	What    string // such as "reload"; proto/nvad/v1 lists them all
	Target  string // such as the address of a neighbor
	By      string // who asked
	Detail  string
	Error   string // why it was not done; empty: it was
	Version int    // of the configuration that runs afterwards; 0: it concerns none
}

// Problem says that a problem or a warning of the daemon's status came or went.
type Problem struct {
	Began bool
	Kind  string // "warning", or the kind of the problem
	Key   string // stays the same while the text changes
	Text  string
}

// Life says that the daemon started, is in sync, or stops.
type Life struct {
	State    string // "started", "in sync" or "stopping"
	Version  string
	ASN      uint32
	RouterID netip.Addr
}

func (Neighbor) kind() Kind   { return Neighbors }
func (Route) kind() Kind      { return Routes }
func (Forwarding) kind() Kind { return FIB }
func (Tunnel) kind() Kind     { return Tunnels }
func (NextHop) kind() Kind    { return NextHops }
func (Repair) kind() Kind     { return Repairs }
func (Operation) kind() Kind  { return Operations }
func (Problem) kind() Kind    { return Problems }
func (Life) kind() Kind       { return Daemon }

// Filter selects changes. A filter by neighbor or prefix rejects changes that concern
// neither.
type Filter struct {
	Kinds    Kind
	Neighbor netip.Addr   // only sessions with it, and routes that come from it or did; invalid: all
	Prefix   netip.Prefix // only routes of this prefix and within it; invalid: all
	Exact    bool         // with Prefix: not those within it
}

// Selects reports whether f lets c through.
func (f *Filter) Selects(c Change) bool { return f.Kinds&c.kind() != 0 && c.matches(f) }

func (n Neighbor) matches(f *Filter) bool {
	return !f.Prefix.IsValid() && (!f.Neighbor.IsValid() || f.Neighbor == n.Address)
}

func (r Route) matches(f *Filter) bool {
	from := !f.Neighbor.IsValid() || f.Neighbor == r.Old.Neighbor || f.Neighbor == r.New.Neighbor
	return from && f.covers(r.Prefix)
}

func (c Forwarding) matches(f *Filter) bool { return !f.Neighbor.IsValid() && f.covers(c.Prefix) }

func (n NextHop) matches(f *Filter) bool {
	return !f.Prefix.IsValid() && (!f.Neighbor.IsValid() || f.Neighbor == n.Address)
}

func (Tunnel) matches(f *Filter) bool  { return f.selectsAll() }
func (Repair) matches(f *Filter) bool  { return f.selectsAll() }
func (Problem) matches(f *Filter) bool { return f.selectsAll() }
func (Life) matches(f *Filter) bool    { return f.selectsAll() }

func (o Operation) matches(f *Filter) bool {
	return f.selectsAll() || f.Neighbor.IsValid() && !f.Prefix.IsValid() && o.Target == f.Neighbor.String()
}

// selectsAll reports whether f selects by kind alone.
func (f *Filter) selectsAll() bool { return !f.Neighbor.IsValid() && !f.Prefix.IsValid() }

func (f *Filter) covers(p netip.Prefix) bool {
	switch {
	case !f.Prefix.IsValid():
		return true
	case f.Exact:
		return p == f.Prefix
	}
	return p.IsValid() && f.Prefix.Bits() <= p.Bits() && f.Prefix.Contains(p.Addr())
}
