package web

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// busy is a daemon whose journal has many events, several in each instant.
func busy(n int) *fake {
	f := &fake{}
	for i := range n {
		f.record(routeEvent(i, start.Add(time.Duration(i/3)*time.Millisecond)))
	}
	return f
}

// TestEvents pages through 50,000 events of two NVAs: each is there once, the newest first.
func TestEvents(t *testing.T) {
	b := open(t, NVA{Name: "one", Client: busy(30000).client(t)}, NVA{Name: "two", Client: busy(20000).client(t)}, NVA{Name: "none", Client: (&fake{}).client(t)})
	seen := map[string]bool{}
	last := time.Now()
	until := time.Now().UTC().Format(time.RFC3339)
	for from := 0; ; from += 1000 {
		got := settled[eventsAnswer](b, fmt.Sprintf("api/events?limit=1000&offset=%d&until=%s", from, until))
		if got.Total != 50000 || len(got.Errors) != 1 || got.Errors[0].NVA != "none" || got.Oldest == nil || !got.Oldest.Equal(start) {
			t.Fatalf("total %d, errors %+v, oldest %v", got.Total, got.Errors, got.Oldest)
		}
		for _, e := range got.Rows {
			if seen[e.ID] || e.Time.After(last) {
				t.Fatalf("%s twice, or at the wrong place", e.ID)
			}
			seen[e.ID], last = true, e.Time
		}
		if len(got.Rows) == 0 {
			break
		}
	}
	if len(seen) != 50000 {
		t.Errorf("pages have %d events", len(seen))
	}
	line := settled[timelineAnswer](b, "api/timeline?buckets=50&since="+start.Format(time.RFC3339)+"&until="+start.Add(time.Minute).Format(time.RFC3339))
	total, bad := 0, 0
	for _, k := range line.Buckets {
		total += k.Total
		bad += k.Bad
		if k.Counts["routes"] != k.Total {
			t.Errorf("got %+v", k)
		}
	}
	if total != 50000 || bad != 25000 || len(line.Buckets) != 50 || line.Seconds != 1.2 {
		t.Errorf("%d events, %d bad, %d buckets of %f s", total, bad, len(line.Buckets), line.Seconds)
	}
	for _, bad := range []string{"since=x", "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "limit=-1", "nva=x"} {
		b.get("api/events?"+bad, 400)
	}
	b.get("api/timeline?buckets=501", 400)
}

// TestEventsFilter selects events.
func TestEventsFilter(t *testing.T) {
	f := busy(1000)
	at := timestamppb.New(start.Add(time.Minute))
	f.record(&nvadv1.WatchEvent{Time: at, Change: &nvadv1.WatchEvent_Neighbor{Neighbor: &nvadv1.NeighborChange{Address: "10.0.210.5", OldState: "Established",
		NewState: "Idle", Reason: "Hold Timer Expired"}}}, &nvadv1.WatchEvent{Time: at, Change: &nvadv1.WatchEvent_Gap{Gap: &nvadv1.Gap{Lost: 12}}})
	b := open(t, NVA{Name: "one", Client: f.client(t)})
	for q, want := range map[string]int{ // a gap is always there
		"": 1002, "kinds=neighbors": 2, "kinds=tunnels": 1, "kinds=neighbors,routes": 1002, "q=10.0.210.5": 3, "q=10.1.2.0/24": 2, "q=10.0.0.0/16": 257, "q=10.0.0.9": 2,
		"q=hold%20timer": 2, "q=reason%20999": 2, "q=nothing": 1, "until=" + start.Format(time.RFC3339): 0,
		"since=" + start.Add(time.Minute).Format(time.RFC3339): 2,
	} {
		got := settled[eventsAnswer](b, "api/events?"+q)
		if got.Total != want {
			t.Errorf("%s: %d events, want %d", q, got.Total, want)
		}
	}
	if got := settled[eventsAnswer](b, "api/events?kinds=neighbors"); len(got.Gaps) != 1 || got.Gaps[0].Lost != 12 || got.Rows[1].Severity != "bad" ||
		got.Rows[1].Neighbor != "10.0.210.5" {
		t.Errorf("got %+v", got)
	}
}

