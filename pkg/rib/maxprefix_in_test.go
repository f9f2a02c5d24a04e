package rib

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// A route above the limit is kept aside, shown, and accepted once there is room.
func TestMaximumPrefixDiscard(t *testing.T) {
	b := newBed(t)
	limited := neighbor(nva, 65001, ImportSettings{MaxReceived: 2})
	b.peer(limited, acceptAll, acceptAll)
	b.up(nva)
	b.flush()
	b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16")
	b.want("two of three",
		"fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"fib + 10.2.0.0/16 bgp via 169.254.0.2 dev vxlan0")
	b.r.From(pfx("10.3.0.0/16"), addr(nva), func(p Path) {
		if p.Rule != "maximum-prefix 2 reached" {
			t.Errorf("rejected because of %q", p.Rule)
		}
	})
	b.announce(nva, "65515 12076", "10.1.0.0/16", "10.3.0.0/16")
	b.want("an update takes no place of another")
	b.r.Reimport(addr(nva))
	b.want("nor does a new look at all of them")
	b.withdraw(nva, "10.2.0.0/16")
	b.want("room for the third",
		"fib + 10.3.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"fib - 10.2.0.0/16")
	limited.MaxReceived = 1
	b.peer(limited, acceptAll, acceptAll)
	b.flush()
	if c := b.r.Counts(addr(nva)); c.Received != 2 || c.Accepted != 1 {
		t.Errorf("counts after the limit went down: %+v", c)
	}
	limited.MaxReceived = 0
	b.peer(limited, acceptAll, acceptAll)
	b.flush()
	if c := b.r.Counts(addr(nva)); c.Accepted != 2 {
		t.Errorf("counts without limit: %+v", c)
	}
}

// A neighbor that sends 300,000 prefixes under a limit of 10 takes no more memory than one
// that sends 20.
func TestMaximumPrefixBoundsMemory(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(nva, 65001, ImportSettings{MaxReceived: 10}), acceptAll, acceptAll)
	b.up(nva)
	b.flush()
	attrs := b.in.Intern(route.Attrs{ASPath: asPath("65515"), NextHop: addr(nva)})
	before := len(b.r.table.dests)
	for i := range 300 {
		u := speaker.Update{From: speaker.From{Peer: addr(nva)}, Attrs: attrs}
		for j := range 1000 {
			n := 1<<24 + i*1000 + j
			u.Announced = append(u.Announced, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), 32))
		}
		b.r.Update(&u, b.now)
		b.flush()
	}
	if c := b.r.Counts(addr(nva)); c.Received != 20 || c.Accepted != 10 || len(b.r.table.dests) != before+20 {
		t.Errorf("counts %+v, %d more destinations; want 10 of 20", c, len(b.r.table.dests)-before)
	}
	if n, missing := b.r.Dropped(addr(nva)); n != 300_000-20 || missing != route.IPv4 || b.r.Fits(addr(nva)) {
		t.Errorf("%d announcements dropped, of %s, fits %v", n, missing, b.r.Fits(addr(nva)))
	}
	b.r.PeerDown(addr(nva), false)
	b.flush()
	if n := len(b.r.table.dests); n != before {
		t.Errorf("%d destinations are left", n-before)
	}
	if n, missing := b.r.Dropped(addr(nva)); n != 0 || missing != 0 {
		t.Errorf("%d dropped announcements are still counted after the session has ended", n)
	}
}

// Dropped routes fit once the limit has been raised and the routes kept aside have been
// accepted, and not before.
func TestDroppedFits(t *testing.T) {
	b := newBed(t)
	limited := neighbor(nva, 65001, ImportSettings{MaxReceived: 2})
	b.peer(limited, acceptAll, acceptAll)
	b.up(nva)
	b.flush()
	all := []string{"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16", "10.6.0.0/16"}
	b.announce(nva, "65515", all...)
	b.flush()
	for _, c := range []struct {
		limit int
		fits  bool
	}{{3, false}, {4, false}, {5, true}, {0, true}} {
		limited.MaxReceived = c.limit
		b.peer(limited, acceptAll, acceptAll)
		if b.r.Fits(addr(nva)) && c.limit == 3 {
			t.Error("reports that dropped routes fit before the routes kept aside were accepted")
		}
		b.flush()
		if n, missing := b.r.Dropped(addr(nva)); n != 2 || missing != route.IPv4 || b.r.Fits(addr(nva)) != c.fits {
			t.Errorf("limit %d: %d dropped, missing %s, fits %v", c.limit, n, missing, b.r.Fits(addr(nva)))
		}
	}
	b.r.Requested(addr(nva), route.IPv4)
	b.announce(nva, "65515", all...)
	b.flush()
	if n, missing := b.r.Dropped(addr(nva)); n != 2 || missing != 0 || b.r.Counts(addr(nva)).Accepted != 6 {
		t.Errorf("%d dropped, missing %s, counts %+v", n, missing, b.r.Counts(addr(nva)))
	}
}

