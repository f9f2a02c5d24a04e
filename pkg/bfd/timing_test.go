package bfd

import (
	"math/rand/v2"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestTransmitInterval(t *testing.T) {
	for _, tt := range []struct {
		name         string
		state        State
		remoteMinRx  time.Duration
		wantInterval time.Duration
	}{
		{"6.8.2 ours is longer", Up, 10 * ms, 50 * ms},
		{"6.8.2 the peer's is longer", Up, 700 * ms, 700 * ms},
		{"6.8.3 slow in Down", Down, 10 * ms, time.Second},
		{"6.8.3 slow in Init", Init, 10 * ms, time.Second},
		{"6.8.3 slow, the peer slower", Init, 3 * time.Second, 3 * time.Second},
		{"6.8.7 zero silences", Up, 0, 0},
		{"6.8.7 zero silences in Init", Init, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := testSession(t, tt.state)
			state := map[State]State{Down: AdminDown, Init: Down, Up: Up}[tt.state]
			p := final(state)
			p.requiredMinRx = tt.remoteMinRx
			s.step(received{p}, epoch)
			if s.interval != tt.wantInterval || s.nextTx.IsZero() != (tt.wantInterval == 0) {
				t.Fatalf("interval %v, next %v", s.interval, s.nextTx)
			}
		})
	}
}

func TestShorterIntervalCountsFromTheLastPacket(t *testing.T) {
	s := testSession(t, Up)
	s.step(tick{}, s.nextTx)
	last := s.lastTx
	p := from(Up)
	p.requiredMinRx = time.Second
	s.step(received{p}, last)
	p.requiredMinRx = 50 * ms
	s.step(received{p}, last.Add(20*ms))
	if got := s.nextTx.Sub(last); got != 50*ms {
		t.Fatalf("6.8.3 next packet %v after the last, want 50ms", got)
	}
	p.requiredMinRx = time.Second
	s.step(received{p}, last.Add(20*ms))
	p.requiredMinRx = 0
	s.step(received{p}, last.Add(20*ms))
	p.requiredMinRx = 50 * ms
	s.step(received{p}, last.Add(500*ms))
	if got := s.nextTx.Sub(last); got != 500*ms {
		t.Fatalf("overdue packet %v after the last, want it at once", got)
	}
}

