package httpd

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nvad/nvad/pkg/listen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client makes a connection for each request: what a closed listener leaves open
// must not answer for it.
var client = http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func says(text string) map[string]http.Handler {
	return map[string]http.Handler{"GET /" + text: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })}
}

// free is a loopback port that nothing listens on.
func free(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func get(at netip.AddrPort, path string) string {
	resp, err := client.Get("http://" + at.String() + "/" + path)
	if err != nil {
		return "nobody"
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return strings.TrimSpace(string(body))
}

func TestSet(t *testing.T) {
	s := New(slog.New(slog.DiscardHandler), listen.NewPool(listen.Limits{Total: 100, Each: 50}, nil))
	defer s.Close()
	set := func(e Endpoints) {
		t.Helper()
		if err := s.Set(e); err != nil {
			t.Fatal(err)
		}
	}
	want := func(at netip.AddrPort, path, text string) {
		t.Helper()
		if got := get(at, path); got != text {
			t.Errorf("%s/%s: %s, want %s", at, path, got, text)
		}
	}
	a, b := free(t), free(t)
	both := Endpoints{}
	both.Add([]netip.AddrPort{a, b}, says("health"))
	both.Add([]netip.AddrPort{b}, says("metrics"))
	set(both)
	want(a, "health", "health")
	want(a, "metrics", "404 page not found")
	want(b, "health", "health")
	want(b, "metrics", "metrics")

	set(Endpoints{b: says("new")})
	want(a, "health", "nobody")
	want(b, "health", "404 page not found")
	want(b, "new", "new")

	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := s.Set(Endpoints{a: says("a"), taken.Addr().(*net.TCPAddr).AddrPort(): says("b")}); err == nil {
		t.Error("an address that is taken is no error")
	}
	want(a, "a", "nobody")
	want(b, "new", "new")

	// Every address in the place of one, and one that is not there yet.
	all := netip.AddrPortFrom(netip.IPv4Unspecified(), b.Port())
	set(Endpoints{all: says("all"), netip.MustParseAddrPort("192.0.2.1:8080"): says("later")})
	want(b, "all", "all")
	set(Endpoints{b: says("one")})
	want(b, "one", "one")
	set(nil)
	want(b, "one", "nobody")
}

// TestTaken: a port that somebody else has keeps nothing else from being served, nor a
// later change from being made, and is listened on once it is free.
func TestTaken(t *testing.T) {
	synced := make(chan struct{})
	s := New(slog.New(slog.DiscardHandler), listen.NewPool(listen.Limits{Total: 100, Each: 50}, nil))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { defer close(synced); _ = s.Run(ctx) }()
	defer func() { cancel(); <-synced; s.Close() }()
	other, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken, ours := other.Addr().(*net.TCPAddr).AddrPort(), free(t)
	s.Force(Endpoints{taken: says("later"), ours: says("now")})
	if got := get(ours, "now"); got != "now" {
		t.Errorf("what is free: %s", got)
	}
	if m := s.Missing(); len(m) != 1 || !strings.Contains(m[0].Error(), taken.String()+": httpd.test (pid ") {
		t.Errorf("missing: %v", m)
	}
	if err := s.Set(Endpoints{taken: says("later"), ours: says("changed")}); err != nil {
		t.Errorf("what was missing before refuses a change: %v", err)
	}
	if got := get(ours, "changed"); got != "changed" {
		t.Errorf("after a change: %s", got)
	}
	other.Close()
	for end := time.Now().Add(3 * retryTime); get(taken, "later") != "later" || len(s.Missing()) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not served: %v", s.Missing())
		}
	}
}
