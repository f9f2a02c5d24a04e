package rawbgp

import (
	"encoding/binary"
	"net/netip"
)

// Attribute type codes (RFC 4271 5, RFC 1997, RFC 4360, RFC 4456, RFC 8092).
const (
	AttrOrigin       = 1
	AttrASPath       = 2
	AttrNextHop      = 3
	AttrMED          = 4
	AttrLocalPref    = 5
	AttrAtomic       = 6
	AttrAggregator   = 7
	AttrCommunities  = 8
	AttrOriginatorID = 9
	AttrClusterList  = 10
	AttrExt          = 16
	AttrLarge        = 32
	AttrUnknown      = 240 // unassigned: no daemon knows it
)

// Flags of attributes (RFC 4271 4.3).
const (
	WellKnown          = 0x40
	Optional           = 0x80
	OptionalTransitive = 0xc0
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

// Attrs is a set of attributes to announce. Zero fields are not sent, except for ORIGIN and
// AS_PATH, which are mandatory.
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
	Unknown           []byte // value of an optional transitive attribute that no daemon knows
}

// Route is a prefix with its attributes.
type Route struct {
	Prefix netip.Prefix
	Attrs  *Attrs
}

// Attr encodes an attribute, with an extended length if it needs one (RFC 4271 4.3).
func Attr(flags, typ byte, value []byte) []byte {
	if len(value) > 255 {
		return append(binary.BigEndian.AppendUint16([]byte{flags | 0x10, typ}, uint16(len(value))), value...)
	}
	return append([]byte{flags, typ, byte(len(value))}, value...)
}

// encode returns the attributes in ascending order of their types (RFC 4271 5).
func (a *Attrs) encode() (out []byte) {
	add := func(flags, typ uint8, value []byte) { out = append(out, Attr(flags, typ, value)...) }
	some := func(flags, typ uint8, value []byte) {
		if len(value) > 0 {
			add(flags, typ, value)
		}
	}
	add(WellKnown, AttrOrigin, []byte{a.Origin})
	add(WellKnown, AttrASPath, encodePath(a.Path))
	some(WellKnown, AttrNextHop, a.NextHop.AsSlice())
	some(Optional, AttrMED, number(a.MED))
	some(WellKnown, AttrLocalPref, number(a.LocalPref))
	if a.Atomic {
		add(WellKnown, AttrAtomic, nil)
	}
	if a.AggregatorASN != 0 {
		add(OptionalTransitive, AttrAggregator, append(words(a.AggregatorASN), a.AggregatorAddress.AsSlice()...))
	}
	some(OptionalTransitive, AttrCommunities, words(a.Communities...))
	some(Optional, AttrOriginatorID, a.OriginatorID.AsSlice())
	some(Optional, AttrClusterList, addresses(a.ClusterList))
	some(OptionalTransitive, AttrExt, a.ext())
	some(OptionalTransitive, AttrLarge, a.large())
	some(OptionalTransitive, AttrUnknown, a.Unknown)
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
