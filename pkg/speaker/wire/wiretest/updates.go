// Package wiretest has UPDATEs in hexadecimal, sound and hostile, for the tests of package
// wire and of the sessions above it. It owns no state.
package wiretest

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// Building blocks of UPDATEs: ORIGIN IGP, AS_PATH 65002, NEXT_HOP 192.0.2.1 and
// the NLRI 203.0.113.0/24.
const (
	HexOrigin  = "40 01 01 00 "
	HexPath    = "40 02 06 02 01 0000fdea "
	HexNextHop = "40 03 04 c0000201 "
	HexBase    = HexOrigin + HexPath + HexNextHop
	HexNLRI    = "18 cb0071"
	HexMPReach = "80 0e 1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8 "
)

// How an UPDATE is handled.
const (
	Accepted  = "accepted"  // the route is announced
	Withdrawn = "withdrawn" // treated as withdraw
	Ignored   = "ignored"   // no event
)

// HostileUpdates are UPDATEs that have brought down BGP implementations. Attributes and NLRI
// are in hexadecimal. Want is one of the above, or code/subcode of a NOTIFICATION.
var HostileUpdates = []struct{ Name, Attrs, NLRI, Want string }{
	{"plain", HexBase, HexNLRI, Accepted},
	{"NEXT_HOP of 0 octets", HexOrigin + HexPath + "40 03 00", HexNLRI, Withdrawn},
	{"NEXT_HOP of 1 octet", HexOrigin + HexPath + "40 03 01 c0", HexNLRI, Withdrawn},
	{"NEXT_HOP of 2 octets", HexOrigin + HexPath + "40 03 02 c000", HexNLRI, Withdrawn},
	{"NEXT_HOP of 3 octets", HexOrigin + HexPath + "40 03 03 c00002", HexNLRI, Withdrawn},
	{"NEXT_HOP of 16 octets", HexOrigin + HexPath + "40 03 10 20010db8000000000000000000000001", HexNLRI, Withdrawn},
	{"NEXT_HOP of 0 octets, no flags", HexOrigin + HexPath + "00 03 00", HexNLRI, Withdrawn},
	{"NEXT_HOP 0.0.0.0", HexOrigin + HexPath + "40 03 04 00000000", HexNLRI, Withdrawn},
	{"NEXT_HOP 224.0.0.1", HexOrigin + HexPath + "40 03 04 e0000001", HexNLRI, Withdrawn},
	{"unrecognised well-known attribute", HexBase + "40 63 01 00", HexNLRI, "3/2"},
	{"unrecognised well-known attribute without NLRI", "40 63 01 00", "", "3/2"},
	{"AS4_PATH before AS_PATH", "c0 11 06 02 01 0000fdea " + HexBase, HexNLRI, Accepted},
	{"ORIGIN of 2 octets with MP_REACH of an unknown family", "40 01 02 0000 " + HexPath + "80 0e 09 4000 47 04 00000000 00", "", Withdrawn},
	{"MED of 3 octets with MP_REACH", HexOrigin + HexPath + "80 04 03 000000 " + HexMPReach, "", Withdrawn},
	{"ORIGIN without transitive flag", "00 01 01 00 " + HexPath + HexNextHop, HexNLRI, Withdrawn},
	{"ORIGIN 3", "40 01 01 03 " + HexPath + HexNextHop, HexNLRI, Withdrawn},
	{"AS_PATH without transitive flag", HexOrigin + "00 02 06 02 01 0000fdea " + HexNextHop, HexNLRI, Withdrawn},
	{"IPv6 extended community of 1 octet", HexBase + "c0 19 01 00", HexNLRI, Accepted},
	{"IPv6 extended community of 19 octets", HexBase + "c0 19 13 " + strings.Repeat("00", 19), HexNLRI, Accepted},
	{"attribute length beyond the attributes", HexBase + "80 04 40 00000000", HexNLRI, Withdrawn},
	{"attributes end within a header", HexBase + "80 04", HexNLRI, Withdrawn},
	{"malformed attribute and no routes", "40 01 02 0000", "", "3/1"},
	{"AS_PATH of 0 octets", HexOrigin + "40 02 00 " + HexNextHop, HexNLRI, Accepted},
	{"AS_PATH segment of 0 ASNs", HexOrigin + "40 02 02 02 00 " + HexNextHop, HexNLRI, Withdrawn},
	{"AS_PATH segment cut", HexOrigin + "40 02 06 02 02 0000fdea " + HexNextHop, HexNLRI, Withdrawn},
	{"AS_PATH segment of type 5", HexOrigin + "40 02 06 05 01 0000fdea " + HexNextHop, HexNLRI, Withdrawn},
	{"AS_PATH of 255 hops", HexOrigin + "50 02 03fe 02 ff" + strings.Repeat("0000fdea", 255) + HexNextHop, HexNLRI, Accepted},
	{"confederation segment", HexOrigin + "40 02 06 03 01 0000fdea " + HexNextHop, HexNLRI, Withdrawn},
	{"Prefix-SID, unknown SRv6 sub-TLV", HexBase + "c0 28 0b 05 0008 00 02 0004 00000000", HexNLRI, Accepted},
	{"Prefix-SID, SID structure of 1 octet", HexBase + "c0 28 20 05 001d 00 01 0019 00 " + strings.Repeat("00", 16) + " 00 0001 00 01 0001 00", HexNLRI, Accepted},
	{"duplicate attribute", HexBase + "40 01 01 00", HexNLRI, Accepted},
	{"duplicate MP_REACH", HexOrigin + HexPath + HexMPReach + HexMPReach, "", "3/1"},
	{"missing NEXT_HOP", HexOrigin + HexPath, HexNLRI, Withdrawn},
	{"missing AS_PATH", HexOrigin + HexNextHop, HexNLRI, Withdrawn},
	{"missing ORIGIN", HexPath + HexNextHop, HexNLRI, Withdrawn},
	{"missing everything", "", HexNLRI, Withdrawn},
	{"NLRI of length 33", HexBase, "21 cb00710000", "3/10"},
	{"NLRI cut", HexBase, "18 cb00", "3/10"},
	{"AGGREGATOR of 5 octets", HexBase + "c0 07 05 0000000000", HexNLRI, Accepted},
	{"ATOMIC_AGGREGATE of 1 octet", HexBase + "40 06 01 00", HexNLRI, Accepted},
	{"COMMUNITIES of 3 octets", HexBase + "c0 08 03 000000", HexNLRI, Withdrawn},
	{"EXTENDED COMMUNITIES of 7 octets", HexBase + "c0 10 07 00000000000000", HexNLRI, Withdrawn},
	{"EXTENDED COMMUNITIES of an unknown type", HexBase + "c0 10 08 0606000000000000", HexNLRI, Accepted},
	{"EXTENDED COMMUNITIES, well-known", HexBase + "40 10 08 0002fdea00000001", HexNLRI, Withdrawn},
	{"OTC of 3 octets", HexBase + "c0 23 03 000000", HexNLRI, Withdrawn},
	{"LARGE_COMMUNITY of 11 octets", HexBase + "c0 20 0b " + strings.Repeat("00", 11), HexNLRI, Withdrawn},
	{"LOCAL_PREF from an external neighbor", HexBase + "40 05 04 00000064", HexNLRI, Accepted},
	{"AIGP of 1 octet", HexBase + "80 1a 01 00", HexNLRI, Accepted},
	{"AIGP TLV of length 0", HexBase + "80 1a 03 01 0000", HexNLRI, Accepted},
	{"tunnel encapsulation cut", HexBase + "c0 17 03 00 01 ff", HexNLRI, Accepted},
	{"PMSI tunnel of 1 octet", HexBase + "c0 16 01 00", HexNLRI, Accepted},
	{"BGP-LS attribute cut", HexBase + "80 1d 03 04 02 ff", HexNLRI, Accepted},
	{"MP_REACH with a next hop of 0 octets", HexOrigin + HexPath + "80 0e 05 0002 01 00 00", "", "3/9"},
	{"MP_REACH with a next hop of 255 octets", HexOrigin + HexPath + "80 0e 05 0002 01 ff 00", "", "3/9"},
	{"MP_REACH of 3 octets", HexOrigin + HexPath + "80 0e 03 0002 01", "", "3/9"},
	{"MP_UNREACH of 2 octets", "80 0f 02 0002", "", "3/9"},
	{"IPv6 prefix of length 129", HexOrigin + HexPath + "80 0e 16 0002 01 10 20010db8000000000000000000000001 00 81", "", "3/10"},
	{"MP_REACH, next hop ::", HexOrigin + HexPath + "80 0e 1a 0002 01 10 00000000000000000000000000000000 00 20 20010db8", "", Withdrawn},
	{"MP_REACH of IPv4 with an IPv6 next hop", HexOrigin + HexPath + "80 0e 19 0001 01 10 20010db8000000000000000000000001 00 18 cb0071", "", Accepted},
	{"garbage of family 1/4", HexOrigin + HexPath + "80 0e 0a 0001 04 04 c0000201 00 ff", "", Ignored},
	{"garbage of family 1/128", HexOrigin + HexPath + "80 0e 0a 0001 80 04 c0000201 00 ff", "", Ignored},
	{"garbage of family 25/65", HexOrigin + HexPath + "80 0e 0b 0019 41 04 c0000201 00 0102", "", Ignored},
	{"garbage of family 25/70", HexOrigin + HexPath + "80 0e 0a 0019 46 04 c0000201 00 ff", "", Ignored},
	{"garbage of family 1/133", HexOrigin + HexPath + "80 0e 0a 0001 85 04 c0000201 00 ff", "", Ignored},
	{"garbage withdrawn of family 16388/71", "80 0f 05 4004 47 ffff", "", Ignored},
}

// Unhex reads hexadecimal with spaces.
func Unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func UpdateBody(withdrawn, attrs, nlri []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(withdrawn)))
	b = append(b, withdrawn...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(attrs)))
	return append(append(b, attrs...), nlri...)
}
