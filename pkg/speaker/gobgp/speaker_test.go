package gobgp

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// testPort is the port of all speakers of these tests, each at an address of its own in
// 127.0.0.0/8. Every run has a port of its own.
var testPort = freePort()

// freePort returns a port that no other run of these tests has, below those that the
// kernel gives to clients. An abstract unix socket with its number keeps others from it
// until this process ends.
func freePort() uint16 {
	for port := uint16(10179); port < 11179; port++ {
		l, err := net.Listen("unix", fmt.Sprintf("@nvad-gobgp-test-%d", port))
		if err == nil {
			portLock = l
			return port
		}
	}
	panic("no free port")
}

var portLock net.Listener

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// testSpeaker is a Speaker with the events it has emitted.
type testSpeaker struct {
	*Speaker
	t    testing.TB
	addr netip.Addr
	asn  uint32
}

func newTestSpeaker(t testing.TB, address, id string, asn uint32, change ...func(*Options)) *testSpeaker {
	t.Helper()
	o := Options{ASN: asn, RouterID: addr(id), Interner: route.NewInterner(), Port: testPort, Log: testLog(t)}
	for _, c := range change {
		c(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ts := &testSpeaker{Speaker: s, t: t, addr: addr(address), asn: asn}
	t.Cleanup(func() { ts.close(CloseOptions{}) })
	return ts
}

// testLog writes to standard error if NVAD_TEST_LOG is set.
func testLog(t testing.TB) *slog.Logger {
	if os.Getenv("NVAD_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("test", t.Name())
}

func (s *testSpeaker) close(o CloseOptions) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Close(ctx, o); err != nil {
		s.t.Errorf("close of %s: %v", s.addr, err)
	}
}

// neighbor is the configuration for a session with other.
func (s *testSpeaker) neighbor(other *testSpeaker) speaker.Neighbor {
	return speaker.Neighbor{
		Address: other.addr, Port: testPort, LocalAddress: s.addr,
		LocalASN: s.asn, RemoteASN: other.asn,
		Families: route.IPv4 | route.IPv6, HoldTime: 9 * time.Second,
	}
}

func (s *testSpeaker) configure(neighbors ...speaker.Neighbor) {
	s.t.Helper()
	s.Configure(neighbors)
	if missing := s.Missing(); len(missing) > 0 {
		s.t.Fatal(missing)
	}
}

// next returns the next event of type E, within d.
func next[E speaker.Event](s *testSpeaker, d time.Duration) E {
	s.t.Helper()
	deadline := time.After(d)
	for {
		select {
		case ev := <-s.Events():
			if e, ok := ev.(E); ok {
				return e
			}
			if os.Getenv("NVAD_TEST_LOG") != "" {
				s.t.Logf("%s: %+v", s.addr, ev)
			}
		case <-deadline:
			var e E
			s.t.Fatalf("%s: no %T within %s", s.addr, e, d)
		}
	}
}

func TestRoutesAreExchanged(t *testing.T) {
	a := newTestSpeaker(t, "127.0.1.1", "10.0.0.1", 65001)
	b := newTestSpeaker(t, "127.0.1.2", "10.0.0.2", 65002)
	a.configure(a.neighbor(b))
	b.configure(b.neighbor(a))
	up := next[speaker.Established](a, 2*time.Second)
	next[speaker.Established](b, 2*time.Second)
	attrs := a.opts.Interner.Intern(route.Attrs{ASPath: route.NewASPath(65001), NextHop: addr("192.0.2.1"), MED: route.Some(7)})
	a.Send(b.addr, up.Session, []speaker.Change{{Prefix: prefix("10.0.0.0/8"), Attrs: attrs}})
	a.SendEndOfRIB(b.addr, up.Session, route.IPv4)
	ev := next[speaker.Update](b, 2*time.Second)
	if len(ev.Announced) != 1 || ev.Announced[0] != prefix("10.0.0.0/8") || !ev.Attrs.Equal(attrs) {
		t.Errorf("received %+v %+v", ev, ev.Attrs)
	}
	if eor := next[speaker.EndOfRIB](b, 2*time.Second); eor.Family != route.IPv4 {
		t.Errorf("End-of-RIB of %s", eor.Family)
	}
	a.Send(b.addr, up.Session, []speaker.Change{{Prefix: prefix("10.0.0.0/8")}})
	if ev := next[speaker.Update](b, 2*time.Second); len(ev.Withdrawn) != 1 {
		t.Errorf("received %+v", ev)
	}
	a.configure()
	down := next[speaker.Down](b, 2*time.Second)
	if want := "NOTIFICATION received: Cease/Peer De-configured"; down.Reason != want {
		t.Errorf("down: %q, want %q", down.Reason, want)
	}
	next[speaker.Down](a, 2*time.Second)
}
