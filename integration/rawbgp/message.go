// Package rawbgp is the BGP speaker of the integration tests: it sends exactly what a test
// tells it to send, and records exactly what it receives.
//
// It has no table to choose from and no policy. Tests use it to judge routing daemons, so it
// shares no code with any of them, including GoBGP and nvad's codec. It keeps what it receives
// as octets, and decodes them only to compare and print them.
//
// A [Peer] opens a [Session], which keeps the routes that the neighbor announces. A test that
// writes hand-made octets, or counts a million routes, uses the [Conn] of [Peer.Handshake]
// instead, and reads and writes messages itself.
package rawbgp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Types of messages (RFC 4271 4.1, RFC 2918 3).
const (
	TypeOpen         = 1
	TypeUpdate       = 2
	TypeNotification = 3
	TypeKeepalive    = 4
	TypeRefresh      = 5
)

// Lengths of messages in octets (RFC 4271 4.1).
const (
	HeaderLen = 19
	MaxLen    = 4096
)

// AppendMessage appends a message to b. fill appends its body.
func AppendMessage(b []byte, typ byte, fill func([]byte) []byte) []byte {
	start := len(b)
	for range 16 {
		b = append(b, 0xff)
	}
	b = fill(append(b, 0, 0, typ))
	binary.BigEndian.PutUint16(b[start+16:], uint16(len(b)-start))
	return b
}

// Message returns a message with the given body.
func Message(typ byte, body []byte) []byte {
	return AppendMessage(make([]byte, 0, HeaderLen+len(body)), typ, func(b []byte) []byte { return append(b, body...) })
}

// UpdateMessage returns an UPDATE with the given octets in its fields (RFC 4271 4.3).
func UpdateMessage(withdrawn, attrs, announced []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(withdrawn)))
	b = append(b, withdrawn...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(attrs)))
	b = append(b, attrs...)
	return Message(TypeUpdate, append(b, announced...))
}

// RefreshMessage is a ROUTE-REFRESH for IPv4 unicast (RFC 2918 3).
var RefreshMessage = Message(TypeRefresh, []byte{0, 1, 0, 1})

var keepalive = Message(TypeKeepalive, nil)

// Fields splits the body of an UPDATE into withdrawn routes, attributes and NLRI.
func Fields(body []byte) (withdrawn, attrs, announced []byte, err error) {
	withdrawn, rest, ok := counted(body)
	if ok {
		attrs, announced, ok = counted(rest)
	}
	if !ok {
		err = fmt.Errorf("malformed UPDATE % x", body)
	}
	return withdrawn, attrs, announced, err
}

// Heard is a set of attributes as it arrived: names with values as text.
type Heard map[string]string

// Update is an UPDATE of IPv4 routes as it arrived. Attrs is empty if it has no attributes.
type Update struct {
	Withdrawn, Announced []netip.Prefix
	Attrs                Heard
}

// ParseUpdate reads the body of an UPDATE.
func ParseUpdate(body []byte) (u Update, err error) {
	withdrawn, attrs, announced, err := Fields(body)
	if err == nil {
		u.Withdrawn, err = prefixes(withdrawn)
	}
	if err == nil {
		u.Announced, err = prefixes(announced)
	}
	if err == nil {
		u.Attrs, err = decode(attrs)
	}
	return u, err
}

// counted splits data that begins with the length of its first part.
func counted(data []byte) (part, rest []byte, ok bool) {
	if len(data) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(data))
	if len(data) < 2+n {
		return nil, nil, false
	}
	return data[2 : 2+n], data[2+n:], true
}

// prefixes reads IPv4 NLRI.
func prefixes(data []byte) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for len(data) > 0 {
		bits, size := int(data[0]), (int(data[0])+7)/8
		if bits > 32 || len(data) < 1+size {
			return nil, fmt.Errorf("malformed NLRI % x", data)
		}
		var a [4]byte
		copy(a[:], data[1:1+size])
		out = append(out, netip.PrefixFrom(netip.AddrFrom4(a), bits))
		data = data[1+size:]
	}
	return out, nil
}

// nlri encodes IPv4 prefixes.
func nlri(prefixes []netip.Prefix) (out []byte) {
	for _, p := range prefixes {
		a := p.Addr().As4()
		out = append(append(out, byte(p.Bits())), a[:(p.Bits()+7)/8]...)
	}
	return out
}
