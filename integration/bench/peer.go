package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

// peer is one neighbor of the subject. It feeds messages that are encoded already, and
// counts the routes that it hears.
type peer struct {
	sender
	name, namespace string
	as              rawbgp.Peer
	told            *tracker

	updates, routes atomic.Int64 // received since the session came up
	keepalives      gaps

	mu   sync.Mutex
	conn *rawbgp.Conn // nil: there was no session yet
	fed  [][]byte     // what a ROUTE-REFRESH asks for again
}

// newPeer returns a peer that proposes a hold time of 180 s, so that the subject's counts.
// It leaves out graceful restart, under which the subject would keep the routes of a lost
// session.
func newPeer(name, namespace string, local, dut netip.Addr, asn uint32) *peer {
	return &peer{
		name: name, namespace: namespace, told: newTracker(), sender: sender{nextHop: local, internal: asn == nvaASN},
		as: rawbgp.Peer{Local: local, Remote: dut, ASN: asn, Hold: 180 * time.Second, Plain: true, Dial: lab.DialFrom(namespace)},
	}
}

// connect dials the subject until it accepts the session.
func (p *peer) connect(ctx context.Context) error {
	conn, err := p.as.Establish(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.begin(conn)
	return nil
}

// listen opens the port on which the subject is awaited.
func (p *peer) listen() (l net.Listener, err error) {
	err = lab.WithinNamespace(p.namespace, func() error {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(p.as.Local, 179).String())
		return err
	})
	return l, err
}

// accept takes the subject's connection and makes the session.
func (p *peer) accept(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		if conn, err := p.as.Handshake(c); err == nil {
			p.begin(conn)
			return nil
		}
	}
}

// begin counts anew, for a new session.
func (p *peer) begin(conn *rawbgp.Conn) {
	p.told.reset()
	p.updates.Store(0)
	p.routes.Store(0)
	p.keepalives.reset()
	p.mu.Lock()
	p.conn, p.fed = conn, nil
	p.mu.Unlock()
	go conn.Serve(p.receive, p.told.reset)
}

// receive counts the routes of a message.
func (p *peer) receive(typ byte, body []byte) error {
	switch typ {
	case rawbgp.TypeUpdate:
		return p.take(body)
	case rawbgp.TypeKeepalive:
		p.keepalives.note()
	case rawbgp.TypeRefresh:
		go func() { _ = p.again() }()
	}
	return nil
}

func (p *peer) take(body []byte) error {
	withdrawn, _, announced, err := rawbgp.Fields(body)
	p.note(withdrawn, false)
	if len(announced) > 0 {
		p.updates.Add(1)
		p.note(announced, true)
	}
	return err
}

// note notes the routes of a field, of which all that matter are /24s.
func (p *peer) note(nlri []byte, there bool) {
	for len(nlri) > 0 {
		size := 1 + (int(nlri[0])+7)/8
		if nlri[0] == 24 {
			if n, ok := numberOf(binary.BigEndian.Uint32(append(nlri[1:4:4], 0))); ok {
				p.told.set(n, there)
				p.routes.Add(1)
			}
		}
		nlri = nlri[size:]
	}
}

// send writes whole messages.
func (p *peer) send(chunks ...[]byte) error {
	if err := p.session().Send(chunks...); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// feed sends routes, and sends them again when the subject asks.
func (p *peer) feed(chunks [][]byte) error {
	p.mu.Lock()
	p.fed = chunks
	p.mu.Unlock()
	return p.send(chunks...)
}

func (p *peer) again() error {
	p.mu.Lock()
	chunks := p.fed
	p.mu.Unlock()
	return p.send(chunks...)
}

// session is the last one, nil if there was none.
func (p *peer) session() *rawbgp.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn
}

// up reports whether there is a session.
func (p *peer) up() bool { return p.session() != nil && p.session().Up() }

// why says why a route of the peer's, or to it, did not arrive, if that is known.
func (p *peer) why() string {
	if c := p.session(); c != nil && c.Err() != nil {
		return c.Err().Error()
	}
	return ""
}

// close ends the session without a NOTIFICATION.
func (p *peer) close() {
	if c := p.session(); c != nil {
		c.Close()
	}
}

// gaps is the longest time between two things that happen.
type gaps struct {
	mu      sync.Mutex
	last    time.Time
	longest time.Duration
}

func (g *gaps) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last, g.longest = time.Now(), 0
}

func (g *gaps) note() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.last, g.longest = now, max(g.longest, now.Sub(g.last))
}

// max is the longest gap so far, the present one included.
func (g *gaps) max() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(g.longest, time.Since(g.last))
}
