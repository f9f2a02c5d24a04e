package hostile

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/nvad/nvad/integration/differential/wire"
)

// attacker is a configured neighbor that means harm. It writes octets of its own
// making and reads what nvad says without a look at it.
type attacker struct {
	bed     *bed
	address netip.Addr
	asn     uint32
}

// session is an established session of an attacker's.
type session struct {
	conn  net.Conn
	out   *bufio.Writer
	ended chan struct{} // closed when nvad has ended it
}

// peer is the attacker as a speaker that knows its manners up to Established.
func (a *attacker) peer(restart time.Duration) wire.Peer {
	return wire.Peer{
		Local: a.address, Remote: netip.MustParseAddr(dutAddress), ASN: a.asn, ID: a.address,
		Dial: a.bed.dial, Restart: restart, Plain: restart == 0, Extended: true,
	}
}

// connect opens a connection to nvad.
func (a *attacker) connect(ctx context.Context) (net.Conn, error) {
	return a.bed.dial(ctx, netip.AddrPortFrom(a.address, 0), netip.AddrPortFrom(netip.MustParseAddr(dutAddress), 179))
}

// establish makes a session and reads from it for as long as it lasts.
func (a *attacker) establish(ctx context.Context, restart time.Duration) (*session, error) {
	conn, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.peer(restart).Handshake(conn); err != nil {
		return nil, err
	}
	s := &session{conn: conn, out: bufio.NewWriterSize(conn, 1<<16), ended: make(chan struct{})}
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(s.ended)
	}()
	return s, nil
}

// await dials until nvad takes the session.
func (a *attacker) await(ctx context.Context, restart time.Duration) (*session, error) {
	for {
		s, err := a.establish(ctx, restart)
		if err == nil {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// send writes a message; nvad that has ended the session is no error of the test's.
func (s *session) send(m []byte) bool {
	_ = s.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
	if _, err := s.out.Write(m); err != nil {
		return false
	}
	return s.out.Flush() == nil
}

func (s *session) close() { s.conn.Close(); <-s.ended }

// Message types (RFC 4271 4.1, RFC 2918 3).
const (
	typeOpen      = 1
	typeUpdate    = 2
	typeKeepalive = 4
	typeRefresh   = 5
)

// message frames a body.
func message(kind byte, body []byte) []byte {
	m := make([]byte, 16, 19+len(body))
	for i := range m {
		m[i] = 0xff
	}
	m = binary.BigEndian.AppendUint16(m, uint16(19+len(body)))
	return append(append(m, kind), body...)
}

// refresh is a ROUTE-REFRESH for IPv4 unicast.
var refresh = message(typeRefresh, []byte{0, 1, 0, 1})

// Flags and types of attributes.
const (
	wellKnown          = 0x40
	optional           = 0x80
	optionalTransitive = 0xc0

	attrOrigin      = 1
	attrASPath      = 2
	attrNextHop     = 3
	attrAggregator  = 7
	attrCommunities = 8
	attrUnassigned  = 240
)

// attr encodes an attribute, with an extended length where it needs one.
func attr(flags, kind byte, value []byte) []byte {
	if len(value) < 256 {
		return append([]byte{flags, kind, byte(len(value))}, value...)
	}
	b := binary.BigEndian.AppendUint16([]byte{flags | 0x10, kind}, uint16(len(value)))
	return append(b, value...)
}

// basics are ORIGIN, AS_PATH and NEXT_HOP of an ordinary route.
func (a *attacker) basics() []byte {
	path := binary.BigEndian.AppendUint32([]byte{2, 1}, a.asn)
	return a.basicsWith(path, a.address)
}

func (a *attacker) basicsWith(path []byte, nextHop netip.Addr) []byte {
	b := attr(wellKnown, attrOrigin, []byte{0})
	b = append(b, attr(wellKnown, attrASPath, path)...)
	return append(b, attr(wellKnown, attrNextHop, nextHop.AsSlice())...)
}

// update announces prefixes of 24 bits with the attributes given.
func update(attrs []byte, prefixes ...uint32) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(attrs)))
	b = append(b, attrs...)
	for _, p := range prefixes {
		b = append(b, 24, byte(p>>16), byte(p>>8), byte(p))
	}
	return message(typeUpdate, b)
}

// withdrawal withdraws prefixes of 24 bits.
func withdrawal(prefixes ...uint32) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(4*len(prefixes)))
	for _, p := range prefixes {
		b = append(b, 24, byte(p>>16), byte(p>>8), byte(p))
	}
	return message(typeUpdate, append(b, 0, 0))
}

// pace calls do, rate times a second, until it has been called count times, it
// reports false or ctx ends.
func pace(ctx context.Context, count, rate int, do func(i int) bool) {
	begin := time.Now()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < count; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(begin).Seconds() * float64(rate)); i < count && i < due; i++ {
			if ctx.Err() != nil || !do(i) {
				return
			}
		}
	}
}
