package gobgp

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
	"github.com/nvad/nvad/pkg/speaker/wire/wiretest"
)

// pair is two speakers with an established session.
func pair(t testing.TB, change ...func(*speaker.Neighbor)) (a, b *testSpeaker, up speaker.Established) {
	t.Helper()
	a = newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
	b = newTestSpeaker(t, "127.0.4.2", "10.0.0.2", 65002)
	na, nb := a.neighbor(b), b.neighbor(a)
	for _, c := range change {
		c(&na)
		c(&nb)
	}
	a.configure(na)
	b.configure(nb)
	next[speaker.Established](b, 2*time.Second)
	return a, b, next[speaker.Established](a, 2*time.Second)
}

func TestEstablishedTellsWhatWasNegotiated(t *testing.T) {
	s := newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
	open := rawOpen{asn: 65002, id: "10.0.0.2", hold: 30, graceful: true, restart: true, ipv4Only: true}
	p, up := rawSession(t, s, "127.0.4.2", open, func(n *speaker.Neighbor) { n.RestartTime = 60 * time.Second })
	sent, err := wire.ParseOpen(up.OpenSent)
	if err != nil || sent.ASN != 65001 || sent.ID != addr("10.0.0.1") || !sent.Graceful {
		t.Errorf("OPEN sent: %+v, %v", sent, err)
	}
	want := speaker.Established{
		From: speaker.From{Peer: addr("127.0.4.2")}, Session: up.Session,
		LocalAddress: addr("127.0.4.1"), LocalPort: testPort, RemotePort: p.conn.LocalAddr().(*net.TCPAddr).AddrPort().Port(),
		OpenSent: up.OpenSent, OpenReceived: open.message(), RemoteASN: 65002, RemoteID: addr("10.0.0.2"), Families: route.IPv4,
		HoldTime: 30 * time.Second, Keepalive: 10 * time.Second, FourOctetASN: true, RouteRefresh: true,
		GracefulPeer: route.IPv4, PeerRestart: 120 * time.Second, PeerRestarted: true, Preserved: route.IPv4,
		Capabilities: []string{"Multiprotocol Extensions (ipv4 unicast)", "Route Refresh", "Graceful Restart", "4-octet AS Number"},
	}
	if fmt.Sprint(up) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", up, want)
	}
}

// TestBackAfterLoss loses a session in every way there is, and wants it back
// within a second.
func TestBackAfterLoss(t *testing.T) {
	a, b, _ := pair(t)
	cases := []struct {
		name   string
		lose   func()
		reason string
		body   string // of the NOTIFICATION
	}{
		{"reset", func() { a.Reset(b.addr, 0, speaker.Notification{Code: 6, Subcode: 4, Message: "test"}) },
			`NOTIFICATION sent: Cease/Administrative Reset "test"`, "\x06\x04\x04test"},
		{"connection closed", func() { a.find(b.addr).session.Load().tap.conn.Close() }, "connection lost", ""},
		{"peer resets", func() { b.Reset(a.addr, 0, speaker.Notification{Code: 6, Subcode: 2, Message: "maintenance"}) },
			`NOTIFICATION received: Cease/Administrative Shutdown "maintenance"`, "\x06\x02\x0bmaintenance"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.lose()
			down := next[speaker.Down](a, time.Second)
			if !strings.HasPrefix(down.Reason, c.reason) {
				t.Errorf("down: %q, want %q", down.Reason, c.reason)
			}
			if down.Graceful || down.Local {
				t.Errorf("graceful %t without the capability, closed by nvad without a NOTIFICATION: %t", down.Graceful, down.Local)
			}
			var message []byte
			if c.body != "" {
				message = wire.NewMessage(wire.TypeNotification, []byte(c.body))
			}
			if !bytes.Equal(down.Message, message) {
				t.Errorf("NOTIFICATION %q, want %q", down.Message, message)
			}
			next[speaker.Established](a, time.Second)
			next[speaker.Established](b, time.Second)
		})
	}
}

// TestReachableAgain starts the other side long after the first.
func TestReachableAgain(t *testing.T) {
	a := newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
	b := newTestSpeaker(t, "127.0.4.2", "10.0.0.2", 65002)
	a.configure(a.neighbor(b))
	next[speaker.StateChanged](a, time.Second)
	for range 3 {
		ev := next[speaker.StateChanged](a, 2*time.Second)
		if ev.State == speaker.Active && ev.Reason != "connection refused" {
			t.Errorf("reason %q", ev.Reason)
		}
	}
	n := b.neighbor(a)
	n.Passive = true
	b.configure(n)
	next[speaker.Established](a, time.Second)
}

func TestMD5(t *testing.T) {
	key := func(k string) func(*speaker.Neighbor) { return func(n *speaker.Neighbor) { n.Password = k } }
	t.Run("same key", func(t *testing.T) { pair(t, key("secret")) })
	t.Run("wrong key", func(t *testing.T) {
		a := newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
		b := newTestSpeaker(t, "127.0.4.2", "10.0.0.2", 65002)
		na, nb := a.neighbor(b), b.neighbor(a)
		na.Password, nb.Password = "one", "two"
		a.configure(na)
		b.configure(nb)
		ev := next[speaker.StateChanged](a, 2*time.Second)
		for ev.Reason == "" {
			ev = next[speaker.StateChanged](a, 2*time.Second)
		}
		if ev.Reason != timedOut+md5Hint {
			t.Errorf("reason %q", ev.Reason)
		}
		nb.Password = "one" // a changed key resets the neighbor
		b.configure(nb)
		next[speaker.Established](a, 2*time.Second)
	})
}

