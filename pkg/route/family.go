package route

import (
	"cmp"
	"net/netip"
	"slices"
)

// Family is an address family with SAFI unicast. Families combine as a set.
type Family uint8

// The families nvad speaks.
const (
	IPv4 Family = 1 << iota
	IPv6
)

// FamilyOf returns the family of p.
func FamilyOf(p netip.Prefix) Family {
	if p.Addr().Is4() {
		return IPv4
	}
	return IPv6
}

// Has reports whether f includes all of g.
func (f Family) Has(g Family) bool { return f&g == g }

// String returns "ipv4 unicast", "ipv6 unicast", or both with a comma.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "ipv4 unicast"
	case IPv6:
		return "ipv6 unicast"
	case IPv4 | IPv6:
		return "ipv4 unicast, ipv6 unicast"
	}
	return "none"
}

// Source says where nvad learned a route.
type Source uint8

// Sources of routes.
const (
	SourceBGP       Source = iota // received from a neighbor
	SourceConnected               // an interface's own subnet
	SourceStatic                  // [[static-route]] of the configuration
	SourceKernel                  // another program's route in the kernel
	SourceNetwork                 // network statement
	SourceAggregate               // aggregate statement
	SourceDefault                 // default-originate
)

var sourceNames = [...]string{"bgp", "connected", "static", "kernel", "network", "aggregate", "default-originate"}

// String returns the word of configuration and tables.
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return "unknown"
}

// ParseSource is the inverse of String; false if there is no such source.
func ParseSource(s string) (Source, bool) {
	i := slices.Index(sourceNames[:], s)
	return Source(max(i, 0)), i >= 0
}

// ComparePrefix orders by address, then by length. All tables are printed in this order.
func ComparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
