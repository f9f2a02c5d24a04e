package web

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

type explainAnswer struct {
	Prefix        string     `json:"prefix"`
	Asked         string     `json:"asked"`
	NVAs          []story    `json:"nvas"`
	History       []chapter  `json:"history"`
	HistoryErrors []nvaError `json:"history_errors"`
}

// story tells what became of a prefix on one NVA, in the order in which it happened.
type story struct {
	NVA     string `json:"nva"`
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
	Known   bool   `json:"known"`
	Verdict string `json:"verdict"` // "good", "bad" or "none"
	Summary string `json:"summary"`
	Steps   []step `json:"steps"`
	Text    string `json:"text"`

	from string // neighbor of the best path
}

// step is one thing that happened to a prefix.
type step struct {
	State  string   `json:"state"` // "ok", "bad" or "info"
	Title  string   `json:"title"`
	Detail string   `json:"detail"`
	Lines  []string `json:"lines"`
}

// explain answers with the story of a prefix, across the NVAs, and with its history.
func (s *Server) explain(r *http.Request) (any, error) {
	at, err := timeOf(r, "at")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), loadTime)
	defer cancel()
	out := explainAnswer{Asked: r.URL.Query().Get("prefix"), History: []chapter{}, HistoryErrors: []nvaError{}}
	prefix, err := s.prefixFor(ctx, out.Asked, at)
	if err != nil {
		return nil, err
	}
	out.Prefix = prefix.String()
	type both struct {
		story   story
		history partial[[]chapter]
	}
	for _, b := range each(s.nvas, func(n *nva) both { return both{n.story(ctx, out.Prefix, at), n.history(ctx, out.Prefix)} }) {
		out.NVAs = append(out.NVAs, b.story)
		out.History = append(out.History, b.history.value...)
		if b.history.err != nil {
			out.HistoryErrors = append(out.HistoryErrors, nvaError{b.history.nva.Name, b.history.nva.sentence(b.history.err)})
		}
	}
	s.travel(ctx, out.NVAs)
	return out, nil
}

// prefixFor returns the prefix that is asked for; for an address, the longest one of any NVA that
// contains it.
func (s *Server) prefixFor(ctx context.Context, text string, at time.Time) (netip.Prefix, error) {
	q := parseSearch(text)
	if q.prefix.IsValid() {
		return q.prefix, nil
	}
	if !q.address.IsValid() {
		return netip.Prefix{}, badRequest{errors.New("prefix: want a prefix such as 10.1.0.0/16, or an address")}
	}
	best := netip.PrefixFrom(q.address.WithZone(""), q.address.BitLen())
	found := false
	for _, p := range each(s.nvas, func(n *nva) partial[*table] { return n.routes(ctx, q, at) }) {
		if p.value == nil {
			continue
		}
		for _, row := range q.rows(p.value.rows) {
			if !found || row.prefix.Bits() > best.Bits() {
				best, found = row.prefix, true
			}
		}
	}
	return best, nil
}

func (n *nva) story(ctx context.Context, prefix string, at time.Time) story {
	if !at.IsZero() {
		return n.pastStory(ctx, prefix, at)
	}
	out := story{NVA: n.Name, Verdict: "none", Steps: []step{}}
	x, err := n.Client.Explain(ctx, &nvadv1.ExplainRequest{Prefix: prefix})
	if err != nil {
		out.Error = n.sentence(err)
		return out
	}
	out.OK, out.Known, out.Text, out.Steps = true, x.GetKnown(), n.server.params.Story(x), stepsOf(x)
	first, _, _ := strings.Cut(out.Text, "\n\n")
	out.Summary = strings.Join(strings.Fields(first), " ")
	if x.GetKnown() {
		out.Verdict = "good"
		if slices.ContainsFunc(out.Steps, func(s step) bool { return s.State == "bad" }) {
			out.Verdict = "bad"
		}
	}
	for _, p := range x.GetPaths() {
		if p.GetBest() {
			out.from = p.GetNeighbor()
		}
	}
	return out
}

