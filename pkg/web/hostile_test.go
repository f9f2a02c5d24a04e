package web

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// poison tries to become markup and to change the direction of writing.
const poison = "\"'><script>alert(1)</script><svg onload=alert(1)>\u202e\u2066\U000e0041\x1b[31m\x00\u2028]]>&lt;"

// poisoned is a daemon that says nothing but poison.
type poisoned struct{ fake }

func (p *poisoned) ListNeighbors(context.Context, *nvadv1.ListNeighborsRequest) (*nvadv1.ListNeighborsResponse, error) {
	return &nvadv1.ListNeighborsResponse{Neighbors: []*nvadv1.Neighbor{
		{Address: poison, RemoteAsn: 65515, Domain: poison, Description: poison, State: poison, Reason: poison, Warnings: []string{poison}},
		{Address: "10.0.0.1", RemoteAsn: 1, Description: poison, State: "Established"},
	}}, nil
}

func (p *poisoned) ListTunnels(context.Context, *nvadv1.ListTunnelsRequest) (*nvadv1.ListTunnelsResponse, error) {
	return &nvadv1.ListTunnelsResponse{Tunnels: []*nvadv1.Tunnel{{Name: poison, State: poison, Reason: poison, Local: poison, Remotes: []string{poison}, Device: poison,
		Addresses: []string{poison}, Peers: []*nvadv1.TunnelPeer{{Remote: poison, Neighbor: poison, By: poison, Reason: poison}}}}}, nil
}

func poisonedNVA(t *testing.T) nvadv1.NvadClient {
	t.Helper()
	p := &poisoned{}
	p.status = nvadv1.Status{Host: poison, Version: poison, RouterId: poison, WaitingFor: []string{poison}, Problems: []*nvadv1.Problem{{Kind: poison, Name: poison, Text: poison}},
		Warnings: []*nvadv1.Warning{{File: poison, Line: 1, Key: poison, Text: poison}}, Config: &nvadv1.ConfigState{File: poison, FileState: "unreadable"},
		DrainingSince: timestamppb.Now(), DrainingReason: poison}
	p.links = []*nvadv1.Link{{Name: poison, Addresses: []string{poison}}}
	at := &nvadv1.Attributes{AsPath: "65515 12076 " + poison, NextHop: poison, Communities: []string{poison}}
	p.paths = []*nvadv1.Path{{Prefix: "10.0.0.0/8", Neighbor: poison, Attributes: at, Reason: poison, NextHops: []string{poison}, Valid: true}}
	p.story = &nvadv1.Explanation{Prefix: poison, Known: true, NotWanted: poison, Paths: []*nvadv1.PathStory{{Neighbor: poison, Source: "bgp", Received: at, Rule: poison,
		Checks: []*nvadv1.Check{{Name: poison, Value: poison}}, Import: []*nvadv1.PolicyStep{{Object: poison, Rule: poison, Value: poison, Verdict: poison}}}},
		Exports: []*nvadv1.ExportStory{{Neighbor: poison, Held: poison}}}
	e := routeEvent(0, start)
	e.GetRoute().Reason, e.GetRoute().GetNew().AsPath, e.GetRoute().GetNew().Neighbor = poison, poison, poison
	p.record(e)
	path := filepath.Join(t.TempDir(), "nvad.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	nvadv1.RegisterNvadServer(s, p)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return dial(t, "unix:"+path)
}

// TestHostileTexts: whatever a daemon says stays text.
func TestHostileTexts(t *testing.T) {
	b := open(t, NVA{Name: "one", Client: poisonedNVA(t)})
	when := "at=" + start.AddDate(0, 0, 1).Format("2006-01-02T15:04:05Z")
	for _, question := range []string{"site", "state", "state?" + when, "routes", "routes?" + when, "explain?prefix=10.0.0.0/8", "explain?prefix=10.0.0.0/24&" + when, "events", "timeline"} {
		body := b.get("api/"+question, 200)
		if !json.Valid(body) || strings.ContainsAny(string(body), "<>") {
			t.Errorf("%s: %s", question, body)
		}
		invisible(t, question, body)
	}
	for _, question := range []string{"picture", "picture?width=320", "picture?" + when} {
		body := b.get("api/"+question, 200)
		invisible(t, question, body)
		for dec := xml.NewDecoder(strings.NewReader(string(body))); ; {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", question, err)
			}
			if e, ok := token.(xml.StartElement); ok && (e.Name.Local == "script" || e.Name.Local == "style") {
				t.Errorf("%s: element %s", question, e.Name.Local)
			}
		}
	}
	for _, bad := range []string{"picture?width=1", "picture?width=9999", "picture?nva=x", "picture?at=x", "state?at=9999-12-31T23:59:59-23:59", "timeline?since=0000-01-01T00:00:00Z"} {
		b.get("api/"+bad, 400)
	}
}

