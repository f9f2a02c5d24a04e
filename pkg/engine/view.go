package engine

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Status is the daemon at a glance.
type Status struct {
	ASN         uint32
	RouterID    netip.Addr
	Since       time.Time
	Neighbors   int
	Established int
	Prefixes    int // with an accepted path
	Paths       int // that were accepted, and local ones: what Routes yields of LocRIB
	InSync      bool
	Waiting     []netip.Addr // neighbors that keep the engine from being in sync
	// Warnings of the configuration, and of what came of it.
	Warnings []config.Warning
	Drain    Drain
	Memory   MemoryView
	NoWayOut bool // the kernel has no default route
	Alone    bool // no other NVA is known to have the routes of this one
}

// MemoryView is the memory of the process, in octets.
type MemoryView struct {
	InUse, Budget uint64 // Budget 0: there is none
	Closings      uint64 // sessions ended for the budget
}

// NeighborView is a neighbor as tables show it. Counts are kept as things
// happen; reading them walks nothing.
type NeighborView struct {
	Address      netip.Addr
	Description  string
	PeerGroup    string
	Domain       string
	RemoteASN    uint32
	LocalASN     uint32
	LocalAddress netip.Addr
	RemoteID     netip.Addr
	State        speaker.State
	Shutdown     bool
	Since        time.Time // of State
	Reason       string    // why the session is not up, or why it last went down
	LastDown     time.Time
	Flaps        uint64
	Stats        speaker.Stats
	// LastMalformed is what was wrong with the last UPDATE that was malformed, short
	// of a session reset, and MalformedAt when it came; empty: there was none.
	LastMalformed string
	MalformedAt   time.Time
	HoldTime      time.Duration // negotiated if established, else configured
	Keepalive     time.Duration
	Families      route.Family
	Capabilities  []string
	GracefulPeer  route.Family
	PeerRestart   time.Duration
	Received      int
	Accepted      int
	Rejected      int
	Stale         int
	Advertised    int
	MaxPrefix     int
	MaxPrefixOut  int          // of each family; 0: unlimited
	Held          int          // prefixes that MaxPrefixOut keeps back
	EndOfRIB      route.Family // markers received since established
	ImportPolicy  string       // in words; says so if RFC 8212 denies all
	ExportPolicy  string
	Warnings      []string          // what is to be looked at while the session is up
	Settings      map[string]string // remaining settings worth showing, key as in the file
	BFD           *BFDView          // nil: not watched

	Octets         uint64 // of memory that it holds, an estimate
	Dropped        uint64 // announcements not kept since the session came up: beyond twice MaxPrefix
	MemoryClosings uint64 // sessions ended because the budget was exceeded and it held most
}

// BFDView is the BFD session with a neighbor.
type BFDView struct {
	State, RemoteState           string // of RFC 5880
	Local                        netip.Addr
	Multihop                     bool
	Since                        time.Time     // of State
	Detection                    time.Duration // 0: nothing was received yet
	TxInterval, RxInterval       time.Duration // negotiated; 0: none
	Multiplier, RemoteMultiplier int
	Flaps                        uint64
	LastDown                     string // why it last went down
	Error                        string // why no packets can be sent
	PacketsIn, PacketsOut        uint64
	Authenticated                bool   // with Meticulous Keyed SHA1
	Refused                      uint64 // packets with the neighbor's address that were discarded
	LastRefused                  string // why, the last time
}

// PathView is one path of a prefix, as tables show it.
type PathView struct {
	Prefix     netip.Prefix
	Neighbor   netip.Addr // it was received from or is advertised to; invalid: local
	Source     route.Source
	Attrs      *route.Attrs
	Weight     uint32
	Best       bool
	Multipath  bool
	Internal   bool
	Stale      bool
	Valid      bool   // the next hop resolves
	Held       bool   // not advertised, because of maximum-prefix-out
	Reason     string // the rule that rejected it, or why it is not valid, not best or held back
	Received   time.Time
	FIB        bool // selected for the kernel
	NextHops   []string
	Advertised []netip.Addr // neighbors it is advertised to; only in a single prefix's view
}

// FIBView is a route nvad wants in the kernel.
type FIBView struct {
	Prefix   netip.Prefix
	Class    string // bgp, static, derived (a static route that the file does not give)
	Kind     string // unicast, blackhole, unreachable
	Metric   uint32
	NextHops []HopView
	Backup   []HopView // where traffic goes should all of NextHops die
	Source   netip.Addr
	State    string // installed, pending, failed, refused, conflict
	Reason   string
	Since    time.Time
}

// HopView is a next hop with the link by name.
type HopView struct {
	Via    netip.Addr
	Device string
	Weight int
}

// TunnelView is a VXLAN device as tables show it.
type TunnelView struct {
	Name      string
	VNI       uint32
	Remotes   []netip.Addr
	Group     netip.Addr
	Device    string
	Local     netip.Addr
	Port      uint16
	MTU       int
	MAC       string
	Addresses []netip.Prefix
	State     string // up, down, missing, failed
	Reason    string
	RxPackets uint64
	TxPackets uint64
	RxBytes   uint64
	TxBytes   uint64
	FDB       []FDBView
	Peers     []TunnelPeerView
	Warning   string // what keeps large packets from getting through
	Dropped   []nat.DropCount
	Unguarded bool // the rules that keep strangers out are not in the kernel
}

// TunnelPeerView tells whether a remote of a tunnel is alive, by a neighbor that
// is reached over it or by its far end.
type TunnelPeerView struct {
	Remote   netip.Addr // invalid: it can't be told which
	Neighbor netip.Addr
	Gateway  bool // it is no neighbor, but the gateway of static routes
	Up       bool
	By       string // bfd or bgp
	Reason   string // why it is not up, as far as that is known
}

// FDBView is an entry of a tunnel's forwarding database.
type FDBView struct {
	MAC       string
	Remote    netip.Addr
	Permanent bool          // put there by nvad, not learned
	Age       time.Duration // since it was last used or heard of
	Addresses []netip.Addr  // on the tunnel, of whom MAC is
}

// policyText is a neighbor's policy in one line.
func policyText(c policy.Chain, external bool) string {
	switch {
	case c != (policy.Chain{}):
		return c.String()
	case external:
		return "deny all (no policy, RFC 8212)"
	}
	return "deny all (no policy)"
}
