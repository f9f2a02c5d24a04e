package bmp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Types of messages (RFC 7854 4.1).
const (
	typeRouteMonitoring byte = iota
	typeStatistics
	typePeerDown
	typePeerUp
	typeInitiation
	typeTermination
)

// Lengths in octets (RFC 7854 4.1 and 4.2).
const (
	headerLen     = 6
	peerHeaderLen = 42
)

const version = 3

// Flags of a per-peer header (RFC 7854 4.2). The A flag is never set: AS_PATH has ASNs of
// four octets, whatever the neighbor sent.
const (
	flagIPv6       = 0x80 // V
	flagPostPolicy = 0x40 // L
)

// Types of the TLVs of Initiation and Termination (RFC 7854 4.4 and 4.5).
const (
	tlvDescription = 1 // sysDescr
	tlvName        = 2 // sysName
	tlvReason      = 1 // in a Termination
)

// Reasons of a Termination (RFC 7854 4.5).
const (
	administrative = 0
	outOfResources = 2
)

// Reasons of a Peer Down (RFC 7854 4.9).
const (
	localNotification  = 1
	localEvent         = 2
	remoteNotification = 3
	remoteClosed       = 4
)

// peer identifies a neighbor's session in per-peer headers.
type peer struct {
	address netip.Addr
	asn     uint32
	id      netip.Addr
}

// begin appends a common header. The length is filled in by finish.
func begin(b []byte, typ byte) []byte { return append(b, version, 0, 0, 0, 0, typ) }

// finish writes the length of the message that starts at start.
func finish(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start+1:], uint32(len(b)-start))
	return b
}

// appendPeer appends the per-peer header (RFC 7854 4.2) of a global instance.
func appendPeer(b []byte, p peer, flags byte, at time.Time) []byte {
	if p.address.Is6() {
		flags |= flagIPv6
	}
	b = append(b, 0, flags) // global instance
	b = append(b, make([]byte, 8)...)
	b = appendAddress(b, p.address)
	b = binary.BigEndian.AppendUint32(b, p.asn)
	id := [4]byte{}
	if p.id.Is4() {
		id = p.id.As4()
	}
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(at.Unix()))
	return binary.BigEndian.AppendUint32(b, uint32(at.Nanosecond()/1000))
}

// appendAddress appends an address in 16 octets; one of IPv4 is in the last four.
func appendAddress(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		ip := a.As4()
		return append(append(b, make([]byte, 12)...), ip[:]...)
	}
	ip := a.As16()
	return append(b, ip[:]...)
}

func appendTLV(b []byte, typ uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

// appendInitiation appends the message that begins a connection (RFC 7854 4.3).
func appendInitiation(b []byte, name, description string) []byte {
	start := len(b)
	b = begin(b, typeInitiation)
	b = appendTLV(b, tlvDescription, []byte(description))
	b = appendTLV(b, tlvName, []byte(name))
	return finish(b, start)
}

// appendTermination appends the message that ends a connection (RFC 7854 4.5).
func appendTermination(b []byte, reason uint16) []byte {
	start := len(b)
	b = begin(b, typeTermination)
	b = appendTLV(b, tlvReason, binary.BigEndian.AppendUint16(nil, reason))
	return finish(b, start)
}

// appendPeerUp appends a Peer Up (RFC 7854 4.10). The OPENs have their headers.
func appendPeerUp(b []byte, p peer, at time.Time, local netip.AddrPort, remotePort uint16, sent, received []byte) []byte {
	start := len(b)
	b = begin(b, typePeerUp)
	b = appendPeer(b, p, 0, at)
	b = appendAddress(b, local.Addr())
	b = binary.BigEndian.AppendUint16(b, local.Port())
	b = binary.BigEndian.AppendUint16(b, remotePort)
	b = append(append(b, sent...), received...)
	return finish(b, start)
}

// appendPeerDown appends a Peer Down (RFC 7854 4.9) with the data that its reason asks for.
func appendPeerDown(b []byte, p peer, at time.Time, reason byte, data []byte) []byte {
	start := len(b)
	b = begin(b, typePeerDown)
	b = appendPeer(b, p, 0, at)
	b = append(append(b, reason), data...)
	return finish(b, start)
}

// appendRoutes appends a Route Monitoring message (RFC 7854 4.6) around an UPDATE.
func appendRoutes(b []byte, p peer, flags byte, at time.Time, update []byte) []byte {
	start := len(b)
	b = begin(b, typeRouteMonitoring)
	b = appendPeer(b, p, flags, at)
	b = append(b, update...)
	return finish(b, start)
}

// appendStatistics appends a Statistics Report (RFC 7854 4.8).
func appendStatistics(b []byte, p peer, at time.Time, list []stat) []byte {
	start := len(b)
	b = begin(b, typeStatistics)
	b = appendPeer(b, p, 0, at)
	b = binary.BigEndian.AppendUint32(b, uint32(len(list)))
	for _, s := range list {
		b = appendTLV(b, s.typ, s.value)
	}
	return finish(b, start)
}
