package rawbgp

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	bgpPort       = 179
	defaultHold   = 90 * time.Second
	keepaliveTime = 9 * time.Second
	readBuffer    = 1 << 20
)

// Peer is one end of a session: who speaks, from where, to whom.
type Peer struct {
	Local, Remote netip.Addr
	ASN           uint32
	ID            netip.Addr    // invalid: Local
	Hold          time.Duration // proposed; 0: 90 s
	// Dial opens a connection; the caller knows the network namespace.
	Dial func(ctx context.Context, local, remote netip.AddrPort) (net.Conn, error)
	// Restart asks the neighbor to keep routes for that many whole seconds after the session
	// is lost (RFC 4724). 0 announces one second and no preserved forwarding state, so that no
	// routes are kept.
	Restart time.Duration
	// Plain leaves graceful restart out, as a Route Server does.
	Plain bool
	// Extended offers messages of up to 65,535 octets (RFC 8654), for tests that write
	// such messages. A Conn reads none.
	Extended bool
	// Watch, if set, is called with every UPDATE of a Session, in the order of the wire and
	// before Table contains it. Nothing is read until it returns.
	Watch func(Update)
}

// Open opens a connection to the neighbor, without a session.
func (p Peer) Open(ctx context.Context) (net.Conn, error) {
	return p.Dial(ctx, netip.AddrPortFrom(p.Local, 0), netip.AddrPortFrom(p.Remote, bgpPort))
}

// Establish dials until the neighbor accepts a session or ctx ends.
func (p Peer) Establish(ctx context.Context) (*Conn, error) {
	for {
		conn, err := p.Open(ctx)
		if err == nil {
			var c *Conn
			if c, err = p.Handshake(conn); err == nil {
				return c, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("session of %s with %s: %w", p.Local, p.Remote, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Handshake exchanges OPEN and KEEPALIVE on a connection, whoever opened it. On an error
// the connection is closed.
func (p Peer) Handshake(conn net.Conn) (*Conn, error) {
	c := &Conn{Conn: conn, r: bufio.NewReaderSize(conn, readBuffer), buf: make([]byte, MaxLen), done: make(chan struct{})}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	err := c.Send(p.open())
	if err == nil {
		err = c.expect(TypeOpen)
	}
	if err == nil {
		err = c.Send(keepalive)
	}
	if err == nil {
		err = c.expect(TypeKeepalive)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return c, nil
}

// open returns the OPEN of a speaker of IPv4 with route refresh and 4-octet ASNs. Graceful
// restart, unless the peer is plain, also makes the neighbor send End-of-RIB.
func (p Peer) open() []byte {
	caps := []byte{1, 4, 0, 1, 0, 1, 2, 0, 65, 4}
	caps = binary.BigEndian.AppendUint32(caps, p.ASN)
	if p.Extended {
		caps = append(caps, 6, 0)
	}
	if !p.Plain {
		seconds, keeps := uint16(max(p.Restart/time.Second, 1)), byte(0)
		if p.Restart > 0 {
			keeps = 0x80
		}
		caps = append(caps, 64, 6, byte(seconds>>8)&0x0f, byte(seconds), 0, 1, 1, keeps)
	}
	asn := uint16(23456) // AS_TRANS
	if p.ASN <= 0xffff {
		asn = uint16(p.ASN)
	}
	id, hold := p.ID, p.Hold
	if !id.IsValid() {
		id = p.Local
	}
	if hold == 0 {
		hold = defaultHold
	}
	body := binary.BigEndian.AppendUint16([]byte{4}, asn)
	body = binary.BigEndian.AppendUint16(body, uint16(hold/time.Second))
	body = append(body, id.AsSlice()...)
	body = append(body, byte(2+len(caps)), 2, byte(len(caps)))
	return Message(TypeOpen, append(body, caps...))
}

// Connect dials until the neighbor accepts a session or ctx ends.
func (p Peer) Connect(ctx context.Context) (*Session, error) {
	conn, err := p.Establish(ctx)
	if err != nil {
		return nil, err
	}
	return p.serve(conn), nil
}

// Begin opens a session on a connection, whoever opened that. On an error the connection is
// closed.
func (p Peer) Begin(conn net.Conn) (*Session, error) {
	c, err := p.Handshake(conn)
	if err != nil {
		return nil, err
	}
	return p.serve(c), nil
}
