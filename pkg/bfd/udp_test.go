package bfd

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/listen"
)

var (
	loopA = netip.MustParseAddr("127.0.77.1")
	loopB = netip.MustParseAddr("127.0.77.2")
)

// lossy is a real port whose links can be silenced by local address.
type lossy struct {
	*udp
	silent atomic.Pointer[netip.Addr]
	// sources are the source ports of the links, in the order of their opening.
	sources chan uint16
}

type lossyLink struct {
	*udpLink
	port  *lossy
	local netip.Addr
}

func (p *lossy) open(k Key, device string) (link, error) {
	l, err := p.udp.open(k, device)
	if err != nil {
		return nil, err
	}
	p.sources <- l.(*udpLink).source
	return &lossyLink{l.(*udpLink), p, k.Local}, nil
}

func (l *lossyLink) send(b []byte) error {
	if a := l.port.silent.Load(); a != nil && *a == l.local {
		return nil
	}
	return l.udpLink.send(b)
}

// loopback is one manager that talks to itself between two addresses. It is
// skipped where another process has the BFD port.
func loopback(t testing.TB, a, b netip.Addr, multihop bool, interval time.Duration) (*Manager, *lossy) {
	t.Helper()
	p := &lossy{udp: newUDP(), sources: make(chan uint16, 16)}
	m := start(slog.New(slog.DiscardHandler), p)
	t.Cleanup(m.Close)
	x, y := between(a, b, interval), between(b, a, interval)
	x.Multihop, y.Multihop = multihop, multihop
	if err := m.Configure([]Session{x, y}); err != nil {
		t.Fatal(err)
	}
	for _, s := range m.Snapshot().Sessions {
		if s.Error != "" && os.Getenv("NVAD_REQUIRE_ROOT") == "1" {
			t.Fatalf("no socket: %s", s.Error)
		}
		if s.Error != "" {
			t.Skipf("no socket: %s", s.Error)
		}
	}
	awaitUp(t, m, 2)
	return m, p
}

// awaitUp takes events until n sessions have come up.
func awaitUp(t testing.TB, m *Manager, n int) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for n > 0 {
		select {
		case e := <-m.Events():
			if e.State == Up {
				n--
			}
		case <-limit:
			t.Fatalf("not up: %+v", m.Snapshot())
		}
	}
}

func TestRealSockets(t *testing.T) {
	for name, multihop := range map[string]bool{"single-hop": false, "multihop": true} {
		t.Run(name, func(t *testing.T) {
			m, p := loopback(t, loopA, loopB, multihop, 50*ms)
			first, second := <-p.sources, <-p.sources
			if first < 49152 || second < 49152 || first == second {
				t.Errorf("RFC 5881 4: source ports %d, %d", first, second)
			}
			for _, s := range m.Snapshot().Sessions {
				if s.State != Up || s.PacketsIn == 0 {
					t.Errorf("got %+v", s)
				}
			}
		})
	}
}

