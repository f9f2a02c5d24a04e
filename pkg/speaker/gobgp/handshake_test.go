package gobgp

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

func passive(s *testSpeaker, address string, change ...func(*speaker.Neighbor)) {
	n := speaker.Neighbor{
		Address: addr(address), LocalAddress: s.addr, LocalASN: s.asn, RemoteASN: 65002, Passive: true, HoldTime: 90 * time.Second,
	}
	for _, c := range change {
		c(&n)
	}
	s.configure(n)
}

// TestSilentNeighbor connects and says nothing, or too little (RFC 4271 8.2.2).
func TestSilentNeighbor(t *testing.T) {
	open := rawOpen{asn: 65002, id: "10.0.0.2", hold: 90}.message()
	for name, said := range map[string][]byte{"nothing": nil, "half a header": open[:9], "half an OPEN": open[:wire.HeaderLen+5]} {
		t.Run(name, func(t *testing.T) {
			s := newTestSpeaker(t, "127.0.9.1", "10.0.0.1", 65001)
			s.handshakeTime = 300 * time.Millisecond
			passive(s, "127.0.9.2")
			p := dialRaw(t, s, "127.0.9.2")
			p.send(said)
			if n := wire.ParseNotification(p.mustEnd(), false); n.Code != speaker.CodeHoldTimer {
				t.Errorf("ended with %s", wire.Describe(n))
			}
			for next[speaker.StateChanged](s, time.Second).Reason != "hold timer expired: no OPEN within 300ms" {
			}
		})
	}
}

// TestOpenConfirm sends an OPEN and no KEEPALIVE: the negotiated hold time
// applies, and KEEPALIVEs are sent meanwhile (RFC 4271 8.2.2).
func TestOpenConfirm(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.37.1", "10.0.0.1", 65001)
	s.handshakeTime = time.Second // shorter than the hold time, which must count
	passive(s, "127.0.37.2")
	p := dialRaw(t, s, "127.0.37.2")
	p.send(rawOpen{asn: 65002, id: "10.0.0.2", hold: 3}.message())
	begin, kinds := time.Now(), ""
	for m := p.read(); m != nil; m = p.read() {
		kinds += string('0' + rune(m.Type()))
		if m.Type() == wire.TypeNotification && m.Body()[0] != speaker.CodeHoldTimer {
			t.Errorf("ended with %s", wire.Describe(wire.ParseNotification(m, false)))
		}
	}
	if !strings.HasPrefix(kinds, "144") || !strings.HasSuffix(kinds, "3") {
		t.Errorf("messages of types %s, want OPEN, KEEPALIVEs and a NOTIFICATION", kinds)
	}
	if took := time.Since(begin); took < 2500*time.Millisecond {
		t.Errorf("ended after %s, the hold time is 3 s", took)
	}
}

// TestOpenConfirmIsBounded: a hold time of hours does not keep a handshake open.
func TestOpenConfirmIsBounded(t *testing.T) {
	for _, c := range []struct{ ours, theirs, want time.Duration }{
		{90 * time.Second, 30 * time.Second, 30 * time.Second},
		{65535 * time.Second, 65535 * time.Second, longestConfirm},
		{0, 90 * time.Second, handshakeTime},
		{90 * time.Second, 0, handshakeTime},
	} {
		s := &session{cfg: speaker.Neighbor{HoldTime: c.ours}, peer: wire.Open{HoldTime: c.theirs}, sp: &Speaker{handshakeTime: handshakeTime}}
		if got := s.confirmTime(); got != c.want {
			t.Errorf("%s and %s: %s, want %s", c.ours, c.theirs, got, c.want)
		}
	}
}

// TestUndecodableOpen: what the decoder refuses is answered by nvad.
func TestUndecodableOpen(t *testing.T) {
	s := newTestSpeaker(t, "127.0.9.1", "10.0.0.1", 65001)
	passive(s, "127.0.9.2")
	p := dialRaw(t, s, "127.0.9.2")
	body := append([]byte{4, 0xfd, 0xea, 0, 90, 10, 0, 0, 2}, 4, 2, 2, 65, 200)
	m := wire.NewMessage(wire.TypeOpen, body)
	binary.BigEndian.PutUint16(m[16:], uint16(len(m)))
	p.send(m)
	if n := wire.ParseNotification(p.mustEnd(), false); n.Code != speaker.CodeOpen {
		t.Errorf("ended with %s", wire.Describe(n))
	}
}
