package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Config is a valid configuration: every default filled in, every reference
// resolved, peer-groups merged into their neighbors. It is not changed once it
// was handed out.
type Config struct {
	ASN      uint32
	RouterID netip.Addr

	Daemon        Daemon
	Kernel        Kernel
	Limits        Limits
	Drain         Drain
	Health        Health
	Azure         Azure
	API           API
	Metrics       Metrics
	Tunnels       []Tunnel
	NICs          []NIC
	Statics       []Static
	Masquerades   []Masquerade
	SNATs         []SNAT
	DNATs         []DNAT
	Networks      []Network
	Aggregates    []Aggregate
	Redistributes []Redistribute
	Groups        map[string]Group // as written, for display; Neighbors are complete without
	Neighbors     []Neighbor
	Policies      policy.Library

	source source
}

// source is where the keys of a Config stand; zero if it was not read from a
// file.
type source struct {
	file  string
	lines map[string]int      // by dotted key, as in Error.Key
	elems map[string][]string // by array: the key of each element
}

// elem is the key of element i of an array, made of id if the Config was not
// read from a file.
func (s *source) elem(array string, i int, id any) string {
	if keys := s.elems[array]; i < len(keys) {
		return keys[i]
	}
	return fmt.Sprintf("%s.%v", array, id)
}

// line is that of key, or of the nearest table above it.
func (s *source) line(key string) int {
	for key != "" {
		if n := s.lines[key]; n > 0 {
			return n
		}
		key = key[:max(0, strings.LastIndexByte(key, '.'))]
	}
	return s.lines[""]
}

// given is the first of keys, separated by spaces, that stands in the file;
// the first of all if none does.
func (s *source) given(keys string) string {
	list := strings.Fields(keys)
	for _, key := range list {
		if s.lines[key] > 0 {
			return key
		}
	}
	return list[0]
}

// Equal reports whether c and d say the same, wherever their keys stand.
func (c *Config) Equal(d *Config) bool {
	if c == nil || d == nil {
		return c == d
	}
	a, b := *c, *d
	a.source, b.source = source{}, source{}
	return reflect.DeepEqual(a, b)
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
	IPForward      bool          // set net.ipv4.ip_forward and net.ipv6.conf.all.forwarding
	AllowDefault   bool          // a learned default route may be installed
	Displace       bool          // the lower metric decides beside other programs' routes
	Protected      []netip.Addr  // never re-routed; besides 168.63.129.16 and 169.254.169.254
	ResolveDefault bool          // next hops may resolve through the default route
	ScanInterval   time.Duration // between full comparisons with the kernel
	NextHopGroups  Toggle        // use kernel next-hop objects
	MaxPaths       int           // next hops of an ECMP route
	Sysctls        map[string]string
}

// Limits are bounds of what others can make the process take.
type Limits struct {
	Memory int // MiB; 0: a share of what there is
}

// Drain is how the NVA takes leave of its traffic.
type Drain struct {
	Prepends int           // of the own ASN, towards eBGP neighbors
	Hold     time.Duration // until traffic is taken to have moved
}

// API is how the gRPC API is served over TCP, besides its unix socket.
type API struct {
	Listen      []netip.AddrPort // none: not at all
	Certificate string           // path of the daemon's, with its chain (PEM)
	Key         string           // path of its key (PEM)
	ClientCA    string           // path of the authorities that sign clients (PEM)
	Admins      []string         // who may change: "CN=..." or "OU=..." of a certificate
}

// Health is where to answer whether the NVA should carry traffic, and when it
// should: in sync and not draining, in any case.
type Health struct {
	Listen         []netip.AddrPort
	MinEstablished map[string]int // neighbors, by peer-group
	Tunnels        []string
}

// Azure is what the platform is asked while the NVA runs.
type Azure struct {
	ScheduledEvents bool // drain before maintenance, and approve it
}

// Metrics is where Prometheus scrapes.
type Metrics struct{ Listen []netip.AddrPort }

