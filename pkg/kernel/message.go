package kernel

import (
	"encoding/binary"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// order is the byte order of netlink headers and of most attributes: the machine's.
var order = binary.NativeEndian

// Error is the kernel's answer to a message that it rejected.
type Error struct {
	Errno   syscall.Errno
	Message string // the extended acknowledgement; may be empty
}

// Error implements error.
func (e *Error) Error() string {
	if e.Message != "" {
		return fmt.Sprintf("%s (%s)", e.Errno.Error(), e.Message)
	}
	return e.Errno.Error()
}

// Unwrap returns Errno, so that errors.Is finds fs.ErrExist and the like.
func (e *Error) Unwrap() error { return e.Errno }

// header appends a netlink header. [finish] sets its length once the body is complete,
// and needs the offset that header returns.
func header(b []byte, kind, flags uint16, seq uint32) ([]byte, int) {
	start := len(b)
	b = order.AppendUint32(b, 0)
	b = order.AppendUint16(b, kind)
	b = order.AppendUint16(b, flags|unix.NLM_F_REQUEST)
	b = order.AppendUint32(b, seq)
	return order.AppendUint32(b, 0), start
}

func finish(b []byte, start int) { order.PutUint32(b[start:], uint32(len(b)-start)) }

// attr appends an attribute, padded to four bytes.
func attr(b []byte, kind uint16, value []byte) []byte {
	b = order.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = order.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func attr32(b []byte, kind uint16, value uint32) []byte {
	b = order.AppendUint16(b, unix.SizeofRtAttr+4)
	b = order.AppendUint16(b, kind)
	return order.AppendUint32(b, value)
}

// nest appends the header of an attribute that holds others. [finishNest] sets its
// length.
func nest(b []byte, kind uint16) ([]byte, int) {
	start := len(b)
	b = order.AppendUint16(b, 0)
	return order.AppendUint16(b, kind), start
}

func finishNest(b []byte, start int) { order.PutUint16(b[start:], uint16(len(b)-start)) }

// attrs calls fn for each attribute of b and stops at one that is malformed.
func attrs(b []byte, fn func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofRtAttr {
		n := int(order.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			return
		}
		fn(order.Uint16(b[2:])&^uint16(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[unix.SizeofRtAttr:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}

// message is one received netlink message. Its body is valid until the next receive.
type message struct {
	kind, flags uint16
	seq         uint32
	body        []byte
}

// messages calls fn for each message of a datagram and stops at one that is malformed.
func messages(b []byte, fn func(message)) {
	for len(b) >= unix.SizeofNlMsghdr {
		n := int(order.Uint32(b))
		if n < unix.SizeofNlMsghdr || n > len(b) {
			return
		}
		fn(message{
			kind: order.Uint16(b[4:]), flags: order.Uint16(b[6:]), seq: order.Uint32(b[8:]),
			body: b[unix.SizeofNlMsghdr:n],
		})
		b = b[min((n+3)&^3, len(b)):]
	}
}

// answer returns the error of an NLMSG_ERROR or NLMSG_DONE; nil if its code is 0.
func (m message) answer() error {
	if len(m.body) < 4 {
		return nil
	}
	code := int32(order.Uint32(m.body))
	if code == 0 {
		return nil
	}
	e := &Error{Errno: syscall.Errno(-code)}
	if m.flags&unix.NLM_F_ACK_TLVS == 0 {
		return e
	}
	rest := m.body[4:]
	if m.kind == unix.NLMSG_ERROR {
		rest = rest[min(unix.SizeofNlMsghdr, len(rest)):] // the rejected header; NETLINK_CAP_ACK cuts the rest
	}
	attrs(rest, func(kind uint16, value []byte) {
		if kind == unix.NLMSGERR_ATTR_MSG {
			e.Message = unix.ByteSliceToString(value)
		}
	})
	return e
}

func u32(v []byte) uint32 {
	if len(v) < 4 {
		return 0
	}
	return order.Uint32(v)
}
