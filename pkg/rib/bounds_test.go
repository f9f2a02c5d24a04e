package rib

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// wantHeap fails the test if the heap has grown by more than most octets since before.
func (b *bed) wantHeap(what string, before, most int) {
	b.t.Helper()
	if grown := heapInUse() - before; grown > most {
		b.t.Errorf("%s: %d kB more are in use, at most %d kB are expected", what, grown>>10, most>>10)
	}
	runtime.KeepAlive(b)
}

// manyPrefixes returns n prefixes.
func manyPrefixes(n int) []netip.Prefix {
	out := make([]netip.Prefix, n)
	for i := range out {
		out[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(16 + i>>16), byte(i >> 8), byte(i), 0}), 24)
	}
	return out
}

// tell makes a neighbor announce the prefixes, or withdraw them if variant is 0.
func (b *bed) tell(from string, list []netip.Prefix, variant int) {
	u := &speaker.Update{From: speaker.From{Peer: addr(from)}}
	if variant == 0 {
		u.Withdrawn = list
	} else {
		u.Announced = list
		u.Attrs = b.in.Intern(route.Attrs{ASPath: asPath(fmt.Sprint("65515 ", variant)), NextHop: addr(from)})
	}
	b.r.Update(u, b.now)
}

// rest flushes until nothing is pending.
func (b *bed) rest() {
	for b.r.Flush(2048) {
		b.r.Take()
	}
	b.r.Take()
}

// requests lists what a neighbor or an operator may request again and again.
func requests() map[string]func(b *bed, i int) {
	in, out := acceptAll, policy.Chain{Accept: true, PrefixList: "rs-hub00"}
	return map[string]func(b *bed, i int){
		"route refresh": func(b *bed, i int) { b.r.Readvertise(addr(branch), route.IPv4|route.IPv6, nil) },
		"flaps": func(b *bed, i int) {
			b.r.PeerDown(addr(branch), i%3 == 0)
			b.up(branch)
		},
		"reloads": func(b *bed, i int) {
			b.peer(neighbor(branch, 64580, SourceSettings{Weight: uint32(i)}), in, out)
			in, out = out, in
		},
		"soft in": func(b *bed, i int) { b.r.Reimport(addr(nva)) },
		"removal": func(b *bed, i int) {
			b.r.RemovePeer(addr(branch))
			b.peer(neighbor(branch, 64580), acceptAll, acceptAll)
			b.up(branch)
		},
		"underlay": func(b *bed, i int) { b.facts(i%2 == 0) },
		"drain":    func(b *bed, i int) { b.r.SetDrain(Drain{On: i%2 == 0}) },
		"aggregates": func(b *bed, i int) {
			b.r.SetAggregates([]Aggregate{{Prefix: pfx("16.0.0.0/5"), SummaryOnly: i%2 == 0, Attrs: b.in.Intern(route.Attrs{})}})
		},
	}
}

// If a neighbor or an operator requests the same thing again and again while the table is
// walked, the requests add up to one more walk and take no memory.
func TestRequestsCoalesce(t *testing.T) {
	const routes, times = 20_000, 5_000
	for name, attack := range requests() {
		t.Run(name, func(t *testing.T) {
			b := newEdge(t)
			b.tell(nva, manyPrefixes(routes), 1)
			b.rest()
			before := heapInUse()
			for i := range times {
				attack(b, i)
				if i%100 == 0 {
					b.r.Flush(8)
					b.r.Take()
				}
			}
			if n := len(b.r.walks.waiting); n > 2 || len(b.r.peers.byID) > 4 {
				t.Errorf("%d walks and %d neighbors", n, len(b.r.peers.byID))
			}
			if n := b.r.Backlog(); n > 4*routes {
				t.Errorf("%d of %d destinations are pending", n, routes)
			}
			b.wantHeap("while they wait", before, 512<<10+24*routes) // the backlog
			sent := 0
			for busy := true; busy; {
				busy = b.r.Flush(2048)
				for _, a := range b.r.Take().Out {
					sent += len(a.Changes)
				}
			}
			if sent > 4*routes {
				t.Errorf("%d changes were sent for %d routes", sent, routes)
			}
			b.facts(true)
			b.rest()
			b.wantHeap("at rest", before, 512<<10)
			b.wantWhole()
		})
	}
}

