package policy

import (
	"strings"

	"github.com/nvad/nvad/pkg/route"
)

// Verdict is what one step came to.
type Verdict uint8

// Verdicts. A condition matches or does not; a list, clause or chain permits or
// denies.
const (
	NoMatch Verdict = iota
	Matched
	Denied
	Permitted
)

// String is "no match", "match", "deny" or "permit".
func (v Verdict) String() string {
	return [...]string{"no match", "match", "deny", "permit"}[v&3]
}

// Step is one thing that a Program looked at, in the order of evaluation: the
// conditions of a clause come before the clause itself, and a route-map that a
// clause calls after it.
type Step struct {
	Depth   int    // 0: part of the chain; conditions and called route-maps are deeper
	Object  string // "prefix-list rs-hub00", "route-map to-azure", "match med"
	Rule    string // the rule that decided, as written; empty if nothing more is to be said
	Value   string // what was looked at; empty for a clause
	Verdict Verdict
	Changes []Change // what a clause did to the route
}

// Change is an attribute before and after a clause; "-" stands for absent.
type Change struct{ Attribute, Before, After string }

// String is the step in one line, indented by its depth.
func (s Step) String() string {
	var b strings.Builder
	b.WriteString(strings.Repeat("  ", s.Depth) + s.Object)
	if s.Rule != "" {
		b.WriteString(" " + s.Rule)
	}
	if s.Value != "" {
		b.WriteString(" [" + s.Value + "]")
	}
	b.WriteString(": " + s.Verdict.String())
	for _, c := range s.Changes {
		b.WriteString("; " + c.Attribute + " " + c.Before + " -> " + c.After)
	}
	return b.String()
}

// Trace evaluates the route as [Program.Run] does and tells every step.
func (p *Program) Trace(in *Input) (Output, []Step) {
	t := new(tracer)
	out := p.evaluate(in, t)
	return out, t.steps
}

// tracer collects steps. The nil tracer collects nothing.
type tracer struct {
	steps []Step
	depth int
}

func (t *tracer) add(s Step) {
	if t != nil {
		s.Depth = t.depth
		t.steps = append(t.steps, s)
	}
}

func (t *tracer) verdict(s Step, permit bool) {
	s.Verdict = Denied
	if permit {
		s.Verdict = Permitted
	}
	t.add(s)
}

func (t *tracer) nest(by int) {
	if t != nil {
		t.depth += by
	}
}

// view is what a clause can change, for comparison before and after.
type view struct {
	attrs *route.Attrs
	out   Output
}

func (e *eval) view() view { return view{e.attrs, e.out} }

// changes lists what differs between two views, in a fixed order.
func (v view) changes(to view) []Change {
	var out []Change
	for _, f := range viewFields {
		before, after := f.text(v), f.text(to)
		if before == after {
			continue
		}
		if before == "" {
			before = "-"
		}
		if after == "" {
			after = "-"
		}
		out = append(out, Change{f.name, before, after})
	}
	return out
}
