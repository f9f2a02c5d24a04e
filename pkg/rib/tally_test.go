package rib

import (
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

// Tallies stay correct through everything that can happen to a path.
func TestTallies(t *testing.T) {
	b := newHub00(t)
	want := func(what, neighbor string, accepted, loops, policy, advertised int) {
		t.Helper()
		b.flush()
		got := b.r.Tallies(addr(neighbor))[0]
		by := map[string]int{}
		for _, r := range got.Rejected {
			by[r.Reason] = r.Paths
		}
		if got.Accepted != accepted || by["as-loop"] != loops || by["policy"] != policy || got.Advertised != advertised {
			t.Errorf("%s: %s has %+v", what, neighbor, got)
		}
		if c := b.r.Counts(addr(neighbor)); got.Received() != c.Received || got.Accepted != c.Accepted || got.Advertised != c.Advertised {
			t.Errorf("%s: %s has %+v, counts %+v", what, neighbor, got, c)
		}
		if six := b.r.Tallies(addr(neighbor))[1]; six.Family != route.IPv6 || six.Received() != 0 {
			t.Errorf("%s: IPv6 %+v", what, six)
		}
	}
	b.announce(rs0, "65515", "10.1.0.0/16", "10.2.0.0/16")
	b.announce(rs0, "65515 65001", "10.3.0.0/16")
	b.announce(rs0, "65515 23456", "10.4.0.0/16")
	want("announced", rs0, 2, 1, 1, 0)
	want("announced", nva, 0, 0, 0, 2)
	b.announce(rs0, "65515 65001", "10.2.0.0/16")
	want("one loops now", rs0, 1, 2, 1, 0)
	want("one loops now", nva, 0, 0, 0, 1)
	b.r.Reimport(addr(rs0))
	want("evaluated again", rs0, 1, 2, 1, 0)
	b.r.PeerDown(addr(rs0), true)
	want("kept", rs0, 1, 2, 1, 0)
	b.r.SweepStale(addr(rs0), route.IPv4)
	want("swept", rs0, 0, 0, 0, 0)
	b.r.PeerDown(addr(nva), false)
	want("down", nva, 0, 0, 0, 0)
}
