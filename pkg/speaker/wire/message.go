// Package wire translates between BGP messages and nvad's values: it frames
// messages, decodes what a neighbor sent into events of package speaker, and
// encodes what nvad sends.
//
// Promise: whatever octets a neighbor sends, decoding neither panics nor uses more
// memory than a small multiple of them. An error that ends the session is a [Fault],
// which names the NOTIFICATION to send; every other error of an UPDATE is handled as
// RFC 7606 prescribes and reported in the event. What is accepted can be encoded again.
//
// There are no goroutines, sockets or clocks here, and no GoBGP. A [Decoder] belongs to
// the goroutine that reads its session. Sessions are in package gobgp.
package wire

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/nvad/nvad/pkg/speaker"
)

// Types of messages (RFC 4271 4.1, RFC 2918 3).
const (
	TypeOpen uint8 = iota + 1
	TypeUpdate
	TypeNotification
	TypeKeepalive
	TypeRouteRefresh
	Types // one more than the last
)

var typeNames = [Types]string{TypeOpen: "OPEN", TypeUpdate: "UPDATE", TypeNotification: "NOTIFICATION", TypeKeepalive: "KEEPALIVE", TypeRouteRefresh: "ROUTE-REFRESH"}

// Lengths of messages in octets (RFC 4271 4.1, RFC 8654 4).
const (
	HeaderLen   = 19
	MaxLen      = 4096
	MaxExtended = 65535
)

// shortest is the least length of a message by its type (RFC 4271 4.2 to 4.5,
// RFC 2918 3).
var shortest = [Types]int{TypeOpen: 29, TypeUpdate: 23, TypeNotification: 21, TypeKeepalive: 19, TypeRouteRefresh: 23}

// Message is one BGP message with its header.
type Message []byte

// Type returns the type in the header.
func (m Message) Type() uint8 { return m[18] }

// Body returns what follows the header.
func (m Message) Body() []byte { return m[HeaderLen:] }

// Keepalive is a KEEPALIVE message (RFC 4271 4.4).
var Keepalive = NewMessage(TypeKeepalive, nil)

// NewMessage puts a header in front of body.
func NewMessage(typ uint8, body []byte) Message {
	return append(appendHeader(make(Message, 0, HeaderLen+len(body)), typ, len(body)), body...)
}

func appendHeader(b []byte, typ uint8, bodyLen int) []byte {
	for range 16 {
		b = append(b, 0xff)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(HeaderLen+bodyLen))
	return append(b, typ)
}

// Fault is an error of the neighbor's that ends the session with a NOTIFICATION
// (RFC 4271 6).
type Fault struct {
	Code, Subcode uint8
	Data          []byte // of the NOTIFICATION
	Reason        string
	// Malformed describes an error in an UPDATE; nil for other messages.
	Malformed *speaker.Malformed
}

// Error returns the reason.
func (f *Fault) Error() string { return f.Reason }

// Subcodes of Message Header Error (RFC 4271 6.1).
const (
	notSynchronized = 1
	badLength       = 2
	badType         = 3
)

// Subcodes of Finite State Machine Error (RFC 6608 4): the state in which an
// unexpected message arrived.
const (
	inOpenSent    = 1
	inOpenConfirm = 2
	inEstablished = 3
)

// Unexpected returns the fault of a neighbor that sent m in a state in which RFC 4271
// 8.2.2 does not allow it (RFC 6608 3).
func Unexpected(m Message, in speaker.State) *Fault {
	data := []byte{m.Type()}
	switch in {
	case speaker.OpenSent:
		return &Fault{Code: speaker.CodeFSM, Subcode: inOpenSent, Data: data, Reason: "expected OPEN"}
	case speaker.OpenConfirm:
		return &Fault{Code: speaker.CodeFSM, Subcode: inOpenConfirm, Data: data, Reason: "expected KEEPALIVE"}
	}
	return &Fault{Code: speaker.CodeFSM, Subcode: inEstablished, Data: data, Reason: "OPEN in an established session"}
}

// ReadMessage reads one message into buf, which holds at least a header and grows if
// it has to. With extended, messages may be up to 65,535 octets long (RFC 8654). An
// error in the header is a [Fault] (RFC 4271 6.1); other errors are those of r.
func ReadMessage(r io.Reader, buf []byte, extended bool) (Message, error) {
	buf = buf[:HeaderLen]
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
	_, err = io.ReadFull(r, buf[HeaderLen:])
	return buf, err
}

// checkHeader returns the length of the message.
func checkHeader(h []byte, extended bool) (int, error) {
	for _, c := range h[:16] {
		if c != 0xff {
			return 0, &Fault{Code: speaker.CodeHeader, Subcode: notSynchronized, Reason: "marker is not all ones"}
		}
	}
	n, typ := int(binary.BigEndian.Uint16(h[16:])), h[18]
	if typ == 0 || typ >= Types {
		return 0, &Fault{Code: speaker.CodeHeader, Subcode: badType, Data: []byte{typ}, Reason: fmt.Sprintf("message of unknown type %d", typ)}
	}
	longest := MaxLen
	switch typ {
	case TypeKeepalive:
		longest = HeaderLen
	case TypeUpdate, TypeNotification, TypeRouteRefresh:
		if extended {
			longest = MaxExtended
		}
	}
	if n < shortest[typ] || n > longest {
		return 0, &Fault{Code: speaker.CodeHeader, Subcode: badLength, Data: []byte{h[16], h[17]}, Reason: fmt.Sprintf("message of type %d has length %d", typ, n)}
	}
	return n, nil
}
