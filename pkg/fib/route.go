package fib

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// NextHop is a resolved next hop: a gateway on a link, or only the link.
type NextHop struct {
	Via    netip.Addr // invalid: on-link
	Link   int        // interface index
	Onlink bool       // RTNH_F_ONLINK: Via need not be in a connected subnet
	Weight uint8      // in ECMP, 1-255; 0 counts as 1
}

// Gateway returns Via, or the invalid address if the hop is on-link. In messages about
// next-hop objects Via is 0.0.0.0 or :: then, because an object has a family.
func (h NextHop) Gateway() netip.Addr {
	if h.Via.IsUnspecified() {
		return netip.Addr{}
	}
	return h.Via
}

// String returns the hop in iproute2's form, with the link by index.
func (h NextHop) String() string {
	var b strings.Builder
	if h.Gateway().IsValid() {
		b.WriteString("via " + h.Via.String() + " ")
	}
	b.WriteString("dev #" + strconv.Itoa(h.Link))
	if h.Onlink {
		b.WriteString(" onlink")
	}
	if h.Weight > 1 {
		b.WriteString(" weight " + strconv.Itoa(int(h.Weight)))
	}
	return b.String()
}

// Kind says what happens to a packet that matches a route.
type Kind uint8

// Kinds of route.
const (
	Unicast Kind = iota
	Blackhole
	Unreachable
)

// String returns "unicast", "blackhole" or "unreachable".
func (k Kind) String() string { return [...]string{"unicast", "blackhole", "unreachable"}[k] }

// Class says which part of nvad wants a route. It determines the rtm_protocol.
type Class uint8

// Classes of route.
const (
	BGP Class = iota
	Static
)

// String returns "bgp" or "static".
func (c Class) String() string { return [...]string{"bgp", "static"}[c] }

// Administrative distances of BGP routes. Of several sources that have a route for a
// prefix, the one with the lowest distance is trusted.
const (
	DistanceEBGP = 20
	DistanceIBGP = 200
)

// Route is a wanted route, without its prefix: many prefixes may share one value, and many
// routes one slice of hops, so neither may be changed once it is handed over. Hops are
// in the order of [SortHops], without duplicates.
type Route struct {
	Kind  Kind
	Class Class
	// Distance is the administrative distance of a static route. One beyond DistanceEBGP
	// floats: it may give way to BGP, and so it ranks no higher than BGP beside the routes
	// of other programs.
	Distance uint8
	Metric   uint32
	Source   netip.Addr // RTA_PREFSRC; invalid: the kernel chooses
	Hops     []NextHop  // empty unless Kind is Unicast
	Backup   []NextHop  // where traffic goes if all of Hops die; may be empty
}

// Floats reports whether r is a static route that may give way to BGP.
func (r *Route) Floats() bool { return r.Distance > DistanceEBGP }

// Change replaces the wanted route of a prefix. A nil Route means that none is wanted any
// more.
type Change struct {
	Prefix netip.Prefix
	Route  *Route
}

// Link describes an interface of the kernel.
type Link struct {
	Index     int
	Name      string
	Up        bool // administratively up and with carrier
	Own       bool // nvad created it, and puts its connected routes back if they are deleted
	MTU       int
	Addresses []netip.Prefix // with host bits
}

// KernelRoute is a route of the kernel's table that nvad did not install.
type KernelRoute struct {
	Prefix   netip.Prefix
	Kind     Kind
	Protocol int // rtm_protocol; 2 (kernel) is a connected route
	Metric   uint32
	Source   netip.Addr
	Hops     []NextHop
	Object   uint32 // next-hop object that it refers to (RTA_NH_ID); 0: none
}

// Facts tells routing decisions about the kernel: every link, and every route of the table
// that neither nvad nor a BGP daemon installed.
type Facts struct {
	Links  []Link
	Routes []KernelRoute
}

// SortHops sorts hops into the canonical order and removes duplicates, in place.
func SortHops(hops []NextHop) []NextHop {
	slices.SortFunc(hops, func(a, b NextHop) int {
		return cmp.Or(a.Via.Compare(b.Via), cmp.Compare(a.Link, b.Link), cmp.Compare(a.Weight, b.Weight))
	})
	return slices.Compact(hops)
}
