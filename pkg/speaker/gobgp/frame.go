package gobgp

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Sizes of RFC 4271 4.1 and RFC 8654 4.
const (
	headerLen      = bgp.BGP_HEADER_LENGTH
	maxMessage     = bgp.BGP_MAX_MESSAGE_LENGTH
	maxExtendedMsg = bgp.BGP_MAX_EXTENDED_MESSAGE_LENGTH
)

// shortest is the least length of each type of message (RFC 4271 4.2 to 4.5,
// RFC 2918 3), by type.
var shortest = [...]int{
	bgp.BGP_MSG_OPEN:          29,
	bgp.BGP_MSG_UPDATE:        23,
	bgp.BGP_MSG_NOTIFICATION:  21,
	bgp.BGP_MSG_KEEPALIVE:     19,
	bgp.BGP_MSG_ROUTE_REFRESH: 23,
}

// message is one BGP message with its header.
type message []byte

func (m message) kind() uint8  { return m[18] }
func (m message) body() []byte { return m[headerLen:] }

// newMessage frames body.
func newMessage(kind uint8, body []byte) message {
	return append(appendHeader(make(message, 0, headerLen+len(body)), kind, len(body)), body...)
}

func appendHeader(b []byte, kind uint8, bodyLen int) []byte {
	for range 16 {
		b = append(b, 0xff)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(headerLen+bodyLen))
	return append(b, kind)
}

// fault is an error of the peer that ends the session with a NOTIFICATION
// (RFC 4271 6).
type fault struct {
	code, subcode uint8
	data          []byte
	reason        string
}

func (f *fault) Error() string { return f.reason }

// readMessage reads one message into buf, which grows if it has to, and returns
// it. Errors of the header are faults (RFC 4271 6.1).
func readMessage(r io.Reader, buf []byte, extended bool) (message, error) {
	buf = buf[:headerLen]
	if _, err := io.ReadFull(r, buf); err != nil {
		return buf, err
	}
	n, err := checkHeader(buf, extended)
	if err != nil {
		return buf, err
	}
	if cap(buf) < n {
		buf = append(make([]byte, 0, n), buf...)
	}
	buf = buf[:n]
	_, err = io.ReadFull(r, buf[headerLen:])
	return buf, err
}

func checkHeader(h []byte, extended bool) (int, error) {
	for _, c := range h[:16] {
		if c != 0xff {
			return 0, &fault{bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, bgp.BGP_ERROR_SUB_CONNECTION_NOT_SYNCHRONIZED, nil, "marker is not all ones"}
		}
	}
	n, kind := int(binary.BigEndian.Uint16(h[16:])), int(h[18])
	if kind == 0 || kind >= len(shortest) {
		return 0, &fault{bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, bgp.BGP_ERROR_SUB_BAD_MESSAGE_TYPE, []byte{h[18]},
			fmt.Sprintf("message of unknown type %d", kind)}
	}
	longest := maxMessage
	switch kind {
	case bgp.BGP_MSG_KEEPALIVE:
		longest = headerLen
	case bgp.BGP_MSG_UPDATE, bgp.BGP_MSG_NOTIFICATION, bgp.BGP_MSG_ROUTE_REFRESH:
		if extended {
			longest = maxExtendedMsg
		}
	}
	if n < shortest[kind] || n > longest {
		return 0, &fault{bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, bgp.BGP_ERROR_SUB_BAD_MESSAGE_LENGTH, []byte{h[16], h[17]},
			fmt.Sprintf("message of type %d has length %d", kind, n)}
	}
	return n, nil
}
