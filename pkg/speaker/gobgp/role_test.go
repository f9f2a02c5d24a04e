package gobgp

import (
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// TestRoles: roles that fit, a neighbor that announces none, and one with another role than
// configured (RFC 9234 4.2).
func TestRoles(t *testing.T) {
	as := func(role string) func(*speaker.Neighbor) { return func(n *speaker.Neighbor) { n.Role = role } }
	t.Run("peers", func(t *testing.T) { pair(t, as("peer")) })
	t.Run("provider and customer", func(t *testing.T) {
		a, b := rolePair(t, "provider", "customer")
		next[speaker.Established](a, 2*time.Second)
		next[speaker.Established](b, 2*time.Second)
	})
	t.Run("one tells none", func(t *testing.T) {
		a, _ := rolePair(t, "rs-server", "")
		next[speaker.Established](a, 2*time.Second)
	})
	t.Run("one tells none, which the other does not accept", func(t *testing.T) {
		s := newTestSpeaker(t, "127.0.4.3", "10.0.0.1", 65001)
		n := speaker.Neighbor{
			Address: addr("127.0.4.4"), LocalAddress: s.addr, LocalASN: 65001, RemoteASN: 65002, Passive: true,
			HoldTime: 90 * time.Second, Role: "provider", RoleStrict: true,
		}
		s.configure(n)
		p := dialRaw(t, s, "127.0.4.4")
		p.send(rawOpen{asn: 65002, id: "10.0.0.2", hold: 90}.message())
		p.expect(1)
		if m := p.expect(3); m.Body()[0] != speaker.CodeOpen || m.Body()[1] != 11 {
			t.Errorf("NOTIFICATION %d/%d, want 2/11, Role Mismatch", m.Body()[0], m.Body()[1])
		}
		n.RoleStrict = false
		s.configure(n)
		dialRaw(t, s, "127.0.4.4").open(rawOpen{asn: 65002, id: "10.0.0.2", hold: 90})
		next[speaker.Established](s, 2*time.Second)
	})
	t.Run("two providers", func(t *testing.T) {
		a, _ := rolePair(t, "customer", "customer")
		// A connection that collides with the other's may be closed without a
		// NOTIFICATION; the next one is dialled only some seconds later.
		for ev := next[speaker.StateChanged](a, 20*time.Second); !strings.Contains(ev.Reason, "Role Mismatch"); {
			ev = next[speaker.StateChanged](a, 20*time.Second)
		}
	})
}

// rolePair returns two speakers, each with what the other one is to it.
func rolePair(t *testing.T, ofB, ofA string) (a, b *testSpeaker) {
	t.Helper()
	a = newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
	b = newTestSpeaker(t, "127.0.4.2", "10.0.0.2", 65002)
	na, nb := a.neighbor(b), b.neighbor(a)
	na.Role, nb.Role = ofB, ofA
	a.configure(na)
	b.configure(nb)
	return a, b
}
