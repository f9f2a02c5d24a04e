package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/telemetry"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// daemon runs d until the test ends and returns a client of it.
func daemon(t *testing.T, d *apitest.Daemon) nvadv1.NvadClient {
	t.Helper()
	return dial(t, "unix:"+apitest.Serve(t, d, telemetry.BuildInfo{Version: "v1.2.3"}))
}

// dial returns a client of the daemon at target.
func dial(t *testing.T, target string) nvadv1.NvadClient {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return nvadv1.NewNvadClient(conn)
}

// browser is a client that has opened the page.
type browser struct {
	t      *testing.T
	client *http.Client
	root   string // URL of the page
}

// open serves the NVAs until the test ends and opens the page.
func open(t *testing.T, nvas ...NVA) *browser {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for i := range nvas {
		nvas[i].Sentence = error.Error
	}
	s := New(Params{NVAs: nvas, Version: "v1.2.3", Story: func(x *nvadv1.Explanation) string { return x.GetPrefix() + ": summary\n\nmore" },
		Line: func(e *nvadv1.WatchEvent) string {
			return kindOf(e) + " " + e.GetRoute().GetReason() + e.GetNeighbor().GetReason()
		}})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, client: &http.Client{Jar: jar, Transport: &http.Transport{}}}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		b.client.CloseIdleConnections()
	})
	r, err := b.client.Get("http://" + l.Addr().String() + s.Path())
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", r.Request.URL, r.Status)
	}
	b.root = r.Request.URL.String()
	return b
}

// get returns the body of an answer with this status.
func (b *browser) get(path string, status int) []byte {
	b.t.Helper()
	r, err := b.client.Get(b.root + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if r.StatusCode != status {
		b.t.Fatalf("%s: %s\n%s", path, r.Status, body)
	}
	return body
}

// ask decodes the JSON of an answer.
func ask[T any](b *browser, path string) (v T) {
	b.t.Helper()
	if err := json.Unmarshal(b.get(path, http.StatusOK), &v); err != nil {
		b.t.Fatal(err)
	}
	return v
}

// settled is ask for an answer in which every NVA has been heard: on a busy machine, a page gets
// the answers of the others first.
func settled[T any](b *browser, path string) (v T) {
	b.t.Helper()
	eventually(b.t, func() bool {
		body := b.get(path, http.StatusOK)
		return !bytes.Contains(body, []byte(errNoAnswerYet.Error())) && json.Unmarshal(body, &v) == nil
	})
	return v
}

func parsed(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// serveOnce returns the answer to a request from this machine.
func serveOnce(h http.Handler, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8179"+path, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