// Routes that a neighbor has withdrawn take no memory: not for the routes, nor for the maps
// they were in, nor for next hops or planned kernel routes.
func TestMemoryIsGivenBack(t *testing.T) {
	const routes = 100_000
	b := newEdge(t)
	b.r.Observe(true)
	b.rest()
	all := manyPrefixes(routes)
	before := heapInUse()
	withdraw := map[string]func(){
		"withdrawn": func() { b.tell(nva, all, 0) },
		"session lost": func() {
			b.r.PeerDown(addr(nva), false)
			b.rest()
			b.up(nva)
		},
		"removed": func() {
			b.r.RemovePeer(addr(nva))
			b.rest()
			b.peer(neighbor(nva, 65001, ExportSettings{NextHopSelf: true}), acceptAll, acceptAll)
			b.up(nva)
		},
	}
	for name, f := range withdraw {
		b.tell(nva, all, 1)
		b.rest()
		f()
		b.rest()
		b.wantHeap(name, before, 512<<10)
		b.wantWhole()
	}
}

// If one prefix is announced with ever new next hops, the old ones are forgotten.
func TestNextHopsAreForgotten(t *testing.T) {
	b := newEdge(t)
	b.rest()
	before := heapInUse()
	for i := range 50_000 {
		next := netip.AddrFrom4([4]byte{169, 254, 0, byte(2 + i%200)})
		b.r.SetStatics([]Static{{Prefix: pfx("11.0.0.0/8"), Via: addr("10.0.0.1"), Metric: 20}})
		if i%2 == 0 {
			next = netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)})
		}
		b.send(nva, route.Attrs{ASPath: asPath("65515"), NextHop: next}, "20.0.0.0/24")
		if i%8 == 0 {
			b.r.Flush(2048)
			b.r.Take()
		}
	}
	b.rest()
	if n, hops := len(b.r.plan.sets.m), len(b.r.under.tracked.m); n > 2 || hops > 2 {
		t.Errorf("%d routes and %d next hops are kept", n, hops)
	}
	b.wantHeap("one route", before, 512<<10)
	b.wantWhole()
}

// The map of destinations is replaced in several turns, and every destination can be found at
// any time.
func TestTableMovesInTurns(t *testing.T) {
	const routes, left = 8 * fewEntries, fewEntries
	b := newEdge(t)
	all := manyPrefixes(routes)
	b.tell(nva, all, 1)
	b.rest()
	b.tell(nva, all[left:], 0)
	moved := false
	for b.r.Flush(64) {
		b.r.Take()
		moved = moved || b.r.table.outgrown != nil
		for _, p := range []netip.Prefix{all[0], all[left/2], all[left-1]} {
			if b.r.table.find(p) == nil || b.r.table.get(p) != b.r.table.find(p) {
				t.Fatalf("%s is not found", p)
			}
		}
	}
	if !moved {
		t.Error("the map was never replaced")
	}
	b.wantWhole()
	if n, _ := b.r.Prefixes(); n != left || cap(b.r.table.all) > 8*left {
		t.Errorf("%d prefixes in an array of %d", n, cap(b.r.table.all))
	}
}

