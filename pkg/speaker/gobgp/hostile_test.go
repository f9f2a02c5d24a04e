package gobgp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// Building blocks of UPDATEs: ORIGIN IGP, AS_PATH 65002, NEXT_HOP 192.0.2.1 and
// the NLRI 203.0.113.0/24.
const (
	hexOrigin  = "40 01 01 00 "
	hexPath    = "40 02 06 02 01 0000fdea "
	hexNextHop = "40 03 04 c0000201 "
	hexBase    = hexOrigin + hexPath + hexNextHop
	hexNLRI    = "18 cb0071"
	hexMPReach = "80 0e 1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8 "
)

// What may become of an UPDATE.
const (
	accepted  = "accepted"  // the route is announced
	withdrawn = "withdrawn" // treated as withdraw
	ignored   = "ignored"   // no event
)

// hostileCases are UPDATEs that have hurt BGP implementations. Attributes and
// NLRI are in hexadecimal; want is one of the above or a NOTIFICATION.
var hostileCases = []struct{ name, attrs, nlri, want string }{
	{"plain", hexBase, hexNLRI, accepted},
	{"NEXT_HOP of 0 octets", hexOrigin + hexPath + "40 03 00", hexNLRI, withdrawn},
	{"NEXT_HOP of 1 octet", hexOrigin + hexPath + "40 03 01 c0", hexNLRI, withdrawn},
	{"NEXT_HOP of 2 octets", hexOrigin + hexPath + "40 03 02 c000", hexNLRI, withdrawn},
	{"NEXT_HOP of 3 octets", hexOrigin + hexPath + "40 03 03 c00002", hexNLRI, withdrawn},
	{"NEXT_HOP of 16 octets", hexOrigin + hexPath + "40 03 10 20010db8000000000000000000000001", hexNLRI, withdrawn},
	{"NEXT_HOP of 0 octets, no flags", hexOrigin + hexPath + "00 03 00", hexNLRI, withdrawn},
	{"NEXT_HOP 0.0.0.0", hexOrigin + hexPath + "40 03 04 00000000", hexNLRI, withdrawn},
	{"NEXT_HOP 224.0.0.1", hexOrigin + hexPath + "40 03 04 e0000001", hexNLRI, withdrawn},
	{"unrecognised well-known attribute", hexBase + "40 63 01 00", hexNLRI, "3/2"},
	{"unrecognised well-known attribute without NLRI", "40 63 01 00", "", "3/2"},
	{"AS4_PATH before AS_PATH", "c0 11 06 02 01 0000fdea " + hexBase, hexNLRI, accepted},
	{"ORIGIN of 2 octets with MP_REACH of an unknown family", "40 01 02 0000 " + hexPath + "80 0e 09 4000 47 04 00000000 00", "", withdrawn},
	{"MED of 3 octets with MP_REACH", hexOrigin + hexPath + "80 04 03 000000 " + hexMPReach, "", withdrawn},
	{"ORIGIN without transitive flag", "00 01 01 00 " + hexPath + hexNextHop, hexNLRI, withdrawn},
	{"ORIGIN 3", "40 01 01 03 " + hexPath + hexNextHop, hexNLRI, withdrawn},
	{"AS_PATH without transitive flag", hexOrigin + "00 02 06 02 01 0000fdea " + hexNextHop, hexNLRI, withdrawn},
	{"IPv6 extended community of 1 octet", hexBase + "c0 19 01 00", hexNLRI, accepted},
	{"IPv6 extended community of 19 octets", hexBase + "c0 19 13 " + strings.Repeat("00", 19), hexNLRI, accepted},
	{"attribute length beyond the attributes", hexBase + "80 04 40 00000000", hexNLRI, withdrawn},
	{"attributes end within a header", hexBase + "80 04", hexNLRI, withdrawn},
	{"malformed attribute and no routes", "40 01 02 0000", "", "3/1"},
	{"AS_PATH of 0 octets", hexOrigin + "40 02 00 " + hexNextHop, hexNLRI, accepted},
	{"AS_PATH segment of 0 ASNs", hexOrigin + "40 02 02 02 00 " + hexNextHop, hexNLRI, withdrawn},
	{"AS_PATH segment cut", hexOrigin + "40 02 06 02 02 0000fdea " + hexNextHop, hexNLRI, withdrawn},
	{"AS_PATH segment of type 5", hexOrigin + "40 02 06 05 01 0000fdea " + hexNextHop, hexNLRI, withdrawn},
	{"AS_PATH of 255 hops", hexOrigin + "50 02 03fe 02 ff" + strings.Repeat("0000fdea", 255) + hexNextHop, hexNLRI, accepted},
	{"confederation segment", hexOrigin + "40 02 06 03 01 0000fdea " + hexNextHop, hexNLRI, withdrawn},
	{"Prefix-SID, unknown SRv6 sub-TLV", hexBase + "c0 28 0b 05 0008 00 02 0004 00000000", hexNLRI, accepted},
	{"Prefix-SID, SID structure of 1 octet", hexBase + "c0 28 20 05 001d 00 01 0019 00 " + strings.Repeat("00", 16) + " 00 0001 00 01 0001 00", hexNLRI, accepted},
	{"duplicate attribute", hexBase + "40 01 01 00", hexNLRI, accepted},
	{"duplicate MP_REACH", hexOrigin + hexPath + hexMPReach + hexMPReach, "", "3/1"},
	{"missing NEXT_HOP", hexOrigin + hexPath, hexNLRI, withdrawn},
	{"missing AS_PATH", hexOrigin + hexNextHop, hexNLRI, withdrawn},
	{"missing ORIGIN", hexPath + hexNextHop, hexNLRI, withdrawn},
	{"missing everything", "", hexNLRI, withdrawn},
	{"NLRI of length 33", hexBase, "21 cb00710000", "3/10"},
	{"NLRI cut", hexBase, "18 cb00", "3/10"},
	{"AGGREGATOR of 5 octets", hexBase + "c0 07 05 0000000000", hexNLRI, accepted},
	{"ATOMIC_AGGREGATE of 1 octet", hexBase + "40 06 01 00", hexNLRI, accepted},
	{"COMMUNITIES of 3 octets", hexBase + "c0 08 03 000000", hexNLRI, withdrawn},
	{"EXTENDED COMMUNITIES of 7 octets", hexBase + "c0 10 07 00000000000000", hexNLRI, withdrawn},
	{"EXTENDED COMMUNITIES of an unknown type", hexBase + "c0 10 08 0606000000000000", hexNLRI, accepted},
	{"EXTENDED COMMUNITIES, well-known", hexBase + "40 10 08 0002fdea00000001", hexNLRI, withdrawn},
	{"OTC of 3 octets", hexBase + "c0 23 03 000000", hexNLRI, withdrawn},
	{"LARGE_COMMUNITY of 11 octets", hexBase + "c0 20 0b " + strings.Repeat("00", 11), hexNLRI, withdrawn},
	{"LOCAL_PREF from an external neighbor", hexBase + "40 05 04 00000064", hexNLRI, accepted},
	{"AIGP of 1 octet", hexBase + "80 1a 01 00", hexNLRI, accepted},
	{"AIGP TLV of length 0", hexBase + "80 1a 03 01 0000", hexNLRI, accepted},
	{"tunnel encapsulation cut", hexBase + "c0 17 03 00 01 ff", hexNLRI, accepted},
	{"PMSI tunnel of 1 octet", hexBase + "c0 16 01 00", hexNLRI, accepted},
	{"BGP-LS attribute cut", hexBase + "80 1d 03 04 02 ff", hexNLRI, accepted},
	{"MP_REACH with a next hop of 0 octets", hexOrigin + hexPath + "80 0e 05 0002 01 00 00", "", "3/9"},
	{"MP_REACH with a next hop of 255 octets", hexOrigin + hexPath + "80 0e 05 0002 01 ff 00", "", "3/9"},
	{"MP_REACH of 3 octets", hexOrigin + hexPath + "80 0e 03 0002 01", "", "3/9"},
	{"MP_UNREACH of 2 octets", "80 0f 02 0002", "", "3/9"},
	{"IPv6 prefix of length 129", hexOrigin + hexPath + "80 0e 16 0002 01 10 20010db8000000000000000000000001 00 81", "", "3/10"},
	{"MP_REACH, next hop ::", hexOrigin + hexPath + "80 0e 1a 0002 01 10 00000000000000000000000000000000 00 20 20010db8", "", withdrawn},
	{"MP_REACH of IPv4 with an IPv6 next hop", hexOrigin + hexPath + "80 0e 19 0001 01 10 20010db8000000000000000000000001 00 18 cb0071", "", accepted},
	{"garbage of family 1/4", hexOrigin + hexPath + "80 0e 0a 0001 04 04 c0000201 00 ff", "", ignored},
	{"garbage of family 1/128", hexOrigin + hexPath + "80 0e 0a 0001 80 04 c0000201 00 ff", "", ignored},
	{"garbage of family 25/65", hexOrigin + hexPath + "80 0e 0b 0019 41 04 c0000201 00 0102", "", ignored},
	{"garbage of family 25/70", hexOrigin + hexPath + "80 0e 0a 0019 46 04 c0000201 00 ff", "", ignored},
	{"garbage of family 1/133", hexOrigin + hexPath + "80 0e 0a 0001 85 04 c0000201 00 ff", "", ignored},
	{"garbage withdrawn of family 16388/71", "80 0f 05 4004 47 ffff", "", ignored},
}

