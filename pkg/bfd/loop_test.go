package bfd

import (
	"testing"
	"testing/synctest"
	"time"
)

// pair is two managers on one wire with a session between them that is up.
func pair(t *testing.T, interval time.Duration) (w *wire, a, b *Manager) {
	t.Helper()
	w = newWire()
	a, b = wireEnd(t, w, addrA), wireEnd(t, w, addrB)
	configure(t, a, between(addrA, addrB, interval))
	configure(t, b, between(addrB, addrA, interval))
	for _, m := range []*Manager{a, b} {
		if e := next(t, m, 2*time.Second); e.State != Up {
			t.Fatalf("got %+v", e)
		}
	}
	return w, a, b
}

func TestComesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		w, a, _ := pair(t, 50*ms)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("up after %v, want one slow interval at most", took)
		}
		time.Sleep(time.Second)
		s := a.Snapshot().Sessions[0]
		if s.State != Up || s.TxInterval != 50*ms || s.RxInterval != 50*ms || s.DetectionTime != 150*ms || s.Polling ||
			s.RemoteDiscriminator == 0 || s.Discriminator == s.RemoteDiscriminator || s.PacketsOut == 0 || s.PacketsIn == 0 || s.Flaps != 0 {
			t.Errorf("got %+v", s)
		}
		for i, p := range w.log(addrA, begin) {
			if p.packet.state != Up && p.packet.desiredMinTx < time.Second {
				t.Errorf("6.8.3 packet %d in %v advertises %v", i, p.packet.state, p.packet.desiredMinTx)
			}
			if p.packet.demand || p.packet.requiredEcho != 0 {
				t.Errorf("packet %d: %+v", i, p.packet)
			}
		}
	})
}

func TestSlowWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		m := wireEnd(t, w, addrA)
		configure(t, m, between(addrA, addrB, 10*ms))
		begin := time.Now()
		time.Sleep(time.Minute)
		checkGaps(t, w.log(addrA, begin), 750*ms, time.Second)
	})
}

func TestJitterOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := pair(t, 100*ms)
		time.Sleep(2 * time.Second)
		begin := time.Now()
		time.Sleep(time.Minute)
		checkGaps(t, w.log(addrA, begin), 75*ms, 100*ms)
	})
}

// checkGaps wants all packets between low and high apart, and not all alike.
func checkGaps(t *testing.T, sent []sending, low, high time.Duration) {
	t.Helper()
	if len(sent) < 60 {
		t.Fatalf("%d packets", len(sent))
	}
	least, most := time.Hour, time.Duration(0)
	for i := range sent[1:] {
		gap := sent[i+1].at.Sub(sent[i].at)
		least, most = min(least, gap), max(most, gap)
	}
	if least < low || most > high || most-least < (high-low)/2 {
		t.Errorf("%d packets %v to %v apart, want %v to %v", len(sent), least, most, low, high)
	}
}

func TestDetection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b := pair(t, 50*ms)
		time.Sleep(time.Second)
		w.do(func() { w.drop[addrB] = true })
		silent := time.Now()
		e := next(t, a, time.Second)
		if e.State != Down || e.Diag != DiagDetectionExpired || e.Reason != "nothing received for 150ms" || e.Administrative {
			t.Errorf("got %+v", e)
		}
		if took := e.At.Sub(silent); took < 100*ms || took > 150*ms {
			t.Errorf("detected after %v", took)
		}
		if e = next(t, b, time.Second); e.State != Down || e.Diag != DiagNeighborDown {
			t.Errorf("the peer: %+v", e)
		}
		w.do(func() { w.drop[addrB] = false })
		if e = next(t, a, 3*time.Second); e.State != Up {
			t.Errorf("got %+v", e)
		}
		quiet(t, a, time.Minute)
	})
}

func TestPeerRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b := pair(t, 50*ms)
		time.Sleep(time.Second)
		w.do(func() { w.drop[addrB] = true }) // its last words are lost: it dies
		b.Close()
		w.do(func() { w.drop[addrB] = false })
		b = wireEnd(t, w, addrB)
		configure(t, b, between(addrB, addrA, 50*ms))
		// Anybody could say that it is the peer, started anew: what counts is that
		// the one before has gone silent.
		if e := next(t, a, time.Second); e.State != Down || e.Diag != DiagDetectionExpired {
			t.Errorf("got %+v", e)
		}
		if e := next(t, a, 3*time.Second); e.State != Up {
			t.Errorf("got %+v", e)
		}
		quiet(t, a, time.Minute)
		if s := a.Snapshot().Sessions[0]; s.Flaps != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestPeerIsTakenDown(t *testing.T) {
	for name, take := range map[string]func(*testing.T, *Manager){
		"removed": func(t *testing.T, m *Manager) { configure(t, m) },
		"closed":  func(_ *testing.T, m *Manager) { m.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a, b := pair(t, 50*ms)
				take(t, b)
				e := next(t, a, 100*ms)
				if e.State != Down || !e.Administrative || e.Reason != "the peer is administratively down" {
					t.Errorf("got %+v", e)
				}
				quiet(t, a, time.Minute)
				if s := a.Snapshot().Sessions[0]; s.RemoteDiscriminator != 0 {
					t.Errorf("the peer is not forgotten: %+v", s)
				}
			})
		})
	}
}

func TestRemovedSessionLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b := pair(t, 50*ms)
		time.Sleep(time.Second)
		gone := time.Now()
		configure(t, a)
		quiet(t, a, 10*time.Second)
		said := w.log(addrA, gone)
		for _, s := range said {
			if s.packet.state != AdminDown {
				t.Errorf("6.8.16 sent %+v", s.packet)
			}
		}
		if last := said[len(said)-1].at.Sub(gone); len(said) < 3 || last > 3*time.Second {
			t.Errorf("6.8.16 %d packets, the last after %v", len(said), last)
		}
		if n := len(a.Snapshot().Sessions); n != 0 {
			t.Errorf("%d sessions", n)
		}
		next(t, b, time.Second)
		configure(t, a, between(addrA, addrB, 50*ms))
		next(t, a, 3*time.Second)
		configure(t, a)
		configure(t, a, between(addrA, addrB, 50*ms)) // comes back while it lingers
		if e := next(t, a, 3*time.Second); e.State != Up {
			t.Errorf("got %+v", e)
		}
	})
}

func TestChangeDoesNotFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b := pair(t, 300*ms)
		for _, interval := range []time.Duration{50 * ms, 2 * time.Second, 10 * ms, 300 * ms} {
			for _, m := range []*Manager{a, b} {
				local, remote := addrA, addrB
				if m == b {
					local, remote = addrB, addrA
				}
				configure(t, m, between(local, remote, interval))
				quiet(t, a, 10*time.Second)
			}
			s := a.Snapshot().Sessions[0]
			if s.TxInterval != interval || s.RxInterval != interval || s.Polling {
				t.Errorf("%v: got %+v", interval, s)
			}
		}
		for _, s := range w.log(addrA, time.Time{}) {
			if s.packet.poll && s.packet.final {
				t.Error("6.5 P and F in one packet")
			}
		}
		s := between(addrA, addrB, 300*ms)
		s.Multiplier = 10
		configure(t, a, s)
		quiet(t, b, 10*time.Second)
		if s := b.Snapshot().Sessions[0]; s.DetectionTime != 3*time.Second {
			t.Errorf("6.8.4 got %+v", s)
		}
	})
}