// An accepted prefix can be announced again even while the table moves to a smaller map.
func TestLimitWhileTableMoves(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(nva, 65001, ImportSettings{MaxReceived: 1}), acceptAll, acceptAll)
	b.up(nva)
	b.flush()
	b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16")
	b.flush()
	b.r.requestAll(moves)
	b.r.tableBegins(moves)
	b.announce(nva, "65515 7", "10.1.0.0/16", "10.2.0.0/16")
	if n, _ := b.r.Dropped(addr(nva)); n != 1 {
		t.Errorf("%d announcements dropped, want that of 10.3.0.0/16 alone", n)
	}
}

// If room appears while the table is searched for routes that fit, it is used, even if the
// search has passed them already.
func TestRoomDuringSearch(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(nva, 65001, ImportSettings{MaxReceived: 20}), acceptAll, acceptAll)
	b.up(nva)
	b.flush()
	var all []string
	for i := range 40 {
		all = append(all, fmt.Sprintf("10.%d.0.0/16", i))
	}
	kept, out := all[:20], all[20:]
	b.announce(nva, "65515", kept...)
	b.flush()
	b.announce(nva, "65515", out...)
	b.flush()
	b.withdraw(nva, kept[0])
	for range 10 { // past some of those left out
		b.r.Flush(3)
	}
	b.withdraw(nva, kept[1:16]...)
	b.flush()
	if c := b.r.Counts(addr(nva)); c.Received != 24 || c.Accepted != 20 {
		t.Errorf("counts %+v", c)
	}
}

// A new session accepts a route that the limit kept out before, if there is room for it,
// although the neighbor announces nothing new.
func TestRoomAfterRestart(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(nva, 65001, ImportSettings{MaxReceived: 2}), acceptAll, acceptAll)
	b.up(nva)
	b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16")
	b.flush()
	for range 2 { // after the first restart only the third is announced again
		b.r.PeerDown(addr(nva), true)
		b.up(nva)
		b.announce(nva, "65515", "10.3.0.0/16")
		b.flush()
	}
	if c := b.r.Counts(addr(nva)); c.Received != 1 || c.Accepted != 1 {
		t.Errorf("counts %+v", c)
	}
}

// acceptsFew configures a limit that counts accepted prefixes; lists of the library reject
// 10.0.0.0/16 and 10.100.0.0/16.
func (b *bed) acceptsFew(received, rejected int) {
	b.peer(neighbor(nva, 65001, ImportSettings{MaxReceived: received, MaxRejected: rejected}), policy.Chain{Accept: true, PrefixList: "rs-hub00"}, acceptAll)
}

// Rejected prefixes take no room of accepted ones, and an accepted one that is announced
// again keeps its own.
func TestMaximumPrefixOfAccepted(t *testing.T) {
	b := newBed(t)
	b.acceptsFew(2, 2)
	b.up(nva)
	b.flush()
	counts := func(what string, received, accepted, over int) {
		t.Helper()
		b.flush()
		if c := b.r.Counts(addr(nva)); c.Received != received || c.Accepted != accepted || c.OverLimit != over {
			t.Errorf("%s: %+v, want %d, %d and %d", what, c, received, accepted, over)
		}
	}
	b.announce(nva, "65515", "10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16")
	counts("one rejected by policy, one by the limit", 4, 2, 1)
	b.announce(nva, "65515 7", "10.2.0.0/16", "10.1.0.0/16")
	counts("announced again", 4, 2, 1)
	b.announce(nva, "65515", "10.4.0.0/16", "10.100.0.0/16")
	counts("no room, and none for more rejected ones", 4, 2, 1)
	b.withdraw(nva, "10.1.0.0/16")
	counts("the one that the limit rejected has its place", 3, 2, 0)
	b.announce(nva, "65001", "10.2.0.0/16")
	counts("an accepted one is rejected", 3, 1, 0)
	b.announce(nva, "65515", "10.5.0.0/16")
	counts("which makes room", 4, 2, 0)
	b.acceptsFew(1, 1)
	counts("a lower limit", 4, 1, 1)
	b.acceptsFew(0, 0)
	counts("none", 4, 2, 0)
	b.wantWhole()
}