// TestMalformedUpdates is RFC 7606 over the wire. After each case the process
// must still take routes from another neighbor.
func TestMalformedUpdates(t *testing.T) {
	s := newTestSpeaker(t, "127.0.3.1", "10.0.0.1", 65001)
	for _, c := range hostileCases {
		t.Run(c.name, func(t *testing.T) {
			peer, _ := rawSession(t, s, "127.0.3.2", rawOpen{asn: 65002, id: "10.0.0.2", hold: 90})
			defer drop(s)
			peer.update(unhex(c.attrs), unhex(c.nlri))
			if strings.Contains(c.want, "/") {
				n := decodeNotification(peer.mustEnd(), false)
				if got := fmt.Sprintf("%d/%d", n.Code, n.Subcode); got != c.want {
					t.Errorf("NOTIFICATION %s, want %s", got, c.want)
				}
				if d := next[speaker.Down](s, 2*time.Second); !strings.Contains(d.Reason, "NOTIFICATION sent: UPDATE Message Error") {
					t.Errorf("down: %s", d.Reason)
				}
				return
			}
			peer.update(unhex(hexBase), unhex("08 0a")) // tells where the case ends
			if got := fate(s); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// mustEnd returns the NOTIFICATION that ends the connection.
func (p *rawPeer) mustEnd() message {
	p.t.Helper()
	for {
		m := p.read()
		if m == nil {
			p.t.Fatal("connection closed without NOTIFICATION")
		}
		if m.kind() == 3 {
			return m
		}
	}
}

// fate is what became of the UPDATE before the one that announces 10.0.0.0/8.
func fate(s *testSpeaker) string {
	s.t.Helper()
	ev := next[speaker.Update](s, 2*time.Second)
	switch {
	case len(ev.Announced) == 1 && ev.Announced[0] == prefix("10.0.0.0/8"):
		return ignored
	case len(ev.Announced) > 0:
		return accepted
	case ev.Err != nil:
		return withdrawn
	}
	return ignored
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
			peer.send(unhex(c.message))
			n := decodeNotification(peer.mustEnd(), false)
			if got := fmt.Sprintf("%d/%d", n.Code, n.Subcode); got != c.want {
				t.Errorf("NOTIFICATION %s, want %s", got, c.want)
			}
		})
	}
}
