package fib_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/fib/fibtest"
)

var (
	eth0   = fib.Link{Index: 2, Name: "eth0", Up: true, MTU: 1500}
	vxlan0 = fib.Link{Index: 3, Name: "vxlan0", Up: true, MTU: 1450}
	gw     = []fib.NextHop{{Via: netip.MustParseAddr("10.0.0.1"), Link: 2}}
	far    = []fib.NextHop{{Via: netip.MustParseAddr("169.254.0.2"), Link: 3}}
	both   = fib.SortHops([]fib.NextHop{gw[0], far[0]})
	t0     = time.Unix(1_700_000_000, 0)
)

func p(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func bgp(prefix string, hops []fib.NextHop) fib.Change {
	return fib.Change{Prefix: p(prefix), Route: &fib.Route{Metric: 20, Hops: hops}}
}

func gone(prefix string) fib.Change { return fib.Change{Prefix: p(prefix)} }

// start returns a FIB that has read the kernel and is in sync.
func start(t *testing.T, k *fibtest.Kernel, opt fib.Options) *fib.FIB {
	t.Helper()
	opt.Kernel = k
	f := fib.New(opt)
	if err := f.Resync(t0); err != nil {
		t.Fatal(err)
	}
	f.SetLinks([]fib.Link{eth0, vxlan0}, t0)
	f.InSync()
	return f
}

func settle(f *fib.FIB, now time.Time) {
	for f.Sync(now, 100) {
	}
}

func wantKernel(t *testing.T, k *fibtest.Kernel, want string) {
	t.Helper()
	if got := k.String(); got != strings.TrimLeft(want, "\n") {
		t.Errorf("kernel holds\n%swant%s", got, want)
	}
}

func states(f *fib.FIB) map[string]string {
	m := make(map[string]string)
	for _, e := range f.Status() {
		m[e.Prefix.String()] = strings.TrimSpace(e.State.String() + " " + e.Reason)
	}
	return m
}

func TestInstallAndRemove(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.0.0.0/16", gw), bgp("10.100.0.0/16", gw), bgp("10.110.0.0/16", far)}, t0)
	settle(f, t0)
	wantKernel(t, k, `
10.0.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2
10.100.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2
10.110.0.0/16 metric 20 proto 186 via 169.254.0.2 dev #3
4 objects
`)
	f.Apply([]fib.Change{gone("10.0.0.0/16"), gone("10.100.0.0/16"), bgp("10.110.0.0/16", gw)}, t0)
	settle(f, t0)
	wantKernel(t, k, `
10.110.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2
2 objects
`)
}

// One message moves all routes of a group to other hops.
func TestGroupMoves(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", gw), bgp("10.2.0.0/16", gw), bgp("10.3.0.0/16", gw)}, t0)
	settle(f, t0)
	k.Log = nil
	f.Apply([]fib.Change{bgp("10.1.0.0/16", far), bgp("10.2.0.0/16", far), gone("10.3.0.0/16")}, t0)
	settle(f, t0)
	got := strings.Join(k.Log, ", ")
	want := "put hop via 169.254.0.2 dev #3, put group 186000001, delete 10.3.0.0/16 metric 20, delete object 186000000"
	if got != want {
		t.Errorf("did %s\nwant %s", got, want)
	}
}

// restarted returns a FIB that has read what an earlier run left in k.
func restarted(t *testing.T, k *fibtest.Kernel) *fib.FIB {
	t.Helper()
	f := fib.New(fib.Options{Kernel: k})
	if err := f.Resync(t0); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRestartAdoptsUnchanged(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	changes := []fib.Change{bgp("10.1.0.0/16", gw), bgp("10.2.0.0/16", both), bgp("10.3.0.0/16", far)}
	f.Apply(changes, t0)
	settle(f, t0)
	before := k.String()

	f = restarted(t, k)
	k.Log = nil
	settle(f, t0)
	f.Apply(changes[:2], t0)
	settle(f, t0)
	if k.String() != before || len(k.Log) > 0 {
		t.Errorf("changed before in sync: %v\n%s", k.Log, k)
	}
	if s := states(f)["10.3.0.0/16"]; s != "stale" {
		t.Errorf("unwanted route is %q", s)
	}
	f.InSync()
	settle(f, t0)
	wantKernel(t, k, `
10.1.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2
10.2.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2 via 169.254.0.2 dev #3
4 objects
`)
}

// After a restart, one route moves to another hop. Routes of the earlier run that no neighbor
// has announced yet stay where they are.
func TestRestartMovesOneRoute(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", gw), bgp("10.2.0.0/16", gw)}, t0)
	settle(f, t0)
	f = restarted(t, k)
	f.Apply([]fib.Change{bgp("10.1.0.0/16", far)}, t0)
	settle(f, t0)
	wantKernel(t, k, `
10.1.0.0/16 metric 20 proto 186 via 169.254.0.2 dev #3
10.2.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2
4 objects
`)
}

// The first read that succeeds adopts what an earlier run left.
func TestAdoptsAfterFailedRead(t *testing.T) {
	k := fibtest.New()
	k.Plant(fib.KernelRoute{Prefix: p("10.1.0.0/16"), Metric: 20, Protocol: 186, Hops: gw})
	f := fib.New(fib.Options{Kernel: k, Plain: true, Owns: func(fib.KernelRoute) bool { return true }})
	k.FailNext("Routes", errors.New("no buffer space"))
	if err := f.Resync(t0); err == nil {
		t.Fatal("the read did not fail")
	}
	if err := f.Resync(t0); err != nil {
		t.Fatal(err)
	}
	if s := states(f)["10.1.0.0/16"]; s != "stale" {
		t.Errorf("the route is %q", s)
	}
}

// If a neighbor is lost before nvad is in sync, its routes are removed, however long another
// neighbor delays the sync. Routes that an earlier run left stay.
func TestWithdrawBeforeInSync(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", gw), bgp("10.2.0.0/16", gw)}, t0)
	settle(f, t0)
	f = restarted(t, k)
	f.Apply([]fib.Change{bgp("10.2.0.0/16", gw), bgp("10.3.0.0/16", gw)}, t0)
	settle(f, t0)
	f.Apply([]fib.Change{gone("10.2.0.0/16"), gone("10.3.0.0/16")}, t0)
	settle(f, t0)
	wantKernel(t, k, `
10.1.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2
2 objects
`)
	f.InSync()
	settle(f, t0)
	wantKernel(t, k, `
0 objects
`)
}

func TestPlainFallback(t *testing.T) {
	k := fibtest.New()
	k.ForbidObjects()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", gw), bgp("10.2.0.0/16", both)}, t0)
	settle(f, t0)
	wantKernel(t, k, `
10.1.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2
10.2.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2 via 169.254.0.2 dev #3
0 objects
`)
	f.Apply([]fib.Change{bgp("10.1.0.0/16", far), gone("10.2.0.0/16")}, t0)
	settle(f, t0)
	wantKernel(t, k, `
10.1.0.0/16 metric 20 proto 186 via 169.254.0.2 dev #3
0 objects
`)
}

func TestForeignRoutesSurvive(t *testing.T) {
	k := fibtest.New()
	k.Plant(fib.KernelRoute{Prefix: p("10.1.0.0/16"), Metric: 20, Protocol: 12, Hops: far})
	k.Plant(fib.KernelRoute{Prefix: p("10.9.0.0/16"), Metric: 20, Protocol: 186, Hops: far})
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", gw), bgp("10.2.0.0/16", gw)}, t0)
	settle(f, t0)
	wantKernel(t, k, `
10.1.0.0/16 metric 20 proto 12 via 169.254.0.2 dev #3
10.2.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2
10.9.0.0/16 metric 20 proto 186 via 169.254.0.2 dev #3
2 objects
`)
	s := states(f)
	if !strings.HasPrefix(s["10.1.0.0/16"], "conflict") || !strings.HasPrefix(s["10.9.0.0/16"], "leftover") {
		t.Errorf("states %v", s)
	}
	k.Uproot(p("10.1.0.0/16"), 20)
	f.Observe(fib.Event{Kind: fib.RouteEvent, Deleted: true,
		Route: fib.KernelRoute{Prefix: p("10.1.0.0/16"), Metric: 20, Protocol: 12, Hops: far}}, t0)
	settle(f, t0)
	if s := states(f)["10.1.0.0/16"]; s != "installed" {
		t.Errorf("after the foreign route left: %q", s)
	}
}

func TestAdoptTakesLeftoversOver(t *testing.T) {
	k := fibtest.New()
	k.Plant(fib.KernelRoute{Prefix: p("10.1.0.0/16"), Metric: 20, Protocol: 186, Hops: far})
	k.Plant(fib.KernelRoute{Prefix: p("10.9.0.0/16"), Metric: 20, Protocol: 186, Hops: far})
	f := start(t, k, fib.Options{Adopt: true})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", gw)}, t0)
	settle(f, t0)
	wantKernel(t, k, `
10.1.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2
2 objects
`)
}

func TestOneFailingRouteBlocksNoOther(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	k.FailNext("add 10.1.0.0/16 metric 20", errors.New("no buffer space available"))
	f.Apply([]fib.Change{bgp("10.1.0.0/16", gw), bgp("10.2.0.0/16", gw)}, t0)
	settle(f, t0)
	s := states(f)
	if s["10.1.0.0/16"] != "failed no buffer space available" || s["10.2.0.0/16"] != "installed" {
		t.Fatalf("states %v", s)
	}
	if f.Next().IsZero() {
		t.Fatal("nothing due")
	}
	settle(f, f.Next())
	if s := states(f); s["10.1.0.0/16"] != "installed" {
		t.Errorf("after retry %v", s)
	}
}

// A link that goes down removes routes and objects without events. The full comparison finds
// out, and the return of the link restores everything.
func TestLinkDownAndUp(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", gw), bgp("10.2.0.0/16", both), bgp("10.3.0.0/16", far)}, t0)
	settle(f, t0)
	before := k.String()
	k.SetLink(3, false)
	if err := f.Resync(t0); err != nil {
		t.Fatal(err)
	}
	settle(f, t0)
	if s := states(f); !strings.HasPrefix(s["10.3.0.0/16"], "failed") || s["10.1.0.0/16"] != "installed" {
		t.Errorf("while down: %v", s)
	}
	k.SetLink(3, true)
	now := t0.Add(time.Second)
	f.SetLinks([]fib.Link{eth0, vxlan0}, now)
	settle(f, now)
	wantKernel(t, k, "\n"+before)
	if n, first := f.Repairs(); n == 0 || first == "" {
		t.Error("repairs are not counted")
	}
}

func TestFlush(t *testing.T) {
	k := fibtest.New()
	k.Plant(fib.KernelRoute{Prefix: p("10.9.0.0/16"), Metric: 20, Protocol: 4, Hops: far})
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", gw), bgp("10.2.0.0/16", both)}, t0)
	settle(f, t0)
	if err := f.Flush(t0); err != nil {
		t.Fatal(err)
	}
	wantKernel(t, k, `
10.9.0.0/16 metric 20 proto 4 via 169.254.0.2 dev #3
0 objects
`)
}
