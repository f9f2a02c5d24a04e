package gobgp

import (
	"math"
	"net"
	"os"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

func openDescriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestConnectionsOfANeighborAreBounded has one neighbor, with a session and without,
// open hundreds of connections that say nothing.
func TestConnectionsOfANeighborAreBounded(t *testing.T) {
	s := newTestSpeaker(t, "127.0.12.1", "10.0.0.1", 65001)
	o := rawOpen{asn: 65002, id: "10.0.0.2", hold: 90}
	for _, up := range []bool{false, true} {
		passive(s, "127.0.12.2")
		if up {
			dialRaw(t, s, "127.0.12.2").open(o)
			next[speaker.Established](s, time.Second)
		}
		before := openDescriptors(t)
		const opened = 300
		for range opened {
			dialRaw(t, s, "127.0.12.2")
		}
		most := before + opened + cap(s.find(addr("127.0.12.2")).incoming) + mostPartings + 3 // a session, a second, one on its way
		for deadline := time.Now().Add(5 * time.Second); openDescriptors(t) > most; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("established %t: %d descriptors, want at most %d", up, openDescriptors(t), most)
			}
		}
		if up {
			quiet(t, s, 0)
		}
		drop(s)
	}
}

// TestDescriptorsAreLeft: if few are left, neighbors get none of them.
func TestDescriptorsAreLeft(t *testing.T) {
	s := newTestSpeaker(t, "127.0.12.1", "10.0.0.1", 65001)
	s.descriptors = 0
	passive(s, "127.0.12.2")
	if m := dialRaw(t, s, "127.0.12.2").read(); m != nil {
		t.Errorf("message of type %d", m.Type())
	}
	s.close(CloseOptions{})
	if got := descriptorLimit(); got < fewDescriptors || got == math.MaxInt {
		t.Errorf("limit %d", got)
	}
}

// TestStrangersDoNotShutNeighborsOut floods the port from an address that is no
// neighbor's. A neighbor comes up meanwhile.
func TestStrangersDoNotShutNeighborsOut(t *testing.T) {
	s := newTestSpeaker(t, "127.0.12.1", "10.0.0.1", 65001)
	passive(s, "127.0.12.2")
	stop, ended := make(chan struct{}), make(chan int)
	go func() {
		refused := 0
		for {
			select {
			case <-stop:
				ended <- refused
				return
			default:
			}
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 12, 3)}, Timeout: time.Second}
			if conn, err := d.Dial("tcp4", remote(speaker.Neighbor{Address: s.addr, Port: testPort}).String()); err == nil {
				conn.Close()
				refused++
			}
		}
	}()
	time.Sleep(200 * time.Millisecond) // the flood stands
	begin := time.Now()
	dialRaw(t, s, "127.0.12.2").open(rawOpen{asn: 65002, id: "10.0.0.2", hold: 90})
	next[speaker.Established](s, 2*time.Second)
	took := time.Since(begin)
	close(stop)
	t.Logf("established after %s beside %d connections of a stranger", took, <-ended)
	quiet(t, s, 0)
}
