package bmp

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Octets as the figures of RFC 7854 lay them out.
func TestLayout(t *testing.T) {
	at := time.Unix(0x65000001, 5000)
	four := peer{netip.MustParseAddr("10.0.210.4"), 65515, netip.MustParseAddr("10.0.210.254")}
	six := peer{netip.MustParseAddr("fd00::2"), 4200000001, netip.MustParseAddr("10.0.0.2")}
	for _, c := range []struct {
		name, want string
		got        []byte
	}{
		{"initiation (4.3)", "03 00000018 04  0001 0004 6e766164  0002 0006 687562303061", appendInitiation(nil, "hub00a", "nvad")},
		{"termination (4.5)", "03 0000000c 05  0001 0002 0002", appendTermination(nil, outOfResources)},
		{"per-peer header of IPv4 (4.2)", "03 00000031 02  00 00 0000000000000000 000000000000000000000000 0a00d204 0000ffeb 0a00d2fe 65000001 00000005  04",
			appendPeerDown(nil, four, at, remoteClosed, nil)},
		{"per-peer header of IPv6, after policy", "03 00000032 00  00 c0 0000000000000000 fd000000000000000000000000000002 fa56ea01 0a000002 65000001 00000005  beef",
			appendRoutes(nil, six, flagPostPolicy, at, []byte{0xbe, 0xef})},
		{"peer up (4.10)", "03 0000004a 03  00 00 0000000000000000 000000000000000000000000 0a00d204 0000ffeb 0a00d2fe 65000001 00000005 " +
			" 000000000000000000000000 0a000004 00b3 c001  aaaa bbbb bbbb",
			appendPeerUp(nil, four, at, netip.MustParseAddrPort("10.0.0.4:179"), 49153, []byte{0xaa, 0xaa}, []byte{0xbb, 0xbb, 0xbb, 0xbb})},
		{"statistics (4.8)", "03 00000057 01  00 00 0000000000000000 000000000000000000000000 0a00d204 0000ffeb 0a00d2fe 65000001 00000005 " +
			" 00000003  0000 0004 00000007  0007 0008 0000000000000009  0009 000b 0002 01 0000000000000003",
			appendStatistics(nil, four, at, []stat{counter(0, 7), gauge(7, 9), familyGauge(9, 2, 3)})},
	} {
		if want := strings.ReplaceAll(c.want, " ", ""); hex.EncodeToString(c.got) != want {
			t.Errorf("%s:\n got %x\nwant %s", c.name, c.got, want)
		}
	}
}
