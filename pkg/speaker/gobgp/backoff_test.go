package gobgp

import (
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// TestBackoff counts what is a flap, and what is not.
func TestBackoff(t *testing.T) {
	now := time.Now()
	var b backoff
	session := func(lasted time.Duration, asked bool) time.Duration {
		now = now.Add(b.held(now) + lasted)
		b.ended(now.Add(-lasted), now, true, asked)
		return b.held(now)
	}
	for i, want := range []time.Duration{0, 0, 4, 8, 16, 32, 64, 64} {
		if got := session(time.Second, false); got != want*time.Second {
			t.Errorf("flap %d: held back for %s, want %d s", i+1, got, want)
		}
		if i == 4 && b.reason(now) != "held back for 16s after 5 flaps" {
			t.Errorf("reason %q", b.reason(now))
		}
	}
	if got := session(time.Hour, false); got != 0 || b.pause(now) != 0 {
		t.Errorf("after an hour: held back for %s, pause %s", got, b.pause(now))
	}
	if got := session(time.Second, false); got != 0 || b.flaps != 1 {
		t.Errorf("a flap after an hour: %d flaps, held back for %s", b.flaps, got)
	}
	for range 5 {
		if got := session(time.Second, true); got != 0 {
			t.Errorf("after a reset: held back for %s", got)
		}
	}
	for range 20 {
		if got := session(11*time.Second, false); got != 0 {
			t.Errorf("a restart every 11 s: held back for %s", got)
		}
	}
}

// TestFailedHandshakes: a neighbor whose connections fail over and over is kept out, but
// not for long.
func TestFailedHandshakes(t *testing.T) {
	now := time.Now()
	var b backoff
	for i := range 20 {
		now = now.Add(longDamping)
		b.ended(time.Time{}, now, false, false)
		if accepted := b.accepts(now); accepted != (i < freeRefusals) {
			t.Errorf("failure %d: accepted %v", i+1, accepted)
		}
		if !b.accepts(now.Add(longDamping)) {
			t.Errorf("failure %d: kept out for more than %s", i+1, longDamping)
		}
	}
	if pause := b.pause(now); pause > 0 || b.held(now) > 0 {
		t.Errorf("its failures keep us from dialling for %s", pause)
	}
	if reason := b.reason(now); reason != "" {
		t.Errorf("reason %q hides that of the failure", reason)
	}
}

// TestRefusedDialsAcceptTheirs: a neighbor that holds us back refuses all that we dial.
// When its hold has ended it dials, and must be let in: two nvads that were both
// restarted a few times would never meet again.
func TestRefusedDialsAcceptTheirs(t *testing.T) {
	now := time.Now()
	var b backoff
	for range 20 {
		b.ended(time.Time{}, now, true, false)
		if !b.accepts(now) {
			t.Fatal("what the neighbor refuses keeps the neighbor out")
		}
	}
	if pause := b.pause(now); pause < longDamping/2 || pause > longDamping {
		t.Errorf("dialled again after %s", pause)
	}
}

// flap opens sessions as fast as they are accepted and closes each as soon as it is
// established, until the neighbor has been refused ten times. It returns how many sessions
// there were.
func flap(t *testing.T, s *testSpeaker, address string, o rawOpen) (sessions int) {
	t.Helper()
	for refused := 0; refused < 10; {
		p := dialRaw(t, s, address)
		_, _ = p.conn.Write(append(o.message(), wire.Keepalive...))
		m := p.read()
		for m != nil && m.Type() == wire.TypeOpen {
			m = p.read()
		}
		switch {
		case m == nil: // too many are being refused at once
		case m.Type() == wire.TypeKeepalive:
			next[speaker.Established](s, 5*time.Second)
			sessions++
		case m.Body()[0] == speaker.CodeCease && m.Body()[1] == speaker.CeaseRejected:
			refused++
		}
		p.conn.Close()
	}
	return sessions
}

// TestFlapsAreDamped has a neighbor connect, come up and go, over and over, with
// and without graceful restart. Thousands of sessions a minute would cost a walk of
// the table each.
func TestFlapsAreDamped(t *testing.T) {
	for _, graceful := range []bool{false, true} {
		s := newTestSpeaker(t, "127.0.10.1", "10.0.0.1", 65001)
		passive(s, "127.0.10.2", func(n *speaker.Neighbor) { n.RestartTime = time.Minute })
		o := rawOpen{asn: 65002, id: "10.0.0.2", hold: 90, graceful: graceful}
		if n := flap(t, s, "127.0.10.2", o); n != freeFlaps+1 {
			t.Errorf("%d sessions, want %d", n, freeFlaps+1)
		}
		p := dialRaw(t, s, "127.0.10.2")
		if n := wire.ParseNotification(p.mustEnd(), false); n.Code != 6 || n.Subcode != 5 {
			t.Errorf("refused with %s", wire.Describe(n))
		}
		s.Reset(addr("127.0.10.2"), 0, speaker.Notification{Code: 6, Subcode: 4})
		for ev := next[speaker.StateChanged](s, time.Second); ev.State != speaker.Active; ev = next[speaker.StateChanged](s, time.Second) {
			if ev.State == speaker.Idle && !strings.HasPrefix(ev.Reason, "held back for 4s after 3 flaps: ") {
				t.Errorf("reason %q", ev.Reason)
			}
		}
		p = dialRaw(t, s, "127.0.10.2")
		p.open(o)
		next[speaker.Established](s, time.Second)
		s.close(CloseOptions{})
	}
}
