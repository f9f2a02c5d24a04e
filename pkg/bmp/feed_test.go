package bmp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
)

// A Feed has its bound in octets. What exceeds it ends the Feed, and frees what waits.
func TestFeedIsBounded(t *testing.T) {
	woken := 0
	f := newFeed(func() { woken++ })
	large := sets.Intern(route.Attrs{ASPath: route.NewASPath(make([]uint32, 1000)...), NextHop: rs0})
	n := 0
	for ; !f.Ended(); n++ {
		if f.Octets() > FeedOctets {
			t.Fatalf("%d octets wait", f.Octets())
		}
		f.Routes([]rib.Heard{heard("10.1.0.0/16", large, nil)})
	}
	if each := large.Octets(); n < FeedOctets/each/2 || n > FeedOctets/each {
		t.Errorf("%d routes of more than %d octets", n, each)
	}
	if _, ok := f.take(); ok || f.Octets() != 0 || f.Room() || f.endedBy() != "it reads too slowly" {
		t.Errorf("after the end: %d octets wait, %q", f.Octets(), f.endedBy())
	}
	f.Routes([]rib.Heard{heard("10.1.0.0/16", short, nil)})
	f.PeerUp(established(rs0, 65515), time.Now())
	f.EndOfRIB(rs0, route.IPv4)
	f.End("again")
	if f.Octets() != 0 || f.endedBy() != "it reads too slowly" {
		t.Errorf("%d octets were accepted after the end, %q", f.Octets(), f.endedBy())
	}
}

// The engine is woken once there is room for more of what there is.
func TestFeedRoom(t *testing.T) {
	woken := 0
	f := newFeed(func() { woken++ })
	list := []rib.Heard{heard("10.1.0.0/16", short, short)}
	for f.Room() {
		f.Routes(list)
	}
	if f.Ended() || f.Octets() > FeedOctets/roomShare+1000 {
		t.Fatalf("%d octets wait", f.Octets())
	}
	for n := 0; ; n++ {
		it, ok := f.take()
		if !ok {
			break
		}
		if len(it.routes) != 1 || woken > 1 || (woken == 1) != f.Room() {
			t.Fatalf("item %d: %+v, woken %d times, room %t", n, it, woken, f.Room())
		}
	}
	if f.Octets() != 0 || woken != 1 {
		t.Errorf("%d octets wait, woken %d times", f.Octets(), woken)
	}
}

// Routes count all memory that they keep: a set once where it is shared by routes in a row.
func TestRoutesOctets(t *testing.T) {
	one := routesOctets([]rib.Heard{heard("10.1.0.0/16", short, nil)})
	both := routesOctets([]rib.Heard{heard("10.1.0.0/16", short, long)})
	shared := routesOctets([]rib.Heard{heard("10.1.0.0/16", short, long), heard("10.2.0.0/16", short, long)})
	if both-one != long.Octets() || shared-both != one-short.Octets() {
		t.Errorf("%d, %d, %d octets", one, both, shared)
	}
}

func TestSorted(t *testing.T) {
	a, b := heard("10.1.0.0/16", short, nil), heard("10.2.0.0/16", short, nil)
	other := heard("10.3.0.0/16", short, nil)
	other.Neighbor = netip.MustParseAddr("10.0.0.1")
	list := []rib.Heard{b, other, a}
	if got := sorted(list); got[0] != other || got[1] != b || got[2] != a || list[0] != b {
		t.Errorf("%v of %v", got, list)
	}
}
