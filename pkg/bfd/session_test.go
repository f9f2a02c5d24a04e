package bfd

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"
)

var (
	addrA = netip.MustParseAddr("10.0.0.4")
	addrB = netip.MustParseAddr("10.10.0.4")
	epoch = time.Unix(1_000_000, 0)
)

// full is a random source at the upper end: intervals are not shortened.
func addr(s string) netip.Addr {
	a, _ := netip.ParseAddr(s)
	return a
}

var discard = slog.New(slog.DiscardHandler)

func full() float64 { return 1 }

// testSession is a session in a state, 50 ms x 3 both ways, its peer heard.
func testSession(t *testing.T, state State) *session {
	t.Helper()
	s := unheard(t, Session{MinTx: 50 * time.Millisecond, MinRx: 50 * time.Millisecond})
	s.step(tick{}, epoch)
	switch state {
	case Down:
		s.step(received{from(AdminDown)}, epoch) // leaves Down as it is
	case Init:
		s.step(received{from(Down)}, epoch)
	case Up:
		s.step(received{from(Init)}, epoch)
		s.step(received{final(Up)}, epoch)
	case AdminDown:
		s.step(disabled{}, epoch)
	}
	if s.state != state {
		t.Fatalf("cannot bring a session to %v: %v", state, s.state)
	}
	return s
}

func unheard(t *testing.T, wanted Session) *session {
	t.Helper()
	wanted.Key = Key{Local: addrA, Remote: addrB}
	wanted, err := wanted.normalise()
	if err != nil {
		t.Fatal(err)
	}
	return newSession(wanted, 1, full, epoch)
}

// from is a packet of a peer with 50 ms x 3.
func from(state State) packet {
	return packet{state: state, multiplier: 3, my: 2, your: 1, desiredMinTx: 50 * time.Millisecond, requiredMinRx: 50 * time.Millisecond}
}

func final(state State) packet {
	p := from(state)
	p.final = true
	return p
}

func polling(state State) packet {
	p := from(state)
	p.poll = true
	return p
}

// TestReceivedState has a row for each state and received state (RFC 5880 6.2, 6.8.6).
func TestReceivedState(t *testing.T) {
	tests := []struct {
		state, got, want State
		diag             Diag
	}{
		{AdminDown, AdminDown, AdminDown, DiagAdminDown},
		{AdminDown, Down, AdminDown, DiagAdminDown},
		{AdminDown, Init, AdminDown, DiagAdminDown},
		{AdminDown, Up, AdminDown, DiagAdminDown},
		{Down, AdminDown, Down, DiagNone},
		{Down, Down, Init, DiagNone},
		{Down, Init, Up, DiagNone},
		{Down, Up, Down, DiagNone},
		{Init, AdminDown, Down, DiagNeighborDown},
		{Init, Down, Init, DiagNone},
		{Init, Init, Up, DiagNone},
		{Init, Up, Up, DiagNone},
		{Up, AdminDown, Down, DiagNeighborDown},
		{Up, Down, Down, DiagNeighborDown},
		{Up, Init, Up, DiagNone},
		{Up, Up, Up, DiagNone},
	}
	for _, tt := range tests {
		t.Run("6.8.6 "+tt.state.String()+" receives "+tt.got.String(), func(t *testing.T) {
			s := testSession(t, tt.state)
			e := s.step(received{from(tt.got)}, epoch)
			if s.state != tt.want || s.diag != tt.diag {
				t.Fatalf("got %v (%v), want %v (%v)", s.state, s.diag, tt.want, tt.diag)
			}
			changed := tt.state != tt.want
			if changed != (e.change != nil) || changed != (e.send != nil) {
				t.Fatalf("change %v, packet %v: a changed state is told at once, another is not", e.change, e.send)
			}
			if changed && (e.send.state != tt.want || e.change.administrative != (tt.got == AdminDown)) {
				t.Fatalf("sent %v, administrative %v", e.send.state, e.change.administrative)
			}
		})
	}
}

