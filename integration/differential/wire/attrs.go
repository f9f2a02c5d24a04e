package wire

import (
	"encoding/binary"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Attribute type codes (RFC 4271 5, RFC 1997, RFC 4360, RFC 4456, RFC 8092).
const (
	typeOrigin       = 1
	typeASPath       = 2
	typeNextHop      = 3
	typeMED          = 4
	typeLocalPref    = 5
	typeAtomic       = 6
	typeAggregator   = 7
	typeCommunities  = 8
	typeOriginatorID = 9
	typeClusterList  = 10
	typeExt          = 16
	typeLarge        = 32
	typeUnknown      = 240 // of no meaning to either daemon
)

// Flags of attributes (RFC 4271 4.3).
const (
	wellKnown          = 0x40
	optional           = 0x80
	optionalTransitive = 0xc0
)

// Segment types of an AS_PATH (RFC 4271 4.3, RFC 5065 3).
const (
	Set       = 1
	Sequence  = 2
	ConfedSeq = 3
	ConfedSet = 4
)

// Segment is one segment of an AS_PATH.
type Segment struct {
	Type uint8
	ASNs []uint32
}

// Attrs is a set of attributes to announce. Zero fields are not sent, but for
// ORIGIN and AS_PATH, which are mandatory.
type Attrs struct {
	Origin            uint8
	Path              []Segment
	NextHop           netip.Addr
	MED, LocalPref    *uint32
	Atomic            bool
	AggregatorASN     uint32
	AggregatorAddress netip.Addr
	Communities       []uint32
	Large             [][3]uint32
	Ext               []uint64
	OriginatorID      netip.Addr
	ClusterList       []netip.Addr
	Unknown           []byte // value of an optional transitive attribute that nobody knows
}

// Route is a prefix with its attributes.
type Route struct {
	Prefix netip.Prefix
	Attrs  *Attrs
}

// encode returns the attributes in ascending order of their types (RFC 4271 5).
func (a *Attrs) encode() []bgp.PathAttributeInterface {
	var out []bgp.PathAttributeInterface
	add := func(flags, typ uint8, value []byte) {
		out = append(out, bgp.NewPathAttributeUnknown(bgp.BGPAttrFlag(flags), bgp.BGPAttrType(typ), value))
	}
	some := func(flags, typ uint8, value []byte) {
		if len(value) > 0 {
			add(flags, typ, value)
		}
	}
	add(wellKnown, typeOrigin, []byte{a.Origin})
	add(wellKnown, typeASPath, encodePath(a.Path))
	some(wellKnown, typeNextHop, a.NextHop.AsSlice())
	some(optional, typeMED, number(a.MED))
	some(wellKnown, typeLocalPref, number(a.LocalPref))
	if a.Atomic {
		add(wellKnown, typeAtomic, nil)
	}
	if a.AggregatorASN != 0 {
		add(optionalTransitive, typeAggregator, append(words(a.AggregatorASN), a.AggregatorAddress.AsSlice()...))
	}
	some(optionalTransitive, typeCommunities, words(a.Communities...))
	some(optional, typeOriginatorID, a.OriginatorID.AsSlice())
	some(optional, typeClusterList, addresses(a.ClusterList))
	some(optionalTransitive, typeExt, a.ext())
	some(optionalTransitive, typeLarge, a.large())
	some(optionalTransitive, typeUnknown, a.Unknown)
	return out
}

func encodePath(path []Segment) []byte {
	var out []byte
	for _, s := range path {
		out = append(out, s.Type, uint8(len(s.ASNs)))
		out = append(out, words(s.ASNs...)...)
	}
	return out
}

func (a *Attrs) ext() (out []byte) {
	for _, c := range a.Ext {
		out = binary.BigEndian.AppendUint64(out, c)
	}
	return out
}

func (a *Attrs) large() (out []byte) {
	for _, c := range a.Large {
		out = append(out, words(c[:]...)...)
	}
	return out
}

func addresses(list []netip.Addr) (out []byte) {
	for _, a := range list {
		out = append(out, a.AsSlice()...)
	}
	return out
}

func number(n *uint32) []byte {
	if n == nil {
		return nil
	}
	return words(*n)
}

func words(list ...uint32) (out []byte) {
	for _, n := range list {
		out = binary.BigEndian.AppendUint32(out, n)
	}
	return out
}
