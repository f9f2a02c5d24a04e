package fib_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/fib/fibtest"
)

// A connected route of nvad's own tunnel is restored in the same turn, and so before any next
// hop is considered dead. The connected routes of other links are not nvad's to restore.
func TestConnectedRoutesComeBack(t *testing.T) {
	k := fibtest.New()
	four := fib.KernelRoute{Prefix: p("169.254.0.0/24"), Protocol: 2, Source: addr("169.254.0.1"), Hops: []fib.NextHop{{Link: 3}}}
	six := fib.KernelRoute{Prefix: p("fd00::/64"), Protocol: 2, Metric: 256, Hops: []fib.NextHop{{Link: 3}}}
	nic := fib.KernelRoute{Prefix: p("10.0.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: 2}}}
	routes := []fib.KernelRoute{four, six, nic}
	for _, r := range routes {
		k.Plant(r)
	}
	f := start(t, k, fib.Options{})
	own, other := vxlan0, eth0
	own.Own, own.Addresses = true, []netip.Prefix{p("169.254.0.1/24"), p("fd00::1/64"), p("10.9.9.9/32"), p("fe80::1/64")}
	other.Addresses = []netip.Prefix{p("10.0.0.4/24")}
	f.SetLinks([]fib.Link{other, own}, t0)
	settle(f, t0)
	if n, first := f.Repairs(); n != 0 {
		t.Fatalf("%d repairs, the first of %s, although nothing was wrong", n, first)
	}
	k.FailNext("add 169.254.0.0/24 metric 0", errors.New("no room"))
	for _, r := range routes {
		k.Uproot(r.Prefix, r.Metric)
		f.Observe(fib.Event{Kind: fib.RouteEvent, Deleted: true, Route: r}, t0)
	}
	settle(f, t0)
	wantKernel(t, k, `
fd00::/64 metric 256 proto 2 dev #3
0 objects
`)
	settle(f, t0.Add(time.Second))
	wantKernel(t, k, `
169.254.0.0/24 metric 0 proto 2 dev #3
fd00::/64 metric 256 proto 2 dev #3
0 objects
`)
	if n, first := f.Repairs(); n != 2 || first != "connected route fd00::/64 of vxlan0" {
		t.Errorf("%d repairs, the first of %s", n, first)
	}
	if list, changed := f.Foreign(); !changed || len(list) != 2 {
		t.Errorf("facts %v", list)
	}
	own.Up = false
	k.Uproot(four.Prefix, 0)
	f.SetLinks([]fib.Link{other, own}, t0)
	f.Observe(fib.Event{Kind: fib.RouteEvent, Deleted: true, Route: four}, t0)
	settle(f, t0.Add(time.Minute))
	wantKernel(t, k, `
fd00::/64 metric 256 proto 2 dev #3
0 objects
`)
}
