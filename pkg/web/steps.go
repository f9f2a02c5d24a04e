package web

import (
	"cmp"
	"fmt"
	"strings"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// Bounds of a story: a prefix may have a path from every neighbor.
const (
	mostSteps = 40
	mostLines = 200 // of a step
)

// stepsOf turns an explanation into short steps; nvactl explain prints more of it.
func stepsOf(x *nvadv1.Explanation) []step {
	steps := []step{}
	for _, m := range x.GetMalformed() {
		steps = append(steps, step{"bad", "Malformed announcement from " + m.GetNeighbor(), "treated as withdrawn: " + m.GetReason(), []string{}})
	}
	if !x.GetKnown() {
		steps = append(steps, step{"info", "Not in the table", cmp.Or(x.GetNotWanted(), "no neighbor announces it"), filled(coveredBy(x))})
	}
	for _, p := range x.GetPaths() {
		if len(steps) == mostSteps {
			steps = append(steps, step{"info", "More paths", "nvactl explain shows all", []string{}})
			break
		}
		steps = append(steps, pathStep(p))
	}
	if x.GetKnown() {
		steps = append(steps, decisionStep(x)...)
		steps = append(steps, kernelStep(x))
		steps = append(steps, exportStep(x)...)
	}
	if f := x.GetAzure().GetFate(); f != nil {
		steps = append(steps, azureStep(f))
	}
	for i := range steps {
		steps[i].Lines = steps[i].Lines[:min(len(steps[i].Lines), mostLines)]
	}
	return steps
}

func coveredBy(x *nvadv1.Explanation) []string {
	if x.GetCoveredBy() == "" {
		return nil
	}
	return []string{"covered by " + x.GetCoveredBy()}
}

// pathStep says how a path was received and whether it was accepted.
func pathStep(p *nvadv1.PathStory) step {
	s := step{State: "ok", Title: cmp.Or(prefixed("From ", p.GetNeighbor()), "From this NVA, "+p.GetSource()), Lines: []string{}}
	from := p.GetReceived()
	if from == nil {
		from = p.GetAttributes()
	}
	heard := joined(", ", prefixed("AS path ", from.GetAsPath()), prefixed("next hop ", from.GetNextHop()))
	switch {
	case !p.GetAccepted() && p.GetSource() == "bgp":
		s.State, s.Detail = "info", "rejected: "+p.GetRule()
		if !passed(p) {
			s.State = "bad"
		}
	case !p.GetValid():
		s.State, s.Detail = "bad", "not usable: "+cmp.Or(p.GetUnresolved(), "its next hop does not resolve")
	case p.GetStale():
		s.State, s.Detail = "info", "stale: kept while the neighbor restarts"
	case p.GetBest():
		s.Detail = "accepted, best"
	default:
		s.State, s.Detail = "info", joined(", ", "accepted", prefixed("not best by ", p.GetLost().GetStep()))
	}
	s.Detail = joined("; ", s.Detail, heard)
	for _, c := range p.GetChecks() {
		verdict := "pass"
		if !c.GetPassed() {
			verdict = "reject"
		}
		s.Lines = append(s.Lines, fmt.Sprintf("check %s: %s: %s", c.GetName(), c.GetValue(), verdict))
	}
	s.Lines = append(s.Lines, policyLines("import", p.GetImport())...)
	if len(p.GetNextHops()) > 0 {
		s.Lines = append(s.Lines, "reached "+strings.Join(p.GetNextHops(), ", "))
	}
	return s
}

// passed reports whether a path passed the checks before policy; a policy rejects on purpose.
func passed(p *nvadv1.PathStory) bool {
	for _, c := range p.GetChecks() {
		if !c.GetPassed() {
			return false
		}
	}
	return true
}

func policyLines(direction string, steps []*nvadv1.PolicyStep) []string {
	lines := []string{}
	for _, t := range steps {
		indent := strings.Repeat("  ", int(min(t.GetDepth(), 8)))
		lines = append(lines, indent+joined(" ", direction, t.GetObject(), t.GetRule(), prefixed("at ", t.GetValue()))+": "+t.GetVerdict())
		for _, c := range t.GetChanges() {
			lines = append(lines, fmt.Sprintf("%s  set %s: %s -> %s", indent, c.GetAttribute(), c.GetBefore(), c.GetAfter()))
		}
	}
	return lines
}

func decisionStep(x *nvadv1.Explanation) []step {
	if len(x.GetPaths()) == 0 {
		return nil
	}
	s := step{State: "bad", Title: "No path is best", Detail: "none of them can be used", Lines: []string{}}
	for _, p := range x.GetPaths() {
		if p.GetBest() {
			s.State, s.Title, s.Detail = "ok", "Best: from "+cmp.Or(p.GetNeighbor(), "this NVA"), "the only path that can be used"
		}
	}
	for _, p := range x.GetPaths() {
		l := p.GetLost()
		if l == nil {
			continue
		}
		if l.GetRunnerUp() {
			s.Detail = fmt.Sprintf("preferred to the one from %s by %s", cmp.Or(p.GetNeighbor(), "this NVA"), l.GetStep())
		}
		for _, c := range l.GetSteps() {
			s.Lines = append(s.Lines, fmt.Sprintf("%s: best %s, from %s %s", c.GetStep(), c.GetBest(), cmp.Or(p.GetNeighbor(), "this NVA"), c.GetOther()))
		}
	}
	if x.GetUndecided() {
		s.State, s.Detail = "info", "something has changed and nvad has not decided again yet"
	}
	return []step{s}
}

func kernelStep(x *nvadv1.Explanation) step {
	s := step{State: "info", Title: "Not in the kernel", Detail: x.GetNotWanted(), Lines: []string{}}
	if x.GetWanted() != nil {
		s.State, s.Title, s.Detail = "bad", "Not in the kernel yet", hops(x.GetWanted())
	}
	for _, k := range x.GetKernel() {
		s.State, s.Title, s.Detail = "bad", "Kernel: "+k.GetState(), joined(": ", hops(k), k.GetReason())
		if k.GetState() == "installed" {
			s.State, s.Title = "ok", "In the kernel"
			break
		}
	}
	for _, o := range x.GetOthers() {
		s.Lines = append(s.Lines, fmt.Sprintf("another program's route: %s, protocol %s, metric %d", hops(o), o.GetClass(), o.GetMetric()))
	}
	return s
}

func hops(r *nvadv1.FIBRoute) string {
	var list []string
	for _, h := range r.GetNextHops() {
		list = append(list, joined(" ", prefixed("via ", h.GetVia()), prefixed("dev ", h.GetDevice())))
	}
	if len(list) == 0 {
		return r.GetKind()
	}
	return strings.Join(list, ", ")
}

func exportStep(x *nvadv1.Explanation) []step {
	if len(x.GetExports()) == 0 {
		return nil
	}
	s := step{State: "info", Lines: []string{}}
	told := 0
	for _, e := range x.GetExports() {
		if e.GetAdvertised() {
			told++
			s.State = "ok"
			s.Lines = append(s.Lines, joined(", ", "to "+e.GetNeighbor(), prefixed("AS path ", e.GetSent().GetAsPath()), prefixed("next hop ", e.GetSent().GetNextHop())))
		} else {
			s.Lines = append(s.Lines, joined(": ", "not to "+e.GetNeighbor(), cmp.Or(e.GetHeld(), e.GetRule())))
		}
	}
	s.Title = fmt.Sprintf("Advertised to %d of %d neighbors", told, len(x.GetExports()))
	if len(s.Lines) > 0 {
		s.Detail = s.Lines[0]
	}
	return []step{s}
}

func azureStep(f *nvadv1.AzureFate) step {
	s := step{State: "ok", Title: "Azure", Detail: joined(", ", prefixed("learned by ", strings.Join(f.GetLearnedBy(), ", ")), f.GetEffective()), Lines: []string{}}
	for _, v := range f.GetFindings() {
		s.State = "bad"
		s.Lines = append(s.Lines, v.GetReason())
	}
	if len(f.GetNotLearnedBy()) > 0 {
		s.State = "bad"
		s.Lines = append(s.Lines, "not learned by "+strings.Join(f.GetNotLearnedBy(), ", "))
	}
	return s
}

// prefixed returns text behind prefix; nothing if there is no text.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// joined returns the parts that are not empty, separated by sep.
func joined(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}
