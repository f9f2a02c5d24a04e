package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// peer is one neighbor of the subject. It feeds what is encoded already and
// counts what it is told.
type peer struct {
	sender
	name, namespace string
	address, dut    netip.Addr // of the peer, of the subject
	asn             uint32
	told            *tracker

	updates, routes atomic.Int64 // received since the session came up
	keepalives      gaps

	mu   sync.Mutex // of writes
	conn net.Conn
	fed  [][]byte // what a ROUTE-REFRESH asks for again
	lost string   // why the session ended
	done chan struct{}
}

const (
	bgpPort       = 179
	holdTime      = 180 // s, proposed; the second Route Server's session has 30
	keepaliveTime = 9 * time.Second
)

// connect dials the subject until it takes the session.
func (p *peer) connect(ctx context.Context) error {
	for {
		err := p.dial(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("session of %s: %w", p.name, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *peer) dial(ctx context.Context) error {
	var conn net.Conn
	err := lab.WithinNamespace(p.namespace, func() (err error) {
		// Dialled by this very thread: an address in numbers is not resolved.
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.address, 0)), Timeout: time.Second}
		conn, err = d.DialContext(ctx, "tcp4", netip.AddrPortFrom(p.dut, bgpPort).String())
		return err
	})
	if err != nil {
		return err
	}
	return p.establish(conn)
}

// listen opens the port on which the subject is awaited.
func (p *peer) listen() (net.Listener, error) {
	var l net.Listener
	err := lab.WithinNamespace(p.namespace, func() (err error) {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(p.address, bgpPort).String())
		return err
	})
	return l, err
}

// accept takes the subject's connection and makes the session.
func (p *peer) accept(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		if p.establish(conn) == nil {
			return nil
		}
	}
}

// establish takes a connection from OPEN to Established.
func (p *peer) establish(conn net.Conn) error {
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReaderSize(conn, 1<<20)
	_, err := conn.Write(p.open())
	for _, want := range []byte{msgOpen, msgKeepalive} {
		if err == nil {
			err = expect(r, want)
		}
		if err == nil && want == msgOpen {
			_, err = conn.Write(keepalive)
		}
	}
	if err != nil {
		conn.Close()
		return err
	}
	_ = conn.SetDeadline(time.Time{})
	p.told.reset()
	p.updates.Store(0)
	p.routes.Store(0)
	p.keepalives.reset()
	p.mu.Lock()
	p.conn, p.fed, p.lost, p.done = conn, nil, "", make(chan struct{})
	p.mu.Unlock()
	go p.receive(r, p.done)
	go p.keepAlive(p.done)
	return nil
}

func expect(r *bufio.Reader, want byte) error {
	m, err := readMessage(r, make([]byte, largestMessage))
	if err == nil && m[18] != want {
		err = fmt.Errorf("message % x in place of type %d", m, want)
	}
	return err
}

// open is the peer's OPEN with the capabilities for IPv4, route refresh and
// 4-octet ASNs; not for graceful restart, under which routes would stay.
func (p *peer) open() []byte {
	return appendMessage(nil, msgOpen, func(b []byte) []byte {
		capabilities := []byte{1, 4, 0, 1, 0, 1, 2, 0, 65, 4}
		capabilities = binary.BigEndian.AppendUint32(capabilities, p.asn)
		b = binary.BigEndian.AppendUint16(append(b, 4), uint16(p.asn))
		b = binary.BigEndian.AppendUint16(b, holdTime)
		b = append(b, p.address.AsSlice()...)
		b = append(b, byte(2+len(capabilities)), 2, byte(len(capabilities)))
		return append(b, capabilities...)
	})
}

var keepalive = appendMessage(nil, msgKeepalive, func(b []byte) []byte { return b })

func readMessage(r *bufio.Reader, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, buf[:headerSize]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(buf[16:]))
	if n < headerSize || n > len(buf) {
		return nil, fmt.Errorf("message of %d octets", n)
	}
	_, err := io.ReadFull(r, buf[headerSize:n])
	return buf[:n], err
}

// receive counts what it is told until the connection ends.
func (p *peer) receive(r *bufio.Reader, done chan struct{}) {
	defer close(done)
	defer p.told.reset()
	defer p.conn.Close()
	buf := make([]byte, largestMessage)
	for {
		m, err := readMessage(r, buf)
		if err != nil {
			p.end(err.Error())
			return
		}
		switch m[18] {
		case msgUpdate:
			p.take(m[headerSize:])
		case msgKeepalive:
			p.keepalives.note()
		case msgRefresh:
			go func() { _ = p.again() }()
		case msgNotification:
			p.end(fmt.Sprintf("NOTIFICATION % x", m[headerSize:]))
			return
		}
	}
}

func (p *peer) end(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = why
}

// why says why a route of the peer's or to it did not arrive, if that is known.
func (p *peer) why() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

func (p *peer) take(b []byte) {
	gone := int(binary.BigEndian.Uint16(b))
	p.note(b[2:2+gone], false)
	b = b[2+gone:]
	if b = b[2+int(binary.BigEndian.Uint16(b)):]; len(b) > 0 {
		p.updates.Add(1)
		p.note(b, true)
	}
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

func (p *peer) keepAlive(done chan struct{}) {
	tick := time.NewTicker(keepaliveTime)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			_ = p.send(keepalive)
		}
	}
}

// send writes whole messages.
func (p *peer) send(chunks ...[]byte) error {
	for _, c := range chunks {
		p.mu.Lock()
		_, err := p.conn.Write(c)
		p.mu.Unlock()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
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

// up reports whether there is a session.
func (p *peer) up() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// close ends the session without a word.
func (p *peer) close() {
	if p.done != nil {
		p.conn.Close()
		<-p.done
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
