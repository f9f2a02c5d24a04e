package azure

import (
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// large is a comparison of 4,000 prefixes, two instances and three NICs: what Route Server
// takes of one peer.
func large() (Snapshot, Self) {
	w := sound()
	for i := range maxPerPeer {
		w.sendRoute(SelfRoute{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}), 32), NextHop: nva1, ASPath: []uint32{65001}})
	}
	n := w.s.NICs[1]
	n.ID, n.Name = n.ID+"-2", "work-nic-2"
	w.s.NICs = append(w.s.NICs, n)
	w.vnet(1).Subnets[0].RouteTable.Propagation = false // every row has a cause
	return w.derive()
}

func BenchmarkDiff(b *testing.B) {
	s, self := large()
	for b.Loop() {
		Diff(s, self, Options{})
	}
}

func BenchmarkVerify(b *testing.B) {
	s, self := large()
	for b.Loop() {
		Verify(s, self)
	}
}

// TestLinear compares the time of eight times as many prefixes, which is 64 times as long if
// anything is quadratic. The machine may be busy, so the CPU's time counts, and the best of
// some tries.
func TestLinear(t *testing.T) {
	took := func(n int) time.Duration {
		s, self := large()
		for i := range self.Neighbors {
			self.Neighbors[i].Sent = self.Neighbors[i].Sent[:n]
			self.Neighbors[i].Received = nil
			s.RouteServers[0].Connections[0].Instances[i].Learned = s.RouteServers[0].Connections[0].Instances[i].Learned[:n]
		}
		best := time.Hour
		for range 5 {
			start := cpu(t)
			Diff(s, self, Options{Listed: n})
			Verify(s, self)
			best = min(best, cpu(t)-start)
		}
		return best
	}
	small, big := took(500), took(4000)
	if big > 24*max(small, time.Millisecond) {
		t.Errorf("500 prefixes took %s, 4,000 %s", small, big)
	}
}

// cpu returns how long this process has computed.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