// No call walks the table, and Flush does no more work than it was asked to do.
func TestTurnsAreBounded(t *testing.T) {
	const routes, turn = 10_000, 100
	all := manyPrefixes(routes)
	whole := map[string]func(b *bed){
		"session lost": func(b *bed) { b.r.PeerDown(addr(nva), false) },
		"removed":      func(b *bed) { b.r.RemovePeer(addr(nva)) },
		"stale ones":   func(b *bed) { b.r.PeerDown(addr(nva), true); b.r.SweepStale(addr(nva), route.IPv4) },
		"aggregate":    func(b *bed) { b.aggregate(true) },
		"tunnel down":  func(b *bed) { b.facts(false) },
		"a lower limit": func(b *bed) {
			b.peer(neighbor(branch, 64580, ExportSettings{MaxAdvertised: 10}), acceptAll, acceptAll)
		},
		"a refresh":      func(b *bed) { b.r.Readvertise(addr(branch), route.IPv4, nil) },
		"own route gone": func(b *bed) { b.r.SetLocal(nil) },
	}
	for name, f := range whole {
		t.Run(name, func(t *testing.T) {
			b := newEdge(t)
			b.peer(neighbor(branch, 64580, ExportSettings{MaxAdvertised: 2 * routes}), acceptAll, acceptAll)
			b.tell(nva, all, 1)
			b.r.SetLocal([]Local{{Prefix: pfx("10.0.0.0/8"), Source: route.SourceNetwork, Attrs: b.in.Intern(route.Attrs{})}})
			b.rest()
			f(b)
			if n := b.r.queue.n; n > 1 {
				t.Errorf("the call itself has queued %d destinations", n)
			}
			for busy, most := true, 2*turn; busy; {
				busy = b.r.Flush(turn)
				e := b.r.Take()
				n := len(e.FIB)
				for _, a := range e.Out {
					n += len(a.Changes)
				}
				if n > 2*most {
					t.Fatalf("%d changes in one turn of %d", n, turn)
				}
			}
			b.wantWhole()
		})
	}
}

func (b *bed) aggregate(summaryOnly bool) {
	b.r.SetAggregates([]Aggregate{{Prefix: pfx("16.0.0.0/5"), SummaryOnly: summaryOnly, Attrs: b.in.Intern(route.Attrs{})}})
}

// While one neighbor changes all its routes, requests the table and flaps, a route of another
// neighbor still crosses within a few turns, even if the first neighbor announces the same
// prefix.
func TestRouteCrossesFlood(t *testing.T) {
	const routes, turn, few = 20_000, 2048, 4
	b := newEdge(t)
	b.peer(neighbor(rs0, 65515), acceptAll, acceptAll)
	b.up(rs0)
	all := manyPrefixes(routes)
	b.tell(rs0, all, 1)
	b.rest()
	for i, p := range []netip.Prefix{pfx("10.7.0.0/16"), all[routes-1], all[0]} {
		for n := range 6 {
			b.tell(rs0, all, 2+(i+n)%2)
			b.r.Readvertise(addr(rs0), route.IPv4, nil)
			b.r.Flush(turn)
			b.r.Take()
		}
		b.r.PeerDown(addr(rs0), false)
		b.up(rs0)
		b.tell(rs0, all, 9)
		b.send(nva, route.Attrs{ASPath: asPath(""), NextHop: addr(nva)}, p.String())
		turns, seen := 0, false
		for ; !seen && turns < 100; turns++ {
			b.tell(rs0, all, 2+turns%2)
			b.r.Readvertise(addr(rs0), route.IPv4, nil)
			b.r.Flush(turn)
			for _, a := range b.r.Take().Out {
				for _, c := range a.Changes {
					seen = seen || a.Peer == addr(branch) && c.Prefix == p && c.Attrs != nil && c.Attrs.ASPath.Len() == 1
				}
			}
		}
		if turns > few {
			t.Errorf("%s crossed after %d turns", p, turns)
		}
		if n := b.r.queue.n; n > len(b.r.table.all)+len(b.r.peers.byID)*backlogTurn {
			t.Errorf("%d of %d destinations are pending", n, len(b.r.table.all))
		}
	}
}

// Known routes are decided even if a neighbor never stops sending.
func TestSettledUnderFlood(t *testing.T) {
	const routes = 10_000
	b := newEdge(t)
	all := manyPrefixes(2 * routes)
	b.tell(nva, all[:routes], 1)
	settled, decided := false, map[netip.Prefix]bool{}
	b.r.Settled(func() {
		settled = true
		for _, c := range b.r.Take().FIB {
			decided[c.Prefix] = true
		}
	})
	for turns := 0; !settled; turns++ {
		if turns == 200 {
			t.Fatal("not settled")
		}
		b.tell(nva, all[routes:], 1+turns%2)
		b.r.Flush(512)
		for _, c := range b.r.Take().FIB {
			decided[c.Prefix] = true
		}
	}
	for _, p := range all[:routes] {
		if !decided[p] {
			t.Fatalf("%s was not decided", p)
		}
	}
}
