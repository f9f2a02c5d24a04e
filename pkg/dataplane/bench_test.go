package dataplane_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/fib"
)

// BenchmarkHeal measures how long 100,000 routes are missing after another program has deleted
// every next hop and, with them, the routes.
func BenchmarkHeal(b *testing.B) {
	const n = 100_000
	h := newHost(b)
	p := h.start(nil)
	changes := make([]fib.Change, n)
	hops := h.change("10.0.0.0/16", "10.0.0.1", "eth0").Route.Hops
	for i := range changes {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 0}), 24)
		changes[i] = fib.Change{Prefix: prefix, Route: &fib.Route{Metric: 20, Hops: hops}}
	}
	p.UpdateRoutes(changes)
	p.InSync()
	written := func(want uint64) {
		for p.Counters().Written < want {
			time.Sleep(time.Millisecond)
		}
	}
	written(n)
	want := uint64(n)
	for b.Loop() {
		h.run("nexthop", "flush")
		want += n
		written(want)
	}
}
