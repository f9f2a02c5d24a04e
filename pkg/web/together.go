package web

import (
	"context"
	"time"

	"github.com/nvad/nvad/pkg/survey"
)

// Finding is something wrong that shows only when NVAs are compared.
type Finding struct {
	NVAs []string // at least one
	survey.Problem
}

// Times of comparisons, for which every table of every NVA is read.
const (
	freshFindings = 30 * time.Second
	findingsWait  = 10 * time.Millisecond // a state does not wait for a comparison
)

func (s *Server) keepFindings() {
	if s.params.Compare == nil || len(s.nvas) < 2 {
		return
	}
	s.findings = keep(s, func(ctx context.Context) ([]Finding, error) { return s.params.Compare(ctx) })
	s.findings.wait = findingsWait
}

// compared returns what the last comparison found, and starts the next one if that is old.
func (s *Server) compared(ctx context.Context) (list []siteProblem) {
	if s.findings == nil {
		return nil
	}
	found, _, _ := s.findings.get(ctx, freshFindings)
	for _, f := range found {
		list = append(list, siteProblem{f.NVAs[0], f.Problem})
	}
	return list
}
