package rib

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"pgregory.net/rapid"
)

// recount computes Octets by walking the table.
func (b *bed) recount(a string) int {
	p := b.r.peers.byAddr[addr(a)]
	n, sets := 0, map[*route.Attrs]bool{}
	for _, d := range b.r.table.all {
		if i := d.find(p.id); i >= 0 {
			n += pathOctets
			sets[d.paths[i].received], sets[d.paths[i].accepted] = true, true
		}
	}
	delete(sets, nil)
	for set := range sets {
		n += set.Octets() + setOctets
	}
	return n
}

// Whatever a neighbor announces, replaces and withdraws, the running count equals what a walk
// over the table finds, and it is 0 once the neighbor is gone.
func TestOctetsFollow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newHub00(t)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			from := rapid.SampledFrom([]string{rs0, rs1, nva}).Draw(rt, "from")
			prefix := fmt.Sprintf("10.%d.0.0/16", rapid.IntRange(1, 8).Draw(rt, "prefix"))
			if rapid.IntRange(0, 3).Draw(rt, "withdraw") == 0 {
				b.withdraw(from, prefix)
			} else {
				b.announce(from, rapid.SampledFrom([]string{"65515 1", "65515 2", "65001 3", "0 65515"}).Draw(rt, "path"), prefix)
			}
			if rapid.IntRange(0, 5).Draw(rt, "tidy") == 0 {
				b.r.Tidy()
			}
			b.flush()
			for _, a := range []string{rs0, rs1, nva} {
				if got, want := b.r.Octets(addr(a)), b.recount(a); got != want {
					rt.Fatalf("%s: %d octets counted, %d found", a, got, want)
				}
			}
		}
		for _, a := range []string{rs0, rs1, nva} {
			b.r.PeerDown(addr(a), false)
		}
		for b.r.Flush(1000) {
		}
		for _, a := range []string{rs0, rs1, nva} {
			if n := b.r.Octets(addr(a)); n != 0 {
				rt.Fatalf("%s is gone, but %d octets are still counted", a, n)
			}
			if n := len(b.r.peers.byAddr[addr(a)].holds.sets); n != 0 {
				rt.Fatalf("%s is gone, but %d sets are still counted", a, n)
			}
		}
	})
}

// The estimate is within a factor of two of the heap that a neighbor's routes take, and nearly
// all of that memory is free once the neighbor is gone.
func TestOctetsOfHeap(t *testing.T) {
	for name, c := range map[string]struct {
		routes int
		set    func(i uint32) route.Attrs
	}{
		"one set":   {40_000, func(uint32) route.Attrs { return route.Attrs{ASPath: route.NewASPath(65515)} }},
		"many sets": {40_000, func(i uint32) route.Attrs { return route.Attrs{ASPath: route.NewASPath(65515, i+1)} }},
		"large sets": {1000, func(i uint32) route.Attrs {
			return route.Attrs{ASPath: route.NewASPath(slices.Repeat([]uint32{65515, i + 1}, 5000)...)}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHub00(t)
			b.flush()
			before := heapInUse()
			for i := range uint32(c.routes) {
				a := c.set(i)
				a.NextHop = addr("10.0.210.4")
				prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
				b.r.Update(&speaker.Update{From: speaker.From{Peer: addr(rs0)}, Attrs: b.in.Intern(a), Announced: []netip.Prefix{prefix}}, b.now)
				if i%1024 == 0 {
					b.r.Flush(4096)
					b.r.Take()
				}
			}
			for b.r.Flush(4096) {
			}
			b.r.Take()
			took, said := heapInUse()-before, b.r.Octets(addr(rs0))
			t.Logf("%d octets a route, said to be %d", took/c.routes, said/c.routes)
			if said < took/2 || said > took*2 {
				t.Errorf("%d octets are estimated as %d", took, said)
			}
			b.r.PeerDown(addr(rs0), false)
			for b.r.Flush(4096) {
			}
			b.r.Take()
			b.r.Tidy()
			if left := heapInUse() - before; left > took/2 {
				t.Errorf("%d of %d octets are left", left, took)
			}
			runtime.KeepAlive(b)
		})
	}
}

func heapInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