func invisible(t *testing.T, what string, body []byte) {
	t.Helper()
	if i := strings.IndexFunc(string(body), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("%s: %q", what, body[max(0, i-20):min(len(body), i+20)])
	}
}

// TestHostileTimes: an NVA whose times JSON can't express spoils no answer about the other NVAs.
func TestHostileTimes(t *testing.T) {
	for _, seconds := range []int64{math.MinInt64, -1 << 40, 253402300800, math.MaxInt64} {
		never := &timestamppb.Timestamp{Seconds: seconds, Nanos: math.MinInt32}
		bad, good := &fake{paths: []*nvadv1.Path{{Prefix: "10.0.0.0/8", ReceivedAt: never}}}, &fake{paths: []*nvadv1.Path{pathTo(1)}}
		bad.status = nvadv1.Status{DrainingSince: never, Problems: []*nvadv1.Problem{{Since: never}}, Config: &nvadv1.ConfigState{Since: never, Deadline: never},
			Azure: &nvadv1.AzureState{Taken: never, Error: "?"}}
		e := routeEvent(0, start)
		e.Time = never
		bad.record(e)
		good.record(routeEvent(0, start))
		b := open(t, NVA{Name: "bad", Client: bad.client(t)}, NVA{Name: "good", Client: good.client(t)})
		when := "at=" + start.AddDate(0, 0, 1).Format(time.RFC3339)
		for _, question := range []string{"site", "state", "state?" + when, "routes", "routes?" + when, "explain?prefix=10.0.0.0/24", "explain?prefix=10.0.0.0/24&" + when,
			"events", "events?since=0001-01-01T00:00:00Z", "timeline?since=0001-01-01T00:00:00Z&until=9999-12-31T00:00:00Z"} {
			if body := b.get("api/"+question, 200); !json.Valid(body) {
				t.Errorf("%s: %s", question, body)
			}
		}
	}
}

// TestHostileEvents: an NVA whose events have long names of neighbors takes no more memory than its
// share.
func TestHostileEvents(t *testing.T) {
	f := &fake{}
	for i := range 200 {
		e := routeEvent(2*i, start)
		e.GetRoute().GetNew().Neighbor = strings.Repeat("x", 16<<10)
		f.record(e)
	}
	s := New(Params{Line: func(*nvadv1.WatchEvent) string { return "" }})
	s.nvas = make([]*nva, 256) // so that a share is 1 MiB
	n := newNVA(s, NVA{Name: "one", Client: f.client(t)})
	l, err := n.books.read(t.Context())
	if err != nil || len(l.rows) > 64 || len(l.rows)+l.leftOut != 200 {
		t.Errorf("%d events are kept and %d left out, %v", len(l.rows), l.leftOut, err)
	}
	if p := n.history(t.Context(), ""); p.err != nil || len(p.value) == 0 || len(p.value) > 64 {
		t.Errorf("the history has %d chapters, %v", len(p.value), p.err)
	}
}

// TestReadsOnly: no client of the service that changes something is anywhere in this package.
func TestReadsOnly(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") && strings.Contains(string(text), "NvadControl") {
			t.Errorf("%s uses the service NvadControl", name)
		}
	}
}

// TestStyle serves the style of the picture, and a browser need not load it twice.
func TestStyle(t *testing.T) {
	b := open(t, NVA{Name: "one", Client: (&fake{}).client(t)})
	if css := string(b.get("static/drawing.css", 200)); !strings.Contains(css, ".drawing") {
		t.Errorf("got %s", css)
	}
	r, err := b.client.Get(b.root + "static/drawing.css")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	again, err := http.NewRequest(http.MethodGet, b.root+"static/drawing.css", nil)
	if err != nil {
		t.Fatal(err)
	}
	again.Header.Set("If-None-Match", r.Header.Get("ETag"))
	answer, err := b.client.Do(again)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != 304 {
		t.Errorf("got %s", answer.Status)
	}
}
