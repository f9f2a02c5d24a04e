package gobgp

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
	"github.com/nvad/nvad/pkg/speaker/wire/wiretest"
)

// deafen has the kernel drop everything that arrives for the socket, as if its host were
// gone. It waits until everything that was sent is acknowledged: retransmissions would be
// signs of life.
func (p *rawPeer) deafen() {
	p.t.Helper()
	for deadline := time.Now().Add(time.Second); tcpInfo(p.conn).Unacked > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	raw, err := p.conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	err = onSocket(raw, func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestRestartedNeighborReplacesItsSession connects again while the old connection is dead,
// which shows only in that nobody answers on it (RFC 4724 5).
func TestRestartedNeighborReplacesItsSession(t *testing.T) {
	s := newTestSpeaker(t, "127.0.11.1", "10.0.0.1", 65001)
	o := rawOpen{asn: 65002, id: "10.0.0.2", hold: 90, graceful: true}
	p, _ := rawSession(t, s, "127.0.11.2", o, restartTime(time.Minute))
	p.deafen()
	o.restart = true
	q := dialRaw(t, s, "127.0.11.2")
	q.send(o.message())
	if down := next[speaker.Down](s, 2*probeTime); !down.Graceful {
		t.Errorf("down: %+v", down)
	}
	q.expect(1)
	q.expect(4)
	q.send(wire.Keepalive)
	if up := next[speaker.Established](s, time.Second); !up.PeerRestarted {
		t.Errorf("established: %+v", up)
	}
}

// TestDeadSessionWithoutGracefulRestart: a second connection does not end a session without
// graceful restart. The neighbor may be cut off for a moment; the hold time decides.
func TestDeadSessionWithoutGracefulRestart(t *testing.T) {
	s := newTestSpeaker(t, "127.0.11.1", "10.0.0.1", 65001)
	o := rawOpen{asn: 65002, id: "10.0.0.2", hold: 90}
	p, _ := rawSession(t, s, "127.0.11.2", o)
	p.deafen()
	q := dialRaw(t, s, "127.0.11.2")
	q.send(o.message())
	if n := wire.ParseNotification(q.mustEnd(), false); n.Code != 6 || n.Subcode != 7 {
		t.Errorf("refused with %s", wire.Describe(n))
	}
	quiet(t, s, 0)
}

// TestSecondConnectionsDisplaceNothing attacks a session that is alive, with graceful
// restart, from the address of its neighbor: without TCP-MD5 anybody in the
// network can have that.
func TestSecondConnectionsDisplaceNothing(t *testing.T) {
	t.Parallel()
	good := rawOpen{asn: 65002, id: "10.0.0.2", hold: 90, graceful: true, restart: true}
	with := func(change func(*rawOpen)) []byte {
		o := good
		change(&o)
		return o.message()
	}
	version := good.message()
	version[wire.HeaderLen] = 3
	cases := []struct {
		name          string
		said          []byte
		code, subcode uint8 // of the answer; 0: none is awaited
	}{
		{"a perfect OPEN", good.message(), 6, 7},
		{"a perfect OPEN and a KEEPALIVE", append(good.message(), wire.Keepalive...), 6, 7},
		{"a wrong ASN", with(func(o *rawOpen) { o.asn = 65003 }), 2, 2},
		{"our own ASN", with(func(o *rawOpen) { o.asn = 65001 }), 2, 2},
		{"identifier 0.0.0.0", with(func(o *rawOpen) { o.id = "0.0.0.0" }), 2, 3},
		{"hold time 1", with(func(o *rawOpen) { o.hold = 1 }), 2, 6},
		{"version 3", version, 2, 1},
		{"capabilities cut off", wire.NewMessage(1, []byte{4, 0xfd, 0xea, 0, 90, 10, 0, 0, 2, 4, 2, 2, 65, 200}), 2, 7},
		{"a KEEPALIVE", wire.Keepalive, 5, 1},
		{"octets of no meaning", wiretest.Unhex("47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a 0d 0a 0d 0a"), 1, 1},
		{"half an OPEN", good.message()[:wire.HeaderLen+4], 0, 0},
		{"nothing", nil, 0, 0},
	}
	s := newTestSpeaker(t, "127.0.36.1", "10.0.0.1", 65001)
	p, _ := rawSession(t, s, "127.0.36.2", good, restartTime(time.Minute))
	for _, c := range cases {
		q := dialRaw(t, s, "127.0.36.2")
		q.send(c.said)
		if c.code != 0 {
			if n := wire.ParseNotification(q.mustEnd(), false); n.Code != c.code || n.Subcode != c.subcode {
				t.Errorf("%s: refused with %s", c.name, wire.Describe(n))
			}
			q.conn.Close() // or it takes one of the few places of those turned away
		}
		quiet(t, s, 0)
	}
	for range 200 { // at once
		dialRaw(t, s, "127.0.36.2").send(good.message())
	}
	quiet(t, s, 2*probeTime)
	p.update(wiretest.Unhex(wiretest.HexBase), wiretest.Unhex("18 c63364"))
	if up := next[speaker.Update](s, time.Second); len(up.Announced) != 1 {
		t.Errorf("received %+v", up)
	}
	if sent := s.find(p.address()).counters.out[wire.Keepalive.Type()].Load(); sent > 20 {
		t.Errorf("%d KEEPALIVEs were sent to prove the session alive", sent)
	}
}

// TestNeighborThatTakesLittle: a neighbor closes its window before nvad's socket buffer is
// full, so that no write blocks, and is dropped all the same (RFC 9687).
func TestNeighborThatTakesLittle(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.35.1", "10.0.0.1", 65001)
	passive(s, "127.0.35.2", func(n *speaker.Neighbor) { n.Families = route.IPv4 })
	d := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: addr("127.0.35.2").AsSlice()},
		Control: func(_, _ string, c syscall.RawConn) error {
			return onSocket(c, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1) })
		},
	}
	conn, err := d.Dial("tcp4", remote(speaker.Neighbor{Address: s.addr, Port: testPort}).String())
	if err != nil {
		t.Fatal(err)
	}
	p := &rawPeer{t, conn}
	defer conn.Close()
	p.open(rawOpen{asn: 65002, id: "10.0.0.2", hold: 3, ipv4Only: true})
	up := next[speaker.Established](s, time.Second)
	end := p.keepAlive()
	for i := range 1000 {
		a := route.Attrs{ASPath: route.NewASPath(65001), NextHop: addr("192.0.2.1"), MED: route.Some(uint32(i))}
		s.Send(p.address(), up.Session, []speaker.Change{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32), Attrs: &a}})
	}
	if down := next[speaker.Down](s, 10*time.Second); down.Reason != "send hold timer expired: the neighbor does not read" {
		t.Errorf("down: %s", down.Reason)
	}
	end() // a KEEPALIVE would be told of the reset in place of the read that follows
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	// The connection is reset. Whoever uses it first gets that error, which may be keepAlive.
	left, err := io.Copy(io.Discard, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) || left > 10_000 {
		t.Errorf("of what was not read %d octets are kept, %v", left, err)
	}
}

// TestSilentStrangerComesFirst: somebody who connects from the neighbor's address and sends
// nothing, or a part of an OPEN, does not keep the neighbor out until the timeout.
func TestSilentStrangerComesFirst(t *testing.T) {
	o := rawOpen{asn: 65002, id: "10.0.0.2", hold: 90}
	s := newTestSpeaker(t, "127.0.11.1", "10.0.0.1", 65001)
	for _, said := range [][]byte{nil, o.message()[:25], o.message()} {
		passive(s, "127.0.11.2")
		first := dialRaw(t, s, "127.0.11.2")
		first.send(said)
		first.expect(1)
		dialRaw(t, s, "127.0.11.2").open(o)
		next[speaker.Established](s, time.Second)
		drop(s)
	}
}
