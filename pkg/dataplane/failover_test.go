package dataplane_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/fib"
)

// pair is a host with a second uplink. It sends a stream of packets to a routed address and
// measures the longest time in which none left by either uplink.
type pair struct {
	*host
	*plane
	changes []fib.Change
	last    atomic.Int64 // when the last packet left, in ns
	gap     atomic.Int64 // the longest time without a packet
	by      [2]atomic.Int64
}

// newPair installs n routes through eth0, with eth1 as their backup.
func newPair(t testing.TB, n int) *pair {
	t.Helper()
	p := &pair{host: newHost(t)}
	for _, cmd := range []string{
		"link add eth1 type veth peer name gw1", "link set eth1 up", "link set gw1 up", "addr add 10.0.1.4/24 dev eth1",
		"neigh add 10.0.0.1 lladdr 12:34:56:78:9a:bc dev eth0", "neigh add 10.0.1.1 lladdr 12:34:56:78:9a:bc dev eth1",
	} {
		p.run(strings.Fields(cmd)...)
	}
	p.plane = p.start(func(o *dataplane.Options) { o.OnFacts = nil })
	by := func(via, dev string) []fib.NextHop {
		return []fib.NextHop{{Via: netip.MustParseAddr(via), Link: p.link(dev)}}
	}
	hops, backup := by("10.0.0.1", "eth0"), by("10.0.1.1", "eth1")
	for i := range n {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 0}), 24)
		p.changes = append(p.changes, fib.Change{Prefix: prefix, Route: &fib.Route{Metric: 20, Hops: hops, Backup: backup}})
	}
	p.UpdateRoutes(p.changes)
	p.InSync()
	until(t, func() bool { return p.Counters().Written == uint64(n) })
	p.send()
	until(t, func() bool { return p.by[0].Load() > 0 })
	return p
}

func until(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the expected state was not reached")
		}
	}
}

// outage runs fail and returns how long no packet left until they left by the other link.
func (p *pair) outage(to int, fail func()) time.Duration {
	p.t.Helper()
	was := p.by[to].Load()
	p.gap.Store(0)
	fail()
	until(p.t, func() bool { return p.by[to].Load() > was+100 })
	return time.Duration(p.gap.Load())
}

// inside calls fn in the host's network namespace.
func (p *pair) inside(fn func()) {
	p.t.Helper()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	there, err2 := os.Open("/run/netns/" + p.name)
	if err != nil || err2 != nil {
		p.t.Fatal(err, err2)
	}
	defer home.Close()
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		p.t.Fatal(err)
	}
	fn()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		p.t.Fatal(err) // the thread stays locked and ends with its goroutine
	}
	runtime.UnlockOSThread()
}

// send sends 20,000 packets a second until the test ends.
func (p *pair) send() {
	var out net.Conn
	var in [2]int
	p.inside(func() {
		var err error
		if out, err = net.Dial("udp", "20.0.0.9:9"); err != nil {
			p.t.Fatal(err)
		}
		for i := range in {
			in[i] = capture(p.t, fmt.Sprintf("gw%d", i))
		}
	})
	stop := make(chan struct{})
	p.t.Cleanup(func() { close(stop); out.Close() })
	for i, fd := range in {
		go p.count(i, fd, stop)
	}
	go func() {
		preferred()
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = out.Write([]byte("probe")) // fails while there is no route
				_ = unix.Nanosleep(&unix.Timespec{Nsec: 50_000}, nil)
			}
		}
	}()
}

// preferred gives the calling goroutine priority over everything else on this machine.
// Otherwise the test would measure how long the probes wait for a CPU, and not the kernel and
// nvad.
func preferred() {
	runtime.LockOSThread() // the thread ends with its goroutine
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -20)
}

// capture opens a socket that receives the IPv4 packets of a link.
func capture(t testing.TB, link string) int {
	const ipv4 = unix.ETH_P_IP>>8 | unix.ETH_P_IP&0xff<<8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, ipv4)
	if err != nil {
		t.Fatal(err)
	}
	i, err := net.InterfaceByName(link)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: ipv4, Ifindex: i.Index})
	}
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000})
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func (p *pair) count(i, fd int, stop <-chan struct{}) {
	defer unix.Close(fd)
	preferred()
	buf := make([]byte, 256)
	for {
		select {
		case <-stop:
			return
		default:
		}
		if _, _, err := unix.Recvfrom(fd, buf, 0); err != nil {
			continue // time to look at stop, or the link is down
		}
		now := time.Now().UnixNano()
		if before := p.last.Swap(now); before > 0 && p.by[i].Add(1) > 0 {
			for gap := now - before; ; {
				if most := p.gap.Load(); gap <= most || p.gap.CompareAndSwap(most, gap) {
					break
				}
			}
		}
	}
}

var backupGateway = netip.MustParseAddr("10.0.1.1")

// failures lists the ways in which the first uplink fails, and how each is repaired.
var failures = []struct {
	name       string
	fail, heal func(p *pair)
}{
	{"gateway dead", func(p *pair) { p.SetDead("test", []netip.Addr{netip.MustParseAddr("10.0.0.1")}) },
		func(p *pair) { p.SetDead("test", nil) }},
	{"link down", func(p *pair) { p.run("link", "set", "eth0", "down") }, func(p *pair) {
		p.run("link", "set", "eth0", "up")
		p.run("neigh", "replace", "10.0.0.1", "lladdr", "12:34:56:78:9a:bc", "dev", "eth0")
	}},
	{"carrier lost", func(p *pair) { p.run("link", "set", "gw0", "down") }, func(p *pair) {
		p.run("link", "set", "gw0", "up")
		p.run("neigh", "replace", "10.0.0.1", "lladdr", "12:34:56:78:9a:bc", "dev", "eth0")
	}},
}

// Traffic moves to the backup when the first uplink fails, and back again, without a route
// being written.
func TestFailover(t *testing.T) {
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			p := newPair(t, 10_000)
			written := p.Counters().Written
			d := p.outage(1, func() { f.fail(p) })
			t.Logf("%s: outage %v", f.name, d.Round(10*time.Microsecond))
			if d > healTime {
				t.Errorf("outage %v", d)
			}
			if got := p.tryIP("route", "get", "20.0.0.9"); !strings.Contains(got, backupGateway.String()) {
				t.Errorf("goes by %s", got)
			}
			p.outage(0, func() { f.heal(p) })
			if c := p.Counters(); c.Written != written || c.Repairs > 0 {
				t.Errorf("%d routes written, %d repairs", c.Written-written, c.Repairs)
			}
		})
	}
}

// BenchmarkFailover prints the mean and the worst outage for different numbers of routes.
func BenchmarkFailover(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8)) // keeps the probes from waiting for the data plane
	for _, f := range failures {
		for _, n := range []int{1000, 100_000, 500_000} {
			b.Run(fmt.Sprintf("%s/%d", f.name, n), func(b *testing.B) {
				p := newPair(b, n)
				var sum, worst time.Duration
				b.ResetTimer()
				for range b.N {
					d := p.outage(1, func() { f.fail(p) })
					sum, worst = sum+d, max(worst, d)
					p.outage(0, func() { f.heal(p) })
				}
				b.ReportMetric(float64(sum.Microseconds())/1000/float64(b.N), "ms-outage")
				b.ReportMetric(float64(worst.Microseconds())/1000, "ms-worst")
			})
		}
	}
}
