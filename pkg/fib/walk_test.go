package fib_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/fib/fibtest"
)

// walkStates are wanted tables. Each must give the same result from any other.
var walkStates = [][]fib.Change{
	{},
	{bgp("10.1.0.0/16", gw), bgp("10.2.0.0/16", gw), bgp("10.3.0.0/16", gw)},
	{bgp("10.1.0.0/16", far), bgp("10.2.0.0/16", far), bgp("10.3.0.0/16", far)},
	{bgp("10.1.0.0/16", both), bgp("10.2.0.0/16", gw), bgp("fd00:1::/48", []fib.NextHop{{Link: 2}})},
	{metric("10.1.0.0/16", gw, 30), static("10.2.0.0/16", far), blackhole("10.4.0.0/16")},
	{backup("10.1.0.0/16", gw, far), backup("10.2.0.0/16", gw, far), backup("10.3.0.0/16", both, far)},
	{backup("10.1.0.0/16", gw, far), backup("10.2.0.0/16", far, gw), bgp("10.5.0.0/16", []fib.NextHop{{Link: 2}})},
}

func metric(prefix string, hops []fib.NextHop, metric uint32) fib.Change {
	c := bgp(prefix, hops)
	c.Route.Metric = metric
	return c
}

func static(prefix string, hops []fib.NextHop) fib.Change {
	c := bgp(prefix, hops)
	c.Route.Class = fib.Static
	return c
}

func backup(prefix string, hops, then []fib.NextHop) fib.Change {
	c := bgp(prefix, hops)
	c.Route.Backup = then
	return c
}

func blackhole(prefix string) fib.Change {
	c := bgp(prefix, nil)
	c.Route.Kind = fib.Blackhole
	return c
}

// between returns the changes that lead from one state to another.
func between(from, to []fib.Change) []fib.Change {
	wanted := make(map[netip.Prefix]bool)
	var list []fib.Change
	for _, c := range to {
		wanted[c.Prefix] = true
		list = append(list, c)
	}
	for _, c := range from {
		if !wanted[c.Prefix] {
			list = append(list, fib.Change{Prefix: c.Prefix})
		}
	}
	return list
}

func plantForeign(k *fibtest.Kernel) {
	k.Plant(fib.KernelRoute{Prefix: p("0.0.0.0/0"), Metric: 100, Protocol: 16, Hops: gw})
	k.Plant(fib.KernelRoute{Prefix: p("10.9.0.0/16"), Metric: 20, Protocol: 4, Hops: gw})
}

// mode selects what the kernel supports.
type mode struct{ plain, mpath bool }

func (m mode) kernel() *fibtest.Kernel {
	k := fibtest.New()
	if m.mpath {
		k.ForbidBuckets()
	}
	return k
}

func (m mode) options() fib.Options { return fib.Options{Plain: m.plain} }

// Whichever way a state is reached, and whatever happens to the kernel on the way, the kernel
// ends with the same routes, and foreign routes are untouched.
func TestRandomWalk(t *testing.T) {
	for _, m := range []mode{{}, {mpath: true}, {plain: true}} {
		goals := make([]string, len(walkStates))
		for i, s := range walkStates {
			k := m.kernel()
			plantForeign(k)
			f := start(t, k, m.options())
			f.Apply(s, t0)
			settle(f, t0)
			goals[i] = k.String()
		}
		for seed := range uint64(40) {
			t.Run(fmt.Sprintf("%+v/%d", m, seed), func(t *testing.T) { walk(t, seed, m, goals) })
		}
	}
}

func walk(t *testing.T, seed uint64, m mode, goals []string) {
	rng := rand.New(rand.NewPCG(seed, 1))
	k := m.kernel()
	plantForeign(k)
	f := start(t, k, m.options())
	now, at := t0, 0
	for range 30 {
		next := rng.IntN(len(walkStates))
		f.Apply(between(walkStates[at], walkStates[next]), now)
		at = next
		if rng.IntN(3) > 0 {
			f.Sync(now, 1+rng.IntN(3))
		}
		disaster(rng, k, f)
		if rng.IntN(8) == 0 {
			f = restart(t, k, m, walkStates[at])
		}
		now = now.Add(time.Second)
	}
	k.SetLink(2, true)
	k.SetLink(3, true)
	f.SetDead(nil)
	recover3(t, f, now)
	if got := k.String(); got != goals[at] {
		t.Errorf("state %d ended as\n%swant\n%s", at, got, goals[at])
	}
	for _, e := range f.Status() {
		if e.State != fib.Installed {
			t.Errorf("%s is %s: %s", e.Prefix, e.State, e.Reason)
		}
	}
	wantCounted(t, f)
}

// wantCounted compares the counters that are kept as things happen with a count of everything,
// at rest.
func wantCounted(t *testing.T, f *fib.FIB) {
	t.Helper()
	c, all := f.Count(), f.Tally()
	if c.Wanted != all.Wanted || c.Installed() != all.Installed || c.Pending != 0 {
		t.Errorf("counted %+v, installed %d; there are %+v", c, c.Installed(), all)
	}
}

// recover3 gives the FIB what the loop above it would give after a failure: full comparisons
// and time.
func recover3(t *testing.T, f *fib.FIB, now time.Time) {
	t.Helper()
	for range 3 {
		now = now.Add(time.Minute)
		f.SetLinks([]fib.Link{eth0, vxlan0}, now)
		if err := f.Resync(now); err != nil {
			t.Fatal(err)
		}
		settle(f, now)
	}
}

func restart(t *testing.T, k *fibtest.Kernel, m mode, want []fib.Change) *fib.FIB {
	t.Helper()
	f := fib.New(fib.Options{Kernel: k, Plain: m.plain, Owns: func(fib.KernelRoute) bool { return true }})
	_ = f.Resync(t0) // this read may fail; it is repeated
	f.SetLinks([]fib.Link{eth0, vxlan0}, t0)
	f.Apply(want, t0)
	f.InSync()
	return f
}

// disaster does one of the things that other programs and the hardware may do.
func disaster(rng *rand.Rand, k *fibtest.Kernel, f *fib.FIB) {
	switch rng.IntN(13) {
	case 0:
		k.Uproot(p("10.1.0.0/16"), 20)
	case 1:
		k.DropObject(fib.FirstID + uint32(rng.IntN(8)))
	case 2:
		k.SetLink(2+rng.IntN(2), rng.IntN(2) == 0)
		k.Plant(fib.KernelRoute{Prefix: p("0.0.0.0/0"), Metric: 100, Protocol: 16, Hops: gw})
		k.Plant(fib.KernelRoute{Prefix: p("10.9.0.0/16"), Metric: 20, Protocol: 4, Hops: gw})
	case 3:
		k.FailNext("add 10.2.0.0/16 metric 20", errors.New("no buffer space"))
	case 4:
		k.FailNext("put hop via 10.0.0.1 dev #2", errors.New("network is down"))
	case 5:
		k.FailNext("delete 10.3.0.0/16 metric 20", errors.New("busy"))
	case 6:
		_ = f.Resync(t0)
	case 7:
		f.SetDead([][]netip.Addr{{gw[0].Via}, {far[0].Via}, {gw[0].Via, far[0].Via}, nil}[rng.IntN(4)])
	case 8:
		f.LinkDown(2 + rng.IntN(2))
		f.Swap(t0)
	case 9:
		f.Swap(t0)
	case 10, 11:
		id := fib.FirstID + uint32(rng.IntN(12))
		k.DropObject(id)
		f.Observe(fib.Event{Kind: fib.ObjectEvent, Deleted: true, Object: id}, t0)
	}
}
