package bfd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// keyed returns a session with keys.
func keyed(s Session, keys ...AuthKey) Session {
	s.Keys = keys
	return s
}

var oldKey, newKey = AuthKey{1, "first secret"}, AuthKey{2, "second secret"}

// TestAuthenticationDecides: sessions come up with the same key at both ends, and
// with no other.
func TestAuthenticationDecides(t *testing.T) {
	for name, tt := range map[string]struct {
		a, b   []AuthKey
		up     bool
		reason error
	}{
		"none":           {nil, nil, true, nil},
		"same":           {[]AuthKey{oldKey}, []AuthKey{oldKey}, true, nil},
		"one alone":      {[]AuthKey{oldKey}, nil, false, errNoAuth},
		"the other":      {nil, []AuthKey{oldKey}, false, errAuth},
		"other secret":   {[]AuthKey{oldKey}, []AuthKey{{1, "first Secret"}}, false, errHash},
		"other ID":       {[]AuthKey{oldKey}, []AuthKey{{7, oldKey.Secret}}, false, errAuthKey},
		"both know both": {[]AuthKey{oldKey, newKey}, []AuthKey{newKey, oldKey}, true, nil},
		"longest":        {[]AuthKey{{255, strings.Repeat("k", 20)}}, []AuthKey{{255, strings.Repeat("k", 20)}}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire()
				a, b := wireEnd(t, w, addrA), wireEnd(t, w, addrB)
				configure(t, a, keyed(between(addrA, addrB, 50*ms), tt.a...))
				configure(t, b, keyed(between(addrB, addrA, 50*ms), tt.b...))
				time.Sleep(time.Minute)
				s := a.Snapshot().Sessions[0]
				if s.State == Up != tt.up || s.Flaps != 0 || s.Authenticated != (len(tt.a) > 0) {
					t.Errorf("got %+v", s)
				}
				if tt.reason != nil && (s.Refused == 0 || s.LastRefused != tt.reason.Error()) {
					t.Errorf("refused %d, %q, want %q", s.Refused, s.LastRefused, tt.reason)
				}
			})
		})
	}
}

// TestRollover: both ends change to another key, one after the other, without a flap. After
// that, the first key is not accepted any more.
func TestRollover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		a, b := wireEnd(t, w, addrA), wireEnd(t, w, addrB)
		set := func(m *Manager, keys ...AuthKey) {
			t.Helper()
			s := between(addrA, addrB, 50*ms)
			if m == b {
				s = between(addrB, addrA, 50*ms)
			}
			configure(t, m, keyed(s, keys...))
			time.Sleep(time.Second)
		}
		set(a, oldKey)
		set(b, oldKey)
		time.Sleep(3 * time.Second)
		for _, step := range []struct {
			m    *Manager
			keys []AuthKey
		}{
			{a, []AuthKey{oldKey, newKey}}, {b, []AuthKey{oldKey, newKey}},
			{a, []AuthKey{newKey, oldKey}}, {b, []AuthKey{newKey, oldKey}},
			{a, []AuthKey{newKey}}, {b, []AuthKey{newKey}},
		} {
			set(step.m, step.keys...)
			for _, m := range []*Manager{a, b} {
				if s := m.Snapshot().Sessions[0]; s.State != Up || s.Flaps != 0 || s.Refused != 0 {
					t.Fatalf("with %v: %+v", step.keys, s)
				}
			}
		}
	})
}

// TestRestartWithKey: a peer that restarts begins with another sequence number, and is
// accepted once it has been silent for twice the detection time.
func TestRestartWithKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		a, b := wireEnd(t, w, addrA), wireEnd(t, w, addrB)
		configure(t, a, keyed(between(addrA, addrB, 50*ms), oldKey))
		configure(t, b, keyed(between(addrB, addrA, 50*ms), oldKey))
		time.Sleep(5 * time.Second)
		w.do(func() { w.drop[addrB] = true })
		b.Close()
		w.do(func() { w.drop[addrB] = false })
		b = wireEnd(t, w, addrB)
		configure(t, b, keyed(between(addrB, addrA, 50*ms), oldKey))
		time.Sleep(10 * time.Second)
		if s := a.Snapshot().Sessions[0]; s.State != Up || s.Flaps != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

// attacked is a loop with a session that is up, and the peer's packets.
func attacked(t *testing.T, s Session) (l *loop, e *entry, peer packet, sign func(packet, uint32) datagram) {
	t.Helper()
	l = newLoop(discard, newWire().port(addrA))
	wanted, err := normaliseAll([]Session{s})
	if err != nil {
		t.Fatal(err)
	}
	l.configure(wanted)
	e = l.sessions[s.Key]
	sign = func(p packet, sequence uint32) datagram {
		b := p.appendTo(nil)
		if len(s.Keys) > 0 {
			b = (&auth{sent: sequence - 1}).appendTo(b, s.Keys[0])
		}
		return datagram{payload: b, local: s.Local, remote: s.Remote, hopLimit: 255, multihop: s.Multihop}
	}
	peer = from(Init)
	peer.my, peer.your = 4711, e.discr
	l.accept(sign(peer, 100), epoch)
	peer.state = Up
	l.accept(sign(peer, 101), epoch)
	if e.state != Up {
		t.Fatalf("not up: %v, %v", e.state, l.discards)
	}
	return l, e, peer, sign
}

