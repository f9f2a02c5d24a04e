package gobgp

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/route"
)

// update appends one UPDATE with as many of the prefixes as fit, and returns the
// others. It is an error if attrs leave no room for the first.
func (e encoder) update(b []byte, g group, attrs []byte, prefixes []netip.Prefix) ([]byte, []netip.Prefix, error) {
	if usesMultiprotocol(g.attrs.NextHop, g.family) {
		return e.updateMP(b, g, attrs, prefixes)
	}
	overhead := headerLen + 4 + len(attrs)
	room, err := e.room(overhead, prefixes[0])
	if err != nil {
		return b, prefixes, err
	}
	start := len(b)
	b = appendHeader(b, bgp.BGP_MSG_UPDATE, 0)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(attrs)))
	b = append(b, attrs...)
	b, rest := appendPrefixes(b, prefixes, room)
	setLength(b, start)
	return b, rest, nil
}

// updateMP does the same with MP_REACH_NLRI (RFC 4760 3), which comes first
// (RFC 7606 5.1). A next hop is 16 octets, without a link-local address.
func (e encoder) updateMP(b []byte, g group, attrs []byte, prefixes []netip.Prefix) ([]byte, []netip.Prefix, error) {
	nextHop := g.attrs.NextHop.As16()
	overhead := headerLen + 4 + 4 + 5 + len(nextHop) + len(attrs)
	room, err := e.room(overhead, prefixes[0])
	if err != nil {
		return b, prefixes, err
	}
	start := len(b)
	b = appendHeader(b, bgp.BGP_MSG_UPDATE, 0)
	b = append(b, 0, 0, 0, 0)
	attr := len(b)
	b = append(b, flagOptional|flagExtended, byte(bgp.BGP_ATTR_TYPE_MP_REACH_NLRI), 0, 0,
		0, afiOf(g.family), bgp.SAFI_UNICAST, byte(len(nextHop)))
	b = append(b, nextHop[:]...)
	b = append(b, 0) // reserved
	b, rest := appendPrefixes(b, prefixes, room)
	binary.BigEndian.PutUint16(b[attr+2:], uint16(len(b)-attr-4))
	b = append(b, attrs...)
	binary.BigEndian.PutUint16(b[start+headerLen+2:], uint16(len(b)-attr))
	setLength(b, start)
	return b, rest, nil
}

// withdraw appends one UPDATE that withdraws as many of the prefixes as fit, and
// returns the others. Without prefixes it is the End-of-RIB of IPv6.
func (e encoder) withdraw(b []byte, family route.Family, prefixes []netip.Prefix) ([]byte, []netip.Prefix) {
	start := len(b)
	b = appendHeader(b, bgp.BGP_MSG_UPDATE, 0)
	var rest []netip.Prefix
	if family == route.IPv4 {
		b = append(b, 0, 0)
		b, rest = appendPrefixes(b, prefixes, maxMessage-headerLen-4)
		binary.BigEndian.PutUint16(b[start+headerLen:], uint16(len(b)-start-headerLen-2))
		b = append(b, 0, 0)
	} else {
		b = append(b, 0, 0, 0, 0)
		attr := len(b)
		b = append(b, flagOptional|flagExtended, byte(bgp.BGP_ATTR_TYPE_MP_UNREACH_NLRI), 0, 0,
			0, afiOf(family), bgp.SAFI_UNICAST)
		b, rest = appendPrefixes(b, prefixes, maxMessage-headerLen-4-4-3)
		binary.BigEndian.PutUint16(b[attr+2:], uint16(len(b)-attr-4))
		binary.BigEndian.PutUint16(b[attr-2:], uint16(len(b)-attr))
	}
	setLength(b, start)
	return b, rest
}

// room is how many octets are left for prefixes. Long messages are used only for
// sets that need one.
func (e encoder) room(overhead int, first netip.Prefix) (int, error) {
	need := overhead + prefixLen(first)
	switch {
	case need <= maxMessage:
		return maxMessage - overhead, nil
	case e.extended && need <= maxExtendedMsg:
		return maxExtendedMsg - overhead, nil
	}
	return 0, fmt.Errorf("path attributes make a message of %d octets", need)
}

func setLength(b []byte, start int) {
	binary.BigEndian.PutUint16(b[start+16:], uint16(len(b)-start))
}

func afiOf(f route.Family) byte {
	if f == route.IPv4 {
		return bgp.AFI_IP
	}
	return bgp.AFI_IP6
}

// prefixLen is the length of p on the wire (RFC 4271 4.3).
func prefixLen(p netip.Prefix) int { return 1 + (p.Bits()+7)/8 }

// appendPrefixes appends prefixes while they fit into room, and returns the
// others.
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
