package fib_test

import (
	"net/netip"
	"runtime"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
)

// nothing is a kernel that accepts everything and stores nothing.
type nothing struct{ errs []error }

func (n *nothing) Routes(func(fib.KernelRoute)) error { return nil }
func (n *nothing) Objects() ([]fib.Object, error)     { return nil, nil }
func (n *nothing) Do(ops []fib.Op) []error {
	for len(n.errs) < len(ops) {
		n.errs = append(n.errs, nil)
	}
	return n.errs[:len(ops)]
}

func many(n int, hops []fib.NextHop) []fib.Change {
	list := make([]fib.Change, n)
	for i := range list {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 0}), 24)
		list[i] = fib.Change{Prefix: prefix, Route: &fib.Route{Metric: 20, Hops: hops}}
	}
	return list
}

// BenchmarkApply measures the work outside the kernel for 100,000 new routes, and the memory
// that each route takes.
func BenchmarkApply(b *testing.B) {
	const n = 100_000
	changes := many(n, gw)
	var before, after runtime.MemStats
	var f *fib.FIB
	for b.Loop() {
		b.StopTimer()
		f = nil
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		f = fib.New(fib.Options{Kernel: &nothing{}})
		f.Apply(changes, t0)
		for f.Sync(t0, 10_000) {
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/route")
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "routes/s")
	runtime.KeepAlive(f)
}

// BenchmarkMove measures the work of moving 100,000 routes to another hop, which takes one
// message to the kernel.
func BenchmarkMove(b *testing.B) {
	to := [][]fib.Change{many(100_000, gw), many(100_000, far)}
	f := fib.New(fib.Options{Kernel: &nothing{}})
	f.InSync()
	i := 0
	for b.Loop() {
		f.Apply(to[i%2], t0)
		for f.Sync(t0, 10_000) {
		}
		i++
	}
	if c := f.Count(); c.Written > 100_000 {
		b.Errorf("%d routes written", c.Written)
	}
}

// BenchmarkRead measures the parts of reading 100,000 routes. Tally and Prefixes block the
// loop; sorting does not.
func BenchmarkRead(b *testing.B) {
	f := fib.New(fib.Options{Kernel: &nothing{}})
	f.Apply(many(100_000, gw), t0)
	for f.Sync(t0, 10_000) {
	}
	b.Run("tally", func(b *testing.B) {
		for b.Loop() {
			f.Tally()
		}
	})
	b.Run("prefixes", func(b *testing.B) {
		for b.Loop() {
			f.Prefixes()
		}
	})
	b.Run("entries", func(b *testing.B) {
		for b.Loop() {
			f.Status()
		}
	})
}
