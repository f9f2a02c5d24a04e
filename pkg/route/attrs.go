package route

import (
	"fmt"
	"net/netip"
	"slices"
	"unsafe"
)

// Origin is the ORIGIN attribute (RFC 4271 5.1.1); lower is preferred.
type Origin uint8

// Values of ORIGIN.
const (
	OriginIGP Origin = iota
	OriginEGP
	OriginIncomplete
)

var originNames = []string{"igp", "egp", "incomplete"}

// String returns the word of a configuration: "igp", "egp" or "incomplete".
func (o Origin) String() string { return originNames[min(o, OriginIncomplete)] }

// ParseOrigin is the inverse of String.
func ParseOrigin(s string) (Origin, error) {
	if i := slices.Index(originNames, s); i >= 0 {
		return Origin(i), nil
	}
	return 0, fmt.Errorf("%q is not an origin (want igp, egp or incomplete)", s)
}

// Optional is a 32-bit attribute that may be absent, such as MED.
type Optional struct {
	Value uint32
	Set   bool
}

// Some returns an Optional that is present.
func Some(v uint32) Optional { return Optional{Value: v, Set: true} }

// Or returns the value, or def if it is absent.
func (o Optional) Or(def uint32) uint32 {
	if o.Set {
		return o.Value
	}
	return def
}

// Aggregator is the AGGREGATOR attribute (RFC 4271 5.1.7).
type Aggregator struct {
	ASN     uint32
	Address netip.Addr
}

// Unknown is a path attribute that nvad does not interpret. Only optional transitive
// ones are kept; Flags already includes the Partial bit (RFC 4271 5).
type Unknown struct {
	Flags uint8
	Type  uint8
	Value string
}

// Attrs is a set of path attributes. The zero value belongs to a route of the local AS
// with ORIGIN IGP and without a next hop.
//
// Lists of communities are sorted, without duplicates. Once interned, an Attrs and
// everything it refers to must not change: copy it by assignment, and replace whole
// slices in the copy.
type Attrs struct {
	ASPath           ASPath
	NextHop          netip.Addr // global address; an IPv6 link-local next hop is not kept
	MED              Optional
	LocalPref        Optional // LOCAL_PREF, only on iBGP (RFC 4271 5.1.5)
	Communities      []Community
	ExtCommunities   []ExtCommunity
	LargeCommunities []LargeCommunity
	Aggregator       Aggregator // Address invalid: absent
	OriginatorID     netip.Addr // RFC 4456 8; invalid: absent
	ClusterList      []netip.Addr
	OTC              Optional // Only to Customer (RFC 9234 5)
	Unknown          []Unknown
	Origin           Origin
	AtomicAggregate  bool

	octets uint32 // returned by Octets, once interned; it takes the place of padding
}

// internOverhead estimates the memory of an Interner's entry for a set: its hash, the weak
// pointer, and the runtime's record of that.
const internOverhead = 96

// Octets estimates how much memory an interned set takes, with everything that it refers
// to. The rounding of the allocator is left out.
func (a *Attrs) Octets() int { return int(a.octets) }

// Measure returns the same for a set that is not interned. It visits all of the set.
func (a *Attrs) Measure() int {
	n := internOverhead + int(unsafe.Sizeof(*a))
	for _, s := range a.ASPath {
		n += int(unsafe.Sizeof(s)) + 4*len(s.ASNs)
	}
	n += 4*len(a.Communities) + 8*len(a.ExtCommunities) + 12*len(a.LargeCommunities)
	for _, id := range a.ClusterList {
		n += int(unsafe.Sizeof(id))
	}
	for _, u := range a.Unknown {
		n += int(unsafe.Sizeof(u)) + len(u.Value)
	}
	return n
}
