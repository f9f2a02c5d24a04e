package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/route"
)

// Verdict is the result of one step.
type Verdict uint8

// Verdicts. A condition matches or does not match; a list, clause or chain permits
// or denies.
const (
	NoMatch Verdict = iota
	Matched
	Denied
	Permitted
)

// String returns "no match", "match", "deny" or "permit".
func (v Verdict) String() string {
	return [...]string{"no match", "match", "deny", "permit"}[v&3]
}

// Step is one rule or condition that a Program evaluated. Steps come in the order of
// evaluation: the conditions of a clause before the clause itself, and a route-map
// that the clause calls after it.
type Step struct {
	Depth   int    // 0: part of the chain; conditions and called route-maps are deeper
	Object  string // "prefix-list rs-hub00", "route-map to-azure", "match med"
	Rule    string // the rule that decided, as written; empty if Object says it all
	Value   string // the value that it looked at; empty for a clause
	Verdict Verdict
	Changes []Change // how a clause changed the route
}

// Change is an attribute before and after a clause; "-" stands for absent.
type Change struct{ Attribute, Before, After string }

// String returns the step in one line, indented by its depth.
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

// Trace evaluates the route as [Program.Run] does and also returns every step. It
// counts no hits.
func (p *Program) Trace(in *Input) (Output, []Step) {
	t := new(tracer)
	out := p.evaluate(in, t)
	return out, t.steps
}

// tracer collects steps; a nil tracer collects nothing.
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

// view holds the values that a clause can change, for comparison before and after.
type view struct {
	attrs *route.Attrs
	out   Output
}

func (e *eval) view() view { return view{e.attrs, e.out} }

// changes returns the differences between v and to, in a fixed order.
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

// viewFields are the attributes that a clause can change, named by the key that
// changes them.
var viewFields = []struct {
	name string
	text func(view) string
}{
	{"as-path", func(v view) string { return quotePath(v.attrs.ASPath) }},
	{"origin", func(v view) string { return v.attrs.Origin.String() }},
	{"next-hop", view.nextHop},
	{"med", func(v view) string { return optionalText(v.attrs.MED) }},
	{"local-pref", func(v view) string { return optionalText(v.attrs.LocalPref) }},
	{"communities", func(v view) string { return listText(standardKind, v.attrs) }},
	{"large-communities", func(v view) string { return listText(largeKind, v.attrs) }},
	{"ext-communities", func(v view) string { return listText(extKind, v.attrs) }},
	{"atomic-aggregate", func(v view) string { return boolText(v.attrs.AtomicAggregate) }},
	{"aggregator", func(v view) string { return aggregatorText(v.attrs.Aggregator) }},
	{"weight", func(v view) string { return strconv.FormatUint(uint64(v.out.Weight), 10) }},
	{"tag", func(v view) string { return strconv.FormatUint(uint64(v.out.Tag), 10) }},
	{"preferred-source", func(v view) string { return addrText(v.out.PreferredSource) }},
}

// quotePath quotes a path, so that an empty one differs from an absent attribute.
func quotePath(p route.ASPath) string { return strconv.Quote(p.String()) }

func (v view) nextHop() string {
	switch v.out.NextHop {
	case NextHopSelf:
		return "self"
	case NextHopUnchanged:
		return "unchanged"
	case NextHopPeer:
		return "peer"
	}
	return addrText(v.attrs.NextHop)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func optionalText(o route.Optional) string {
	if !o.Set {
		return ""
	}
	return strconv.FormatUint(uint64(o.Value), 10)
}

func boolText(b bool) string {
	if b {
		return "set"
	}
	return ""
}

func aggregatorText(a route.Aggregator) string {
	if !a.Address.IsValid() {
		return ""
	}
	return fmt.Sprintf("%d %s", a.ASN, a.Address)
}

func listText[T comparable](k *communityKind[T], a *route.Attrs) string {
	l := communityList[T]{communityKind: k}
	return string(l.appendText(nil, k.of(a)))
}
