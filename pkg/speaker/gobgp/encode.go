package gobgp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/route"
)

// Flags of path attributes (RFC 4271 4.3).
const (
	flagOptional   = uint8(bgp.BGP_ATTR_FLAG_OPTIONAL)
	flagTransitive = uint8(bgp.BGP_ATTR_FLAG_TRANSITIVE)
	flagPartial    = uint8(bgp.BGP_ATTR_FLAG_PARTIAL)
	flagExtended   = uint8(bgp.BGP_ATTR_FLAG_EXTENDED_LENGTH)
)

// attrOTC is the type of Only to Customer (RFC 9234 5), which GoBGP does not name.
const attrOTC = 35

// encoder writes UPDATEs as one session has negotiated them.
type encoder struct {
	twoOctet   bool // the peer knows no 4-octet ASNs (RFC 6793)
	v6NextHops bool // IPv4 routes may have IPv6 next hops (RFC 8950)
	extended   bool // messages may be long (RFC 8654)
}

// attributes encodes a, but for MP_REACH_NLRI, in the order of type codes
// (RFC 4271 5).
func (e encoder) attributes(a *route.Attrs, family route.Family) ([]byte, error) {
	if err := e.checkNextHop(a.NextHop, family); err != nil {
		return nil, err
	}
	w := attrWriter{unknown: a.Unknown, out: make([]byte, 0, 128)}
	w.put(bgp.BGP_ATTR_TYPE_ORIGIN, flagTransitive, []byte{byte(a.Origin)})
	path, err := appendPath(nil, a.ASPath, e.twoOctet)
	if err != nil {
		return nil, err
	}
	w.put(bgp.BGP_ATTR_TYPE_AS_PATH, flagTransitive, path)
	if !usesMultiprotocol(a.NextHop, family) {
		w.put(bgp.BGP_ATTR_TYPE_NEXT_HOP, flagTransitive, a.NextHop.AsSlice())
	}
	w.optional(bgp.BGP_ATTR_TYPE_MULTI_EXIT_DISC, flagOptional, a.MED)
	w.optional(bgp.BGP_ATTR_TYPE_LOCAL_PREF, flagTransitive, a.LocalPref)
	if a.AtomicAggregate {
		w.put(bgp.BGP_ATTR_TYPE_ATOMIC_AGGREGATE, flagTransitive, nil)
	}
	e.aggregator(&w, a.Aggregator)
	w.communities(a)
	if a.OriginatorID.Is4() {
		w.put(bgp.BGP_ATTR_TYPE_ORIGINATOR_ID, flagOptional, a.OriginatorID.AsSlice())
	}
	w.clusterList(a.ClusterList)
	w.extCommunities(a.ExtCommunities)
	if err := e.as4(&w, a); err != nil {
		return nil, err
	}
	w.largeCommunities(a.LargeCommunities)
	w.optional(attrOTC, flagOptional|flagTransitive, a.OTC)
	w.unknownBelow(256)
	return w.out, nil
}

// usesMultiprotocol reports whether the route goes into MP_REACH_NLRI.
func usesMultiprotocol(nextHop netip.Addr, family route.Family) bool {
	return family != route.IPv4 || nextHop.Is6()
}

func (e encoder) checkNextHop(nextHop netip.Addr, family route.Family) error {
	switch {
	case !nextHop.IsValid():
		return errors.New("no next hop")
	case family == route.IPv6 && nextHop.Is4():
		return fmt.Errorf("next hop %s of an IPv6 route is IPv4", nextHop)
	case family == route.IPv4 && nextHop.Is6() && !e.v6NextHops:
		return fmt.Errorf("the neighbor takes no IPv6 next hop (%s) for an IPv4 route", nextHop)
	}
	return nil
}

// aggregator writes AGGREGATOR, with AS_TRANS where the peer cannot read the
// ASN (RFC 6793 4.2.2).
func (e encoder) aggregator(w *attrWriter, a route.Aggregator) {
	if !a.Address.Is4() {
		return
	}
	var v []byte
	if e.twoOctet {
		v = binary.BigEndian.AppendUint16(v, twoOctetASN(a.ASN))
	} else {
		v = binary.BigEndian.AppendUint32(v, a.ASN)
	}
	w.put(bgp.BGP_ATTR_TYPE_AGGREGATOR, flagOptional|flagTransitive, append(v, a.Address.AsSlice()...))
}