// Tunnel is a VXLAN device.
type Tunnel struct {
	Name      string
	VNI       uint32
	Device    string     // underlay device; may be empty if Local is given
	Local     netip.Addr // underlay source; invalid: first address of Device
	Remotes   []netip.Addr
	Group     netip.Addr // multicast group in place of Remotes; needs Device
	Port      uint16     // UDP destination port
	MTU       int        // 0: underlay's less the encapsulation
	MSSClamp  MSSClamp
	TTL       int // 0: inherit
	Learning  bool
	Addresses []netip.Prefix
	Peers     []TunnelPeer // addresses in the tunnel that one remote alone may use
	BFD       BFD          // of the far ends, see [Config.FarEnds]
}

// TunnelPeer is an address within a tunnel, and the remote that it belongs to.
type TunnelPeer struct{ Remote, Address netip.Addr }

// String is the peer as it stands in the file.
func (p TunnelPeer) String() string { return p.Remote.String() + "=" + p.Address.String() }

// NIC is a device whose answers to Azure's platform address leave by it.
type NIC struct {
	Device  string
	Table   uint32     // 0: see [NIC.TableNumber]
	Gateway netip.Addr // invalid: the first address of the device's subnet
}

// Static is a static route. Exactly one of Via (with or without Device),
// Device (on-link) and Blackhole is given. Routes for one prefix differ in their
// metric.
type Static struct {
	Prefix    netip.Prefix
	Via       netip.Addr
	Device    string
	Blackhole bool
	Metric    uint32     // 0: that of BGP routes
	Source    netip.Addr // RTA_PREFSRC
}

// Network originates a prefix (network statement).
type Network struct {
	Prefix   netip.Prefix
	RouteMap string
}

// Aggregate originates a prefix while there is a more specific one.
type Aggregate struct {
	Prefix      netip.Prefix
	SummaryOnly bool // the more specific ones are not advertised
	RouteMap    string
}

// Redistribute originates the routes of another source.
type Redistribute struct {
	Source   string // connected, static or kernel: a route.Source by name
	RouteMap string
}

// Group is a peer-group's settings, the defaults filled in. Keepalive and
// Families are zero if the group does not give them: they follow from the
// neighbor's hold time and address.
type Group struct {
	Name   string
	Preset string       // what its settings started from; empty: the defaults
	Listed []netip.Addr // those of Neighbors that give nothing themselves
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
	EBGPMultihop         int    // TTL; 0: directly connected
	TTLSecurity          int    // hops; 0: off
	Password             string // TCP-MD5 key; with PasswordFile, what was read from there
	PasswordFile         string // that holds it; a relative path is in systemd's credentials directory
	HoldTime             time.Duration
	Keepalive            time.Duration
	BFD                  BFD
	Families             route.Family
	Domain               string         // loop domain; see design: Site-of-Origin
	VNet                 []netip.Prefix // address space of the VNet that the neighbor, a Route Server, serves
	NextHopSelf          bool
	NextHopSelfForce     bool // also iBGP-learned routes
	RouteReflectorClient bool
	AllowASIn            int // how often the own ASN may be in a received path
	ASOverride           bool
	RemovePrivateAS      bool
	ReplacePrivateAS     bool // with RemovePrivateAS: by the own ASN
	EnforceFirstAS       bool
	AllowASSets          bool // accept paths with AS_SET (RFC 9774 says no)
	GracefulRestart      bool
	RestartTime          time.Duration
	StalePathTime        time.Duration
	DefaultOriginate     bool
	DefaultOriginateMap  string        // route-map; empty: none
	MaximumPrefix        int           // 0: unlimited
	MaximumPrefixAction  string        // shutdown, warn or discard
	MaximumPrefixWarning int           // percent of MaximumPrefix
	MaximumPrefixRestart time.Duration // that a shutdown lasts; 0: for good
	MaximumPrefixOut     int           // of each family; 0: unlimited
	MaximumASPath        int           // ASNs; 0: unlimited
	MaximumAttributes    int           // octets of one route's attributes; 0: unlimited
	// MaximumPrefixOutCount is how the neighbor counts: CountPrefixes or CountIncoming.
	MaximumPrefixOutCount string
	Weight                uint32
	Role                  string // RFC 9234 role of the neighbor, or empty
	// Import and Export accept everything if neither the iBGP neighbor nor its
	// group gives them, and deny everything for eBGP (RFC 8212).
	Import policy.Chain
	Export policy.Chain
}