func TestTTLSecurity(t *testing.T) {
	pair(t, func(n *speaker.Neighbor) { n.TTLSecurity = 1 })
}

// TestTTLSecurityHint: silence on an open connection has a likely reason.
func TestTTLSecurityHint(t *testing.T) {
	s := &session{cfg: speaker.Neighbor{TTLSecurity: 1}, expected: "no OPEN within 30s"}
	if got, want := s.overdue(), "hold timer expired: no OPEN within 30s"+ttlHint; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.opened = true
	if got, want := s.overdue(), "hold timer expired: no OPEN within 30s"; got != want {
		t.Errorf("after an OPEN: got %q, want %q", got, want)
	}
}

// TestUnchangedNeighborIsLeftAlone reconfigures around a session.
func TestUnchangedNeighborIsLeftAlone(t *testing.T) {
	a, b, _ := pair(t)
	n := a.neighbor(b)
	other := speaker.Neighbor{Address: addr("127.0.4.99"), LocalAddress: a.addr, LocalASN: 65001, RemoteASN: 65003, Passive: true}
	a.configure(n, other)
	a.configure(n)
	quiet(t, a, 100*time.Millisecond)
	n.HoldTime = 12 * time.Second
	a.configure(n)
	if down := next[speaker.Down](b, time.Second); down.Reason != "NOTIFICATION received: Cease/Other Configuration Change" {
		t.Errorf("down: %s", down.Reason)
	}
	next[speaker.Established](a, 2*time.Second)
	next[speaker.Established](b, 2*time.Second)
	n.Disabled = true
	a.configure(n)
	if down := next[speaker.Down](b, time.Second); down.Reason != "NOTIFICATION received: Cease/Administrative Shutdown" {
		t.Errorf("down: %s", down.Reason)
	}
}

// TestPassive: a passive neighbor that does not connect is reported as such.
func TestPassive(t *testing.T) {
	s := newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
	s.configure(speaker.Neighbor{Address: addr("127.0.4.2"), LocalAddress: s.addr, LocalASN: 65001, RemoteASN: 65002, Passive: true})
	ev := next[speaker.StateChanged](s, time.Second)
	if ev.State != speaker.Active || ev.Reason != "waits for the neighbor to connect (passive)" {
		t.Errorf("%+v", ev)
	}
}

// TestBadOpen: the reason says more than the NOTIFICATION's subcode.
func TestBadOpen(t *testing.T) {
	s := newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
	s.configure(speaker.Neighbor{Address: addr("127.0.4.2"), LocalAddress: s.addr, LocalASN: 65001, RemoteASN: 65001, Passive: true})
	old := rawOpen{asn: 65001, id: "10.0.0.3", hold: 90}.message()
	old[wire.HeaderLen] = 3
	for want, open := range map[string]wire.Message{
		"Unsupported Version Number (it speaks BGP-3, not BGP-4)":           old,
		"Bad BGP Identifier (its router ID is 0.0.0.0)":                     rawOpen{asn: 65001, id: "0.0.0.0", hold: 90}.message(),
		"Bad BGP Identifier (its router ID is this router's own, 10.0.0.1)": rawOpen{asn: 65001, id: "10.0.0.1", hold: 90}.message(),
		"Unacceptable Hold Time (it is 2s, the least is 3s)":                rawOpen{asn: 65001, id: "10.0.0.3", hold: 2}.message(),
	} {
		p := dialRaw(t, s, "127.0.4.2")
		p.send(open)
		if n := wire.ParseNotification(p.mustEnd(), false); n.Code != 2 {
			t.Errorf("%s", wire.Describe(n))
		}
		for next[speaker.StateChanged](s, time.Second).Reason != "NOTIFICATION sent: OPEN Message Error/"+want {
		}
	}
}

// TestBadPeerAS: the reason names the neighbor's AS.
func TestBadPeerAS(t *testing.T) {
	s := newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
	s.configure(speaker.Neighbor{Address: addr("127.0.4.2"), LocalAddress: s.addr, LocalASN: 65001, RemoteASN: 65002, Passive: true})
	p := dialRaw(t, s, "127.0.4.2")
	p.send(rawOpen{asn: 65003, id: "10.0.0.3", hold: 90}.message())
	if n := wire.ParseNotification(p.mustEnd(), false); n.Code != 2 || n.Subcode != 2 {
		t.Errorf("%s", wire.Describe(n))
	}
	for {
		ev := next[speaker.StateChanged](s, time.Second)
		if ev.Reason == "NOTIFICATION sent: OPEN Message Error/Bad Peer AS (it is AS 65003, not 65002)" {
			break
		}
	}
}

