// Package speaker is the contract between the engine, which decides about routes, and the
// BGP sessions, which carry them: what a neighbor is, what a session reports, and what the
// engine sends. It has values only and owns no state. Messages are encoded and decoded in
// package wire, sessions are in package gobgp.
//
// Promise: the events of one session come in the order of the wire, between [Established]
// and [Down]. No event of a session follows Established of a later one.
package speaker

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/route"
)

// Neighbor has all settings that a session depends on. It is comparable: if it is equal
// before and after a reload, the session stays.
type Neighbor struct {
	Address      netip.Addr
	Port         uint16     // of the neighbor; 0 means 179
	LocalAddress netip.Addr // invalid: the one that the kernel's route selects
	LocalASN     uint32
	RemoteASN    uint32 // 0: any but LocalASN
	Role         string // of the neighbor (RFC 9234); empty: the capability is absent
	RoleStrict   bool   // refuse a neighbor that announces no role
	Families     route.Family
	Passive      bool          // never dial, only accept
	HoldTime     time.Duration // proposed in OPEN; 0: none, otherwise at least 3 s (RFC 4271 4.2)
	Keepalive    time.Duration // 0: a third of the negotiated hold time
	MultihopTTL  uint8         // IP TTL of an eBGP session; 0 or 1: directly connected
	TTLSecurity  uint8         // accept only TTL >= 256-n (RFC 5082); 0: off
	Password     string        // TCP-MD5 key (RFC 2385); never logged
	RestartTime  time.Duration // graceful restart time announced (RFC 4724); 0: capability absent
	Disabled     bool          // administratively down: neither dials nor accepts
	Dynamic      bool          // of a Range
	// Routes with more than MaxASPath ASNs in AS_PATH, or with more than MaxAttributes
	// octets of attributes, are treated as withdrawn; 0: there is no limit.
	MaxASPath, MaxAttributes int
	// CountsIncoming says that the neighbor counts the routes that it knows plus all that
	// arrive, also those that replace known ones, against its limit, as Route Server does.
	CountsIncoming bool
}

// IsInternal reports whether the session is iBGP.
func (n Neighbor) IsInternal() bool { return n.LocalASN == n.RemoteASN }

// Range is a prefix from whose addresses neighbors may connect that are not configured.
type Range struct {
	Prefix   netip.Prefix
	Group    string // whose Limit they count against
	Limit    int    // dynamic neighbors at a time
	Neighbor        // the settings of each, but its address
}

// At returns the neighbor at an address in r.
func (r Range) At(addr netip.Addr) Neighbor {
	n := r.Neighbor
	n.Address, n.Passive, n.Dynamic = addr, true, true
	return n
}

// RangeStats says how full a group of dynamic neighbors is.
type RangeStats struct {
	Taken, Limit int
	Refused      uint64 // connections refused because the group was full
}

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

// String returns the name of RFC 4271.
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

// StateChanged reports a change of state below Established, with the reason in words if it
// is known ("connection refused", "no route to host").
type StateChanged struct {
	From
	State  State
	Reason string
}

// Established begins a session. Session is its number. The engine names it with every
// change that it sends, so that a change which was computed for a session that is lost
// meanwhile never reaches the next one.
type Established struct {
	From
	Session       uint64
	LocalAddress  netip.Addr // of the TCP connection
	LocalPort     uint16
	RemotePort    uint16
	OpenSent      []byte // OPENs as they were on the wire, with their headers
	OpenReceived  []byte
	RemoteASN     uint32
	RemoteID      netip.Addr // BGP Identifier
	Families      route.Family
	HoldTime      time.Duration // negotiated
	Keepalive     time.Duration
	FourOctetASN  bool
	RouteRefresh  bool
	GracefulPeer  route.Family  // families whose routes nvad may keep while the peer restarts
	PeerRestart   time.Duration // its restart time
	PeerRestarted bool          // R bit: it has restarted and waits for nvad's End-of-RIB
	Preserved     route.Family  // F bit: families for which it kept forwarding meanwhile
	Capabilities  []string      // of the peer, by IANA name, for display
}

// Down ends a session. Graceful says that RFC 4724 lets the routes stay, as stale, for the
// peer's restart time: the TCP connection was lost without a NOTIFICATION, and graceful
// restart was negotiated.
type Down struct {
	From
	Reason       string
	Notification *Notification
	Message      []byte // Notification as it was on the wire, with its header
	Graceful     bool
	Local        bool   // without a NOTIFICATION: nvad closed the connection
	FSMEvent     uint16 // for which it did so (RFC 4271 8.1, RFC 9687 4); 0: no event has a number for it
}

// SendHoldTimerExpires is the event of a neighbor that does not read (RFC 9687 4).
const SendHoldTimerExpires = 29

// Update is a received UPDATE, or a part of a large one: prefixes that are withdrawn or, by
// RFC 7606, treated as withdrawn, then announced ones that share Attrs. Attrs are as
// received, with 4-octet ASNs restored (RFC 6793 4.2.3), and interned.
type Update struct {
	From
	Attrs     *route.Attrs
	Announced []netip.Prefix
	Withdrawn []netip.Prefix
	// Err says what was malformed and what was done about it; nil if nothing was.
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

// Change is one change of an Adj-RIB-Out. Attrs are those on the wire: nvad's ASN is
// prepended, next hop, MED and LOCAL_PREF are as the neighbor sees them. Without Attrs, the
// prefix is withdrawn.
//
// New says that the neighbor does not have the prefix. If such a change is still queued when
// the prefix is withdrawn again, neither needs to be sent.
type Change struct {
	Prefix netip.Prefix
	Attrs  *route.Attrs
	New    bool
}

// Stats are the counters of a neighbor since it was configured.
type Stats struct {
	In, Out     Messages
	Queued      int    // changes that are not on the wire yet
	Octets      int    // memory of the session's cache and queue
	Unsendable  uint64 // routes not sent because no message can carry their attributes
	Malformed   MalformedCounts
	Established uint64
	Since       time.Time // last change of state
}

// Messages counts messages by type (RFC 4271 4.1, RFC 2918 3).
type Messages struct{ Open, Update, Notification, Keepalive, RouteRefresh uint64 }

// Total returns the number of messages of all types.
func (m Messages) Total() uint64 {
	return m.Open + m.Update + m.Notification + m.Keepalive + m.RouteRefresh
}
