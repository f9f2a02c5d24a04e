package gobgp

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// absent are n neighbors at addresses where nobody answers.
func absent(s *testSpeaker, n int) []speaker.Neighbor {
	out := make([]speaker.Neighbor, n)
	for i := range out {
		out[i] = speaker.Neighbor{
			Address: netip.AddrFrom4([4]byte{127, 100, byte(i >> 8), byte(i)}), Port: testPort, LocalAddress: s.addr,
			LocalASN: s.asn, RemoteASN: 65002, Families: route.IPv4 | route.IPv6, HoldTime: 90 * time.Second, RestartTime: time.Minute,
		}
	}
	return out
}

// TestIdleNeighborIsSmall measures the heap and the stack of a neighbor that can't be
// reached.
func TestIdleNeighborIsSmall(t *testing.T) {
	const neighbors = 500
	s := newTestSpeaker(t, "127.0.9.1", "10.0.0.1", 65001)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-s.Events():
			case <-stop:
				return
			}
		}
	}()
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := held()
	s.configure(absent(s, neighbors)...)
	each := (held() - min(before, held())) / neighbors
	t.Logf("%d octets for each neighbor", each)
	if each > 15_000 {
		t.Errorf("%d octets for each neighbor, want at most 15,000", each)
	}
}

// TestAbsentNeighborsAreDialledInTurn: the more there are, the less often each is
// tried.
func TestAbsentNeighborsAreDialledInTurn(t *testing.T) {
	const lasts = 2 * time.Second
	s := newTestSpeaker(t, "127.0.9.1", "10.0.0.1", 65001)
	begin, attempts := time.Now(), 0
	s.configure(absent(s, 2000)...)
	for end := time.After(lasts); ; {
		select {
		case ev := <-s.Events():
			if c, ok := ev.(speaker.StateChanged); ok && c.State == speaker.Connect {
				attempts++
			}
			continue
		case <-end:
		}
		break
	}
	took := time.Since(begin) // on a busy machine longer than lasts
	if most := int(took.Seconds()*dialRate) + dialBurst; attempts > most*11/10 || attempts < most/4 {
		t.Errorf("%d attempts in %s, at most %d are due", attempts, took, most)
	}
}
