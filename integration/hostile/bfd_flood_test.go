package hostile

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// bfdPort is the port of single-hop sessions (RFC 5881 4).
const bfdPort = 3784

// TestBFDFlood: someone on the link sends Down with BIRD's address as fast as possible, with
// the TTL that a neighbor's packets have. The session survives, with a key and without.
func TestBFDFlood(t *testing.T) {
	for name, keys := range map[string]struct{ ours, theirs string }{
		"without a key": {},
		"with a key":    {"1 rolling stone\n", `authentication meticulous keyed sha1; password "rolling stone" { id 1; };`},
	} {
		t.Run(name, func(t *testing.T) {
			b := bfdBed(t, keys.ours, keys.theirs)
			lab.Eventually(t, 30*time.Second, func() error { return b.bfdHolds(keys.ours != "", false) })
			duration := 3 * time.Second
			if long {
				duration = 30 * time.Second
			}
			var sent atomic.Uint64
			begin := time.Now()
			if err := lab.WithinNamespace(b.NS(theirs), func() error { return floodDown(begin.Add(duration), &sent) }); err != nil {
				t.Fatal(err)
			}
			t.Logf("%.0f packets a second", float64(sent.Load())/time.Since(begin).Seconds())
			if err := b.bfdHolds(keys.ours != "", true); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBFDOtherKey: without the right key, nobody gets a session.
func TestBFDOtherKey(t *testing.T) {
	b := bfdBed(t, "1 rolling stone\n", `authentication meticulous keyed sha1; password "gathers no moss" { id 1; };`)
	lab.Eventually(t, 30*time.Second, func() error {
		s, err := b.bfdSession()
		if err == nil && (s.BFD.Refused == 0 || s.BFD.LastRefused != "authentication hash does not fit") {
			err = fmt.Errorf("got %+v", s)
		}
		return err
	})
	if s, err := b.bfdSession(); err != nil || s.BFD.State == "Up" {
		t.Errorf("got %+v, %v", s, err)
	}
}

// floodDown sends Down packets until the given time. They lack our discriminator, and each has
// another discriminator of its sender.
func floodDown(until time.Time, sent *atomic.Uint64) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_TTL, 255); err != nil {
		return err
	}
	from, to := netip.MustParseAddr(birdAddress).As4(), netip.MustParseAddr(dutAddress).As4()
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: from}); err != nil {
		return err
	}
	b := make([]byte, 24)
	b[0], b[1], b[2], b[3] = 1<<5, 1<<6, 3, 24
	binary.BigEndian.PutUint32(b[12:], 300_000)
	binary.BigEndian.PutUint32(b[16:], 300_000)
	for i := uint32(1); i%256 != 0 || time.Now().Before(until); i++ {
		binary.BigEndian.PutUint32(b[4:], i)
		if syscall.Sendto(fd, b, syscall.MSG_DONTWAIT, &syscall.SockaddrInet4{Addr: to, Port: bfdPort}) == nil {
			sent.Add(1)
		}
	}
	return nil
}

// bfdBed returns nvad with BIRD beside it and BFD between them. keys is the content of the key
// file and option BIRD's authentication option.
func bfdBed(t *testing.T, keys, option string) *bed {
	t.Helper()
	lab.RequireCommands(t, "bird")
	b := newBed(t, birdAddress)
	keyed := "bfd = { min-tx = 300, min-rx = 300 }"
	if keys != "" {
		file := b.Write("bfd-keys", keys)
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		keyed = fmt.Sprintf("bfd = { min-tx = 300, min-rx = 300, key-file = %q }", file)
	}
	b.bird(fmt.Sprintf(`
router id %[1]s;
protocol device {}
protocol bfd { interface "*" { interval 300 ms; multiplier 3; %[5]s }; }
protocol bgp nvad {
	local %[1]s as %[2]d;
	neighbor %[3]s as %[4]d;
	bfd yes;
	ipv4 { import all; export none; };
}
`, birdAddress, birdASN, dutAddress, dutASN, option), 15)
	b.start(fmt.Sprintf("asn = %d\nrouter-id = %q\n", dutASN, dutAddress) + neighborKeys(birdAddress, birdASN, keyed))
	return b
}

// bfdSession is the part of `nvactl neighbors -o json` about BIRD that the tests read.
type bfdSession struct {
	State string
	BFD   struct {
		State         string
		Flaps         int
		Refused       int
		LastRefused   string `json:"last_refused"`
		Authenticated bool
	}
}

func (b *bed) bfdSession() (s bfdSession, err error) {
	out, err := b.nvactl("neighbors", birdAddress, "-o", "json")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		return s, fmt.Errorf("%w: %s", err, out)
	}
	return s, nil
}

// bfdHolds returns an error unless BFD is up and was never lost. After an attack, BFD must
// also have discarded packets.
func (b *bed) bfdHolds(authenticated, attacked bool) error {
	s, err := b.bfdSession()
	if err != nil {
		return err
	}
	if s.State != "Established" || s.BFD.State != "Up" || s.BFD.Flaps != 0 || s.BFD.Authenticated != authenticated ||
		attacked && s.BFD.Refused == 0 {
		return fmt.Errorf("got %+v", s)
	}
	return nil
}
