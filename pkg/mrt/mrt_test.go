package mrt_test

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/mrt"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

var (
	at     = time.Date(2026, 11, 30, 3, 12, 5, 123_456_789, time.UTC)
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
	ars    = mrt.Peer{ASN: 65515, LocalASN: 65001, Address: addr("10.0.210.4"), LocalAddress: addr("10.0.0.4")}
	six    = mrt.Peer{ASN: 4200000001, LocalASN: 65001, Address: addr("fd00::2")}
)

// TestOctets compares a record with the layout of RFC 6396 3 and 4.4, octet for octet.
func TestOctets(t *testing.T) {
	var out bytes.Buffer
	if err := mrt.NewWriter(&out).StateChange(at, ars, speaker.EstablishedState, speaker.Idle); err != nil {
		t.Fatal(err)
	}
	want := []byte{
		0x6b, 0x0c, 0xe9, 0x85, 0, 17, 0, 5, 0, 0, 0, 28, // time, BGP4MP_ET, STATE_CHANGE_AS4, length
		0, 1, 0xe2, 0x40, // 123,456 microseconds
		0, 0, 0xff, 0xeb, 0, 0, 0xfd, 0xe9, 0, 0, 0, 1, // ASNs, interface, IPv4
		10, 0, 210, 4, 10, 0, 0, 4, 0, 6, 0, 1,
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("got  % x\nwant % x", out.Bytes(), want)
	}
}

// TestBgpdump: bgpdump reads sessions and routes of both families, routes that this machine
// originates, and every attribute that it knows.
func TestBgpdump(t *testing.T) {
	if _, err := exec.LookPath("bgpdump"); err != nil {
		if os.Getenv("NVAD_REQUIRE_ROOT") != "" || os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("bgpdump is missing")
	}
	var out bytes.Buffer
	w := mrt.NewWriter(&out)
	full := route.Attrs{
		ASPath: route.NewASPath(65515, 4200000002), NextHop: addr("10.0.0.1"), MED: route.Some(5), LocalPref: route.Some(200),
		Communities: []route.Community{route.Community(65001<<16 | 7)}, LargeCommunities: []route.LargeCommunity{{Global: 65001, Local1: 1, Local2: 2}},
		Aggregator: route.Aggregator{ASN: 65515, Address: addr("10.0.0.9")}, AtomicAggregate: true,
	}
	for _, err := range []error{
		w.StateChange(at, ars, speaker.OpenConfirm, speaker.EstablishedState),
		w.StateChange(at, six, speaker.EstablishedState, speaker.Active),
		w.Announce(at, ars, prefix("10.100.0.0/16"), full),
		w.Announce(at, six, prefix("fd00:1::/32"), route.Attrs{ASPath: route.NewASPath(4200000001), NextHop: addr("fd00::2")}),
		w.Announce(at, mrt.Peer{ASN: 65001, LocalASN: 65001, Address: ars.LocalAddress, LocalAddress: ars.LocalAddress}, prefix("10.20.0.0/16"), route.Attrs{}),
		w.Withdraw(at, ars, prefix("10.100.0.0/16")),
		w.Withdraw(at, six, prefix("fd00:1::/32")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "records.mrt")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("bgpdump", "-m", file).Output()
	const head = "BGP4MP_ET|1796008325.123456|"
	want := head + strings.Join([]string{
		"STATE|10.0.210.4|65515|5|6",
		"STATE|fd00::2|4200000001|6|3",
		"A|10.0.210.4|65515|10.100.0.0/16|65515 4200000002|IGP|10.0.0.1|200|5|65001:7|AG|65515 10.0.0.9|",
		"A|fd00::2|4200000001|fd00:1::/32|4200000001|IGP|fd00::2|0|0||NAG||",
		"A|10.0.0.4|65001|10.20.0.0/16||IGP|10.0.0.4|0|0||NAG||",
		"W|10.0.210.4|65515|10.100.0.0/16",
		"W|fd00::2|4200000001|fd00:1::/32",
	}, "\n"+head) + "\n"
	if err != nil || string(text) != want {
		t.Errorf("%v\n%swant\n%s", err, text, want)
	}
}

// TestTooLarge: attributes that fit into no message are an error of their own, and nothing is
// written.
func TestTooLarge(t *testing.T) {
	var out bytes.Buffer
	w := mrt.NewWriter(&out)
	for name, a := range map[string]route.Attrs{
		"communities": {NextHop: addr("10.0.0.1"), Communities: make([]route.Community, 20_000)},
		"family":      {NextHop: addr("10.0.0.1")},
	} {
		p := prefix("10.100.0.0/16")
		if name == "family" {
			p = prefix("fd00:1::/32")
		}
		if err := w.Announce(at, ars, p, a); !errors.Is(err, mrt.ErrAttributes) || out.Len() > 0 {
			t.Errorf("%s: %v, %d octets", name, err, out.Len())
		}
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestFullDisk: an error of the writer is returned as it is.
func TestFullDisk(t *testing.T) {
	err := mrt.NewWriter(full{}).Announce(at, ars, prefix("10.100.0.0/16"), route.Attrs{NextHop: addr("10.0.0.1")})
	if !errors.Is(err, os.ErrClosed) || errors.Is(err, mrt.ErrAttributes) {
		t.Error(err)
	}
}
