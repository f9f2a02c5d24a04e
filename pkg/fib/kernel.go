package fib

import (
	"cmp"
	"net/netip"
	"strconv"
)

// Kernel is what the package needs of the kernel's table main. Deleting what is
// not there is success. An error that matches [errors.ErrUnsupported] says that
// the kernel has no next-hop objects, or, of an object with Buckets, no resilient
// groups; one that matches fs.ErrExist, of
// [AddRoute], that another route has this prefix and metric.
type Kernel interface {
	// Routes calls yield for every route of the table, for some perhaps
	// twice. The hops of several routes may share memory.
	Routes(yield func(KernelRoute)) error
	// Objects reads every next-hop object of the namespace.
	Objects() ([]Object, error)
	// Do carries out ops in order and returns one error for each. A failing
	// one does not stop those after it.
	Do(ops []Op) []error
}

// Object is a next-hop object of the kernel (RTM_NEWNEXTHOP): a hop, or a group
// of hops if Members is not empty.
type Object struct {
	ID       uint32
	Protocol int
	Hop      NextHop // Weight is not used; Via 0.0.0.0 or :: if on-link
	Members  []Member
	Buckets  uint16 // of a resilient group (NEXTHOP_GRP_TYPE_RES); 0: a plain one
}

// Member is one hop of a group, by its object's number.
type Member struct {
	ID     uint32
	Weight uint8 // 1-255
}

// OpKind is what an [Op] does.
type OpKind uint8

// Kinds of operation.
const (
	AddRoute     OpKind = iota // fails where the prefix and metric are taken
	ReplaceRoute               // adds, or replaces what has the prefix and metric
	DeleteRoute                // only if protocol and object are as given
	PutObject                  // adds, or replaces the content
	DeleteObject
)

// Op is one message to the kernel. A hop of its route that is on-link has no Via
// or an unspecified one.
type Op struct {
	Kind   OpKind
	Route  KernelRoute // of the three route kinds
	Object Object      // of the two object kinds; only its ID for DeleteObject
}

// Protocols are the rtm_protocol numbers that mark nvad's routes; its next-hop
// objects carry that of BGP.
type Protocols struct {
	BGP    int // 186 by default, bgp in iproute2's rt_protos
	Static int // 200 by default, which no other program is known to use
}

// DefaultProtocols are used where none are given.
var DefaultProtocols = Protocols{BGP: 186, Static: 200}

func (p Protocols) of(c Class) int {
	if c == Static {
		return p.Static
	}
	return p.BGP
}

func (p Protocols) has(protocol int) bool { return protocol == p.BGP || protocol == p.Static }

// EventKind is what an [Event] is about.
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

// Event is a hint that something of the kernel changed by another's hand. nvad's
// own changes give none.
type Event struct {
	Kind     EventKind
	Deleted  bool        // of LinkEvent also: it is down
	Replaced bool        // of RouteEvent: in place of what had the prefix and metric
	Route    KernelRoute // of RouteEvent
	Object   uint32      // of ObjectEvent: its number
	Link     int         // of LinkEvent: its index
}

// routeKey is what the kernel tells routes of one table apart by.
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
