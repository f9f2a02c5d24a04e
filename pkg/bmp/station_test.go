package bmp

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/speaker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bed is Stations with an engine that has one neighbor, rs0, and one route of it.
type bed struct {
	t     *testing.T
	all   *Stations
	feeds chan *Feed
	room  chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

func (b *bed) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func newBed(t *testing.T, most int) *bed {
	b := &bed{t: t, feeds: make(chan *Feed, 10), room: make(chan struct{}, 1)}
	b.all = New(Options{
		Name: "hub00a", Description: "nvad v1", Log: slog.New(slog.NewTextHandler(b, nil)),
		Begin: func(f *Feed) {
			f.PeerUp(established(rs0, 65515), then)
			f.Routes([]rib.Heard{heard("10.1.0.0/16", short, short)})
			b.feeds <- f
		},
		Room: func() {
			select {
			case b.room <- struct{}{}:
			default:
			}
		},
		Statistics: func(context.Context) []Statistics { return []Statistics{{Neighbor: rs0, LocRIB: 7}} },
		firstWait:  10 * time.Millisecond, most: most,
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- b.all.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

// listen returns a listener, and its address.
func listen(t *testing.T, at string) (net.Listener, netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).AddrPort()
}

// accept returns the next connection to a station.
func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(5 * time.Second))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	return conn
}

// wantBegin reads what every connection begins with.
func wantBegin(t *testing.T, next func() string) {
	t.Helper()
	wantLines(t, "begin", []string{next(), next(), next(), next()},
		`initiation "nvad v1" "hub00a"`,
		"up 10.0.210.4 AS 65515 ...",
		"pre 10.0.210.4 at 1700000000: + 10.1.0.0/16 ...",
		"post 10.0.210.4 at 1700000000: + 10.1.0.0/16 ...")
}

// eventually polls until ok.
func (b *bed) eventually(what string, ok func(Status) bool) {
	b.t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !ok(b.all.Status()[0]) {
		if time.Now().After(deadline) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.t.Fatalf("%s: %+v\n%s", what, b.all.Status()[0], b.log.String())
		}
		time.Sleep(time.Millisecond)
	}
}

