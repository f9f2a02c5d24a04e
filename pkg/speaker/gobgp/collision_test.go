package gobgp

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// TestCollision has a neighbor that accepts our connection, keeps silent on it
// and connects to us as well (RFC 4271 6.8).
func TestCollision(t *testing.T) {
	for _, id := range []string{"10.0.0.1", "10.0.0.3"} {
		t.Run("neighbor has identifier "+id, func(t *testing.T) {
			s := newTestSpeaker(t, "127.0.6.1", "10.0.0.2", 65001)
			l, err := net.Listen("tcp4", fmt.Sprintf("127.0.6.2:%d", testPort))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			s.configure(speaker.Neighbor{
				Address: addr("127.0.6.2"), Port: testPort, LocalAddress: s.addr,
				LocalASN: 65001, RemoteASN: 65002, Families: route.IPv4, HoldTime: 90 * time.Second,
			})
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			ours := &rawPeer{t, conn} // opened by the speaker
			defer conn.Close()
			ours.expect(1)
			theirs := dialRaw(t, s, "127.0.6.2") // opened by the neighbor
			o := rawOpen{asn: 65002, id: id, hold: 90}
			theirs.send(o.message())
			winner, loser := ours, theirs
			if id > "10.0.0.2" {
				winner, loser = theirs, ours
			}
			if n := wire.ParseNotification(loser.mustEnd(), false); n.Code != 6 || n.Subcode != 7 {
				t.Errorf("loser got %s", wire.Describe(n))
			}
			if winner == ours {
				winner.send(o.message())
			}
			if winner == theirs {
				winner.expect(1)
			}
			winner.expect(4)
			winner.send(wire.Keepalive)
			next[speaker.Established](s, time.Second)
			quiet(t, s, 50*time.Millisecond)
		})
	}
}

// TestSecondConnection opens another connection beside an established session.
// It is refused, but not before the session had to prove alive.
func TestSecondConnection(t *testing.T) {
	s := newTestSpeaker(t, "127.0.6.1", "10.0.0.2", 65001)
	o := rawOpen{asn: 65002, id: "10.0.0.3", hold: 90}
	p, _ := rawSession(t, s, "127.0.6.2", o)
	q := dialRaw(t, s, "127.0.6.2")
	q.send(o.message())
	p.expect(4)
	if n := wire.ParseNotification(q.mustEnd(), false); n.Code != 6 || n.Subcode != 7 {
		t.Errorf("%s", wire.Describe(n))
	}
	quiet(t, s, 50*time.Millisecond)

	q = dialRaw(t, s, "127.0.6.2")
	q.send(o.message())
	p.conn.Close() // the old session proves dead
	next[speaker.Down](s, time.Second)
	q.expect(1)
	q.expect(4)
	q.send(wire.Keepalive)
	next[speaker.Established](s, time.Second)
}
