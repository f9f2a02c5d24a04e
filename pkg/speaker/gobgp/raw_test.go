package gobgp

import (
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
	"github.com/nvad/nvad/pkg/speaker/wire/wiretest"
)

// rawPeer is a BGP speaker that says exactly what a test wants it to say.
type rawPeer struct {
	t    testing.TB
	conn net.Conn
}

// rawOpen describes the OPEN of a rawPeer.
type rawOpen struct {
	asn      uint32
	id       string
	hold     uint16
	twoOctet bool
	extended bool
	graceful bool
	restart  bool
	ipv4Only bool
}

func (o rawOpen) message() wire.Message {
	caps := []byte{1, 4, 0, 1, 0, 1, 2, 0}
	if !o.ipv4Only {
		caps = append(caps, 1, 4, 0, 2, 0, 1)
	}
	if o.extended {
		caps = append(caps, 6, 0)
	}
	if o.graceful {
		flags := byte(0)
		if o.restart {
			flags = 0x80
		}
		caps = append(caps, 64, 6, flags, 120, 0, 1, 1, flags)
	}
	if !o.twoOctet {
		caps = binary.BigEndian.AppendUint32(append(caps, 65, 4), o.asn)
	}
	body := []byte{4}
	body = binary.BigEndian.AppendUint16(body, uint16(o.asn))
	body = binary.BigEndian.AppendUint16(body, o.hold)
	body = append(body, addr(o.id).AsSlice()...)
	body = append(body, byte(len(caps)+2), 2, byte(len(caps)))
	return wire.NewMessage(1, append(body, caps...))
}

// dialRaw connects from address to s.
func dialRaw(t testing.TB, s *testSpeaker, address string) *rawPeer {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: addr(address).AsSlice()}, Timeout: 2 * time.Second}
	conn, err := d.Dial("tcp4", net.TCPAddrFromAddrPort(remote(speaker.Neighbor{Address: s.addr, Port: testPort})).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &rawPeer{t, conn}
}

// rawSession brings up a session of s, which is passive, with a rawPeer.
func rawSession(t testing.TB, s *testSpeaker, address string, o rawOpen, change ...func(*speaker.Neighbor)) (*rawPeer, speaker.Established) {
	t.Helper()
	n := speaker.Neighbor{
		Address: addr(address), LocalAddress: s.addr, LocalASN: s.asn, RemoteASN: o.asn, Passive: true,
		Families: route.IPv4 | route.IPv6, HoldTime: 90 * time.Second,
	}
	for _, c := range change {
		c(&n)
	}
	s.configure(n)
	p := dialRaw(t, s, address)
	p.open(o)
	return p, next[speaker.Established](s, 2*time.Second)
}

// open does the handshake.
func (p *rawPeer) open(o rawOpen) {
	p.t.Helper()
	p.send(o.message())
	p.expect(1)
	p.expect(4)
	p.send(wire.Keepalive)
}

// keepAlive sends KEEPALIVEs until end is called, or the test ends.
func (p *rawPeer) keepAlive() (end func()) {
	stop := make(chan struct{})
	end = sync.OnceFunc(func() { close(stop) })
	p.t.Cleanup(end)
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = p.conn.Write(wire.Keepalive)
			case <-stop:
				return
			}
		}
	}()
	return end
}

func (p *rawPeer) send(m wire.Message) {
	p.t.Helper()
	if _, err := p.conn.Write(m); err != nil {
		p.t.Fatal(err)
	}
}

// update sends an UPDATE with the given attributes and IPv4 NLRI.
func (p *rawPeer) update(attrs, nlri []byte) {
	p.t.Helper()
	p.send(wire.NewMessage(2, wiretest.UpdateBody(nil, attrs, nlri)))
}

// read returns the next message, or nil when the connection is closed.
func (p *rawPeer) read() wire.Message {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	m, err := wire.ReadMessage(p.conn, make([]byte, wire.MaxLen), true)
	if err != nil {
		return nil
	}
	return m
}

// expect reads messages up to one of the given type.
func (p *rawPeer) expect(kind uint8) wire.Message {
	p.t.Helper()
	for {
		m := p.read()
		if m == nil {
			p.t.Fatalf("connection closed while message type %d was expected", kind)
		}
		if m.Type() == kind {
			return m
		}
		if m.Type() == 3 {
			p.t.Fatalf("%s while message type %d was expected", wire.Describe(wire.ParseNotification(m, false)), kind)
		}
	}
}
