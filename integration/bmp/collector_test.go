package bmp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/rawbgp"
)

// A collector that comes late, goes and comes back has what nvad has: sessions over IPv4 and
// IPv6 with their reasons, and each neighbor's routes before and after policy, as they change
// by the neighbors and by reloads.
func TestCollector(t *testing.T) {
	b := newBed(t, configuration("statistics-interval = 1", `{ prefix-list = "some", route-map = "mark" }`))
	bird := b.startBIRD()
	one := b.session(65101, branch, 0)
	check(t, one.Announce(routes(branch, []uint32{65101, 4200000001}, "10.1.0.0/16", "10.2.0.0/16")))
	b.eventuallyStation("without a collector", func(s stationStatus) bool { return !s.Connected && s.Reason == "connection refused" })

	b.startCollector()
	const received, marked = "65101 4200000001", "65001 65101 4200000001 65001:7"
	b.awaitViews("at the begin", branch, view{"10.1.0.0/16": received, "10.2.0.0/16": received}, view{"10.1.0.0/16": marked})
	b.awaitViews("over IPv6", six, view{"fd00:1::/48": "65106", "fd00:2::/48": "65106"}, view{"fd00:1::/48": "65106"})
	b.await("sessions", func(s *station) error {
		up, over6 := s.up[branch], s.up[six]
		if up.ASN != 65101 || up.ID != branch || up.Local != ourAddress.String() || over6.ASN != 65106 || over6.ID != "10.9.9.9" || over6.Local != "fd00::4" {
			return fmt.Errorf("%+v, %+v", up, over6)
		}
		if s.init.Name == "" || !strings.HasPrefix(s.init.Descr, "nvad ") {
			return fmt.Errorf("%+v", s.init)
		}
		return nil
	})
	b.await("statistics", func(s *station) error {
		// 0: rejected by policy; 7: Adj-RIB-In; 8: Loc-RIB (RFC 7854 4.8)
		if got := s.stats[branch]; got[0] < 1 || got[7] != 2 || got[8] != 2 || s.stats[six][7] != 2 {
			return fmt.Errorf("%v", s.stats)
		}
		return nil
	})

	check(t, one.Withdraw(netip.MustParsePrefix("10.2.0.0/16")))
	check(t, one.Routes(routes(branch, []uint32{65101}, "10.1.0.0/16", "10.3.0.0/16")))
	changed := view{"10.1.0.0/16": "65101", "10.3.0.0/16": "65101"}
	b.awaitViews("withdrawn, replaced and new", branch, changed,
		view{"10.1.0.0/16": "65001 65101 65001:7", "10.3.0.0/16": "65001 65101 65001:7"})

	b.reload(configuration("statistics-interval = 1", `{ prefix-list = "none" }`))
	b.awaitViews("the new policy denies all", branch, changed, view{})
	b.reload(configuration("statistics-interval = 1", `"accept"`))
	b.awaitViews("the new policy accepts all", branch, changed, changed)

	bird.Stop()
	b.awaitDown("BIRD stopped", six, 3)
	if _, err := b.Nvactl("nvad", "reset", branch); err != nil {
		t.Fatal(err)
	}
	b.awaitDown("reset by nvad", branch, 1)
	one = b.session(65101, branch, 0)
	check(t, one.Announce(routes(branch, []uint32{65101}, "10.7.0.0/16")))
	again := view{"10.7.0.0/16": "65101"}
	b.awaitViews("of the next session", branch, again, again)

	b.collector.Stop()
	b.eventuallyStation("the collector stopped", func(s stationStatus) bool { return !s.Connected })
	b.startCollector()
	b.awaitViews("after its restart", branch, again, again)
	if s := b.station(); s.Connections < 2 || s.Overflows != 0 {
		t.Errorf("%+v", s)
	}
}

