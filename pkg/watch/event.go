package watch

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Kind is a kind of change. Kinds can be combined.
type Kind uint8

// Kinds of change.
const (
	Neighbors Kind = 1 << iota // sessions
	Routes                     // best paths
	FIB                        // routes of the kernel
	Tunnels
)

// Everything is all kinds.
const Everything = Neighbors | Routes | FIB | Tunnels

// kept are the kinds rare enough to be published even while nobody watches.
const kept = Neighbors | Tunnels

// Event is a change and its time.
type Event struct {
	At     time.Time
	Change Change
}

// Change is one of Neighbor, Route, Forwarding and Tunnel. Values are immutable.
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

func (Neighbor) kind() Kind   { return Neighbors }
func (Route) kind() Kind      { return Routes }
func (Forwarding) kind() Kind { return FIB }
func (Tunnel) kind() Kind     { return Tunnels }

// Filter selects changes. A filter by neighbor or prefix rejects changes that concern
// neither.
type Filter struct {
	Kinds    Kind
	Neighbor netip.Addr   // only sessions with it, and routes that come from it or did; invalid: all
	Prefix   netip.Prefix // only routes of this prefix and within it; invalid: all
}

func (f *Filter) lets(c Change) bool { return f.Kinds&c.kind() != 0 && c.matches(f) }

func (n Neighbor) matches(f *Filter) bool {
	return !f.Prefix.IsValid() && (!f.Neighbor.IsValid() || f.Neighbor == n.Address)
}

func (r Route) matches(f *Filter) bool {
	from := !f.Neighbor.IsValid() || f.Neighbor == r.Old.Neighbor || f.Neighbor == r.New.Neighbor
	return from && f.covers(r.Prefix)
}

func (c Forwarding) matches(f *Filter) bool { return !f.Neighbor.IsValid() && f.covers(c.Prefix) }

func (Tunnel) matches(f *Filter) bool { return !f.Neighbor.IsValid() && !f.Prefix.IsValid() }

func (f *Filter) covers(p netip.Prefix) bool {
	return !f.Prefix.IsValid() || p.IsValid() && f.Prefix.Bits() <= p.Bits() && f.Prefix.Contains(p.Addr())
}
