package httpd

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nvad/nvad/pkg/listen"
)

// TestHeldConnections: somebody opens connections and says nothing, over and over.
// No more than the limit stay open, and a probe from elsewhere is answered at once
// each time.
func TestHeldConnections(t *testing.T) {
	s := New(slog.New(slog.DiscardHandler), listen.NewPool(listen.Limits{Total: 20, Each: 8}, nil))
	defer s.Close()
	at := free(t)
	if err := s.Set(Endpoints{at: says("health")}); err != nil {
		t.Fatal(err)
	}
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	probe := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return from.DialContext(ctx, "tcp4", at.String())
		},
	}}
	for i := range 300 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i%4))}}
		c, err := d.Dial("tcp4", at.String())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
		if i%10 > 0 {
			continue
		}
		resp, err := probe.Get("http://" + at.String() + "/health")
		if err != nil {
			t.Fatalf("after %d connections: %v", i+1, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("after %d connections: %s", i+1, resp.Status)
		}
	}
}

// TestLargeRequests: a header or a body beyond what a probe sends is refused.
func TestLargeRequests(t *testing.T) {
	s := New(slog.New(slog.DiscardHandler), listen.NewPool(listen.Limits{Total: 20, Each: 8}, nil))
	defer s.Close()
	at := free(t)
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	if err := s.Set(Endpoints{at: {"/": read}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		header, body int
		want         int
	}{
		"small":  {10, 10, http.StatusOK},
		"header": {64 << 10, 0, http.StatusRequestHeaderFieldsTooLarge},
		"body":   {10, 64 << 10, http.StatusRequestEntityTooLarge},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+at.String(), strings.NewReader(strings.Repeat("x", c.body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Long", strings.Repeat("x", c.header))
		resp, err := client.Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %s, want %d", name, resp.Status, c.want)
		}
	}
	s.Close()
	for limit := time.Now().Add(5 * time.Second); goleak.Find() != nil && time.Now().Before(limit); {
		time.Sleep(10 * time.Millisecond) // the server lingers over a request it has refused
	}
}