// as4 writes AS4_PATH and AS4_AGGREGATOR for a peer that cannot read an ASN of
// the set. AS4_PATH has no confederation segments (RFC 6793 3).
func (e encoder) as4(w *attrWriter, a *route.Attrs) error {
	if !e.twoOctet {
		return nil
	}
	if hasWideASN(a.ASPath) {
		var plain route.ASPath
		for _, s := range a.ASPath {
			if s.Type == route.ASSet || s.Type == route.ASSequence {
				plain = append(plain, s)
			}
		}
		path, err := appendPath(nil, plain, false)
		if err != nil {
			return err
		}
		w.put(bgp.BGP_ATTR_TYPE_AS4_PATH, flagOptional|flagTransitive, path)
	}
	if a.Aggregator.Address.Is4() && a.Aggregator.ASN > 0xffff {
		v := binary.BigEndian.AppendUint32(nil, a.Aggregator.ASN)
		w.put(bgp.BGP_ATTR_TYPE_AS4_AGGREGATOR, flagOptional|flagTransitive, append(v, a.Aggregator.Address.AsSlice()...))
	}
	return nil
}

func hasWideASN(p route.ASPath) bool {
	for _, s := range p {
		for _, asn := range s.ASNs {
			if asn > 0xffff && (s.Type == route.ASSet || s.Type == route.ASSequence) {
				return true
			}
		}
	}
	return false
}

func twoOctetASN(asn uint32) uint16 {
	if asn > 0xffff {
		return bgp.AS_TRANS
	}
	return uint16(asn)
}

// appendPath encodes the segments of p. A long sequence is cut (RFC 4271
// 5.1.2), which changes nothing; a set cannot be.
func appendPath(b []byte, p route.ASPath, twoOctet bool) ([]byte, error) {
	for _, s := range p {
		asns := s.ASNs
		if len(asns) > 255 && (s.Type == route.ASSet || s.Type == route.ASConfedSet) {
			return nil, fmt.Errorf("AS_SET of %d ASNs", len(asns))
		}
		for len(asns) > 0 {
			n := min(len(asns), 255)
			b = append(b, byte(s.Type), byte(n))
			for _, asn := range asns[:n] {
				if twoOctet {
					b = binary.BigEndian.AppendUint16(b, twoOctetASN(asn))
				} else {
					b = binary.BigEndian.AppendUint32(b, asn)
				}
			}
			asns = asns[n:]
		}
	}
	return b, nil
}

// attrWriter appends attributes and lets unknown ones in where their type
// belongs.
type attrWriter struct {
	out     []byte
	unknown []route.Unknown
}

func (w *attrWriter) unknownBelow(typ int) {
	for len(w.unknown) > 0 && int(w.unknown[0].Type) < typ {
		u := w.unknown[0]
		w.unknown = w.unknown[1:]
		w.append(u.Type, u.Flags&^flagExtended, []byte(u.Value))
	}
}

func (w *attrWriter) put(typ bgp.BGPAttrType, flags uint8, value []byte) {
	w.unknownBelow(int(typ))
	w.append(uint8(typ), flags, value)
}

func (w *attrWriter) append(typ, flags uint8, value []byte) {
	if len(value) > 255 {
		w.out = append(w.out, flags|flagExtended, typ, byte(len(value)>>8), byte(len(value)))
	} else {
		w.out = append(w.out, flags, typ, byte(len(value)))
	}
	w.out = append(w.out, value...)
}

func (w *attrWriter) optional(typ bgp.BGPAttrType, flags uint8, v route.Optional) {
	if v.Set {
		w.put(typ, flags, binary.BigEndian.AppendUint32(nil, v.Value))
	}
}

func (w *attrWriter) communities(a *route.Attrs) {
	if len(a.Communities) == 0 {
		return
	}
	v := make([]byte, 0, 4*len(a.Communities))
	for _, c := range a.Communities {
		v = binary.BigEndian.AppendUint32(v, uint32(c))
	}
	w.put(bgp.BGP_ATTR_TYPE_COMMUNITIES, flagOptional|flagTransitive, v)
}

func (w *attrWriter) clusterList(ids []netip.Addr) {
	if len(ids) == 0 {
		return
	}
	v := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		v = append(v, id.AsSlice()...)
	}
	w.put(bgp.BGP_ATTR_TYPE_CLUSTER_LIST, flagOptional, v)
}

func (w *attrWriter) extCommunities(cs []route.ExtCommunity) {
	if len(cs) == 0 {
		return
	}
	v := make([]byte, 0, 8*len(cs))
	for _, c := range cs {
		v = binary.BigEndian.AppendUint64(v, uint64(c))
	}
	w.put(bgp.BGP_ATTR_TYPE_EXTENDED_COMMUNITIES, flagOptional|flagTransitive, v)
}

func (w *attrWriter) largeCommunities(cs []route.LargeCommunity) {
	if len(cs) == 0 {
		return
	}
	v := make([]byte, 0, 12*len(cs))
	for _, c := range cs {
		for _, part := range []uint32{c.Global, c.Local1, c.Local2} {
			v = binary.BigEndian.AppendUint32(v, part)
		}
	}
	w.put(bgp.BGP_ATTR_TYPE_LARGE_COMMUNITY, flagOptional|flagTransitive, v)
}
