package gobgp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
	"github.com/nvad/nvad/pkg/speaker/wire/wiretest"
)

// TestMalformedUpdates is RFC 7606 over the wire. After each case the process
// must still take routes from another neighbor.
func TestMalformedUpdates(t *testing.T) {
	s := newTestSpeaker(t, "127.0.3.1", "10.0.0.1", 65001)
	for _, c := range wiretest.HostileUpdates {
		t.Run(c.Name, func(t *testing.T) {
			peer, _ := rawSession(t, s, "127.0.3.2", rawOpen{asn: 65002, id: "10.0.0.2", hold: 90})
			defer drop(s)
			peer.update(wiretest.Unhex(c.Attrs), wiretest.Unhex(c.NLRI))
			if strings.Contains(c.Want, "/") {
				n := wire.ParseNotification(peer.mustEnd(), false)
				if got := fmt.Sprintf("%d/%d", n.Code, n.Subcode); got != c.Want {
					t.Errorf("NOTIFICATION %s, want %s", got, c.Want)
				}
				if d := next[speaker.Down](s, 2*time.Second); !strings.Contains(d.Reason, "NOTIFICATION sent: UPDATE Message Error") {
					t.Errorf("down: %s", d.Reason)
				}
				return
			}
			peer.update(wiretest.Unhex(wiretest.HexBase), wiretest.Unhex("08 0a")) // marks the end of the case
			if got := fate(s); got != c.Want {
				t.Errorf("%s, want %s", got, c.Want)
			}
		})
	}
}

// mustEnd returns the NOTIFICATION that ends the connection.
func (p *rawPeer) mustEnd() wire.Message {
	p.t.Helper()
	for {
		m := p.read()
		if m == nil {
			p.t.Fatal("connection closed without NOTIFICATION")
		}
		if m.Type() == 3 {
			return m
		}
	}
}

// fate says how the UPDATE was handled that came before the one that announces 10.0.0.0/8.
func fate(s *testSpeaker) string {
	s.t.Helper()
	ev := next[speaker.Update](s, 2*time.Second)
	switch {
	case len(ev.Announced) == 1 && ev.Announced[0] == prefix("10.0.0.0/8"):
		return wiretest.Ignored
	case len(ev.Announced) > 0:
		return wiretest.Accepted
	case ev.Err != nil:
		return wiretest.Withdrawn
	}
	return wiretest.Ignored
}

// drop ends the session of s with whatever neighbor it has.
func drop(s *testSpeaker) {
	s.configure()
	for done := false; !done; {
		select {
		case <-s.Events():
		case <-time.After(20 * time.Millisecond):
			done = true
		}
	}
}

// TestHostileMessages sends messages other than UPDATEs that are wrong.
func TestHostileMessages(t *testing.T) {
	cases := []struct{ name, message, want string }{
		{"unknown type", strings.Repeat("ff", 16) + "0013 ff", "1/3"},
		{"type 0", strings.Repeat("ff", 16) + "0013 00", "1/3"},
		{"marker", strings.Repeat("00", 16) + "0013 04", "1/1"},
		{"length 18", strings.Repeat("ff", 16) + "0012 02", "1/2"},
		{"length 65535", strings.Repeat("ff", 16) + "ffff 02", "1/2"},
		{"KEEPALIVE with a body", strings.Repeat("ff", 16) + "0014 04 00", "1/2"},
		{"NOTIFICATION without a body", strings.Repeat("ff", 16) + "0013 03", "1/2"},
		{"UPDATE without a body", strings.Repeat("ff", 16) + "0013 02", "1/2"},
		{"ROUTE-REFRESH of 5 octets", strings.Repeat("ff", 16) + "0018 05 0001000100", "7/1"},
		{"ROUTE-REFRESH of 3 octets", strings.Repeat("ff", 16) + "0016 05 000100", "1/2"},
		{"OPEN", strings.Repeat("ff", 16) + "001d 01 04 fdea 005a 0a000002 00", "5/3"},
		{"UPDATE, withdrawn length 2 of a /32", strings.Repeat("ff", 16) + "001c 02 0002 20 0a000001 0000", "3/10"},
		{"UPDATE, attributes beyond the message", strings.Repeat("ff", 16) + "001b 02 0000 0005 40010100", "3/1"},
	}
	s := newTestSpeaker(t, "127.0.3.1", "10.0.0.1", 65001)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			peer, _ := rawSession(t, s, "127.0.3.2", rawOpen{asn: 65002, id: "10.0.0.2", hold: 90})
			defer drop(s)
			peer.send(wiretest.Unhex(c.message))
			n := wire.ParseNotification(peer.mustEnd(), false)
			if got := fmt.Sprintf("%d/%d", n.Code, n.Subcode); got != c.want {
				t.Errorf("NOTIFICATION %s, want %s", got, c.want)
			}
		})
	}
}

// TestMalformedAreCounted: each malformed UPDATE counts once by action and once by class,
// also the one that ends the session.
func TestMalformedAreCounted(t *testing.T) {
	s := newTestSpeaker(t, "127.0.3.3", "10.0.0.1", 65001)
	peer, up := rawSession(t, s, "127.0.3.4", rawOpen{asn: 65002, id: "10.0.0.2", hold: 90})
	peer.update(wiretest.Unhex(wiretest.HexBase), wiretest.Unhex(wiretest.HexNLRI))
	peer.update(wiretest.Unhex(wiretest.HexBase+"c0 07 05 0000000000"), wiretest.Unhex(wiretest.HexNLRI))
	peer.update(wiretest.Unhex("40 01 01 03 "+wiretest.HexPath+wiretest.HexNextHop+wiretest.HexMPReach), wiretest.Unhex(wiretest.HexNLRI)) // two events
	peer.update(wiretest.Unhex(wiretest.HexBase+"c0 08 00"), wiretest.Unhex(wiretest.HexNLRI))
	peer.update(wiretest.Unhex(wiretest.HexBase), wiretest.Unhex("21 cb00710000"))
	peer.mustEnd()
	next[speaker.Down](s, 2*time.Second)
	want := speaker.MalformedCounts{
		ByAction: [speaker.Actions]uint64{speaker.AttributeDiscard: 1, speaker.TreatAsWithdraw: 2, speaker.SessionReset: 1},
		ByClass:  [speaker.Classes]uint64{speaker.WrongLength: 2, speaker.WrongValue: 1, speaker.WrongPrefix: 1},
	}
	if st, _ := s.Stats(up.Neighbor()); st.Malformed != want || st.Malformed.Total() != 4 {
		t.Errorf("%+v, want %+v", st.Malformed, want)
	}
}

// TestNotificationReason: the reason of Down quotes the neighbor's NOTIFICATION.
func TestNotificationReason(t *testing.T) {
	for body, words := range map[string]string{
		"0602 05 6265616368": `Cease/Administrative Shutdown "beach"`,
		"0609 0609 0609":     "Cease/Hard Reset: Cease/Hard Reset",
		"060a":               "Cease/BFD Down",
		"0701":               "ROUTE-REFRESH Message Error/Invalid Message Length",
		"0800":               "Send Hold Timer Expired",
		"6301":               "code 99/subcode 1",
	} {
		s := newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
		p, _ := rawSession(t, s, "127.0.4.9", rawOpen{asn: 65010, id: "10.0.0.9", hold: 90})
		p.send(wire.NewMessage(3, wiretest.Unhex(body)))
		if got := next[speaker.Down](s, 2*time.Second).Reason; got != "NOTIFICATION received: "+words {
			t.Errorf("%s: %s", body, got)
		}
		s.close(CloseOptions{})
	}
}