func TestDetectionTime(t *testing.T) {
	for _, tt := range []struct {
		name        string
		multiplier  uint8
		remoteMinTx time.Duration
		want        time.Duration
	}{
		{"6.8.4 our Required Min RX is longer", 3, 10 * ms, 150 * ms},
		{"6.8.4 the peer's Desired Min TX is longer", 3, 400 * ms, 1200 * ms},
		{"6.8.4 the peer's multiplier", 7, 50 * ms, 350 * ms},
		{"6.8.4 multiplier 1", 1, 50 * ms, 50 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := testSession(t, Up)
			p := from(Up)
			p.multiplier, p.desiredMinTx = tt.multiplier, tt.remoteMinTx
			s.step(received{p}, epoch)
			if got := s.detectAt.Sub(epoch); got != tt.want {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestChangeWhileUp follows 6.8.3: which of the new values wait for the Final.
func TestChangeWhileUp(t *testing.T) {
	for _, tt := range []struct {
		name           string
		tx, rx         time.Duration
		txNow, rxNow   time.Duration
		txThen, rxThen time.Duration
	}{
		{"6.8.3 longer transmission waits", 200 * ms, 50 * ms, 50 * ms, 50 * ms, 200 * ms, 50 * ms},
		{"6.8.3 shorter transmission does not", 20 * ms, 50 * ms, 50 * ms, 50 * ms, 50 * ms, 50 * ms}, // the peer's 50 ms
		{"6.8.3 shorter reception waits", 50 * ms, 20 * ms, 50 * ms, 50 * ms, 50 * ms, 50 * ms},       // the peer's 50 ms
		{"6.8.3 longer reception does not", 50 * ms, 200 * ms, 50 * ms, 200 * ms, 50 * ms, 200 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := testSession(t, Up)
			e := s.step(reconfigured{Session{Key: s.wanted.Key, MinTx: tt.tx, MinRx: tt.rx, Multiplier: 3}}, epoch)
			if e.send != nil {
				t.Fatal("6.5 a Poll Sequence sends no packets of its own")
			}
			if s.txInterval() != tt.txNow || s.rxInterval() != tt.rxNow {
				t.Fatalf("at once: %v, %v", s.txInterval(), s.rxInterval())
			}
			s.step(received{final(Up)}, epoch)
			if !s.poll.running {
				t.Fatal("6.5 a Final that nothing has asked for ends the Poll Sequence")
			}
			e = s.step(tick{}, s.nextTx)
			if !e.send.poll || e.send.desiredMinTx != tt.tx || e.send.requiredMinRx != tt.rx {
				t.Fatalf("poll %+v", e.send)
			}
			e = s.step(tick{}, s.nextTx)
			if !e.send.poll {
				t.Fatal("6.5 an unanswered Poll Sequence goes on")
			}
			s.step(received{final(Up)}, epoch)
			if s.txInterval() != tt.txThen || s.rxInterval() != tt.rxThen || s.poll.running {
				t.Fatalf("after the Final: %v, %v", s.txInterval(), s.rxInterval())
			}
			if e = s.step(tick{}, s.nextTx); e.send.poll {
				t.Fatal("6.5 P after the Final")
			}
		})
	}
}

func TestChangeDuringPoll(t *testing.T) {
	s := testSession(t, Up)
	change := func(tx time.Duration) {
		s.step(reconfigured{Session{Key: s.wanted.Key, MinTx: tx, MinRx: 50 * ms, Multiplier: 3}}, epoch)
	}
	change(200 * ms)
	s.step(tick{}, s.nextTx)
	change(400 * ms)
	s.step(received{final(Up)}, epoch)
	if s.txInterval() != 50*ms || !s.poll.running {
		t.Fatalf("6.5 the Final of the first poll settles the second: %v", s.txInterval())
	}
	s.step(tick{}, s.nextTx)
	s.step(received{final(Up)}, epoch)
	if s.txInterval() != 400*ms {
		t.Fatalf("got %v", s.txInterval())
	}
}

func TestJitter(t *testing.T) {
	for _, tt := range []struct {
		multiplier uint8
		low, high  time.Duration
	}{{1, 75 * ms, 90 * ms}, {3, 75 * ms, 100 * ms}} {
		s := unheard(t, Session{Multiplier: tt.multiplier})
		s.random = rand.New(rand.NewPCG(1, 2)).Float64
		least, most := time.Hour, time.Duration(0)
		for range 10_000 {
			j := s.jitter(100 * ms)
			least, most = min(least, j), max(most, j)
		}
		if least < tt.low || most > tt.high || least > tt.low+ms || most < tt.high-ms {
			t.Errorf("6.8.7 multiplier %d: %v to %v, want all of %v to %v", tt.multiplier, least, most, tt.low, tt.high)
		}
	}
}

func TestExtend(t *testing.T) {
	for _, tt := range []struct {
		name      string
		late, now time.Duration // since the last packet
		want      time.Duration
	}{
		{"by the lateness", 90 * ms, 120 * ms, 240 * ms},
		{"late for the deadline itself", 20 * ms, 170 * ms, 170 * ms},
		{"frozen for a minute: at most a fresh detection time", time.Minute, time.Minute + 20*ms, time.Minute + 150*ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := testSession(t, Up)
			s.step(starved{tt.late}, epoch.Add(tt.now))
			if got := s.detectAt.Sub(epoch); got != tt.want {
				t.Fatalf("deadline after %v, want %v", got, tt.want)
			}
		})
	}
	s := unheard(t, Session{})
	if s.step(starved{time.Minute}, epoch); !s.detectAt.IsZero() {
		t.Fatal("a deadline for a peer never heard")
	}
}

func TestNormalise(t *testing.T) {
	good := Session{Key: Key{Local: addrA, Remote: addrB}}
	tests := map[string]struct {
		edit func(*Session)
		bad  bool
	}{
		"defaults":        {func(*Session) {}, false},
		"fastest":         {func(s *Session) { s.MinTx, s.MinRx = MinInterval, MinInterval }, false},
		"too fast":        {func(s *Session) { s.MinTx = MinInterval - 1 }, true},
		"too slow":        {func(s *Session) { s.MinRx = MaxInterval + 1 }, true},
		"no local":        {func(s *Session) { s.Local = addr("") }, true},
		"unspecified":     {func(s *Session) { s.Local = addr("0.0.0.0") }, true},
		"multicast":       {func(s *Session) { s.Remote = addr("224.0.0.1") }, true},
		"two families":    {func(s *Session) { s.Remote = addr("2001:db8::1") }, true},
		"to itself":       {func(s *Session) { s.Remote = s.Local }, true},
		"mapped":          {func(s *Session) { s.Remote = addr("::ffff:10.10.0.4") }, false},
		"link-local":      {func(s *Session) { s.Local, s.Remote, s.Device = addr("fe80::1"), addr("fe80::2"), "eth0" }, false},
		"no device":       {func(s *Session) { s.Local, s.Remote = addr("fe80::1"), addr("fe80::2") }, true},
		"169.254 is fine": {func(s *Session) { s.Local, s.Remote = addr("169.254.0.1"), addr("169.254.0.2") }, false},
		"link-local far": {func(s *Session) {
			s.Local, s.Remote, s.Device, s.Multihop = addr("fe80::1"), addr("fe80::2"), "eth0", true
		}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := good
			tt.edit(&s)
			got, err := s.normalise()
			if (err != nil) != tt.bad {
				t.Fatalf("got %+v, %v", got, err)
			}
			if name == "defaults" && (got.MinTx != DefaultInterval || got.MinRx != DefaultInterval || got.Multiplier != DefaultMultiplier) {
				t.Fatalf("got %+v", got)
			}
		})
	}
	if _, err := normaliseAll([]Session{good, good}); err == nil {
		t.Fatal("a session given twice passes")
	}
}