// A station that is absent at first, and goes away later, is sent everything each time.
func TestStationComesAndGoes(t *testing.T) {
	b := newBed(t, 0)
	l, at := listen(t, "127.0.0.1:0")
	l.Close()
	b.all.Configure([]Station{{Address: at, Policy: Both}})
	b.eventually("absent", func(s Status) bool { return !s.Connected && s.Reason == "connection refused" })
	l, _ = listen(t, at.String())
	for n := range 3 {
		conn := accept(t, l)
		next := reader(t, conn)
		wantBegin(t, next)
		f := <-b.feeds
		f.Routes([]rib.Heard{heard("10.1.0.0/16", nil, nil)})
		f.PeerDown(speaker.Down{From: speaker.From{Peer: rs0}}, then)
		wantLines(t, "change", []string{next(), next(), next()},
			"pre 10.0.210.4 at 1700000000: - 10.1.0.0/16", "post 10.0.210.4 at 1700000000: - 10.1.0.0/16", "down 10.0.210.4 reason 4 ...")
		b.eventually("connected", func(s Status) bool {
			return s.Connected && s.Connections == uint64(n+1) && s.Messages >= uint64(7*n+7) && s.Octets > 300
		})
		conn.Close()
		b.eventually("closed", func(s Status) bool { return !s.Connected || s.Connections > uint64(n+1) })
		if !f.Ended() {
			t.Error("the engine still fills the feed of a connection that is over")
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, msg := range []string{"monitoring station not reached", "monitoring station connected", "closed by the station"} {
		if !strings.Contains(b.log.String(), msg) {
			t.Errorf("%q is not logged in\n%s", msg, b.log.String())
		}
	}
}

// A station that does not read is left behind: whoever fills its feed never waits, the memory
// is bounded, the connection is reset, and the next one begins with everything.
func TestSlowStation(t *testing.T) {
	const most = 1 << 20
	b := newBed(t, most)
	l, at := listen(t, "127.0.0.1:0")
	b.all.Configure([]Station{{Address: at, Policy: Both}})
	conn := accept(t, l)
	f := <-b.feeds
	list := make([]rib.Heard, 500)
	for i := range list {
		list[i] = heard("10.1.0.0/16", short, long)
	}
	for full := false; !full; { // fill what the kernel has for the connection
		f.Routes(list)
		deadline := time.Now().Add(300 * time.Millisecond)
		for f.Octets() > 0 && !full {
			time.Sleep(time.Millisecond)
			full = time.Now().After(deadline)
		}
	}
	for n := 0; !f.Ended(); n++ {
		if n == 100_000 {
			t.Fatal("the feed has no end")
		}
		began := time.Now()
		if f.Routes(list); time.Since(began) > time.Second {
			t.Error("it was waited for the station")
		}
		if f.Octets() > most {
			t.Fatalf("%d octets wait", f.Octets())
		}
	}
	second := accept(t, l)
	wantBegin(t, reader(t, second))
	b.eventually("overflow", func(s Status) bool { return s.Overflows == 1 && s.Connections == 2 && s.Connected })
	if _, err := io.Copy(io.Discard, conn); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("the first connection ended with %v", err)
	}
}

// A station that reads is told why nvad ends the connection.
func TestTermination(t *testing.T) {
	b := newBed(t, 0)
	l, at := listen(t, "127.0.0.1:0")
	b.all.Configure([]Station{{Address: at, Policy: Both}})
	next := reader(t, accept(t, l))
	wantBegin(t, next)
	(<-b.feeds).End("the memory budget is exceeded")
	wantLines(t, "ended", []string{next(), next()}, "termination 2", "closed <nil>")
	next = reader(t, accept(t, l))
	wantBegin(t, next)
	b.all.Configure([]Station{{Address: at, Policy: Pre}})
	wantLines(t, "changed", []string{next(), next()}, "termination 0", "closed <nil>")
	next = reader(t, accept(t, l))
	wantLines(t, "begin", []string{next(), next(), next()}, "initiation ...", "up ...", "pre ...")
	b.all.Configure(nil)
	wantLines(t, "removed", []string{next(), next()}, "termination 0", "closed <nil>")
}

// A reload that does not change a station leaves its connection alone.
func TestStationStays(t *testing.T) {
	b := newBed(t, 0)
	l, at := listen(t, "127.0.0.1:0")
	_, other := listen(t, "127.0.0.1:0")
	one := Station{Address: at, Policy: Both, Statistics: 50 * time.Millisecond}
	b.all.Configure([]Station{one})
	next := reader(t, accept(t, l))
	wantBegin(t, next)
	b.all.Configure([]Station{{Address: other, Policy: Pre}, one})
	b.all.Configure([]Station{one})
	for range 3 {
		wantLines(t, "still connected", []string{next()}, "statistics 10.0.210.4 0=0 ...")
	}
	if s := b.all.Status(); len(s) != 1 || s[0].Connections != 1 || s[0].Station != one {
		t.Errorf("%+v", s)
	}
}

// What a station sends is dropped, however much it is, and costs neither memory nor speed.
func TestJunk(t *testing.T) {
	b := newBed(t, 0)
	l, at := listen(t, "127.0.0.1:0")
	b.all.Configure([]Station{{Address: at, Policy: Both}})
	conn := accept(t, l)
	junk := bytes.Repeat([]byte{3, 0, 0, 0, 6, 4, 0xff, 0xff}, 1<<14)
	sent := 0
	_ = conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	for {
		n, err := conn.Write(junk)
		if sent += n; err != nil {
			break
		}
	}
	next := reader(t, conn)
	wantBegin(t, next)
	f := <-b.feeds
	f.Routes([]rib.Heard{heard("10.2.0.0/16", short, nil)})
	wantLines(t, "after the junk", []string{next(), next()}, "pre 10.0.210.4 at 1700000000: + 10.2.0.0/16 ...", "post ...")
	if sent > 32<<20 {
		t.Errorf("%d octets of junk were taken in half a second", sent)
	}
}

// The connection starts from the address that the configuration names.
func TestLocalAddress(t *testing.T) {
	b := newBed(t, 0)
	l, at := listen(t, "127.0.0.1:0")
	b.all.Configure([]Station{{Address: at, Policy: Both, Local: netip.MustParseAddr("127.0.0.77")}})
	if from := accept(t, l).RemoteAddr().(*net.TCPAddr).AddrPort().Addr().String(); from != "127.0.0.77" {
		t.Errorf("from %s", from)
	}
}
