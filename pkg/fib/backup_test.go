package fib_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/fib/fibtest"
)

const protected = `
10.1.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2 weight 255 via 169.254.0.2 dev #3
10.2.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2 weight 255 via 169.254.0.2 dev #3
3 objects
`

const diverted = `
10.1.0.0/16 metric 20 proto 186 via 169.254.0.2 dev #3
10.2.0.0/16 metric 20 proto 186 via 169.254.0.2 dev #3
`

// newProtected returns a FIB with two routes through gw that have far as their backup.
func newProtected(t *testing.T) (*fibtest.Kernel, *fib.FIB) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{backup("10.1.0.0/16", gw, far), backup("10.2.0.0/16", gw, far)}, t0)
	settle(f, t0)
	wantKernel(t, k, protected)
	k.Log = nil
	return k, f
}

func log(k *fibtest.Kernel) string {
	s := strings.Join(k.Log, ", ")
	k.Log = nil
	return s
}

// When a gateway dies, one message to the kernel moves its routes, and when it returns, one
// moves them back.
func TestDeadGateway(t *testing.T) {
	k, f := newProtected(t)
	f.SetDead([]netip.Addr{gw[0].Via})
	f.Swap(t0)
	if got := log(k); got != "put group 186000002" {
		t.Errorf("did %s", got)
	}
	wantKernel(t, k, diverted+"3 objects\n")
	settle(f, t0)
	for _, e := range f.Status() {
		if e.State != fib.Installed {
			t.Errorf("%s is %s", e.Prefix, e.State)
		}
	}
	f.SetDead(nil)
	settle(f, t0)
	wantKernel(t, k, protected)
}

// A dead gateway is used again only once the routes that leave it have been written.
func TestDeadUntilWritten(t *testing.T) {
	k, f := newProtected(t)
	f.SetDead([]netip.Addr{gw[0].Via})
	f.Swap(t0)
	f.Apply([]fib.Change{bgp("10.1.0.0/16", far), bgp("10.2.0.0/16", far), bgp("10.3.0.0/16", gw)}, t0)
	f.SetDead(nil)
	for f.Sync(t0, 1) {
		if got := k.String(); strings.Contains(got, "10.2.0.0/16 metric 20 proto 186 via 10.0.0.1") {
			t.Fatalf("a route returns to the gateway that it had left\n%s", got)
		}
	}
	wantKernel(t, k, diverted+"10.3.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2\n4 objects\n")
}

// The kernel removes the hops of a dead link by itself, so there is nothing to repair.
func TestDeadLink(t *testing.T) {
	k, f := newProtected(t)
	k.SetLink(2, false)
	wantKernel(t, k, diverted+"2 objects\n")
	f.LinkDown(2)
	f.Swap(t0)
	if err := f.Resync(t0); err != nil {
		t.Fatal(err)
	}
	settle(f, t0)
	wantKernel(t, k, diverted+"2 objects\n")
	if n, what := f.Repairs(); n > 0 {
		t.Errorf("%d repairs, first %s", n, what)
	}
	wantGateways(t, f, "{10.0.0.1 eth0 false}")
	k.SetLink(2, true)
	f.SetLinks([]fib.Link{eth0, vxlan0}, t0)
	settle(f, t0)
	wantKernel(t, k, protected)
	wantGateways(t, f, "{10.0.0.1 eth0 true}")
}

func wantGateways(t *testing.T, f *fib.FIB, want ...string) {
	t.Helper()
	var got []string
	for _, g := range f.GatewayChanges() {
		got = append(got, fmt.Sprint(g))
	}
	if !slices.Equal(got, want) {
		t.Errorf("gateways %q, want %q", got, want)
	}
}

// TestGatewaysOfLinks: each gateway of a wanted route goes once with its link, whoever
// notices that, and comes back with a link of that name, even one that was made anew. A
// neighbor that announces very many next hops can't fill the memory.
func TestGatewaysOfLinks(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", both), bgp("10.2.0.0/16", far)}, t0)
	settle(f, t0)
	down := vxlan0
	down.Up = false
	f.SetLinks([]fib.Link{eth0, down}, t0)
	f.LinkDown(down.Index)
	wantGateways(t, f, "{169.254.0.2 vxlan0 false}")
	f.SetLinks([]fib.Link{eth0}, t0)
	wantGateways(t, f)
	again := vxlan0
	again.Index = 77
	f.SetLinks([]fib.Link{eth0, again}, t0)
	wantGateways(t, f, "{169.254.0.2 vxlan0 true}")

	var changes []fib.Change
	for i := range 5000 {
		hop := fib.NextHop{Via: netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), Link: eth0.Index}
		changes = append(changes, bgp(fmt.Sprintf("10.%d.%d.0/24", 100+i>>8, i&255), []fib.NextHop{hop}))
	}
	f.Apply(changes, t0)
	f.LinkDown(eth0.Index)
	if n := len(f.GatewayChanges()); n == 0 || n > 1024 {
		t.Errorf("%d gateways are remembered", n)
	}
}