// TestLedgerGoesOn: what happens later is added once, also in the same instant, and what has been read is
// not read again.
func TestLedgerGoesOn(t *testing.T) {
	f := busy(100) // the last instant has one event
	b := open(t, NVA{Name: "one", Client: f.client(t)})
	total := func() int { return settled[eventsAnswer](b, "api/events").Total }
	if n := total(); n != 100 {
		t.Fatalf("%d events", n)
	}
	last := f.events[99].GetTime().AsTime()
	f.record(routeEvent(100, last), routeEvent(101, last.Add(1)))
	f.watch <- routeEvent(101, last)
	eventually(t, func() bool { return total() == 102 })
	f.mu.Lock()
	defer f.mu.Unlock()
	var again []*nvadv1.ListEventsRequest
	for _, r := range f.reads {
		if r.GetSince() != nil && !r.GetState() {
			again = append(again, r)
		}
	}
	if n := len(again); n < 2 || !again[n-1].GetSince().AsTime().Equal(last) {
		t.Errorf("read %v", again)
	}
	got := settled[eventsAnswer](b, "api/events?since="+start.Add(-48*time.Hour).Format(time.RFC3339))
	if got.Total != 102 {
		t.Errorf("%d events since an earlier time", got.Total)
	}
}

// TestLedgerBound: an endless journal takes no more than its share, and the newest events stay.
func TestLedgerBound(t *testing.T) {
	n := newNVA(New(Params{NVAs: make([]NVA, 64), Line: func(*nvadv1.WatchEvent) string { return strings.Repeat("x", 1000) }}), NVA{})
	n.server.nvas = make([]*nva, 64)
	l := &ledger{}
	for i := range 20000 {
		l.add(n, routeEvent(i, start.Add(time.Duration(i)*time.Second)))
		if l.octets > 2*n.share() {
			t.Fatalf("%d octets", l.octets)
		}
	}
	l.trim(n.share())
	if newest := l.rows[len(l.rows)-1].Time; l.octets > n.share() || l.leftOut+len(l.rows) != 20000 || !newest.Equal(start.Add(19999*time.Second)) {
		t.Errorf("%d octets, %d events, %d left out, the newest of %s", l.octets, len(l.rows), l.leftOut, newest)
	}
}

// TestStream: changes arrive in few messages, however many there are, and so does the loss of an
// NVA.
func TestStream(t *testing.T) {
	f := &fake{}
	b := open(t, NVA{Name: "one", Client: f.client(t)})
	lines := b.stream()
	if got := <-lines; got != "event: hello" {
		t.Fatalf("got %q", got)
	}
	for i := range 500 {
		f.watch <- routeEvent(i, start)
	}
	messages := 0
	for deadline := time.After(2 * time.Second); ; {
		select {
		case l := <-lines:
			if l == `data: {"changes":[{"nva":"one","kinds":["routes"]}]}` {
				messages++
			}
			continue
		case <-deadline:
		}
		break
	}
	if messages == 0 || messages > 9 {
		t.Errorf("%d messages", messages)
	}
}

// TestStreamBound: a page too many is refused, and its place is free again when one is closed.
func TestStreamBound(t *testing.T) {
	b := open(t, NVA{Name: "one", Client: (&fake{}).client(t)})
	for range mostClients {
		<-b.stream()
	}
	b.get("api/stream", http.StatusServiceUnavailable)
	b.client.CloseIdleConnections()
	b.get("api/site", http.StatusOK)
}

// stream opens the stream and returns its lines until the test ends.
func (b *browser) stream() <-chan string {
	b.t.Helper()
	r, err := b.client.Get(b.root + "api/stream")
	if err != nil || r.StatusCode != http.StatusOK {
		b.t.Fatal(r, err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for read := bufio.NewScanner(r.Body); read.Scan(); {
			lines <- read.Text()
		}
	}()
	b.t.Cleanup(func() {
		_ = r.Body.Close()
		for range lines {
		}
	})
	return lines
}

// eventually fails the test if cond does not become true.
func eventually(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never happened")
		}
	}
}
