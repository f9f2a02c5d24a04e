package rib

import (
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

// A drain replaces each announcement in one step and leaves forwarding as it is. So does the
// end of the drain.
func TestDrain(t *testing.T) {
	b := newHub00(t)
	b.announce(rs0, "65515 12076", "10.100.0.0/16")
	b.announce(nva, "65515 12076", "10.110.0.0/16")
	b.flush()
	b.r.SetDrain(Drain{On: true, Prepends: 2})
	b.want("the last choice of all",
		"to 10.0.210.4 + 10.110.0.0/16 path [65001 65001 65001 65001 65001] via 10.0.0.4",
		"to 10.0.210.5 + 10.110.0.0/16 path [65001 65001 65001 65001 65001] via 10.0.0.4",
		"to 169.254.0.2 + 10.100.0.0/16 path [65515 12076] via 169.254.0.1 local-pref 0 soo")
	for prefix, to := range map[string]string{"10.110.0.0/16": rs0, "10.100.0.0/16": nva} {
		if a := b.r.Sent(pfx(prefix), addr(to)); !slices.Contains(a.Communities, route.GracefulShutdown) {
			t.Errorf("%s is sent %s with communities %v", to, prefix, a.Communities)
		}
	}
	b.announce(nva, "65515 12076", "10.111.0.0/16")
	b.want("what is new, too",
		"fib + 10.111.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"to 10.0.210.4 + 10.111.0.0/16 path [65001 65001 65001 65001 65001] via 10.0.0.4",
		"to 10.0.210.5 + 10.111.0.0/16 path [65001 65001 65001 65001 65001] via 10.0.0.4")
	b.withdraw(nva, "10.111.0.0/16")
	b.flush()
	b.r.SetDrain(Drain{})
	b.want("as before",
		"to 10.0.210.4 + 10.110.0.0/16 path [65001 65001 65001] via 10.0.0.4",
		"to 10.0.210.5 + 10.110.0.0/16 path [65001 65001 65001] via 10.0.0.4",
		"to 169.254.0.2 + 10.100.0.0/16 path [65515 12076] via 169.254.0.1 local-pref 100 soo")
}

// A session that comes up during a drain gets the same routes.
func TestDrainNewSession(t *testing.T) {
	b := newHub00(t)
	b.r.SetDrain(Drain{On: true, Prepends: 1})
	b.announce(nva, "65515", "10.110.0.0/16")
	b.flush()
	b.r.PeerDown(addr(rs0), false)
	b.up(rs0)
	b.want("up again",
		"to 10.0.210.4 + 10.110.0.0/16 path [65001 65001 65001] via 10.0.0.4")
}
