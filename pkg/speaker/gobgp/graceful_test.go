package gobgp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
	"github.com/nvad/nvad/pkg/speaker/wire/wiretest"
)

func restartTime(d time.Duration) func(*speaker.Neighbor) {
	return func(n *speaker.Neighbor) { n.RestartTime = d }
}

// TestGracefulDown loses sessions in the ways RFC 4724 4.2 tells apart.
func TestGracefulDown(t *testing.T) {
	peerHas := rawOpen{asn: 65002, id: "10.0.0.2", hold: 90, graceful: true}
	peerLacks := rawOpen{asn: 65002, id: "10.0.0.2", hold: 90}
	cases := []struct {
		name     string
		open     rawOpen
		ours     time.Duration
		lose     func(*rawPeer)
		graceful bool
	}{
		{"TCP closed", peerHas, time.Minute, func(p *rawPeer) { p.conn.Close() }, true},
		{"TCP closed, peer has no capability", peerLacks, time.Minute, func(p *rawPeer) { p.conn.Close() }, false},
		{"TCP closed, we have no capability", peerHas, 0, func(p *rawPeer) { p.conn.Close() }, false},
		{"NOTIFICATION received", peerHas, time.Minute, func(p *rawPeer) { p.send(wire.NewMessage(3, []byte{6, 2})) }, false},
		{"NOTIFICATION sent", peerHas, time.Minute, func(p *rawPeer) { p.update(wiretest.Unhex(wiretest.HexBase), wiretest.Unhex("21 0000000000")) }, false},
	}
	s := newTestSpeaker(t, "127.0.5.1", "10.0.0.1", 65001)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, _ := rawSession(t, s, "127.0.5.2", c.open, restartTime(c.ours))
			defer drop(s)
			c.lose(p)
			if down := next[speaker.Down](s, 2*time.Second); down.Graceful != c.graceful {
				t.Errorf("graceful %t: %s", down.Graceful, down.Reason)
			}
		})
	}
}

// TestGracefulClose ends a speaker as a restart does.
func TestGracefulClose(t *testing.T) {
	a, b, _ := pair(t, restartTime(time.Minute))
	b.close(CloseOptions{Graceful: true})
	if down := next[speaker.Down](a, time.Second); !down.Graceful || down.Notification != nil {
		t.Errorf("down: %+v", down)
	}
}

// TestCloseUnreachable: a neighbor that can't be reached once the process has ended learns that
// its routes lead nowhere.
func TestCloseUnreachable(t *testing.T) {
	a, b, _ := pair(t, restartTime(time.Minute))
	b.close(CloseOptions{Graceful: true, Unreachable: []netip.Addr{a.addr}})
	if down := next[speaker.Down](a, time.Second); down.Graceful || down.Notification == nil {
		t.Errorf("down: %+v", down)
	}
}

// TestCloseWithMessage ends a speaker for good (RFC 9003).
func TestCloseWithMessage(t *testing.T) {
	a, b, _ := pair(t)
	b.close(CloseOptions{Graceful: true, Message: "off to the beach"})
	down := next[speaker.Down](a, time.Second)
	if down.Graceful || down.Reason != `NOTIFICATION received: Cease/Administrative Shutdown "off to the beach"` {
		t.Errorf("down: %+v", down)
	}
}

// TestRestarting starts a speaker that has restarted, and takes it back.
func TestRestarting(t *testing.T) {
	a := newTestSpeaker(t, "127.0.5.1", "10.0.0.1", 65001)
	b := newTestSpeaker(t, "127.0.5.2", "10.0.0.2", 65002, func(o *Options) { o.Restarting = true })
	na, nb := a.neighbor(b), b.neighbor(a)
	na.RestartTime, nb.RestartTime = time.Minute, 77*time.Second
	a.configure(na)
	b.configure(nb)
	up := next[speaker.Established](a, 2*time.Second)
	if !up.PeerRestarted || up.Preserved != route.IPv4|route.IPv6 || up.PeerRestart != 77*time.Second {
		t.Errorf("established: %+v", up)
	}
	if other := next[speaker.Established](b, time.Second); other.PeerRestarted || other.Preserved != 0 {
		t.Errorf("the peer claims to have restarted: %+v", other)
	}
	b.Restarted()
	b.Reset(a.addr, 0, speaker.Notification{Code: 6, Subcode: 4})
	if up := next[speaker.Established](a, 2*time.Second); up.PeerRestarted || up.GracefulPeer == 0 || up.Preserved != route.IPv4|route.IPv6 {
		t.Errorf("established: %+v", up)
	}
}

// TestNoMarkerOfItsOwn waits for an End-of-RIB that must not come: GoBGP sends
// one as soon as the session is up, long before the routes are there.
func TestNoMarkerOfItsOwn(t *testing.T) {
	s := newTestSpeaker(t, "127.0.5.1", "10.0.0.1", 65001)
	p, up := rawSession(t, s, "127.0.5.2", rawOpen{asn: 65002, id: "10.0.0.2", hold: 3, graceful: true}, restartTime(time.Minute))
	if m := p.read(); m == nil || m.Type() != 4 {
		t.Fatalf("message of type %d before anything was sent", m.Type())
	}
	attrs := &route.Attrs{ASPath: route.NewASPath(65001), NextHop: addr("192.0.2.1")}
	s.SendEndOfRIB(p.address(), up.Session, route.IPv4)
	s.Send(p.address(), up.Session, []speaker.Change{{Prefix: prefix("10.0.0.0/8"), Attrs: attrs}})
	s.SendEndOfRIB(p.address(), up.Session, route.IPv6)
	var kinds []string
	for len(kinds) < 3 {
		switch body := p.expect(2).Body(); {
		case len(body) == 4:
			kinds = append(kinds, "ipv4 end")
		case len(body) == 4+7: // MP_UNREACH_NLRI, extended length
			kinds = append(kinds, "ipv6 end")
		default:
			kinds = append(kinds, "route")
		}
	}
	if got := strings.Join(kinds, ", "); !strings.HasSuffix(got, "ipv6 end") {
		t.Errorf("sent %s", got)
	}
}
