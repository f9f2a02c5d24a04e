package fib

import (
	"cmp"
	"net/netip"
	"strconv"
)

// Kernel reads and writes table main and the next-hop objects. Deleting something that does
// not exist succeeds. An error that matches errors.ErrUnsupported means that the kernel has
// no next-hop objects or, for an object with Buckets, no resilient groups. For an
// [AddRoute], one that matches fs.ErrExist means that another route has this prefix and
// metric.
type Kernel interface {
	// Routes calls yield for every route of the table, and for some perhaps twice. The
	// hops of several routes may share memory.
	Routes(yield func(KernelRoute)) error
	// Objects reads every next-hop object of the namespace.
	Objects() ([]Object, error)
	// Do carries out ops in order and returns one error for each. If one fails, it goes
	// on with the next.
	Do(ops []Op) []error
}

// Object is a next-hop object of the kernel (RTM_NEWNEXTHOP): a hop, or a group of hops if
// Members is not empty.
type Object struct {
	ID       uint32
	Protocol int
	Hop      NextHop // Weight is not used; Via 0.0.0.0 or :: if on-link
	Members  []Member
	Buckets  uint16 // of a resilient group (NEXTHOP_GRP_TYPE_RES); 0: a plain one
}

// Member is one hop of a group, by the number of its object.
type Member struct {
	ID     uint32
	Weight uint8 // 1-255
}

// OpKind says what an [Op] does.
type OpKind uint8

// Kinds of operation.
const (
	AddRoute     OpKind = iota // fails if the prefix and metric are taken
	ReplaceRoute               // adds, or replaces the route with this prefix and metric
	DeleteRoute                // only if protocol and object are as given
	PutObject                  // adds, or replaces the content
	DeleteObject
)

// Op is one message to the kernel. An on-link hop of its route has an invalid or an
// unspecified Via.
type Op struct {
	Kind   OpKind
	Route  KernelRoute // for the three route kinds
	Object Object      // for the two object kinds; DeleteObject needs only its ID
}

// Protocols are the rtm_protocol numbers of nvad's routes. Its next-hop objects carry that
// of BGP.
type Protocols struct {
	BGP    int // 186 by default: bgp in iproute2's rt_protos
	Static int // 200 by default: no other program is known to use it
}

// DefaultProtocols are the protocols that nvad uses unless others are configured.
var DefaultProtocols = Protocols{BGP: 186, Static: 200}

func (p Protocols) of(c Class) int {
	if c == Static {
		return p.Static
	}
	return p.BGP
}

func (p Protocols) has(protocol int) bool { return protocol == p.BGP || protocol == p.Static }

// EventKind says what an [Event] is about.
type EventKind uint8

// Kinds of event.
const (
	LinkEvent     EventKind = iota
	AddressEvent            // an address came or went
	NeighborEvent           // a forwarding entry of a bridge or VXLAN device
	SysctlEvent             // forwarding was switched (RTM_NEWNETCONF)
	RouteEvent
	ObjectEvent
	NATEvent  // nvad's nftables table
	RuleEvent // a policy rule, or a route of nvad's in another table than main
	LostEvent // events were lost: only a full compare tells the state
)

// Event says that another program changed something in the kernel. What nvad writes through
// [Kernel] gives none.
type Event struct {
	Kind     EventKind
	Deleted  bool        // for LinkEvent also: the link is down
	Replaced bool        // for RouteEvent: it replaced the route with this prefix and metric
	Route    KernelRoute // for RouteEvent
	Object   uint32      // for ObjectEvent: the number
	Link     int         // for LinkEvent: the index
}

// routeKey identifies a route within a table, as far as the kernel is concerned.
type routeKey struct {
	prefix netip.Prefix
	metric uint32
}

func keyOf(r KernelRoute) routeKey { return routeKey{r.Prefix, r.Metric} }

// Numbers of rtm_protocol in linux/rtnetlink.h.
const (
	protocolKernel = 2
	protocolBGP    = 186
)

// protocolNames are iproute2's.
var protocolNames = map[int]string{
	1: "redirect", protocolKernel: "kernel", 3: "boot", 4: "static", 9: "ra", 11: "zebra", 12: "bird", 16: "dhcp",
	protocolBGP: "bgp", 188: "ospf",
}

// ProtocolName returns an rtm_protocol as `ip route` prints it: by name, or the number.
func ProtocolName(n int) string {
	return cmp.Or(protocolNames[n], strconv.Itoa(n))
}

// Fate says what happens to a packet, in the words of `ip route`.
type Fate string

// Fates of a packet.
const (
	FateForwarded   Fate = "unicast"
	FateLocal       Fate = "local" // it has arrived
	FateBroadcast   Fate = "broadcast"
	FateMulticast   Fate = "multicast"
	FateDropped     Fate = "blackhole"   // without an answer to the sender
	FateUnreachable Fate = "unreachable" // ICMP host unreachable
	FateProhibited  Fate = "prohibit"    // ICMP administratively prohibited
	FateNoRoute     Fate = "no route"
)

// Lookup is where the kernel sends packets for an address, and the route that it uses.
type Lookup struct {
	Fate   Fate
	Via    netip.Addr // invalid: on-link
	Link   int
	Source netip.Addr // of this machine's own packets
	MTU    int        // of the route, or learned on the path (RTAX_MTU); 0: the link's

	Prefix   netip.Prefix // of the route; invalid if there is none
	Protocol int
	Metric   uint32
}
