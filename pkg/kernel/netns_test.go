package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/fib"
)

// testNS creates a namespace with eth0 (10.0.0.4/24, fd00::4/64) up.
func testNS(t testing.TB) (Namespace, string) {
	t.Helper()
	if os.Getuid() != 0 {
		notHere(t, "needs root")
	}
	name := fmt.Sprintf("nvadk-%d-%d", os.Getpid(), time.Now().UnixNano()%1e9)
	sh(t, "ip netns add "+name)
	t.Cleanup(func() { sh(t, "ip netns del "+name) })
	file, err := os.Open("/run/netns/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	for _, cmd := range []string{
		"link set lo up", "link add eth0 type veth peer name gw0", "link set eth0 up", "link set gw0 up",
		"addr add 10.0.0.4/24 dev eth0", "addr add fd00::4/64 dev eth0 nodad",
	} {
		sh(t, "ip -n "+name+" "+cmd)
	}
	return NamespaceFD(int(file.Fd())), name
}

// notHere skips a test for which the machine lacks something. Where it has to be there, as
// in CI, the test fails.
func notHere(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("NVAD_REQUIRE_ROOT") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func sh(t testing.TB, cmd string) string {
	t.Helper()
	f := strings.Fields(cmd)
	out, err := exec.Command(f[0], f[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

func open(t testing.TB, ns Namespace) *Kernel {
	t.Helper()
	k, err := Open(ns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// eth0 returns the index of the link in ns.
func eth0(t testing.TB, k *Kernel) int {
	t.Helper()
	links, err := k.Tunnels.Links()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if l.Name == "eth0" {
			return l.Index
		}
	}
	t.Fatal("no eth0")
	return 0
}

// prefix24 returns the i-th of 2^16 IPv4 networks.
func prefix24(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 0}), 24)
}

func table(n int, kind fib.OpKind, metric uint32, object uint32, hops ...fib.NextHop) []fib.Op {
	ops := make([]fib.Op, n)
	for i := range ops {
		ops[i] = fib.Op{Kind: kind, Route: fib.KernelRoute{
			Prefix: prefix24(i), Metric: metric, Protocol: 186, Object: object, Hops: hops,
		}}
	}
	return ops
}

func via(addr string, link int) fib.NextHop {
	return fib.NextHop{Via: netip.MustParseAddr(addr), Link: link}
}

func noErrors(t testing.TB, errs []error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, f *FIB, match func(fib.KernelRoute) bool) int {
	t.Helper()
	n := 0
	if err := f.Routes(func(r fib.KernelRoute) {
		if match(r) {
			n++
		}
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBatch(t *testing.T) {
	ns, _ := testNS(t)
	k := open(t, ns)
	link := eth0(t, k)
	const n = 10_000
	ours := func(r fib.KernelRoute) bool { return r.Protocol == 186 }
	noErrors(t, k.FIB.Do(table(n, fib.AddRoute, 20, 0, via("10.0.0.1", link))))
	if got := count(t, k.FIB, ours); got != n {
		t.Fatalf("%d routes, want %d", got, n)
	}
	noErrors(t, k.FIB.Do(table(n, fib.ReplaceRoute, 20, 0, via("10.0.0.2", link))))
	moved := func(r fib.KernelRoute) bool {
		return ours(r) && len(r.Hops) == 1 && r.Hops[0].Via == netip.MustParseAddr("10.0.0.2")
	}
	if got := count(t, k.FIB, moved); got != n {
		t.Fatalf("%d routes replaced, want %d", got, n)
	}
	noErrors(t, k.FIB.Do(table(n, fib.DeleteRoute, 20, 0)))
	noErrors(t, k.FIB.Do(table(n, fib.DeleteRoute, 20, 0))) // deleting routes that are already gone is no error
	if got := count(t, k.FIB, ours); got != 0 {
		t.Fatalf("%d routes left", got)
	}
}

// Each message has its own answer: bad ones in the middle do not stop the others.
func TestErrorPerRoute(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	link := eth0(t, k)
	sh(t, "ip -n "+name+" route add 20.0.7.0/24 via 10.0.0.9 metric 20")
	ops := table(300, fib.AddRoute, 20, 0, via("10.0.0.1", link))
	ops[3].Route.Hops = []fib.NextHop{via("192.0.2.1", link)}
	ops[150].Route.Hops, ops[150].Route.Object = nil, 12345
	ops[299].Route.Hops = []fib.NextHop{{Link: 4711}}
	for i, err := range k.FIB.Do(ops) {
		switch i {
		case 3:
			wantError(t, err, "network is unreachable (Nexthop has invalid gateway)")
		case 7:
			if !errors.Is(err, fs.ErrExist) {
				t.Errorf("taken place: %v", err)
			}
		case 150:
			wantError(t, err, "invalid argument (Nexthop id does not exist)")
		case 299:
			wantError(t, err, "no such device")
		default:
			if err != nil {
				t.Errorf("route %d: %v", i, err)
			}
		}
	}
	if got := count(t, k.FIB, func(r fib.KernelRoute) bool { return r.Protocol == 186 }); got != 296 {
		t.Errorf("%d routes, want 296", got)
	}
	foreign := count(t, k.FIB, func(r fib.KernelRoute) bool { return r.Prefix == prefix24(7) && r.Protocol == 3 })
	if foreign != 1 {
		t.Error("the foreign route is gone")
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestGroupSwap(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	link := eth0(t, k)
	hop := func(id uint32, addr string) fib.Op {
		return fib.Op{Kind: fib.PutObject, Object: fib.Object{ID: id, Protocol: 186, Hop: via(addr, link)}}
	}
	group := func(members ...fib.Member) fib.Op {
		return fib.Op{Kind: fib.PutObject, Object: fib.Object{ID: 103, Protocol: 186, Members: members}}
	}
	noErrors(t, k.FIB.Do([]fib.Op{hop(101, "10.0.0.1"), hop(102, "fd00::1"), group(fib.Member{ID: 101, Weight: 1})}))
	noErrors(t, k.FIB.Do(table(1000, fib.AddRoute, 20, 103)))
	if got := sh(t, "ip -n "+name+" route get 20.0.5.1"); !strings.Contains(got, "via 10.0.0.1 dev eth0") {
		t.Errorf("before: %s", got)
	}
	noErrors(t, k.FIB.Do([]fib.Op{group(fib.Member{ID: 102, Weight: 1})}))
	if got := sh(t, "ip -n "+name+" route get 20.0.5.1"); !strings.Contains(got, "via inet6 fd00::1 dev eth0") {
		t.Errorf("after: %s", got)
	}
	if got := sh(t, "ip netns exec "+name+" sysctl -n net.ipv4.nexthop_compat_mode"); got != "1\n" {
		t.Errorf("nexthop_compat_mode was left at %s", got)
	}
	objects, err := k.FIB.Objects()
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(objects); got != fmt.Sprintf("[{101 186 via 10.0.0.1 dev #%d [] 0} {102 186 via fd00::1 dev #%d [] 0} "+
		"{103 186 dev #0 [{102 1}] 0}]", link, link) {
		t.Errorf("objects %s", got)
	}
}

// A resilient group assigns all its buckets to the first hop, and to the second once the link
// of the first is down. The kernel moves the routes by itself.
func TestGroupSurvivesLink(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	eth0(t, k)
	for _, cmd := range []string{
		"link add eth1 type veth peer name gw1", "link set eth1 up", "link set gw1 up", "addr add 10.0.1.4/24 dev eth1",
	} {
		sh(t, "ip -n "+name+" "+cmd)
	}
	put := func(o fib.Object) fib.Op { o.Protocol = 186; return fib.Op{Kind: fib.PutObject, Object: o} }
	protected := put(fib.Object{ID: 103, Buckets: 128, Members: []fib.Member{{ID: 101, Weight: 255}, {ID: 102, Weight: 1}}})
	noErrors(t, k.FIB.Do([]fib.Op{
		put(fib.Object{ID: 101, Hop: via("10.0.0.1", linkIndex(t, k, "eth0"))}),
		put(fib.Object{ID: 102, Hop: via("10.0.1.1", linkIndex(t, k, "eth1"))}), protected,
	}))
	noErrors(t, k.FIB.Do(table(1000, fib.AddRoute, 20, 103)))
	objects, err := k.FIB.Objects()
	if err != nil || fmt.Sprint(objects[2]) != fmt.Sprint(protected.Object) {
		t.Errorf("group is %v, %v", objects, err)
	}
	by := func(link string) {
		t.Helper()
		for i := range 20 {
			if got := sh(t, fmt.Sprintf("ip -n %s route get 20.0.5.%d", name, i)); !strings.Contains(got, "dev "+link) {
				t.Errorf("want %s: %s", link, got)
			}
		}
	}
	by("eth0")
	sh(t, "ip -n "+name+" link set eth0 down")
	by("eth1")
	if n := count(t, k.FIB, func(r fib.KernelRoute) bool { return r.Object == 103 }); n != 1000 {
		t.Errorf("%d routes are left", n)
	}
	if !k.FIB.hasBuckets() {
		t.Error("resilient groups are not detected although the kernel has them")
	}
}

// Every form of route reads back as it was written.
func TestRouteForms(t *testing.T) {
	ns, _ := testNS(t)
	k := open(t, ns)
	link := eth0(t, k)
	two := []fib.NextHop{
		{Via: netip.MustParseAddr("10.0.0.1"), Link: link, Weight: 1},
		{Via: netip.MustParseAddr("10.0.0.2"), Link: link, Weight: 3},
	}
	two6 := []fib.NextHop{
		{Via: netip.MustParseAddr("fd00::1"), Link: link, Weight: 1}, {Via: netip.MustParseAddr("fd00::2"), Link: link, Weight: 1},
	}
	one := func(h fib.NextHop) []fib.NextHop { h.Weight = 1; return []fib.NextHop{h} }
	for _, r := range []fib.KernelRoute{
		{Hops: one(via("10.0.0.1", link))},
		{Hops: one(fib.NextHop{Link: link})},
		{Hops: one(fib.NextHop{Via: netip.MustParseAddr("192.0.2.1"), Link: link, Onlink: true})},
		{Hops: one(via("fd00::1", link))},
		{Hops: two},
		{Hops: one(via("10.0.0.1", link)), Source: netip.MustParseAddr("10.0.0.4")},
		{Kind: fib.Blackhole},
		{Kind: fib.Unreachable},
		{Prefix: netip.MustParsePrefix("2001:db8::/48"), Hops: one(via("fd00::1", link))},
		{Prefix: netip.MustParsePrefix("2001:db8::/48"), Hops: one(fib.NextHop{Link: link})},
		{Prefix: netip.MustParsePrefix("2001:db8::/48"), Hops: two6},
		{Prefix: netip.MustParsePrefix("2001:db8::/48"), Kind: fib.Blackhole},
		{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Hops: one(via("10.0.0.1", link))},
	} {
		if !r.Prefix.IsValid() {
			r.Prefix = netip.MustParsePrefix("10.99.0.0/16")
		}
		r.Protocol, r.Metric = 186, 20
		noErrors(t, k.FIB.Do([]fib.Op{{Kind: fib.AddRoute, Route: r}}))
		if n := count(t, k.FIB, func(o fib.KernelRoute) bool { return fmt.Sprint(o) == fmt.Sprint(r) }); n != 1 {
			t.Errorf("%v was read back %d times", r, n)
		}
		noErrors(t, k.FIB.Do([]fib.Op{{Kind: fib.ReplaceRoute, Route: r}, {Kind: fib.DeleteRoute, Route: r}}))
		if n := count(t, k.FIB, func(o fib.KernelRoute) bool { return o.Protocol == 186 }); n != 0 {
			t.Errorf("%v was not deleted", r)
		}
	}
}
