package route

import "fmt"

import "net/netip"

// Origin is the ORIGIN attribute (RFC 4271 5.1.1); lower is preferred.
type Origin uint8

// Values of ORIGIN.
const (
	OriginIGP Origin = iota
	OriginEGP
	OriginIncomplete
)

// String is the word a configuration uses: "igp", "egp" or "incomplete".
func (o Origin) String() string {
	switch o {
	case OriginIGP:
		return "igp"
	case OriginEGP:
		return "egp"
	}
	return "incomplete"
}

// ParseOrigin is the inverse of String.
func ParseOrigin(s string) (Origin, error) {
	for _, o := range []Origin{OriginIGP, OriginEGP, OriginIncomplete} {
		if o.String() == s {
			return o, nil
		}
	}
	return 0, fmt.Errorf("%q is not an origin (want igp, egp or incomplete)", s)
}

// Optional is an attribute of 32 bits that may be absent, such as MED.
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

// Unknown is a path attribute nvad does not interpret. Only optional
// transitive ones are kept; Flags already carries the Partial bit (RFC 4271 5).
type Unknown struct {
	Flags uint8
	Type  uint8
	Value string
}

// Attrs is a set of path attributes. The zero value is an origin-IGP route of
// the local AS with no next hop.
//
// Lists of communities are sorted and without duplicates. Once interned, an
// Attrs and everything it refers to must not be changed; take a copy (the
// struct is copied by assignment) and replace whole slices in the copy.
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

	octets uint32 // what Octets returns, once interned; fills what would be padding
}