func TestReceivedVariables(t *testing.T) {
	s := testSession(t, Up)
	p := from(Up)
	p.my, p.demand, p.requiredMinRx, p.multiplier, p.desiredMinTx, p.diag = 9, true, time.Second, 5, 2*time.Second, DiagPathDown
	s.step(received{p}, epoch)
	want := remote{discr: 9, state: Up, diag: DiagPathDown, demand: true, multiplier: 5, minTx: 2 * time.Second, minRx: time.Second}
	if s.remote != want {
		t.Fatalf("6.8.6 variables: got %+v, want %+v", s.remote, want)
	}
}

func TestPollIsAnswered(t *testing.T) {
	for _, state := range []State{Down, Init, Up} {
		t.Run("6.8.6 poll in "+state.String(), func(t *testing.T) {
			s := testSession(t, state)
			s.poll = poll{running: true} // an answer has no P, even while we poll
			before := s.nextTx
			e := s.step(received{polling(Up)}, epoch)
			if e.send == nil || !e.send.final || e.send.poll || e.send.state != s.state {
				t.Fatalf("answer %+v", e.send)
			}
			if state == Up && s.nextTx != before {
				t.Fatal("6.8.7 an answer must not move periodic packets")
			}
		})
	}
	t.Run("6.8.6 poll in AdminDown is discarded", func(t *testing.T) {
		s := testSession(t, AdminDown)
		if e := s.step(received{polling(Up)}, epoch); e.send != nil {
			t.Fatalf("answer %+v", e.send)
		}
	})
}

func TestDetectionExpires(t *testing.T) {
	for _, tt := range []struct {
		state, want State
		diag        Diag
	}{
		{AdminDown, AdminDown, DiagAdminDown}, {Down, Down, DiagNone},
		{Init, Down, DiagDetectionExpired}, {Up, Down, DiagDetectionExpired},
	} {
		t.Run("6.8.4 in "+tt.state.String(), func(t *testing.T) {
			s := testSession(t, tt.state)
			s.step(received{from(AdminDown)}, epoch)
			s = testSession(t, tt.state)
			if tt.state == AdminDown {
				s.step(received{from(Up)}, epoch)
			}
			at := s.detectAt
			if got := at.Sub(epoch); got != 150*time.Millisecond {
				t.Fatalf("detection time %v", got)
			}
			s.step(tick{}, at.Add(-1))
			if s.state != tt.state || s.remote.discr == 0 {
				t.Fatal("expired early")
			}
			s.step(tick{}, at)
			if s.state != tt.want || s.diag != tt.diag {
				t.Fatalf("got %v (%v), want %v (%v)", s.state, s.diag, tt.want, tt.diag)
			}
			if s.remote != unknown {
				t.Fatalf("6.8.1 the peer is not forgotten: %+v", s.remote)
			}
		})
	}
}

func TestAdministrativeDown(t *testing.T) {
	s := testSession(t, Up)
	e := s.step(disabled{}, epoch)
	if e.send == nil || e.send.state != AdminDown || e.send.diag != DiagAdminDown {
		t.Fatalf("6.8.16 sent %+v", e.send)
	}
	if linger := s.leaveAt.Sub(epoch); linger != 3*time.Second {
		t.Fatalf("6.8.16 AdminDown is told for %v, want a detection time of the peer", linger)
	}
	e = s.step(enabled{}, epoch)
	if e.send == nil || e.send.state != Down || !s.leaveAt.IsZero() {
		t.Fatalf("enabled: sent %+v", e.send)
	}
}

func TestDemandOfThePeer(t *testing.T) {
	s := testSession(t, Up)
	p := from(Up)
	p.demand = true
	s.step(received{p}, epoch)
	if !s.nextTx.IsZero() {
		t.Fatal("6.8.7 periodic packets to a peer in Demand mode")
	}
	s.step(reconfigured{Session{Key: s.wanted.Key, MinTx: time.Second, MinRx: time.Second, Multiplier: 3}}, epoch)
	e := s.step(tick{}, s.nextTx)
	if e.send == nil || !e.send.poll || e.send.demand {
		t.Fatalf("6.8.7 a Poll Sequence is sent in Demand mode, too: %+v", e.send)
	}
	p.final = true
	s.step(received{p}, epoch)
	if !s.nextTx.IsZero() {
		t.Fatal("6.5 the Poll Sequence is over, periodic packets are not")
	}
}