// pastStory tells what the journal knows of a prefix at an earlier time.
func (n *nva) pastStory(ctx context.Context, prefix string, at time.Time) story {
	out := story{NVA: n.Name, Verdict: "none", Steps: []step{}}
	req := &nvadv1.ListEventsRequest{Until: timestamppb.New(at), State: true, Prefix: prefix, Exact: true}
	err := n.readEvents(ctx, req, func(e *nvadv1.WatchEvent) bool {
		row := n.eventRow(e)
		if row.prefix.String() != prefix {
			return true
		}
		since := "since " + timeOfEvent(e).Format("2006-01-02 15:04:05 UTC")
		state := "ok"
		if row.Severity == "bad" {
			state, out.Verdict = "bad", "bad"
		}
		title := "Kernel"
		if c := e.GetRoute(); c != nil {
			out.Known, out.from, title = c.GetNew() != nil, c.GetNew().GetNeighbor(), "Best path"
		}
		out.Steps = append(out.Steps, step{state, title, row.Text, []string{since}})
		return len(out.Steps) < mostSteps
	})
	if err != nil {
		out.Error = n.sentence(err)
		return out
	}
	out.OK, out.Summary = true, prefix+" was not in the table"
	if out.Known {
		out.Summary = prefix + " was in the table"
		if out.Verdict == "none" {
			out.Verdict = "good"
		}
	}
	return out
}

// travel orders stories as the route travels: an NVA that learned it from another one comes
// after that.
func (s *Server) travel(ctx context.Context, list []story) {
	owner := map[string]string{} // NVA that has an address
	for _, n := range s.states(ctx, time.Time{}) {
		for _, l := range n.Links {
			for _, a := range l.Addresses {
				if p, err := netip.ParsePrefix(a); err == nil && !p.Addr().IsLoopback() {
					owner[p.Addr().String()] = n.Name
				}
			}
		}
	}
	from := map[string]string{}
	for _, v := range list {
		from[v.NVA] = owner[v.from]
	}
	depth := func(name string) (n int) {
		for ; from[name] != "" && n < len(list); n++ {
			name = from[name]
		}
		return n
	}
	slices.SortStableFunc(list, func(a, b story) int {
		if a.Known != b.Known {
			if a.Known {
				return -1
			}
			return 1
		}
		return depth(a.NVA) - depth(b.NVA)
	})
}

// chapter is a state that a prefix went through.
type chapter struct {
	NVA      string     `json:"nva"`
	From     time.Time  `json:"from"`
	Until    *time.Time `json:"until"`
	Seconds  *float64   `json:"seconds"`
	Present  bool       `json:"present"`
	Neighbor string     `json:"neighbor"`
	NextHop  string     `json:"next_hop"`
	ASPath   string     `json:"as_path"`
	Source   string     `json:"source"`
	Cause    string     `json:"cause"`
	Text     string     `json:"text"`
}

// mostChapters bounds the history of a prefix on one NVA.
const mostChapters = 500

// history returns the states that a prefix went through, the newest first.
func (n *nva) history(ctx context.Context, prefix string) partial[[]chapter] {
	p, room := partial[[]chapter]{nva: n}, n.share()
	req := &nvadv1.ListEventsRequest{Prefix: prefix, Exact: true, Last: mostChapters, Kinds: []nvadv1.WatchKind{nvadv1.WatchKind_WATCH_KIND_ROUTES}}
	p.err = n.readEvents(ctx, req, func(e *nvadv1.WatchEvent) bool {
		c := e.GetRoute()
		if c == nil {
			return true
		}
		at := timeOfEvent(e)
		if k := len(p.value); k > 0 {
			took := at.Sub(p.value[k-1].From).Seconds()
			p.value[k-1].Until, p.value[k-1].Seconds = &at, &took
		}
		b := c.GetNew()
		p.value = append(p.value, chapter{NVA: n.Name, From: at, Present: b != nil, Neighbor: b.GetNeighbor(), NextHop: b.GetNextHop(), ASPath: b.GetAsPath(),
			Source: b.GetSource(), Cause: c.GetReason(), Text: n.server.params.Line(e)})
		room -= proto.Size(e) + len(p.value[len(p.value)-1].Text)
		return len(p.value) < mostChapters && room > 0
	})
	slices.Reverse(p.value)
	return p
}
