package rib

import (
	"net/netip"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// BenchmarkTable measures how long it takes to accept a table in which every five routes share
// a set of attributes, under the policies of the two hubs, and to decide what the kernel and
// three neighbors get.
func BenchmarkTable(bm *testing.B) { benchTable(bm, false, 0) }

// BenchmarkTableLimited is BenchmarkTable under a maximum-prefix that all routes fit in.
func BenchmarkTableLimited(bm *testing.B) { benchTable(bm, false, 1_000_000) }

// BenchmarkTableExceeded is BenchmarkTable under a maximum-prefix for which most of the
// announcements are dropped.
func BenchmarkTableExceeded(bm *testing.B) { benchTable(bm, false, 1_000) }

// BenchmarkTableObserved is BenchmarkTable while an observer watches the best paths.
func BenchmarkTableObserved(bm *testing.B) { benchTable(bm, true, 0) }

func benchTable(bm *testing.B, observed bool, limit int) {
	const updates, perUpdate, perTurn = 20_000, 5, 256
	bm.ReportAllocs()
	for bm.Loop() {
		bm.StopTimer()
		b := newHub00(&testing.T{})
		b.r.Observe(observed)
		limited := b.r.peers.byAddr[addr(rs0)].Peer
		limited.MaxReceived = limit
		b.r.SetPeer(limited)
		b.flush()
		list := make([]speaker.Update, updates)
		for i := range list {
			list[i] = speaker.Update{From: speaker.From{Peer: addr(rs0)}, Attrs: b.in.Intern(route.Attrs{
				ASPath:  route.ASPath{{Type: route.ASSequence, ASNs: []uint32{65515, 12076, uint32(1000 + i), 30_000}}},
				NextHop: addr(rs0), MED: route.Some(uint32(i % 10)), Communities: []route.Community{1, route.Community(i % 50)},
			})}
			for k := range perUpdate {
				n := i*perUpdate + k
				list[i].Announced = append(list[i].Announced,
					netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(16 + n>>16), byte(n >> 8), byte(n), 0}), 24))
			}
		}
		bm.StartTimer()
		for len(list) > 0 {
			for i := range list[:min(perTurn, len(list))] {
				b.r.Update(&list[i], time.Time{})
			}
			list = list[min(perTurn, len(list)):]
			for b.r.Flush(2048) {
			}
			b.r.Take()
		}
	}
	bm.ReportMetric(float64(bm.Elapsed().Nanoseconds())/float64(bm.N)/(updates*perUpdate), "ns/route")
}
