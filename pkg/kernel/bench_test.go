package kernel

import (
	"fmt"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
)

// BenchmarkRoutes writes 100,000 routes, each with its own acknowledgement.
func BenchmarkRoutes(b *testing.B) {
	const n = 100_000
	for _, objects := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "group"}[objects]
		for _, kind := range []fib.OpKind{fib.AddRoute, fib.ReplaceRoute} {
			b.Run(fmt.Sprintf("%s/%s", name, map[fib.OpKind]string{fib.AddRoute: "add", fib.ReplaceRoute: "replace"}[kind]), func(b *testing.B) {
				ns, _ := testNS(b)
				k := open(b, ns)
				ops := table(n, kind, 20, 0, via("10.0.0.1", eth0(b, k)))
				if objects {
					noErrors(b, k.FIB.Do(groupOf(102, 101, via("10.0.0.1", eth0(b, k)))))
					ops = table(n, kind, 20, 102)
				}
				remove := table(n, fib.DeleteRoute, 20, 0)
				b.ResetTimer()
				for range b.N {
					noErrors(b, k.FIB.Do(ops))
					if kind == fib.AddRoute {
						b.StopTimer()
						k.FIB.Do(remove)
						b.StartTimer()
					}
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "routes/s")
			})
		}
	}
}

// BenchmarkDump reads 100,000 routes.
func BenchmarkDump(b *testing.B) {
	const n = 100_000
	ns, _ := testNS(b)
	k := open(b, ns)
	noErrors(b, k.FIB.Do(groupOf(102, 101, via("10.0.0.1", eth0(b, k)))))
	noErrors(b, k.FIB.Do(table(n, fib.AddRoute, 20, 102)))
	b.ReportAllocs()
	for b.Loop() {
		if got := count(b, k.FIB, func(r fib.KernelRoute) bool { return r.Object == 102 }); got != n {
			b.Fatalf("%d routes", got)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "routes/s")
}

func BenchmarkEncode(b *testing.B) {
	op := table(1, fib.AddRoute, 20, 102)[0]
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = encodeRoute(buf[:0], op, 1)
	}
}

func groupOf(id, hop uint32, h fib.NextHop) []fib.Op {
	return []fib.Op{
		{Kind: fib.PutObject, Object: fib.Object{ID: hop, Protocol: 186, Hop: h}},
		{Kind: fib.PutObject, Object: fib.Object{ID: id, Protocol: 186, Members: []fib.Member{{ID: hop, Weight: 1}}}},
	}
}

// BenchmarkSwap moves a group under many routes to another link. "call" is the time until the
// kernel answers, "data" the time until the first packet leaves by the new link. It compares
// nvad's way with leaving nexthop_compat_mode on.
func BenchmarkSwap(b *testing.B) {
	for _, on := range []bool{false, true} {
		for _, n := range []int{1000, 100_000, 500_000} {
			b.Run(fmt.Sprintf("compat=%t/%d", on, n), func(b *testing.B) { swap(b, on, n) })
		}
	}
}

func swap(b *testing.B, compatOn bool, n int) {
	ns, name := testNS(b)
	for _, cmd := range []string{
		"link add eth1 type veth peer name gw1", "link set eth1 up", "link set gw1 up", "addr add 10.0.1.4/24 dev eth1",
		"neigh add 10.0.0.1 lladdr 12:34:56:78:9a:bc dev eth0", "neigh add 10.0.1.1 lladdr 12:34:56:78:9a:bc dev eth1",
	} {
		sh(b, "ip -n "+name+" "+cmd)
	}
	k := open(b, ns)
	if compatOn {
		k.FIB.compat.Close()
		k.FIB.compat = nil
	}
	var links [2]int
	for i, addr := range []string{"10.0.0.1", "10.0.1.1"} {
		links[i] = linkIndex(b, k, fmt.Sprintf("eth%d", i))
		noErrors(b, k.FIB.Do(groupOf(uint32(111+i), uint32(101+i), via(addr, links[i]))))
	}
	put := func(i int) []error {
		return k.FIB.Do([]fib.Op{{Kind: fib.PutObject, Object: fib.Object{
			ID: 120, Protocol: 186, Buckets: 128, Members: []fib.Member{{ID: uint32(101 + i), Weight: 1}},
		}}})
	}
	noErrors(b, put(0))
	noErrors(b, k.FIB.Do(table(n, fib.AddRoute, 20, 120)))
	stop := send(b, ns)
	defer stop()
	fds := [2]int{captureUDP(b, ns, "gw0"), captureUDP(b, ns, "gw1")}
	var call, data time.Duration
	for i := 1; b.Loop(); i++ {
		drainSocket(fds[i%2])
		start := time.Now()
		arrived := make(chan time.Duration)
		go func() { arrived <- firstPacket(fds[i%2], start) }()
		noErrors(b, put(i%2))
		call += time.Since(start)
		data += <-arrived
		time.Sleep(5 * time.Millisecond)
	}
	b.ReportMetric(float64(call.Microseconds())/1000/float64(b.N), "ms-call")
	b.ReportMetric(float64(data.Microseconds())/1000/float64(b.N), "ms-data")
}

func linkIndex(b testing.TB, k *Kernel, name string) int {
	b.Helper()
	links, err := k.Tunnels.Links()
	if err != nil {
		b.Fatal(err)
	}
	for _, l := range links {
		if l.Name == name {
			return l.Index
		}
	}
	b.Fatalf("no %s", name)
	return 0
}

// send sends packets to a routed address until stop is called.
func send(b *testing.B, ns Namespace) (stop func()) {
	b.Helper()
	var fd int
	err := ns.do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		for {
			select {
			case <-done:
				unix.Close(fd)
				return
			default:
				_ = unix.Sendto(fd, []byte("probe"), 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{20, 0, 5, 1}})
				time.Sleep(20 * time.Microsecond)
			}
		}
	}()
	return func() { close(done) }
}

func captureUDP(b *testing.B, ns Namespace, link string) int {
	b.Helper()
	var fd int
	err := ns.do(func() (err error) {
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, unix.ETH_P_IP>>8|unix.ETH_P_IP&0xff<<8); err != nil {
			return err
		}
		i, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: unix.ETH_P_IP>>8 | unix.ETH_P_IP&0xff<<8, Ifindex: i.Index})
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Close(fd) })
	return fd
}

func drainSocket(fd int) {
	buf := make([]byte, 2048)
	for {
		if _, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT); err != nil {
			return
		}
	}
}

func firstPacket(fd int, start time.Time) time.Duration {
	buf := make([]byte, 2048)
	_, _, _ = unix.Recvfrom(fd, buf, 0)
	return time.Since(start)
}
