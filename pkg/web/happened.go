package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

type eventsAnswer struct {
	Total   int        `json:"total"`
	Offset  int        `json:"offset"`
	Oldest  *time.Time `json:"oldest"`
	LeftOut int        `json:"left_out"`
	Gaps    []gap      `json:"gaps"`
	Errors  []nvaError `json:"errors"`
	Rows    []eventRow `json:"rows"`
}

// gap says that a journal lacks events.
type gap struct {
	NVA    string    `json:"nva"`
	Time   time.Time `json:"time"`
	Lost   uint64    `json:"lost"`
	Reason string    `json:"reason"`
}

// mostGaps bounds the gaps of an answer; they are among the rows, too.
const mostGaps = 100

// usualPast is the time before until if a question has no since.
const usualPast = 24 * time.Hour

// filter selects events.
type filter struct {
	since, until time.Time
	kinds        map[string]bool // nil: all
	search       search
}

func filterOf(r *http.Request) (f filter, err error) {
	if f.since, err = timeOf(r, "since"); err != nil {
		return f, err
	}
	if f.until, err = timeOf(r, "until"); err != nil {
		return f, err
	}
	if f.until.IsZero() {
		f.until = time.Now().UTC()
	}
	if f.since.IsZero() {
		f.since = f.until.Add(-usualPast)
	}
	if !f.since.Before(f.until) {
		return f, badRequest{errors.New("since: want a time before until")}
	}
	f.search = parseSearch(r.URL.Query().Get("q"))
	if text := r.URL.Query().Get("kinds"); text != "" {
		f.kinds = map[string]bool{"gap": true}
		for _, k := range strings.Split(text, ",") {
			f.kinds[k] = true
		}
	}
	return f, nil
}

// selects reports whether an event meets the conditions other than those of time.
func (f *filter) selects(e *eventRow) bool {
	if f.kinds != nil && !f.kinds[e.Kind] {
		return false
	}
	q := &f.search
	switch {
	case e.Kind == "gap":
		return true
	case q.prefix.IsValid():
		return e.prefix.IsValid() && e.prefix.Bits() >= q.prefix.Bits() && q.prefix.Contains(e.prefix.Addr())
	case q.address.IsValid():
		return e.others[0] == q.address || e.others[1] == q.address || e.prefix.IsValid() && e.prefix.Contains(q.address) || e.Object == q.address.String()
	case q.text == "":
		return true
	}
	return contains(e.Text, q.text) || contains(e.Object, q.text)
}

// find returns the events of a ledger that f selects, the oldest first.
func (f *filter) find(l *ledger) (found []*eventRow) {
	for i := range l.rows {
		e := &l.rows[i]
		if !e.Time.Before(f.since) && e.Time.Before(f.until) && f.selects(e) {
			found = append(found, e)
		}
	}
	return found
}

// past has the selected events of every NVA.
type past struct {
	lists   [][]*eventRow
	errors  []nvaError
	oldest  *time.Time
	leftOut int
}

func (s *Server) pastOf(r *http.Request, f *filter) (*past, error) {
	nvas, err := s.selected(r)
	if err != nil {
		return nil, err
	}
	out := &past{errors: []nvaError{}}
	for _, p := range each(nvas, func(n *nva) partial[*ledger] { return n.ledger(r.Context(), f.since) }) {
		if p.err != nil {
			out.errors = append(out.errors, nvaError{p.nva.Name, p.nva.sentence(p.err)})
		}
		if p.value != nil {
			out.lists = append(out.lists, f.find(p.value))
			if len(p.value.rows) > 0 && p.value.rows[0].Time.After(f.since) {
				out.leftOut += p.value.leftOut
			}
		}
		oldest, _, _ := p.nva.journal.get(r.Context(), freshJournal)
		if oldest != nil && (out.oldest == nil || oldest.Before(*out.oldest)) {
			out.oldest = oldest
		}
	}
	return out, nil
}

// ledger returns the events of an NVA since a time.
func (n *nva) ledger(ctx context.Context, since time.Time) partial[*ledger] {
	if n.books.reach(since) {
		n.events.expire()
	}
	p := partial[*ledger]{nva: n}
	p.value, p.taken, p.err = n.events.get(ctx, freshState)
	return p
}

// events answers with what happened, the newest first.
func (s *Server) events(r *http.Request) (any, error) {
	f, err := filterOf(r)
	if err != nil {
		return nil, err
	}
	from, n, err := window(r)
	if err != nil {
		return nil, err
	}
	p, err := s.pastOf(r, &f)
	if err != nil {
		return nil, err
	}
	out := eventsAnswer{Offset: from, Oldest: p.oldest, LeftOut: p.leftOut, Gaps: p.gaps(), Errors: p.errors, Rows: []eventRow{}}
	for _, list := range p.lists {
		out.Total += len(list)
	}
	for i := range min(from+n, out.Total) {
		if e := p.newest(); i >= from {
			e.ID = fmt.Sprintf("%s %d %d", e.NVA, e.Time.UnixNano(), e.place)
			out.Rows = append(out.Rows, e)
		}
	}
	return out, nil
}

// newest takes the newest event off the lists, which have one.
func (p *past) newest() eventRow {
	best := -1
	for i, list := range p.lists {
		if len(list) > 0 && (best < 0 || list[len(list)-1].Time.After(p.lists[best][len(p.lists[best])-1].Time)) {
			best = i
		}
	}
	list := p.lists[best]
	p.lists[best] = list[:len(list)-1]
	return *list[len(list)-1]
}

func (p *past) gaps() []gap {
	out := []gap{}
	for _, list := range p.lists {
		for _, e := range list {
			if e.Kind == "gap" && len(out) < mostGaps {
				out = append(out, gap{e.NVA, e.Time, e.lost, e.Text})
			}
		}
	}
	return out
}

type timelineAnswer struct {
	Since   time.Time  `json:"since"`
	Until   time.Time  `json:"until"`
	Oldest  *time.Time `json:"oldest"`
	Seconds float64    `json:"bucket_seconds"`
	LeftOut int        `json:"left_out"`
	Errors  []nvaError `json:"errors"`
	Buckets []bucket   `json:"buckets"`
}

// bucket counts the events of a part of the time.
type bucket struct {
	Time   time.Time      `json:"time"`
	Total  int            `json:"total"`
	Bad    int            `json:"bad"`
	Counts map[string]int `json:"counts"`
}

// Numbers of buckets of a timeline.
const (
	usualBuckets = 120
	mostBuckets  = 500
)

// timeline answers with how much happened when.
func (s *Server) timeline(r *http.Request) (any, error) {
	f, err := filterOf(r)
	if err != nil {
		return nil, err
	}
	n, err := numberOf(r, "buckets", 1, usualBuckets, mostBuckets)
	if err != nil {
		return nil, err
	}
	p, err := s.pastOf(r, &f)
	if err != nil {
		return nil, err
	}
	span := f.until.Sub(f.since)
	out := timelineAnswer{Since: f.since, Until: f.until, Oldest: p.oldest, Seconds: span.Seconds() / float64(n), LeftOut: p.leftOut, Errors: p.errors}
	for i := range n {
		out.Buckets = append(out.Buckets, bucket{Time: f.since.Add(time.Duration(float64(span) * float64(i) / float64(n))), Counts: map[string]int{}})
	}
	for _, list := range p.lists {
		for _, e := range list {
			b := &out.Buckets[min(int(float64(e.Time.Sub(f.since))/float64(span)*float64(n)), n-1)]
			b.Total++
			b.Counts[e.Kind]++
			if e.Severity == "bad" {
				b.Bad++
			}
		}
	}
	return out, nil
}
