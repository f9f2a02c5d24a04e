package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/survey"
)

// member identifies an NVA in answers, and says whether it answers.
type member struct {
	Name  string  `json:"name"`
	OK    bool    `json:"ok"`
	Error string  `json:"error"`
	Age   float64 `json:"age_seconds"` // of what is shown, if the NVA does not answer
}

func (n *nva) member(taken time.Time, err error) member {
	m := member{Name: n.Name, OK: err == nil, Error: n.sentence(err)}
	if err != nil && !taken.IsZero() {
		m.Age = time.Since(taken).Seconds()
	}
	return m
}

func (n *nva) sentence(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errNoAnswerYet):
		return err.Error()
	}
	return n.Sentence(err)
}

type siteAnswer struct {
	Now     time.Time    `json:"now"`
	Version string       `json:"version"`
	Oldest  *time.Time   `json:"oldest"`
	NVAs    []siteMember `json:"nvas"`
}

type siteMember struct {
	member
	Host         string     `json:"host"`
	Version      string     `json:"version"`
	ASN          uint32     `json:"asn"`
	RouterID     string     `json:"router_id"`
	Journal      bool       `json:"journal"`
	JournalError string     `json:"journal_error"`
	Oldest       *time.Time `json:"oldest"`
}

// site answers which NVAs there are, and how far their journals reach.
func (s *Server) site(r *http.Request) (any, error) {
	out := siteAnswer{Now: time.Now().UTC(), Version: s.params.Version}
	out.NVAs = each(s.nvas, func(n *nva) siteMember { return n.siteMember(r.Context()) })
	for _, m := range out.NVAs {
		if m.Oldest != nil && (out.Oldest == nil || m.Oldest.Before(*out.Oldest)) {
			out.Oldest = m.Oldest
		}
	}
	return out, nil
}

// freshJournal is how long the time of a journal's oldest event is used before it is read
// again: it moves when old segments are removed.
const freshJournal = 10 * time.Second

func (n *nva) siteMember(ctx context.Context) siteMember {
	state, taken, err := n.state.get(ctx, freshState)
	m := siteMember{member: n.member(taken, err)}
	if state != nil {
		m.Host, m.Version, m.ASN, m.RouterID = state.Host, state.Version, state.ASN, state.RouterID
	}
	oldest, _, err := n.journal.get(ctx, freshJournal)
	m.Journal, m.JournalError, m.Oldest = err == nil, n.sentence(err), oldest
	return m
}

type stateAnswer struct {
	Now      time.Time     `json:"now"`
	At       *time.Time    `json:"at"`
	Problems []siteProblem `json:"problems"`
	NVAs     []stateMember `json:"nvas"`
}

type siteProblem struct {
	NVA string `json:"nva"`
	survey.Problem
}

type stateMember struct {
	member
	survey.NVA
}

// state answers with the state of every NVA, now or at an earlier time.
func (s *Server) state(r *http.Request) (any, error) {
	at, err := timeOf(r, "at")
	if err != nil {
		return nil, err
	}
	out := stateAnswer{Now: time.Now().UTC(), Problems: []siteProblem{}, NVAs: s.states(r.Context(), at)}
	if !at.IsZero() {
		out.At = &at
		for i := range out.NVAs {
			out.NVAs[i].Links = []survey.Link{} // the journal does not know whether they were up
		}
	}
	if at.IsZero() {
		out.Problems = append(out.Problems, s.compared(r.Context())...)
	}
	for _, n := range out.NVAs {
		if !n.OK {
			out.Problems = append(out.Problems, siteProblem{n.Name, survey.Problem{Severity: "problem", Kind: "nva", Name: n.Name,
				Text: n.Name + ": " + n.Error}})
		}
		for _, p := range n.Problems {
			out.Problems = append(out.Problems, siteProblem{n.Name, p})
		}
	}
	slices.SortStableFunc(out.Problems, func(a, b siteProblem) int { return rank(a) - rank(b) })
	return out, nil
}

// rank orders problems: the worst first.
func rank(p siteProblem) int {
	switch {
	case p.Kind == "nva":
		return 0
	case p.Severity == "problem":
		return 1
	}
	return 2
}

// states returns the state of every NVA at a time, now if it is zero. An NVA that does not answer
// has its last known state, and that of the past is empty.
func (s *Server) states(ctx context.Context, at time.Time) []stateMember {
	return each(s.nvas, func(n *nva) stateMember {
		if !at.IsZero() {
			v, err := n.past(ctx, at)
			return stateMember{n.member(time.Time{}, err), *v}
		}
		v, taken, err := n.state.get(ctx, freshState)
		if v == nil {
			v = survey.Unknown()
		}
		return stateMember{n.member(taken, err), *v}
	})
}

// past returns the state at an earlier time; an empty one with an error. What the journal does not
// know is taken from the present.
func (n *nva) past(ctx context.Context, at time.Time) (*survey.NVA, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	v, err := survey.At(ctx, n.Client, at)
	if err != nil {
		v = survey.Unknown()
	}
	if now, _, _ := n.state.get(ctx, time.Hour); now != nil {
		v.Complete(now)
	}
	return v, err
}
