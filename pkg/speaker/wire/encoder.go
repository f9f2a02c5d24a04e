package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// Encoder encodes UPDATEs with what one session has negotiated.
type Encoder struct {
	TwoOctet     bool // the neighbor knows no 4-octet ASNs (RFC 6793)
	IPv6NextHops bool // IPv4 routes may have IPv6 next hops (RFC 8950)
	Extended     bool // messages may have more than 4,096 octets (RFC 8654)
}

// Set is a set of attributes, encoded once for any number of UPDATEs.
type Set struct {
	family  route.Family
	nextHop netip.Addr
	attrs   []byte // without MP_REACH_NLRI
}

// Encode encodes a for routes of a family. It fails if the session can't carry the next
// hop, or an AS_SET is too long.
func (e Encoder) Encode(a *route.Attrs, family route.Family) (Set, error) {
	s := Set{family: family, nextHop: a.NextHop}
	if err := e.checkNextHop(a.NextHop, family); err != nil {
		return s, err
	}
	// Attributes are in the order of their types (RFC 4271 5).
	w := attrWriter{unknown: a.Unknown, out: make([]byte, 0, 128)}
	w.put(attrOrigin, wellKnown, []byte{byte(a.Origin)})
	path, err := appendPath(nil, a.ASPath, e.TwoOctet)
	if err != nil {
		return s, err
	}
	w.put(attrASPath, wellKnown, path)
	if !s.multiprotocol() {
		w.put(attrNextHop, wellKnown, a.NextHop.AsSlice())
	}
	w.number(attrMED, optional, a.MED)
	w.number(attrLocalPref, wellKnown, a.LocalPref)
	if a.AtomicAggregate {
		w.put(attrAtomicAggregate, wellKnown, nil)
	}
	if a.Aggregator.Address.Is4() {
		asn := appendPathASN(nil, a.Aggregator.ASN, e.TwoOctet)
		w.put(attrAggregator, transitive, append(asn, a.Aggregator.Address.AsSlice()...))
	}
	putAll(&w, attrCommunities, transitive, 4, a.Communities, func(b []byte, c route.Community) []byte {
		return binary.BigEndian.AppendUint32(b, uint32(c))
	})
	if a.OriginatorID.Is4() {
		w.put(attrOriginatorID, optional, a.OriginatorID.AsSlice())
	}
	putAll(&w, attrClusterList, optional, 4, a.ClusterList, func(b []byte, id netip.Addr) []byte {
		return append(b, id.AsSlice()...)
	})
	putAll(&w, attrExtCommunities, transitive, 8, a.ExtCommunities, func(b []byte, c route.ExtCommunity) []byte {
		return binary.BigEndian.AppendUint64(b, uint64(c))
	})
	if err := e.as4(&w, a); err != nil {
		return s, err
	}
	putAll(&w, attrLargeCommunities, transitive, 12, a.LargeCommunities, func(b []byte, c route.LargeCommunity) []byte {
		b = binary.BigEndian.AppendUint32(b, c.Global)
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, c.Local1), c.Local2)
	})
	w.number(attrOTC, transitive, a.OTC)
	w.unknownBelow(256)
	s.attrs = w.out
	return s, nil
}

func (e Encoder) checkNextHop(nextHop netip.Addr, family route.Family) error {
	switch {
	case !nextHop.IsValid():
		return errors.New("no next hop")
	case family == route.IPv6 && nextHop.Is4():
		return fmt.Errorf("next hop %s of an IPv6 route is IPv4", nextHop)
	case family == route.IPv4 && nextHop.Is6() && !e.IPv6NextHops:
		return fmt.Errorf("the neighbor takes no IPv6 next hop (%s) for an IPv4 route", nextHop)
	}
	return nil
}

// as4 writes AS4_PATH and AS4_AGGREGATOR for a neighbor that can't read an ASN of
// the set. AS4_PATH has no confederation segments (RFC 6793 3).
func (e Encoder) as4(w *attrWriter, a *route.Attrs) error {
	if !e.TwoOctet {
		return nil
	}
	plain := slices.DeleteFunc(slices.Clone(a.ASPath), route.Segment.IsConfed)
	if slices.ContainsFunc(plain, func(s route.Segment) bool {
		return slices.ContainsFunc(s.ASNs, func(asn uint32) bool { return asn > 0xffff })
	}) {
		path, err := appendPath(nil, plain, false)
		if err != nil {
			return err
		}
		w.put(attrAS4Path, transitive, path)
	}
	if a.Aggregator.Address.Is4() && a.Aggregator.ASN > 0xffff {
		v := binary.BigEndian.AppendUint32(nil, a.Aggregator.ASN)
		w.put(attrAS4Aggregator, transitive, append(v, a.Aggregator.Address.AsSlice()...))
	}
	return nil
}

// attrWriter appends attributes, and inserts unknown ones where their types belong.
type attrWriter struct {
	out     []byte
	unknown []route.Unknown
}

func (w *attrWriter) put(typ, flags uint8, value []byte) {
	w.unknownBelow(int(typ))
	w.append(typ, flags, value)
}

func (w *attrWriter) unknownBelow(typ int) {
	for len(w.unknown) > 0 && int(w.unknown[0].Type) < typ {
		u := w.unknown[0]
		w.unknown = w.unknown[1:]
		w.append(u.Type, u.Flags&^flagExtended, []byte(u.Value))
	}
}

