package rib

import (
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// RFC 4724 4.2: the routes of a restarting neighbor stay and are refreshed one by one. At
// End-of-RIB, those that were not announced again are removed.
func TestGracefulRestart(t *testing.T) {
	b := newHub00(t)
	b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16")
	b.flush()
	b.r.PeerDown(addr(nva), true)
	b.want("nothing moves while the neighbor restarts")
	if c := b.r.Counts(addr(nva)); c.Stale != 2 || c.Received != 2 {
		t.Errorf("counts %+v, want 2 stale of 2", c)
	}
	b.up(nva)
	b.announce(nva, "65515", "10.1.0.0/16")
	b.want("a refreshed route is no change")
	b.r.SweepStale(addr(nva), route.IPv4)
	b.want("the rest is swept",
		"fib - 10.2.0.0/16",
		"to 10.0.210.4 - 10.2.0.0/16",
		"to 10.0.210.5 - 10.2.0.0/16")
	b.r.PeerDown(addr(nva), true)
	b.r.PeerDown(addr(nva), true)
	b.want("lost twice without a word in between: gone",
		"fib - 10.1.0.0/16",
		"to 10.0.210.4 - 10.1.0.0/16",
		"to 10.0.210.5 - 10.1.0.0/16")
}

// A session that comes back is sent the whole table again, in bounded turns, and done is
// called at the end.
func TestPeerUpTellsAll(t *testing.T) {
	b := newHub00(t)
	b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16")
	b.flush()
	b.r.PeerDown(addr(rs0), false)
	b.flush()
	done := false
	b.r.PeerUp(addr(rs0), Session{LocalAddress: addr("10.0.0.4"), RemoteID: addr(rs0), Families: route.IPv4}, func() { done = true })
	b.r.Flush(2)
	if done {
		t.Error("done was called before everything was sent")
	}
	if got := len(b.flush()); got != 4 || !done {
		t.Errorf("%d routes sent, done %v; want 4 and done", got, done)
	}
}

// If the session is lost meanwhile, done is not called: the End-of-RIB would reach the next
// session too early.
func TestPeerUpLostMeanwhile(t *testing.T) {
	b := newHub00(t)
	b.r.PeerUp(addr(rs0), Session{Families: route.IPv4}, func() { t.Error("done was called for a lost session") })
	b.r.PeerDown(addr(rs0), false)
	b.flush()
}

// A reload with another export policy sends exactly one implicit replacement for each route.
func TestPolicyChange(t *testing.T) {
	b := newHub00(t)
	b.announce(nva, "65515 12076", "10.1.0.0/16", "10.100.0.0/16")
	b.flush()
	b.peer(neighbor(rs0, 65515, ImportSettings{EnforceFirstAS: true}, SourceSettings{Domain: "ars-hub00"}),
		fromAzure, policy.Chain{Accept: true})
	b.want("export",
		"to 10.0.210.4 + 10.1.0.0/16 path [65001 65515 12076] via 10.0.0.4",
		"to 10.0.210.4 + 10.100.0.0/16 path [65001 65515 12076] via 10.0.0.4")
	b.peer(neighbor(nva, 65001, ExportSettings{NextHopSelf: true}), policy.Chain{Accept: true, PrefixList: "rs-hub00"}, toNVA)
	b.want("import",
		"fib - 10.100.0.0/16",
		"to 10.0.210.4 - 10.100.0.0/16")
}

// The table is empty again once everything has been withdrawn.
func TestReturnsToEmpty(t *testing.T) {
	b := newHub00(t)
	b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16")
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.flush()
	b.withdraw(nva, "10.1.0.0/16", "10.2.0.0/16")
	b.r.RemovePeer(addr(rs0))
	b.r.RemovePeer(addr(rs1))
	b.r.RemovePeer(addr(nva))
	b.r.SetStatics(nil)
	b.flush()
	if n, paths := b.r.Prefixes(); n != 0 || paths != 0 {
		t.Errorf("%d destinations and %d paths are left", n, paths)
	}
	if n := len(b.r.under.tracked.m); n != 0 {
		t.Errorf("%d next hops are still tracked", n)
	}
}

func TestTunnelDown(t *testing.T) {
	b := newHub00(t)
	b.announce(nva, "65515", "10.1.0.0/16")
	b.flush()
	b.facts(false)
	b.want("next hop gone",
		"fib - 10.1.0.0/16",
		"to 10.0.210.4 - 10.1.0.0/16",
		"to 10.0.210.5 - 10.1.0.0/16")
	b.facts(true)
	b.want("and back",
		"fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"to 10.0.210.4 + 10.1.0.0/16 path [65001 65001] via 10.0.0.4",
		"to 10.0.210.5 + 10.1.0.0/16 path [65001 65001] via 10.0.0.4")
}

func TestStatics(t *testing.T) {
	b := newBed(t)
	b.flush()
	b.r.SetStatics([]Static{
		{Prefix: pfx("10.0.210.0/24"), Via: addr("10.0.0.1")},
		{Prefix: pfx("192.168.0.0/24"), Device: "eth0"},
		{Prefix: pfx("192.168.100.0/24"), Blackhole: true},
		{Prefix: pfx("192.168.101.0/24"), Via: addr("172.31.0.1")},
		{Prefix: pfx("192.168.102.0/24"), Via: addr("172.31.0.1"), Device: "eth0"},
	})
	b.want("kinds of static route",
		"fib + 10.0.210.0/24 static via 10.0.0.1 dev eth0",
		"fib + 192.168.0.0/24 static via invalid IP dev eth0",
		"fib + 192.168.100.0/24 static blackhole",
		"fib + 192.168.102.0/24 static via 172.31.0.1 dev eth0")
}

func TestECMP(t *testing.T) {
	b := newHub00(t)
	b.peer(neighbor("169.254.0.3", 65001, ExportSettings{NextHopSelf: true}), acceptAll, toNVA)
	b.r.PeerUp(addr("169.254.0.3"), Session{LocalAddress: addr("169.254.0.1"), RemoteID: addr("169.254.0.3"), Families: route.IPv4}, nil)
	b.announce(nva, "65515", "10.1.0.0/16")
	b.flush()
	b.announce("169.254.0.3", "65515", "10.1.0.0/16")
	b.want("two equal NVAs", "fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0 via 169.254.0.3 dev vxlan0")
	b.announce("169.254.0.3", "65515 65515", "10.1.0.0/16")
	b.want("a longer path is no equal", "fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0 backup 169.254.0.3 dev vxlan0")
}

// Paths through one neighboring AS share traffic even if they differ beyond it.
func TestECMPOfOneNeighboringAS(t *testing.T) {
	b := newBed(t)
	for i, address := range []string{"10.0.0.7", "10.0.0.8", "10.0.0.9"} {
		b.peer(neighbor(address, 64580+uint32(i/2)), acceptAll, acceptAll)
		b.up(address)
	}
	b.flush()
	b.announce("10.0.0.7", "64580 65010", "10.1.0.0/16")
	b.announce("10.0.0.8", "64580 65011", "10.1.0.0/16")
	b.announce("10.0.0.9", "64581 65010", "10.1.0.0/16")
	b.flush()
	var shared int
	for _, pt := range b.r.table.find(pfx("10.1.0.0/16")).paths {
		shared += int(bit(pt.flags&flagMultipath != 0))
	}
	if shared != 2 {
		t.Errorf("%d paths share traffic, want 2", shared)
	}
}

// BenchmarkPropagate decides a route with the article's policies, from the UPDATE to the
// changes for the kernel and for three neighbors.
func BenchmarkPropagate(bm *testing.B) {
	b := newHub00(&testing.T{})
	attrs := b.in.Intern(route.Attrs{ASPath: asPath("65515 12076"), NextHop: addr(nva)})
	other := b.in.Intern(route.Attrs{ASPath: asPath("65515 12076 64580"), NextHop: addr(nva)})
	u := &speaker.Update{From: speaker.From{Peer: addr(nva)}}
	p := pfx("11.0.0.0/24")
	for range 1000 {
		u.Announced = append(u.Announced, p)
		a := p.Addr().As4()
		a[2]++
		if a[2] == 0 {
			a[1]++
		}
		p = pfxFrom(a)
	}
	bm.ReportAllocs()
	for i := 0; bm.Loop(); i += len(u.Announced) {
		if u.Attrs = attrs; i/len(u.Announced)%2 == 1 {
			u.Attrs = other
		}
		b.r.Update(u, time.Time{})
		for b.r.Flush(2048) {
		}
		b.r.Take()
	}
	bm.ReportMetric(float64(bm.Elapsed().Nanoseconds())/float64(bm.N)/1000, "ns/route")
}
