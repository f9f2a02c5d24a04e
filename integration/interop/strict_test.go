package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/pkg/speaker"
)

// A peer that announces no role is refused if role-strict is set, with OPEN Message Error,
// Role Mismatch (RFC 9234 4.2). One that announces its role, and insists on nvad's, is not.
func TestRoleStrict(t *testing.T) {
	forPeers(t, func(t *testing.T, ns namespace, p peer) {
		n := setup{}.neighbor()
		n.Role, n.RoleStrict = "customer", true
		without := p.start(t, ns, setup{})
		s := newNvad(t, n)
		lab.Eventually(t, 20*time.Second, func() error {
			if ev := next[speaker.StateChanged](s, 20*time.Second); !strings.Contains(ev.Reason, "Role Mismatch") {
				return fmt.Errorf("%+v", ev)
			}
			return nil
		})
		without.Kill()
		p.start(t, ns, setup{role: true})
		s.up(20*time.Second, 2)
	})
}

// An external neighbor says which ASN it has.
func TestExternal(t *testing.T) {
	forPeers(t, func(t *testing.T, ns namespace, p peer) {
		n := setup{}.neighbor()
		n.RemoteASN = 0
		p.start(t, ns, setup{})
		s := newNvad(t, n)
		up := s.up(5*time.Second, 2)
		if up.RemoteASN != 65002 {
			t.Errorf("AS %d, want 65002", up.RemoteASN)
		}
		s.announce(up.Session, 65515)
		hasRoute(t, ns, p, "198.51.100.0/24", "65001 65515", ours4)
	})
}
