package config

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Config is a valid configuration: every default filled in, every reference
// resolved, peer-groups merged into their neighbors.
type Config struct {
	ASN      uint32
	RouterID netip.Addr

	Daemon    Daemon
	Kernel    Kernel
	Tunnels   []Tunnel
	Statics   []Static
	Networks  []Network
	Groups    map[string]Group // as written, for display; Neighbors are complete without
	Neighbors []Neighbor
	Policies  policy.Library
}

// Daemon is what concerns the process.
type Daemon struct {
	Socket      string // path of the gRPC socket
	SocketGroup string // its group; empty leaves the process's own
	LogLevel    string // debug, info, warn, error
	PreserveFIB bool   // SIGTERM keeps kernel state and graceful-restart peers' routes
}

// Kernel is what concerns the forwarding plane as a whole.
type Kernel struct {
	Protocol       int // rtm_protocol of BGP routes
	StaticProtocol int // rtm_protocol of static routes
	Metric         uint32
	Table          uint32
	IPForward      bool          // set net.ipv4.ip_forward and net.ipv6.conf.all.forwarding
	AllowDefault   bool          // a learned default route may be installed
	Protected      []netip.Addr  // never re-routed; besides 168.63.129.16 and 169.254.169.254
	ResolveDefault bool          // next hops may resolve through the default route
	ScanInterval   time.Duration // between full comparisons with the kernel
	NextHopGroups  bool          // use kernel next-hop objects
	MaxPaths       int           // next hops of an ECMP route
	Sysctls        map[string]string
}

// Tunnel is a VXLAN device.
type Tunnel struct {
	Name      string
	VNI       uint32
	Device    string     // underlay device; may be empty if Local is given
	Local     netip.Addr // underlay source; invalid: first address of Device
	Remotes   []netip.Addr
	Group     netip.Addr // multicast group in place of Remotes
	Port      uint16     // UDP destination port
	MTU       int        // 0: underlay's less the encapsulation
	TTL       int        // 0: inherit
	Learning  bool
	Addresses []netip.Prefix
	MAC       string // empty: derived from VNI and local address
}

// Static is a static route. Exactly one of Via (with or without Device),
// Device (on-link) and Blackhole is given.
type Static struct {
	Prefix    netip.Prefix
	Via       netip.Addr
	Device    string
	Blackhole bool
	Metric    uint32
	Source    netip.Addr // RTA_PREFSRC
}

// Network originates a prefix (network statement).
type Network struct {
	Prefix   netip.Prefix
	RouteMap string
}

// Group is a peer-group's settings.
type Group struct {
	Name string
	Settings
}

// Neighbor is one BGP neighbor with everything it inherits.
type Neighbor struct {
	Address     netip.Addr
	Description string
	PeerGroup   string
	Settings
}

// Settings are the keys that a neighbor and a peer-group share.
type Settings struct {
	RemoteASN            uint32
	LocalASN             uint32 // 0: the configuration's ASN
	LocalAddress         netip.Addr
	Port                 uint16
	Passive              bool
	Shutdown             bool
	EBGPMultihop         int // TTL; 0: directly connected
	TTLSecurity          int // hops; 0: off
	Password             string
	HoldTime             time.Duration
	Keepalive            time.Duration
	Families             route.Family
	Domain               string // loop domain; see design: Site-of-Origin
	NextHopSelf          bool
	NextHopSelfForce     bool // also iBGP-learned routes
	RouteReflectorClient bool
	AllowASIn            int // how often the own ASN may be in a received path
	ASOverride           bool
	RemovePrivateAS      bool
	EnforceFirstAS       bool
	AllowASSets          bool // accept paths with AS_SET (RFC 9774 says no)
	GracefulRestart      bool
	RestartTime          time.Duration
	MaximumPrefix        int // 0: unlimited
	Weight               uint32
	Role                 string // RFC 9234
	Import               policy.Chain
	Export               policy.Chain
}