// TestSpoofedDown: somebody who sends with the peer's address, but can't read the peer's
// packets, does not take the session down.
func TestSpoofedDown(t *testing.T) {
	single, multi := between(addrA, addrB, 50*ms), between(addrA, addrB, 50*ms)
	multi.Multihop, multi.MinTTL = true, 254
	for name, session := range map[string]Session{"single-hop": single, "multihop": multi, "with a key": keyed(multi, oldKey)} {
		t.Run(name, func(t *testing.T) {
			l, e, peer, sign := attacked(t, session)
			for _, state := range []State{Down, AdminDown} {
				for _, your := range []uint32{0, 1, e.discr + 1} {
					for my := uint32(1); my < 2000; my++ {
						p := from(state)
						p.my, p.your = my, your
						l.accept(sign(p, 102), epoch)
					}
				}
			}
			if e.state != Up || e.flaps != 0 {
				t.Fatalf("the session is %v: %q", e.state, e.lastDown)
			}
			// The peer itself, when it has lost us: it has the same discriminator.
			peer.state, peer.your = Down, 0
			l.accept(sign(peer, 102), epoch)
			if e.state == Up {
				t.Errorf("the peer's own Down is discarded: %v", l.discards)
			}
		})
	}
}

// TestFarAway: over several hops a packet from further away than the peer is
// discarded (RFC 5883 5).
func TestFarAway(t *testing.T) {
	s := between(addrA, addrB, 50*ms)
	s.Multihop, s.MinTTL = true, 254
	l, e, peer, sign := attacked(t, s)
	peer.state = Down
	for _, ttl := range []int{1, 64, 253} {
		d := sign(peer, 0)
		d.hopLimit = ttl
		l.accept(d, epoch)
	}
	if e.state != Up || l.discards[tooFarAway] != 3 {
		t.Errorf("%v, %v", e.state, l.discards)
	}
}

// TestReplay: a packet that is sent again is discarded, and one that was changed too.
func TestReplay(t *testing.T) {
	l, e, peer, sign := attacked(t, keyed(between(addrA, addrB, 50*ms), oldKey))
	peer.state = Down
	down := func(sequence uint32) datagram { return sign(peer, sequence) }
	for sequence, want := range map[uint32]error{
		101: errSequence, 100: errSequence, 1: errSequence, 101 + 10: errSequence, 1 << 31: errSequence,
	} {
		before := l.discards[want.Error()]
		l.accept(down(sequence), epoch)
		if l.discards[want.Error()] != before+1 || e.state != Up {
			t.Errorf("number %d: %v, %v", sequence, e.state, l.discards)
		}
	}
	for i := range authPacket {
		d := down(102)
		d.payload = slices.Clone(d.payload)
		d.payload[i] ^= 0x41
		l.accept(d, epoch)
		if e.state != Up || e.auth.received != 101 {
			t.Fatalf("taken with octet %d changed: %v", i, e.state)
		}
	}
	l.accept(down(101+9), epoch) // as far ahead as it may be
	if e.state == Up {
		t.Errorf("the peer's own: %v", l.discards)
	}
}

// TestSequenceWraps: the number may pass its end (RFC 5880 6.7.4, circular).
func TestSequenceWraps(t *testing.T) {
	a := auth{received: 1<<32 - 2, known: epoch.Add(time.Second)}
	p := from(Up)
	p.authenticated = true
	for sequence, want := range map[uint32]error{1<<32 - 1: nil, 0: nil, 7: nil, 8: errSequence, 1<<32 - 2: errSequence} {
		b := (&auth{sent: sequence - 1}).appendTo(p.appendTo(nil), oldKey)
		if err := a.verify(b, p, []AuthKey{oldKey}, epoch); err != want {
			t.Errorf("%d: %v, want %v", sequence, err, want)
		}
	}
}

// TestSecretsStayHidden: no way to print a session shows its keys.
func TestSecretsStayHidden(t *testing.T) {
	s := keyed(between(addrA, addrB, ms), oldKey)
	for _, f := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(f, s); strings.Contains(text, oldKey.Secret) {
			t.Errorf("%s: %s", f, text)
		}
	}
	s.Keys = []AuthKey{{3, strings.Repeat("s", 21)}}
	if _, err := s.normalise(); err == nil || strings.Contains(err.Error(), "sss") {
		t.Errorf("a key that is too long: %v", err)
	}
}

// FuzzAccept: no datagram crashes the loop or takes a session with a key down.
func FuzzAccept(f *testing.F) {
	f.Add([]byte(nil), 255, uint32(0))
	f.Add(up, 255, uint32(2))
	f.Fuzz(func(t *testing.T, payload []byte, ttl int, your uint32) {
		l, e, _, _ := attacked(t, keyed(between(addrA, addrB, 50*ms), oldKey))
		l.accept(datagram{payload: payload, local: addrA, remote: addrB, hopLimit: ttl}, epoch)
		if e.state != Up {
			t.Error("taken down")
		}
	})
}