// TestHopLimitOnTheWire sends a packet that came from further away than one hop.
func TestHopLimitOnTheWire(t *testing.T) {
	m, _ := loopback(t, loopA, loopB, false, 300*ms)
	conn, err := bind(netip.AddrPortFrom(loopB, 0), []listen.Option{{unix.IPPROTO_IP, unix.IP_TTL, 254}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b := packet{state: Down, multiplier: 3, my: 7}.appendTo(nil)
	if _, err := conn.WriteToUDPAddrPort(b, netip.AddrPortFrom(loopA, portSingleHop)); err != nil {
		t.Fatal(err)
	}
	limit := time.Now().Add(5 * time.Second)
	for m.Snapshot().Discards["hop limit is not 255 (RFC 5881 5)"] == 0 {
		if time.Now().After(limit) {
			t.Fatalf("RFC 5881 5: not discarded: %+v", m.Snapshot())
		}
		time.Sleep(time.Millisecond)
	}
	if s := m.Snapshot().Sessions[0]; s.Flaps != 0 {
		t.Errorf("got %+v", s)
	}
}

// TestCloseWhileReceiving ends the last session of a socket by what is read from it.
func TestCloseWhileReceiving(t *testing.T) {
	u := newUDP()
	defer u.close()
	session, err := u.open(Key{Local: loopA, Remote: loopB}, "")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bind(netip.AddrPortFrom(loopB, 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.WriteToUDPAddrPort([]byte{0}, netip.AddrPortFrom(loopA, portSingleHop)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for len(u.receivers) > 0 {
			u.receive(func(datagram) { session.close() })
		}
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the socket waits for its own reader")
	}
}

func TestSocketErrors(t *testing.T) {
	u := newUDP()
	defer u.close()
	for name, tt := range map[string]struct {
		session Session
		want    error
	}{
		"address": {between(addr("192.0.2.77"), addrB, ms), unix.EADDRNOTAVAIL},
		"device":  {Session{Key: Key{Local: loopA, Remote: loopB}, Device: "nosuch0"}, nil},
	} {
		l, err := u.open(tt.session.Key, tt.session.Device)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	if len(u.receivers) != 0 || len(u.sources) != 0 {
		t.Errorf("left open: %v %v", u.receivers, u.sources)
	}
	taken, err := net.ListenPacket("udp4", "0.0.0.0:4784")
	switch {
	case err == nil:
		defer taken.Close()
	case !errors.Is(err, unix.EADDRINUSE): // or another has it already
		t.Fatal(err)
	}
	if _, err := u.open(Key{Local: loopA, Remote: loopB, Multihop: true}, ""); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a port of another process: %v", err)
	}
}

// TestDetectionHistogram silences one side and prints how long it took to notice.
// The figure is judged only by the order of magnitude: the machine may be busy.
func TestDetectionHistogram(t *testing.T) {
	m, p := loopback(t, loopA, loopB, false, 50*ms)
	histogram := map[time.Duration]int{}
	for range 3 {
		awaitSettled(t, m, 150*ms)
		time.Sleep(rand.N(50 * ms)) // any moment between two packets
		begin := time.Now()
		p.silent.Store(&loopB)
		e := nextDown(t, m)
		took := e.At.Sub(begin)
		if e.Key.Local != loopA || e.Diag != DiagDetectionExpired || took < 90*ms || took > 3*time.Second {
			t.Errorf("after %v: %+v", took, e)
		}
		histogram[took.Truncate(10*ms)]++
		p.silent.Store(nil)
		awaitUp(t, m, 2)
	}
	for d := range 300 {
		if n := histogram[time.Duration(d)*10*ms]; n > 0 {
			t.Logf("%3d-%3d ms: %d", d*10, d*10+9, n)
		}
	}
}

// awaitSettled waits until the negotiated intervals hold on both sides.
func awaitSettled(t *testing.T, m *Manager, detection time.Duration) {
	t.Helper()
	limit := time.Now().Add(5 * time.Second)
	for {
		s := m.Snapshot().Sessions
		if s[0].DetectionTime == detection && s[1].DetectionTime == detection && !s[0].Polling && !s[1].Polling {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("not settled: %+v", s)
		}
		time.Sleep(time.Millisecond)
	}
}

func nextDown(t *testing.T, m *Manager) Event {
	t.Helper()
	for {
		select {
		case e := <-m.Events():
			if e.State == Down {
				return e
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("not detected: %+v", m.Snapshot())
		}
	}
}

// TestFastest runs sessions at 10 ms x 3. With jitter (RFC 5880 6.8.7) one packet is sent in
// 7.5 ms at most. Whether the sessions hold depends on what else this machine does, and is logged.
func TestFastest(t *testing.T) {
	m, _ := loopback(t, loopA, loopB, false, MinInterval)
	awaitSettled(t, m, 3*MinInterval)
	before, begin := m.Snapshot(), time.Now()
	time.Sleep(time.Second)
	after, took := m.Snapshot(), time.Since(begin)
	for i, x := range after.Sessions {
		sent := x.PacketsOut - before.Sessions[i].PacketsOut
		t.Logf("%s: %v, %d flaps, %d packets sent in %v", x.Key, x.State, x.Flaps, sent, took)
		if most := uint64(took/(MinInterval*3/4)) + 10; sent > most { // 10 for polls and their answers
			t.Errorf("%s: %d packets sent, want at most %d", x.Key, sent, most)
		}
	}
	t.Logf("worst lateness %v", after.Lateness)
}

// TestBusyProcess: a process whose goroutines all compute and allocate keeps its
// sessions.
func TestBusyProcess(t *testing.T) {
	m, _ := loopback(t, loopA, loopB, false, DefaultInterval)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var workers sync.WaitGroup
	for range 8 * runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for ctx.Err() == nil {
				list := make([]*[64]byte, 50_000)
				for i := range list {
					list[i] = new([64]byte)
				}
			}
		})
	}
	workers.Wait()
	s := m.Snapshot()
	t.Logf("worst lateness %v", s.Lateness)
	for _, x := range s.Sessions {
		if x.State != Up || x.Flaps != 0 {
			t.Errorf("got %+v", x)
		}
	}
}

// BenchmarkPacket is the cost of one packet, sent and received through the kernel.
func BenchmarkPacket(b *testing.B) {
	u := newUDP()
	defer u.close()
	l, err := u.open(Key{Local: loopA, Remote: loopB}, "")
	if err != nil {
		b.Fatal(err)
	}
	payload := packet{state: Up, multiplier: 3, my: 1, your: 2}.appendTo(nil)
	received := 0
	for b.Loop() {
		if err := l.send(payload); err != nil {
			b.Fatal(err)
		}
		u.receive(func(datagram) { received++ })
	}
	if received == 0 {
		b.Fatal("nothing received")
	}
}