// A station that takes one of the views is sent that one. A reload that changes a station begins
// its connection again, and no session notices.
func TestViews(t *testing.T) {
	b := newBed(t, configuration(`policy = "pre"`, `{ prefix-list = "some" }`))
	b.startCollector()
	one := b.session(65101, branch, 0)
	check(t, one.Announce(routes(branch, []uint32{65101}, "10.1.0.0/16", "10.2.0.0/16")))
	both, accepted := view{"10.1.0.0/16": "65101", "10.2.0.0/16": "65101"}, view{"10.1.0.0/16": "65101"}
	b.awaitViews("before policy", branch, both, view{})
	b.reload(configuration(`policy = "post"`, `{ prefix-list = "some" }`))
	b.awaitViews("after policy", branch, view{}, accepted)
	b.reload(configuration(`policy = "both"`, `{ prefix-list = "some" }`))
	b.awaitViews("both", branch, both, accepted)
	if !one.Up() {
		t.Error("the session was reset")
	}
}

// Routes that graceful restart keeps are withdrawn, if the neighbor does not announce them
// again.
func TestRestartedNeighbor(t *testing.T) {
	b := newBed(t, configuration("", `"accept"`))
	b.startCollector()
	one := b.session(65101, branch, 60*time.Second)
	check(t, one.Announce(routes(branch, []uint32{65101}, "10.1.0.0/16", "10.3.0.0/16")))
	both := view{"10.1.0.0/16": "65101", "10.3.0.0/16": "65101"}
	b.awaitViews("first", branch, both, both)
	one.Reset()
	b.awaitDown("the neighbor is gone", branch, 4)
	one = b.session(65101, branch, 60*time.Second)
	b.awaitViews("kept", branch, both, both)
	check(t, one.Announce(routes(branch, []uint32{65101}, "10.3.0.0/16")))
	rest := view{"10.3.0.0/16": "65101"}
	b.awaitViews("after End-of-RIB", branch, rest, rest)
}

// A collector that reads nothing costs nvad a bounded queue and, once that is full, one
// connection. Sessions and other neighbors do not notice, and when it reads again, it has
// everything.
func TestStoppedCollector(t *testing.T) {
	b := newBed(t, configuration("", `"accept"`))
	b.startCollector()
	one, two := b.session(65101, branch, 0), b.session(65102, other, 0)
	check(t, one.Announce(routes(branch, []uint32{65101}, "10.1.0.0/16")))
	b.awaitViews("first", branch, view{"10.1.0.0/16": "65101"}, view{"10.1.0.0/16": "65101"})

	b.collector.Signal(syscall.SIGSTOP)
	most := uint64(0)
	for n := uint32(0); b.station().Overflows == 0; n++ {
		if n == 500 {
			t.Fatalf("%+v", b.station())
		}
		check(t, one.Routes(many(n)))
		most = max(most, b.station().BytesWaiting)
	}
	if most > 16<<20 {
		t.Errorf("%d octets waited", most)
	}
	check(t, two.Announce(routes(other, []uint32{65102}, "10.5.0.0/16")))
	b.Eventually(2*time.Second, func() error {
		if _, ok := one.Table()[netip.MustParsePrefix("10.5.0.0/16")]; !ok {
			return errors.New("the other neighbor's route does not arrive")
		}
		return nil
	})
	last := routes(branch, []uint32{65101, 1}, prefixes()...)
	check(t, one.Routes(last))
	b.collector.Signal(syscall.SIGCONT)
	want := view{"10.1.0.0/16": "65101"}
	for _, r := range last {
		want[r.Prefix.String()] = "65101 1"
	}
	b.await("once it reads again", func(s *station) error {
		pre, post := s.pre[branch], s.post[branch]
		if len(s.ports) < 2 || len(pre) != len(want) || len(post) != len(want) {
			return fmt.Errorf("%d connections, %d and %d routes, want %d", len(s.ports), len(pre), len(post), len(want))
		}
		for prefix, path := range want {
			if pre[prefix] != path || post[prefix] != path {
				return fmt.Errorf("%s: %q and %q, want %q", prefix, pre[prefix], post[prefix], path)
			}
		}
		return nil
	})
	if !one.Up() || !two.Up() {
		t.Error("a session was reset")
	}
}

// prefixes are 2,000 prefixes.
func prefixes() (out []string) {
	for i := range 2000 {
		out = append(out, fmt.Sprintf("20.%d.%d.0/24", i/256, i%256))
	}
	return out
}

// many are the routes of prefixes with paths that differ from those of other n.
func many(n uint32) []rawbgp.Route { return routes(branch, []uint32{65101, 100 + n}, prefixes()...) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