// If a route has several hops, those that are alive stay.
func TestDeadMember(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", both)}, t0)
	settle(f, t0)
	f.SetDead([]netip.Addr{far[0].Via})
	f.Swap(t0)
	wantKernel(t, k, "10.1.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2\n3 objects\n")
	f.SetDead([]netip.Addr{far[0].Via, gw[0].Via})
	k.Log = nil
	f.Swap(t0)
	wantKernel(t, k, "10.1.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2 via 169.254.0.2 dev #3\n3 objects\n")
}

// If a backup can't be written, the route is installed all the same.
func TestBackupFails(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	k.SetLink(3, false)
	f.Apply([]fib.Change{backup("10.1.0.0/16", gw, far)}, t0)
	settle(f, t0)
	wantKernel(t, k, "10.1.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2\n2 objects\n")
	if s := states(f)["10.1.0.0/16"]; s != "installed" {
		t.Errorf("route is %q", s)
	}
	k.SetLink(3, true)
	recover3(t, f, t0.Add(time.Minute))
	wantKernel(t, k, "10.1.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2 weight 255 via 169.254.0.2 dev #3\n3 objects\n")
}

// A new process finds groups with their backups and leaves them as they are.
func TestRestartAdoptsBackup(t *testing.T) {
	k, _ := newProtected(t)
	f := restart(t, k, mode{}, []fib.Change{backup("10.1.0.0/16", gw, far), backup("10.2.0.0/16", gw, far)})
	settle(f, t0)
	if got := log(k); got != "" {
		t.Errorf("did %s", got)
	}
}

// If another program has put a group in the place of nvad's, nvad does not replace it. The
// routes get a group with a new number.
func TestGroupOfAnother(t *testing.T) {
	const id = 186000002
	for _, protocol := range []int{186, 4} {
		k, f := newProtected(t)
		k.DropObject(id)
		k.Log = nil
		for _, err := range k.Do([]fib.Op{
			{Kind: fib.PutObject, Object: fib.Object{ID: 7, Hop: far[0]}},
			{Kind: fib.PutObject, Object: fib.Object{ID: id, Protocol: protocol, Members: []fib.Member{{ID: 7, Weight: 1}}}},
		}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		recover3(t, f, t0.Add(time.Minute))
		if routes := strings.TrimSuffix(protected, "3 objects\n"); !strings.HasPrefix("\n"+k.String(), routes) {
			t.Errorf("kernel holds\n%s", k)
		}
		if n := strings.Count(log(k), "put group 186000002"); n != 1 {
			t.Errorf("protocol %d: the group was written %d times", protocol, n-1)
		}
	}
}

// If a group can't contain the backup, the backup becomes a second route.
func TestBackupRoute(t *testing.T) {
	for name, m := range map[string]mode{"no resilient groups": {mpath: true}, "plain": {plain: true}} {
		k := m.kernel()
		f := start(t, k, m.options())
		f.Apply([]fib.Change{backup("10.1.0.0/16", gw, far)}, t0)
		settle(f, t0)
		routes, _, _ := strings.Cut(k.String(), "2 objects")
		if m.mpath {
			routes, _, _ = strings.Cut(k.String(), "4 objects")
		}
		routes = strings.TrimSuffix(routes, "0 objects\n")
		if want := "10.1.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2\n" +
			"10.1.0.0/16 metric 21 proto 186 via 169.254.0.2 dev #3\n"; routes != want {
			t.Errorf("%s: routes are\n%s", name, routes)
		}
		f.Apply([]fib.Change{bgp("10.1.0.0/16", gw)}, t0)
		settle(f, t0)
		if got := strings.Count(k.String(), "10.1.0.0/16"); got != 1 {
			t.Errorf("%s: %d routes are left", name, got)
		}
	}
}