func TestStrangerIsRefused(t *testing.T) {
	s := newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
	s.configure(speaker.Neighbor{Address: addr("127.0.4.2"), LocalAddress: s.addr, LocalASN: 65001, RemoteASN: 65002, Passive: true})
	if m := dialRaw(t, s, "127.0.4.3").read(); m != nil {
		t.Errorf("a stranger got a message of type %d", m.Type())
	}
}

// TestHoldTimer lets a peer fall silent.
func TestHoldTimer(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.34.1", "10.0.0.1", 65001)
	p, up := rawSession(t, s, "127.0.34.2", rawOpen{asn: 65002, id: "10.0.0.2", hold: 3})
	if up.HoldTime != 3*time.Second || up.Keepalive != time.Second {
		t.Errorf("hold time %s, keepalive %s", up.HoldTime, up.Keepalive)
	}
	if n := wire.ParseNotification(p.mustEnd(), false); n.Code != 4 {
		t.Errorf("%s", wire.Describe(n))
	}
	if down := next[speaker.Down](s, time.Second); down.Reason != "hold timer expired" || down.Notification == nil {
		t.Errorf("down: %+v", down)
	}
}

// TestUpdatesKeepTheSession sends nothing but UPDATEs for longer than the hold
// time. GoBGP does not see them.
func TestUpdatesKeepTheSession(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.32.1", "10.0.0.1", 65001)
	p, _ := rawSession(t, s, "127.0.32.2", rawOpen{asn: 65002, id: "10.0.0.2", hold: 3})
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for range 9 {
		p.update(wiretest.Unhex(wiretest.HexBase), wiretest.Unhex(wiretest.HexNLRI))
		next[speaker.Update](s, time.Second)
		<-tick.C
	}
	quiet(t, s, 0)
}

// TestBackPressureKeepsTheSession stops reading events for longer than the hold
// time, while UPDATEs pile up.
func TestBackPressureKeepsTheSession(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.33.1", "10.0.0.1", 65001)
	p, _ := rawSession(t, s, "127.0.33.2", rawOpen{asn: 65002, id: "10.0.0.2", hold: 3})
	const count = 4 * eventQueue
	go func() {
		for i := range count {
			body := wiretest.UpdateBody(nil, wiretest.Unhex(wiretest.HexBase), []byte{24, 10, byte(i >> 8), byte(i)})
			if _, err := p.conn.Write(wire.NewMessage(2, body)); err != nil {
				return
			}
		}
	}()
	time.Sleep(4500 * time.Millisecond) // nothing happens in this time, and that is the point
	for range count {
		next[speaker.Update](s, time.Second)
	}
	quiet(t, s, 0)
}

// TestNeighborThatDoesNotRead is dropped after the send hold time (RFC 9687),
// though it sends KEEPALIVEs.
func TestNeighborThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.31.1", "10.0.0.1", 65001)
	p, up := rawSession(t, s, "127.0.31.2", rawOpen{asn: 65002, id: "10.0.0.2", hold: 3})
	p.keepAlive()
	changes := make([]speaker.Change, 0, 120_000) // 7 MB, more than the sockets' buffers
	for i := range cap(changes) {
		a := route.Attrs{ASPath: route.NewASPath(65001), NextHop: addr("192.0.2.1"), MED: route.Some(uint32(i))}
		changes = append(changes, speaker.Change{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), Attrs: &a})
	}
	s.Send(p.address(), up.Session, changes)
	if down := next[speaker.Down](s, 30*time.Second); down.Reason != "send hold timer expired: the neighbor does not read" {
		t.Errorf("down: %s", down.Reason)
	}
}

func (p *rawPeer) address() netip.Addr {
	return netip.MustParseAddrPort(p.conn.LocalAddr().String()).Addr()
}

// TestZeroHoldTime runs a session without timers (RFC 4271 4.2).
func TestZeroHoldTime(t *testing.T) {
	s := newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
	s.configure(speaker.Neighbor{Address: addr("127.0.4.2"), LocalAddress: s.addr, LocalASN: 65001, RemoteASN: 65002, Passive: true})
	p := dialRaw(t, s, "127.0.4.2")
	p.send(rawOpen{asn: 65002, id: "10.0.0.2", hold: 90}.message())
	if m := p.expect(1); m[wire.HeaderLen+3] != 0 || m[wire.HeaderLen+3+1] != 0 {
		t.Error("OPEN proposes a hold time")
	}
	p.expect(4)
	p.send(wire.Keepalive)
	if up := next[speaker.Established](s, time.Second); up.HoldTime != 0 || up.Keepalive != 0 {
		t.Errorf("hold time %s, keepalive %s", up.HoldTime, up.Keepalive)
	}
}

// TestRouteRefresh asks in both directions.
func TestRouteRefresh(t *testing.T) {
	a, b, up := pair(t)
	a.RequestRefresh(b.addr, up.Session+1, route.IPv4) // of another session
	a.RequestRefresh(b.addr, up.Session, route.IPv6)
	if ev := next[speaker.RouteRefresh](b, time.Second); ev.Family != route.IPv6 {
		t.Errorf("refresh of %s", ev.Family)
	}
}