// A hostile neighbor can't fill the memory with rejected prefixes: neither at once nor by
// having each prefix accepted before.
func TestMaximumPrefixOfAcceptedBoundsMemory(t *testing.T) {
	b := newBed(t)
	b.acceptsFew(10, 10)
	b.up(nva)
	b.flush()
	before := len(b.r.table.dests)
	fine, loop := b.in.Intern(route.Attrs{ASPath: asPath("65515"), NextHop: addr(nva)}), b.in.Intern(route.Attrs{ASPath: asPath("65001"), NextHop: addr(nva)})
	for i := range 3000 {
		var list []netip.Prefix
		for k := range 10 {
			list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), byte(k)}), 32))
		}
		for _, a := range []*route.Attrs{fine, loop} {
			b.r.Update(&speaker.Update{From: speaker.From{Peer: addr(nva)}, Attrs: a, Announced: list}, b.now)
			if c := b.r.Counts(addr(nva)); c.Received > 20 || c.Accepted > 10 {
				t.Fatalf("after %d updates: %+v", i, c)
			}
		}
		if i%100 == 0 {
			b.flush()
		}
	}
	b.flush()
	if n := len(b.r.table.dests); n > before+20 {
		t.Errorf("%d destinations", n-before)
	}
	if n, missing := b.r.Dropped(addr(nva)); n < 29_000 || missing != route.IPv4 || !b.r.Unwanted(addr(nva)) {
		t.Errorf("%d dropped, of %s, unwanted %v", n, missing, b.r.Unwanted(addr(nva)))
	}
	b.wantWhole()
}

// What was dropped because policy rejects it is missing once the import settings change, and
// no earlier; what was dropped for want of room, once there is room.
func TestDroppedUnwanted(t *testing.T) {
	b := newBed(t)
	b.acceptsFew(2, 1)
	b.up(nva)
	b.flush()
	b.announce(nva, "65515", "10.0.0.0/16", "10.100.0.0/16", "10.1.0.0/16")
	b.flush()
	if n, _ := b.r.Dropped(addr(nva)); n != 1 || !b.r.Unwanted(addr(nva)) {
		t.Fatalf("%d dropped, unwanted %v", n, b.r.Unwanted(addr(nva)))
	}
	b.peer(neighbor(nva, 65001, ImportSettings{MaxReceived: 2, MaxRejected: 1}), acceptAll, acceptAll)
	b.flush()
	if b.r.Unwanted(addr(nva)) || b.r.Fits(addr(nva)) {
		t.Errorf("after a reload without room: unwanted %v, fits %v", b.r.Unwanted(addr(nva)), b.r.Fits(addr(nva)))
	}
	b.peer(neighbor(nva, 65001, ImportSettings{MaxReceived: 3, MaxRejected: 1}), acceptAll, acceptAll)
	b.flush()
	if b.r.Unwanted(addr(nva)) || !b.r.Fits(addr(nva)) {
		t.Errorf("after a reload with room: unwanted %v, fits %v", b.r.Unwanted(addr(nva)), b.r.Fits(addr(nva)))
	}
	b.r.Requested(addr(nva), route.IPv4)
	b.announce(nva, "65515", "10.0.0.0/16", "10.100.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16")
	b.flush()
	if n, _ := b.r.Dropped(addr(nva)); n != 2 || b.r.Unwanted(addr(nva)) || b.r.Fits(addr(nva)) {
		t.Errorf("no room: %d dropped, unwanted %v, fits %v", n, b.r.Unwanted(addr(nva)), b.r.Fits(addr(nva)))
	}
	b.withdraw(nva, "10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16")
	b.flush()
	if b.r.Unwanted(addr(nva)) || !b.r.Fits(addr(nva)) {
		t.Errorf("room again: unwanted %v, fits %v", b.r.Unwanted(addr(nva)), b.r.Fits(addr(nva)))
	}
}
