// Package speaker is the contract between the engine, which decides about
// routes, and the BGP sessions, which carry them. It holds value types only;
// the sessions themselves, and GoBGP, are in package gobgp below it.
//
// Promise: events of one session arrive in the order of the wire, bracketed by
// [Established] and [Down]; an event of an earlier session never follows
// Established of a later one. The package owns no state.
package speaker

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/route"
)

// Neighbor is everything a session depends on. It is comparable: a session
// whose Neighbor is equal before and after a reload is left alone.
type Neighbor struct {
	Address      netip.Addr
	Port         uint16     // of the neighbor; 0 means 179
	LocalAddress netip.Addr // invalid: the address the kernel's route selects
	LocalASN     uint32
	RemoteASN    uint32
	Role         string // of the neighbor (RFC 9234); empty: the capability is absent
	Families     route.Family
	Passive      bool          // never dial, only accept
	HoldTime     time.Duration // proposed in OPEN; 0 disables, else at least 3 s (RFC 4271 4.2)
	Keepalive    time.Duration // 0: a third of the negotiated hold time
	MultihopTTL  uint8         // IP TTL of an eBGP session; 0 or 1: directly connected
	TTLSecurity  uint8         // accept only TTL >= 256-n (RFC 5082); 0: off
	Password     string        // TCP-MD5 key (RFC 2385); never logged
	RestartTime  time.Duration // graceful restart time announced (RFC 4724); 0: capability absent
	Disabled     bool          // administratively down: neither dials nor accepts
	// Routes with more than MaxASPath ASNs in AS_PATH, or with more than MaxAttributes
	// octets of attributes, are treated as withdrawn; 0: there is no limit.
	MaxASPath, MaxAttributes int
	// CountsIncoming says that the neighbor adds up the routes it knows and those
	// in what comes in, also where these replace known ones, against its limit.
	CountsIncoming bool
}

// IsInternal reports whether the session is iBGP.
func (n Neighbor) IsInternal() bool { return n.LocalASN == n.RemoteASN }

// State is a state of the BGP finite state machine (RFC 4271 8.2.2).
type State uint8

// States, in the order of RFC 4271.
const (
	Idle State = iota
	Connect
	Active
	OpenSent
	OpenConfirm
	EstablishedState
)

// String is the name of RFC 4271.
func (s State) String() string {
	return [...]string{"Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"}[s]
}

// Event is one of StateChanged, Established, Down, Update, EndOfRIB, RouteRefresh.
type Event interface {
	// Neighbor is the configured address of the neighbor that the event is of.
	Neighbor() netip.Addr
}

// From is embedded by every event.
type From struct{ Peer netip.Addr }

// Neighbor implements Event.
func (f From) Neighbor() netip.Addr { return f.Peer }

// StateChanged tells of a session that moves below Established, with the reason
// in words where one is known ("connection refused", "no route to host").
type StateChanged struct {
	From
	State  State
	Reason string
}

// Established opens a session. Session numbers it: what is sent names the
// session it was computed for, so that a change which is overtaken by a loss of
// the session never reaches the next one.
type Established struct {
	From
	Session       uint64
	LocalAddress  netip.Addr // of the TCP connection
	RemoteID      netip.Addr // BGP Identifier
	Families      route.Family
	HoldTime      time.Duration // negotiated
	Keepalive     time.Duration
	FourOctetASN  bool
	RouteRefresh  bool
	GracefulPeer  route.Family  // families whose state the peer lets us keep while it restarts
	PeerRestart   time.Duration // its restart time
	PeerRestarted bool          // R bit: it has restarted and waits for our End-of-RIB
	Preserved     route.Family  // F bit: families whose forwarding state it kept over that restart
	Capabilities  []string      // of the peer, by IANA name, for display
}

// Down closes a session. Graceful is true if RFC 4724 lets the routes stay, as
// stale, for the peer's restart time: the TCP connection was lost without a
// NOTIFICATION and the peer had announced the capability.
type Down struct {
	From
	Reason       string
	Notification *Notification
	Graceful     bool
}

// Update is one received UPDATE after RFC 7606 handling: Withdrawn prefixes
// (also those treated as withdrawn), then Announced ones that share Attrs.
// Attrs are as received, 4-octet AS_PATH merged (RFC 6793 4.2.3), interned.
type Update struct {
	From
	Attrs     *route.Attrs
	Announced []netip.Prefix
	Withdrawn []netip.Prefix
	// Err says what was malformed and what was done about it; nil: nothing was.
	Err *Malformed
}

// EndOfRIB is the peer's marker for one family (RFC 4724 2).
type EndOfRIB struct {
	From
	Family route.Family
}

// RouteRefresh is the peer's request for our Adj-RIB-Out (RFC 2918).
type RouteRefresh struct {
	From
	Family route.Family
}

// Change is one difference of an Adj-RIB-Out. Attrs nil withdraws the prefix.
// Attrs are what goes on the wire: the own ASN is already prepended, next hop,
// MED and LOCAL_PREF are as the neighbor shall see them.
//
// New says that the session has been told nothing of the prefix, or that it was
// withdrawn, so that a withdrawal of what has not left yet need not leave either.
type Change struct {
	Prefix netip.Prefix
	Attrs  *route.Attrs
	New    bool
}

// Stats are the message counters of a neighbor since it was configured.
type Stats struct {
	In, Out     Messages
	Queued      int    // changes not yet on the wire
	Octets      int    // of memory that the session holds: its cache and its queue
	Unsendable  uint64 // routes withheld because no message can carry their attributes
	Malformed   MalformedCounts
	Established uint64
	Since       time.Time // last change of state
}

// Messages are numbers of messages by type (RFC 4271 4.1, RFC 2918 3).
type Messages struct{ Open, Update, Notification, Keepalive, RouteRefresh uint64 }

// Total is the number of messages of all types.
func (m Messages) Total() uint64 {
	return m.Open + m.Update + m.Notification + m.Keepalive + m.RouteRefresh
}