func (w *attrWriter) append(typ, flags uint8, value []byte) {
	if len(value) > 255 {
		w.out = append(w.out, flags|flagExtended, typ, byte(len(value)>>8), byte(len(value)))
	} else {
		w.out = append(w.out, flags, typ, byte(len(value)))
	}
	w.out = append(w.out, value...)
}

func (w *attrWriter) number(typ, flags uint8, v route.Optional) {
	if v.Set {
		w.put(typ, flags, binary.BigEndian.AppendUint32(nil, v.Value))
	}
}

// putAll writes a list of values of size octets each, unless it is empty.
func putAll[T any](w *attrWriter, typ, flags uint8, size int, list []T, appendValue func([]byte, T) []byte) {
	if len(list) == 0 {
		return
	}
	v := make([]byte, 0, size*len(list))
	for _, item := range list {
		v = appendValue(v, item)
	}
	w.put(typ, flags, v)
}

// multiprotocol reports whether the routes go into MP_REACH_NLRI.
func (s *Set) multiprotocol() bool { return s.family != route.IPv4 || s.nextHop.Is6() }

// Announce appends one UPDATE to b that announces as many of the prefixes as fit, and
// returns the others. It fails if the attributes leave no room for the first prefix.
//
// MP_REACH_NLRI (RFC 4760 3) comes before the other attributes (RFC 7606 5.1). Its next
// hop has 16 octets: there is no link-local address beside it.
func (e Encoder) Announce(b []byte, s Set, prefixes []netip.Prefix) ([]byte, []netip.Prefix, error) {
	overhead := HeaderLen + 4 + len(s.attrs)
	if s.multiprotocol() {
		overhead += 4 + 5 + 16
	}
	need, longest := overhead+prefixLen(prefixes[0]), MaxLen
	if need > MaxLen && e.Extended { // for sets that need it only
		longest = MaxExtended
	}
	if need > longest {
		return b, prefixes, fmt.Errorf("path attributes make a message of %d octets", need)
	}
	start := len(b)
	b = appendHeader(b, TypeUpdate, 0)
	b = append(b, 0, 0, 0, 0) // no withdrawn routes; length of the attributes, below
	attrs := len(b)
	rest := prefixes
	if s.multiprotocol() {
		nextHop := s.nextHop.As16()
		b = append(b, optional|flagExtended, attrMPReach, 0, 0, 0, afiOf(s.family), safiUnicast, byte(len(nextHop)))
		b = append(b, nextHop[:]...)
		b = append(b, 0) // reserved
		b, rest = appendPrefixes(b, prefixes, longest-overhead)
		putLen(b[attrs+2:], b[attrs+4:])
	}
	b = append(b, s.attrs...)
	putLen(b[attrs-2:], b[attrs:])
	if !s.multiprotocol() {
		b, rest = appendPrefixes(b, prefixes, longest-overhead)
	}
	putLen(b[start+16:], b[start:])
	return b, rest, nil
}

// Withdraw appends one UPDATE to b that withdraws as many of the prefixes as fit, and
// returns the others.
func (e Encoder) Withdraw(b []byte, family route.Family, prefixes []netip.Prefix) ([]byte, []netip.Prefix) {
	start := len(b)
	b = appendHeader(b, TypeUpdate, 0)
	b = append(b, 0, 0)
	field := len(b)
	var rest []netip.Prefix
	if family == route.IPv4 {
		b, rest = appendPrefixes(b, prefixes, MaxLen-HeaderLen-4)
		putLen(b[field-2:], b[field:])
		b = append(b, 0, 0) // no attributes
	} else {
		b = append(b, 0, 0)
		attr := len(b)
		b = append(b, optional|flagExtended, attrMPUnreach, 0, 0, 0, afiOf(family), safiUnicast)
		b, rest = appendPrefixes(b, prefixes, MaxLen-HeaderLen-4-4-3)
		putLen(b[attr+2:], b[attr+4:])
		putLen(b[attr-2:], b[attr:])
	}
	putLen(b[start+16:], b[start:])
	return b, rest
}

// EndOfRIB appends the End-of-RIB marker of a family to b: an UPDATE that withdraws
// nothing (RFC 4724 2).
func (e Encoder) EndOfRIB(b []byte, family route.Family) []byte {
	b, _ = e.Withdraw(b, family, nil)
	return b
}

// putLen writes the length of field to at.
func putLen(at, field []byte) { binary.BigEndian.PutUint16(at, uint16(len(field))) }

// prefixLen is the number of octets that p takes (RFC 4271 4.3).
func prefixLen(p netip.Prefix) int { return 1 + (p.Bits()+7)/8 }

// appendPrefixes appends prefixes while they fit into room, and returns the others.
func appendPrefixes(b []byte, prefixes []netip.Prefix, room int) ([]byte, []netip.Prefix) {
	for i, p := range prefixes {
		n := prefixLen(p)
		if n > room {
			return b, prefixes[i:]
		}
		room -= n
		b = append(b, byte(p.Bits()))
		if p.Addr().Is4() {
			ip := p.Addr().As4()
			b = append(b, ip[:n-1]...)
		} else {
			ip := p.Addr().As16()
			b = append(b, ip[:n-1]...)
		}
	}
	return b, nil
}
