package wire

import (
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire/wiretest"
)

// notifications has bodies in hexadecimal, and the words for them.
var notifications = []struct {
	body  string
	asn   uint32 // of the neighbor; 0: 65010
	words string
}{
	{"0101", 0, "Message Header Error/Connection Not Synchronized"},
	{"0102 0013", 0, "Message Header Error/Bad Message Length: 19 bytes"},
	{"0103 09", 0, "Message Header Error/Bad Message Type: type 9"},
	{"0201 0004", 0, "OPEN Message Error/Unsupported Version Number: version 4 is supported"},
	{"0202", 0, "OPEN Message Error/Bad Peer AS: it expects another AS than 65001"},
	{"0203", 0, "OPEN Message Error/Bad BGP Identifier"},
	{"0206", 0, "OPEN Message Error/Unacceptable Hold Time"},
	{"0207 41040000fde9 4600", 0, "OPEN Message Error/Unsupported Capability: 4-octet AS Number, Enhanced Route Refresh"},
	{"0207 4104", 0, "OPEN Message Error/Unsupported Capability"},
	{"020b", 0, "OPEN Message Error/Role Mismatch"},
	{"0301", 0, "UPDATE Message Error/Malformed Attribute List"},
	{"0303 03", 0, "UPDATE Message Error/Missing Well-known Attribute"},
	{"0303 0300", 0, "UPDATE Message Error/Missing Well-known Attribute: NEXT_HOP"},
	{"0306 400107", 0, "UPDATE Message Error/Invalid ORIGIN Attribute: ORIGIN"},
	{"0309 c0fa00", 0, "UPDATE Message Error/Optional Attribute Error: attribute 250"},
	{"0400", 0, "Hold Timer Expired"},
	{"0503 01", 0, "Finite State Machine Error/Receive Unexpected Message in Established State: OPEN"},
	{"0601", 0, "Cease/Maximum Number of Prefixes Reached"},
	{"0601 000101 000003e8", 0, "Cease/Maximum Number of Prefixes Reached: limit 1,000"},
	{"0601", 65515, "Cease/Maximum Number of Prefixes Reached: Route Server counts current plus incoming routes, limit 4,000"},
	{"0601 000101 000003e8", 65515, "Cease/Maximum Number of Prefixes Reached: Route Server counts current plus incoming routes, limit 1,000"},
	{"0602", 0, "Cease/Administrative Shutdown"},
	{"0602 05 6265616368", 0, `Cease/Administrative Shutdown "beach"`},
	{"0602 03 ff0a41", 0, "Cease/Administrative Shutdown"},        // not UTF-8
	{"0602 09 6265616368", 0, "Cease/Administrative Shutdown"},    // cut short
	{"0602 03 410a42", 0, `Cease/Administrative Shutdown "A\nB"`}, // a line stays a line
	{"0603", 0, "Cease/Peer De-configured"},
	{"0604 03 6d6f76", 0, `Cease/Administrative Reset "mov"`},
	{"0605", 0, "Cease/Connection Rejected"},
	{"0606", 0, "Cease/Other Configuration Change"},
	{"0607", 0, "Cease/Connection Collision Resolution"},
	{"0608", 0, "Cease/Out of Resources"},
	{"0609 0602 05 6265616368", 0, `Cease/Hard Reset: Cease/Administrative Shutdown "beach"`},
	{"0609 0601 000101 000003e8", 0, "Cease/Hard Reset: Cease/Maximum Number of Prefixes Reached: limit 1,000"},
	{"0609 0609 0609", 0, "Cease/Hard Reset: Cease/Hard Reset"},
	{"0609", 0, "Cease/Hard Reset"},
	{"060a", 0, "Cease/BFD Down"},
	{"0701", 0, "ROUTE-REFRESH Message Error/Invalid Message Length"},
	{"0800", 0, "Send Hold Timer Expired"},
	{"0663", 0, "Cease/subcode 99"},
	{"6301", 0, "code 99/subcode 1"},
}

// TestNotificationWords: what a neighbor sends reads like a sentence, whatever
// it sends.
func TestNotificationWords(t *testing.T) {
	for _, c := range notifications {
		asn := c.asn
		if asn == 0 {
			asn = 65010
		}
		n := ParseNotification(NewMessage(3, wiretest.Unhex(strings.ReplaceAll(c.body, " ", ""))), false)
		got := DescribeReceived(n, &speaker.Neighbor{LocalASN: 65001, RemoteASN: asn})
		if want := "NOTIFICATION received: " + c.words; got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.body, got, want)
		}
	}
}
