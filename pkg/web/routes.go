package web

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

type routesAnswer struct {
	Total   int        `json:"total"`
	Offset  int        `json:"offset"`
	Match   string     `json:"match"`
	Taken   time.Time  `json:"taken"`
	LeftOut int        `json:"left_out"`
	Errors  []nvaError `json:"errors"`
	Rows    []routeRow `json:"rows"`
}

type nvaError struct {
	NVA   string `json:"nva"`
	Error string `json:"error"`
}

// Bounds of the rows of an answer.
const (
	usualRows = 200
	mostRows  = 1000
)

// routes answers with the routes of one or all NVAs that match a search.
func (s *Server) routes(r *http.Request) (any, error) {
	at, err := timeOf(r, "at")
	if err != nil {
		return nil, err
	}
	from, n, err := window(r)
	if err != nil {
		return nil, err
	}
	nvas, err := s.selected(r)
	if err != nil {
		return nil, err
	}
	q := parseSearch(r.URL.Query().Get("q"))
	q.neighbor = r.URL.Query().Get("neighbor")
	out := routesAnswer{Offset: from, Match: q.kind(), Taken: time.Now().UTC(), Errors: []nvaError{}, Rows: []routeRow{}}
	var found []*routeRow
	for _, p := range each(nvas, func(n *nva) partial[*table] { return n.routes(r.Context(), q, at) }) {
		if p.err != nil {
			out.Errors = append(out.Errors, nvaError{p.nva.Name, p.nva.sentence(p.err)})
		}
		if p.value != nil {
			found = append(found, q.rows(p.value.rows)...)
			out.LeftOut += p.value.leftOut
		}
		if !p.taken.IsZero() && p.taken.Before(out.Taken) {
			out.Taken = p.taken.UTC()
		}
	}
	if len(nvas) > 1 {
		slices.SortStableFunc(found, func(a, b *routeRow) int { return a.prefix.Compare(b.prefix) })
	}
	out.Total = len(found)
	for _, row := range found[min(from, len(found)):min(from+n, len(found))] {
		out.Rows = append(out.Rows, *row)
	}
	return out, nil
}

// window reads which rows of an answer the page shows.
func window(r *http.Request) (from, n int, err error) {
	if from, err = numberOf(r, "offset", 0, 0, 1<<31-1); err == nil {
		n, err = numberOf(r, "limit", 0, usualRows, mostRows)
	}
	return from, n, err
}

// selected returns the NVA of the query, all of them if it names none.
func (s *Server) selected(r *http.Request) ([]*nva, error) {
	name := r.URL.Query().Get("nva")
	if name == "" {
		return s.nvas, nil
	}
	if n := s.find(name); n != nil {
		return []*nva{n}, nil
	}
	return nil, unknownNVA(name)
}

// routes returns the table in which to search. If it is too large to be kept, the daemon itself
// searches for prefixes and addresses.
func (n *nva) routes(ctx context.Context, q search, at time.Time) partial[*table] {
	p := partial[*table]{nva: n}
	if !at.IsZero() {
		ctx, cancel := context.WithTimeout(ctx, loadTime)
		defer cancel()
		p.value, p.err = n.pastTable(ctx, at)
		return p
	}
	p.value, p.taken, p.err = n.table.get(ctx, freshTable)
	if p.err != nil || p.value == nil || p.value.leftOut == 0 {
		return p
	}
	req := &nvadv1.ListRoutesRequest{}
	switch {
	case q.prefix.IsValid():
		req.Prefix, req.Longer = q.prefix.String(), true
	case q.address.IsValid():
		req.Address = q.address.String()
	default:
		return p
	}
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	p.value, p.err = n.readTable(ctx, req)
	if missing(p.err) {
		p.value, p.err = &table{}, nil
	}
	return p
}

// search holds a parsed search text: a prefix, an address or a part of an AS path.
type search struct {
	prefix  netip.Prefix
	address netip.Addr
	text    string // in lower case
	// neighbor selects the routes from one neighbor; empty: from all.
	neighbor string
}

func parseSearch(text string) search {
	text = strings.TrimSpace(text)
	if p, err := netip.ParsePrefix(text); err == nil {
		return search{prefix: p.Masked()}
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return search{address: a}
	}
	return search{text: strings.ToLower(text)}
}

func (q *search) kind() string {
	switch {
	case q.prefix.IsValid():
		return "prefix"
	case q.address.IsValid():
		return "address"
	case q.text != "":
		return "text"
	}
	return "all"
}

// rows returns the rows of an NVA that match.
func (q *search) rows(list []routeRow) (found []*routeRow) {
	longest := -1
	for i := range list {
		row := &list[i]
		if q.neighbor != "" && row.Neighbor != q.neighbor {
			continue
		}
		if q.address.IsValid() && row.prefix.Contains(q.address) && row.prefix.Bits() > longest {
			found, longest = found[:0], row.prefix.Bits()
		}
		if q.matches(row, longest) {
			found = append(found, row)
		}
	}
	return found
}

func (q *search) matches(row *routeRow, longest int) bool {
	switch {
	case q.prefix.IsValid():
		return row.prefix.Bits() >= q.prefix.Bits() && q.prefix.Contains(row.prefix.Addr())
	case q.address.IsValid():
		return row.prefix.Bits() == longest && row.prefix.Contains(q.address)
	case q.text == "":
		return true
	}
	return contains(row.ASPath, q.text) || contains(row.Neighbor, q.text) || contains(row.NextHop, q.text) || contains(row.Source, q.text) ||
		contains(row.Prefix, q.text) || slices.ContainsFunc(row.Communities, func(c string) bool { return contains(c, q.text) })
}
