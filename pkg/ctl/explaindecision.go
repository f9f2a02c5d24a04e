package ctl

import (
	"fmt"
	"strings"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// decision tells how the best path won: against the runner-up step by step,
// against the others in a line.
func (a *app) decision(s *story, x *nvadv1.Explanation) {
	var lost []*nvadv1.PathStory
	for _, p := range x.GetPaths() {
		if p.GetLost() != nil {
			lost = append(lost, p)
		}
	}
	if len(lost) == 0 {
		if len(x.GetPaths()) > 1 {
			s.heading("Decision: " + onlyOne(x))
		}
		return
	}
	for _, p := range lost {
		if l := p.GetLost(); l.GetRunnerUp() || len(lost) == 1 {
			s.heading(fmt.Sprintf("Decision: %s over %s by %s", name(l.GetBest()), name(p.GetNeighbor()), l.GetStep()))
			a.comparison(s, l)
		}
	}
	for _, p := range lost {
		if l := p.GetLost(); !l.GetRunnerUp() && len(lost) > 1 {
			s.field("Others", lostTo(p.GetNeighbor(), l))
		}
	}
}

// onlyOne says why there was nothing to decide.
func onlyOne(x *nvadv1.Explanation) string {
	for _, p := range x.GetPaths() {
		if p.GetBest() {
			return name(p.GetNeighbor()) + " is the only valid path"
		}
	}
	return "no path is valid"
}

// name is a neighbor, or this router.
func name(neighbor string) string {
	if neighbor == "" {
		return "the local route"
	}
	return neighbor
}

// comparison is a table of the steps of a decision.
func (a *app) comparison(s *story, l *nvadv1.Comparison) {
	if s.err != nil {
		return
	}
	t := newTable(a.Out, a.Width, column{head: "  Step"}, column{head: "Best"}, column{head: "Runner-up"}, column{})
	for _, c := range l.GetSteps() {
		mark := ""
		if c.GetStep() == l.GetStep() {
			mark = "decides"
		}
		t.row("  "+c.GetStep(), c.GetBest(), c.GetOther(), mark)
	}
	s.err = t.end()
}

// lostTo is a path's loss in one line, with both values of the deciding step.
func lostTo(neighbor string, l *nvadv1.Comparison) string {
	winner := l.GetBest()
	if l.GetBeatenBy() != "" {
		winner = l.GetBeatenBy()
	}
	words := []string{name(neighbor), "lost to", name(winner), "by", l.GetStep()}
	if n := len(l.GetSteps()); n > 0 {
		last := l.GetSteps()[n-1]
		words = append(words, fmt.Sprintf("(%s against %s)", last.GetOther(), last.GetBest()))
	}
	return strings.Join(words, " ")
}
