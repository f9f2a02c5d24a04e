package bfd

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestStarvation: a loop that is held up for longer than the detection time, again
// and again, does not declare a living peer dead; a dead one it does.
func TestStarvation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, _ := pair(t, 50*ms)
		patient := between(addrA, addrB, 50*ms)
		patient.Multiplier = 200 // what the peer makes of our silence is not the matter here
		configure(t, a, patient)
		time.Sleep(time.Second)
		w.do(func() { w.stall[addrA] = 400 * ms })
		quiet(t, a, 20*time.Second)
		if s := a.Snapshot(); s.Lateness < 300*ms || s.Sessions[0].Flaps != 0 {
			t.Errorf("got %+v", s)
		}
		w.do(func() { w.drop[addrB] = true })
		if e := next(t, a, 5*time.Second); e.State != Down || e.Diag != DiagDetectionExpired {
			t.Errorf("got %+v", e)
		}
		w.do(func() { w.stall[addrA] = 0 })
	})
}

func TestExtension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, _ := pair(t, 50*ms)
		time.Sleep(time.Second)
		w.do(func() { w.drop[addrB], w.stall[addrA] = true, 120*ms })
		silent := time.Now()
		time.Sleep(60 * ms) // the next packet of ours, which takes 120 ms
		w.do(func() { w.stall[addrA] = 0 })
		e := next(t, a, time.Second)
		if took := e.At.Sub(silent); took < 150*ms || took > 270*ms {
			t.Errorf("detected after %v, want the detection time and the lateness", took)
		}
		if e.Extended < 60*ms || !strings.Contains(e.Reason, "this process was held up") {
			t.Errorf("got %+v", e)
		}
	})
}

func TestLocalAddressMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.missing[addrA] = true
		a, b := wireEnd(t, w, addrA), wireEnd(t, w, addrB)
		configure(t, a, between(addrA, addrB, 50*ms))
		configure(t, b, between(addrB, addrA, 50*ms))
		quiet(t, a, 10*time.Second)
		if s := a.Snapshot().Sessions[0]; s.Error == "" || s.PacketsOut != 0 {
			t.Errorf("got %+v", s)
		}
		w.do(func() { delete(w.missing, addrA) })
		came := time.Now()
		a.Hint()
		if e := next(t, a, time.Second); e.State != Up || e.At.Sub(came) > 100*ms {
			t.Errorf("got %+v %v after the hint", e, e.At.Sub(came))
		}
		if s := a.Snapshot().Sessions[0]; s.Error != "" {
			t.Errorf("got %+v", s)
		}
	})
}

func TestHopLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.hopLimit = 254
		a, b := wireEnd(t, w, addrA), wireEnd(t, w, addrB)
		configure(t, a, between(addrA, addrB, 50*ms))
		configure(t, b, between(addrB, addrA, 50*ms))
		quiet(t, a, 10*time.Second)
		if n := a.Snapshot().Discards["hop limit is not 255 (RFC 5881 5)"]; n == 0 {
			t.Error("RFC 5881 5: accepted")
		}
		far := func(s Session) Session { s.Multihop = true; return s }
		configure(t, a, far(between(addrA, addrB, 50*ms)))
		configure(t, b, far(between(addrB, addrA, 50*ms)))
		if e := next(t, a, 3*time.Second); e.State != Up {
			t.Errorf("RFC 5883: got %+v", e)
		}
	})
}

func TestDiscards(t *testing.T) {
	l := newLoop(discard, newWire().port(addrA))
	wanted, _ := normaliseAll([]Session{between(addrA, addrB, 50*ms)})
	l.configure(wanted)
	e := l.sessions[Key{Local: addrA, Remote: addrB}]
	other := addr("10.9.9.9")
	good := from(Down)
	good.your = e.discr
	stranger := good
	stranger.your = e.discr + 1
	if stranger.your == 0 {
		stranger.your = 1
	}
	first := good
	first.your = 0
	at := func(d datagram, p packet) datagram { d.payload = p.appendTo(nil); return d }
	here := datagram{local: addrA, remote: addrB, hopLimit: 255}
	for name, tt := range map[string]struct {
		datagram datagram
		taken    bool
	}{
		"by discriminator":               {at(here, good), true},
		"by addresses":                   {at(here, first), true},
		"6.8.6 discriminator unknown":    {at(here, stranger), false},
		"6.8.6 no session":               {at(datagram{local: addrA, remote: other, hopLimit: 255}, first), false},
		"discriminator of another peer":  {at(datagram{local: addrA, remote: other, hopLimit: 255}, good), false},
		"discriminator at another local": {at(datagram{local: other, remote: addrB, hopLimit: 255}, good), false},
		"at the multihop port":           {at(datagram{local: addrA, remote: addrB, hopLimit: 255, multihop: true}, good), false},
		"RFC 5881 5 hop limit":           {at(datagram{local: addrA, remote: addrB, hopLimit: 64}, good), false},
		"malformed":                      {datagram{local: addrA, remote: addrB, hopLimit: 255, payload: []byte("x")}, false},
	} {
		before := e.packets.in
		l.accept(tt.datagram, epoch)
		if taken := e.packets.in > before; taken != tt.taken {
			t.Errorf("%s: taken %v", name, taken)
		}
	}
	if len(l.discards) != 4 || e.refused.count != 3 {
		t.Errorf("reasons %v, refused %+v", l.discards, e.refused)
	}
}

func TestSlowConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b := pair(t, 50*ms)
		for range 20 {
			w.do(func() { w.drop[addrB] = true })
			time.Sleep(time.Second)
			w.do(func() { w.drop[addrB] = false })
			time.Sleep(3 * time.Second)
		}
		for _, want := range []State{Down, Up} {
			if e := next(t, a, time.Second); e.State != want {
				t.Errorf("got %+v, want %v", e, want)
			}
		}
		quiet(t, a, time.Second)
		if s := a.Snapshot().Sessions[0]; s.Flaps != 20 {
			t.Errorf("got %+v", s)
		}
		b.Close()
	})
}

func TestClosed(t *testing.T) {
	m := start(slog.New(slog.DiscardHandler), newWire().port(addrA))
	m.Close()
	m.Close()
	m.Hint()
	if err := m.Configure(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if s := m.Snapshot(); len(s.Sessions) != 0 {
		t.Errorf("got %+v", s)
	}
	if _, open := <-m.Events(); open {
		t.Error("events are open")
	}
}

func TestConfigureRefusesTheWholeSet(t *testing.T) {
	m := start(slog.New(slog.DiscardHandler), newWire().port(addrA))
	defer m.Close()
	good := between(addrA, addrB, 50*ms)
	configure(t, m, good)
	if err := m.Configure([]Session{between(addrA, addr("10.0.0.9"), 50*ms), between(addrA, addrB, time.Nanosecond)}); err == nil {
		t.Fatal("accepted")
	}
	if s := m.Snapshot().Sessions; len(s) != 1 || s[0].Key != good.Key {
		t.Fatalf("got %+v", s)
	}
}
