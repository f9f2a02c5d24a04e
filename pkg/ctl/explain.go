package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) explainCommand() *cobra.Command {
	req, history, since := &nvadv1.ExplainRequest{}, false, &past{moment{now: a.Now}}
	cmd := &cobra.Command{
		Use:   "explain PREFIX",
		Short: "Explain why a prefix is accepted, advertised, installed, or not",
		Long: `Explain everything about a prefix: the routes that neighbors sent for it, every
check and every rule of the import policy with the value it looked at, which
path is best and by which step of the decision, to whom it is advertised and why
not to the others, and what is in the kernel. nvad evaluates the policies once
more for this, with the rules in force. With azure.poll, also show what Azure
was last seen to do with the prefix.

With --history, show instead every state that the prefix went through, from the
journal: the best path and the kernel's route, the cause, and how long that
lasted. The present state is the last.

With --site, follow the prefix from NVA to NVA: where it enters the site, which
NVA has it from which, and where it stops, and why.`,
		Example: `  nvactl explain 10.110.0.0/16
  nvactl explain 10.110.0.0/16 --neighbor 10.0.210.4
  nvactl explain 10.110.0.0/16 --export-to 10.0.210.5 -o json | jq .exports
  nvactl explain 10.110.0.0/16 --history --since "yesterday 18:00"`,
		ValidArgsFunction: a.completePrefixes(&nvadv1.ListRoutesRequest{}),
		Annotations:       forSites,
		RunE: a.orSite(func(ctx context.Context, args []string) error {
			return a.siteExplain(ctx, args[0])
		}, func(ctx context.Context, c *client, args []string) error {
			req.Prefix = args[0]
			switch {
			case history && (req.GetNeighbor() != "" || req.GetExportTo() != ""):
				return errors.New("use either --history or --neighbor and --export-to: the journal has best paths only")
			case history:
				return a.printStates(ctx, c, args[0], since)
			case since.given != "":
				return errors.New("--since goes with --history")
			}
			x, err := c.read.Explain(ctx, req)
			return answer(a, x, err, func(x *nvadv1.Explanation) { a.printExplanation(x, req) })
		}),
	}
	cmd.Flags().StringVar(&req.Neighbor, "neighbor", "", "only the path from `ADDRESS`")
	cmd.Flags().StringVar(&req.ExportTo, "export-to", "", "only the route to `ADDRESS`")
	cmd.Flags().BoolVar(&history, "history", false, "show every state that the prefix went through")
	cmd.Flags().Var(since, "since", "with --history: only since `TIME`, as in nvactl events")
	a.completeNeighborFlags(cmd, "neighbor", "export-to")
	return cmd
}

func (a *app) printExplanation(x *nvadv1.Explanation, req *nvadv1.ExplainRequest) {
	s := &story{out: a.Out, width: a.Width}
	s.heading(summary(x, req))
	s.field("Pending", when(x.GetUndecided(), "something has changed and nvad has not decided again yet"))
	for _, m := range x.GetMalformed() {
		s.field("Malformed", fmt.Sprintf("%s announced it at %s, which was treated as withdrawn: %s", m.GetNeighbor(), a.clock(m.GetAt()), m.GetReason()))
	}
	if !x.GetKnown() {
		notThere(s, x)
	}
	for i, p := range x.GetPaths() {
		s.heading(fmt.Sprintf("%d. %s", i+1, pathHeading(p)))
		a.pathStory(s, p)
	}
	a.decision(s, x)
	exportStories(s, x.GetExports())
	if x.GetKnown() {
		a.kernelStory(s, x)
	}
	if v := x.GetAzure(); v != nil {
		heading, fields := a.azureStory(v)
		s.heading(heading)
		for _, f := range fields {
			s.field(f.label, f.text)
		}
	}
	if x.GetUnoriginated() != "" {
		s.heading("Network of the file, not originated: " + x.GetUnoriginated())
	}
}

// summary returns the story in one sentence. It counts the paths and neighbors that
// the story shows, which --neighbor and --export-to restrict.
func summary(x *nvadv1.Explanation, req *nvadv1.ExplainRequest) string {
	if !x.GetKnown() {
		return x.GetPrefix() + " is not in the table: " + x.GetNotWanted()
	}
	paths := count(len(x.GetPaths()), "path") + shown(req.GetNeighbor())
	if len(x.GetPaths()) == 0 && x.GetWanted().GetClass() == "static" {
		paths = "static route"
	}
	best := ""
	for _, p := range x.GetPaths() {
		if p.GetBest() {
			best = "best " + cmp.Or(prefixed("from ", p.GetNeighbor()), "is local")
		}
	}
	told := 0
	for _, e := range x.GetExports() {
		if e.GetAdvertised() {
			told++
		}
	}
	exports := fmt.Sprintf("advertised to %d of %s", told, count(len(x.GetExports()), "neighbor")+shown(req.GetExportTo()))
	return x.GetPrefix() + ": " + joined(", ", paths, best, kernelState(x), exports)
}

// shown marks a number that a selection restricts.
func shown(selection string) string { return when(selection != "", " shown") }

// notThere shows what covers a prefix that is not in the table.
func notThere(s *story, x *nvadv1.Explanation) {
	by := when(x.GetCoveredBy() != "", fmt.Sprintf("%s, the longest less specific prefix (nvactl explain %[1]s)", x.GetCoveredBy()))
	s.field("Covered by", cmp.Or(by, "nothing of nvad's"))
	for _, r := range x.GetOthers() {
		s.field("Others", otherRoute(r))
	}
	address, _, _ := strings.Cut(x.GetPrefix(), "/")
	s.field("Packets", "nvactl routes lookup "+address+" shows where they go")
}

// kernelState returns the state of the route in a word or two.
func kernelState(x *nvadv1.Explanation) string {
	switch {
	case len(x.GetKernel()) > 0:
		return x.GetKernel()[0].GetState()
	case x.GetWanted() != nil:
		return "not installed yet"
	}
	return "not in the kernel"
}

func (a *app) kernelStory(s *story, x *nvadv1.Explanation) {
	switch {
	case x.GetWanted() == nil && len(x.GetKernel()) == 0:
		s.heading("Not in the kernel: " + x.GetNotWanted())
	case len(x.GetKernel()) == 0:
		s.heading("Kernel: not installed yet")
		s.field("Route", wantedRoute(x.GetWanted()))
	}
	for _, r := range x.GetKernel() {
		s.heading(fmt.Sprintf("Kernel: %s for %s", r.GetState(), a.age(r.GetSince())))
		s.field("Route", wantedRoute(r))
		s.field("Reason", r.GetReason())
	}
	for _, r := range x.GetStatics() {
		s.field("Static", staticText(r))
	}
	for _, r := range x.GetOthers() {
		s.field("Others", otherRoute(r)+preferred(r, x.GetKernel()))
	}
}

// staticText returns one next hop of a static route, and whether it is in use.
func staticText(r *nvadv1.StaticStory) string {
	var words []string
	if r.GetVia() != "" {
		words = append(words, "via "+r.GetVia())
	}
	if r.GetDevice() != "" {
		words = append(words, "dev "+r.GetDevice())
	}
	if r.GetBlackhole() {
		words = append(words, "blackhole")
	}
	use := "not in use"
	if r.GetInUse() {
		use = "in use"
	}
	if r.GetReason() != "" {
		use += "; " + r.GetReason()
	}
	return fmt.Sprintf("%s, distance %d, metric %d: %s", strings.Join(words, " "), r.GetDistance(), r.GetMetric(), use)
}

// wantedRoute returns a route of nvad in one line.
func wantedRoute(r *nvadv1.FIBRoute) string {
	return fmt.Sprintf("%s, %s, metric %d%s", strings.ReplaceAll(fibHops(r), "\n", ", "), r.GetClass(), r.GetMetric(), prefixed(", source ", r.GetSource()))
}

func otherRoute(r *nvadv1.FIBRoute) string {
	return fmt.Sprintf("%s, protocol %s, metric %d", strings.ReplaceAll(fibHops(r), "\n", ", "), r.GetClass(), r.GetMetric())
}

// preferred tells whether the kernel prefers a foreign route to nvad's.
func preferred(other *nvadv1.FIBRoute, own []*nvadv1.FIBRoute) string {
	for _, r := range own {
		if r.GetState() == installed && other.GetMetric() < r.GetMetric() {
			return ": packets follow this one, its metric is lower"
		}
	}
	return ""
}

// decision explains how the best path won: step by step against the runner-up, and in
// one line against each other path.
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
			a.comparison(l)
		}
	}
	for _, p := range lost {
		if l := p.GetLost(); !l.GetRunnerUp() && len(lost) > 1 {
			s.field("Others", lostTo(p.GetNeighbor(), l))
		}
	}
}

// onlyOne explains why there was nothing to decide.
func onlyOne(x *nvadv1.Explanation) string {
	for _, p := range x.GetPaths() {
		if p.GetBest() {
			return name(p.GetNeighbor()) + " is the only valid path"
		}
	}
	return "no path is valid"
}

// name returns the source of a path as part of a sentence.
func name(neighbor string) string { return cmp.Or(neighbor, "the local route") }

// comparison prints a table of the steps of a decision.
func (a *app) comparison(l *nvadv1.Comparison) {
	t := a.newTable(column{head: "  Step"}, column{head: "Best"}, column{head: "Runner-up"}, column{})
	for _, c := range l.GetSteps() {
		t.row("  "+c.GetStep(), c.GetBest(), c.GetOther(), when(c.GetStep() == l.GetStep(), "decides"))
	}
	t.end()
}

// lostTo returns in one line to which path another lost, with both values of the
// deciding step.
func lostTo(neighbor string, l *nvadv1.Comparison) string {
	text := fmt.Sprintf("%s lost to %s by %s", name(neighbor), name(cmp.Or(l.GetBeatenBy(), l.GetBest())), l.GetStep())
	if n := len(l.GetSteps()); n > 0 {
		last := l.GetSteps()[n-1]
		text += fmt.Sprintf(" (%s against %s)", last.GetOther(), last.GetBest())
	}
	return text
}

// pathHeading returns the source of a path and its state.
func pathHeading(p *nvadv1.PathStory) string {
	source := cmp.Or(prefixed("From ", p.GetNeighbor())+inGroup(p.GetPeerGroup()), "Local, "+p.GetSource())
	settled := p.GetPending() == ""
	return joined(", ", source, when(p.GetInternal(), "iBGP"), when(p.GetStale(), "stale"), when(p.GetBest(), "best"),
		when(p.GetMultipath() && !p.GetBest(), "multipath"), when(!settled, "pending"), when(settled && !p.GetAccepted(), "rejected"),
		when(settled && p.GetAccepted() && !p.GetValid(), "not valid"), prefixed("not best by ", p.GetLost().GetStep()))
}

func inGroup(group string) string { return when(group != "", " ("+group+")") }

// pathStory explains how a path was received and accepted.
func (a *app) pathStory(s *story, p *nvadv1.PathStory) {
	if p.GetSource() != "bgp" {
		s.field("Attributes", sentence(p.GetAttributes(), p.GetWeight()))
		s.field("Not valid", p.GetUnresolved())
		return
	}
	s.field("Received", when(p.GetReceivedAt() != nil, a.age(p.GetReceivedAt())+" ago: ")+sentence(p.GetReceived(), 0))
	importStory(s, p)
	s.field("Pending", prefixed("this is the verdict of the changed policy, which is not applied yet; still in force: ", p.GetPending()))
	switch {
	case p.GetUnresolved() != "":
		s.field("Next hop", "unreachable: "+p.GetUnresolved())
	case len(p.GetNextHops()) > 0:
		s.field("Next hop", fmt.Sprintf("reached %s, metric %d", strings.Join(p.GetNextHops(), ", "), p.GetMetric()))
	}
}

// importStory prints the checks and the steps of the import policy, and their result.
func importStory(s *story, p *nvadv1.PathStory) {
	for _, c := range p.GetChecks() {
		verdict := "pass"
		if !c.GetPassed() {
			verdict = "reject"
		}
		s.step("Checks", verdict, 0, c.GetName()+": "+c.GetValue())
	}
	policySteps(s, "Import", p.GetImport())
	if !p.GetAccepted() {
		s.field("Rejected", p.GetRule())
		return
	}
	after := sentence(p.GetAttributes(), p.GetWeight())
	if after == sentence(p.GetReceived(), 0) {
		after = "unchanged"
	}
	s.field("Accepted", after)
}

// policySteps prints a trace, and the changes of a step below it.
func policySteps(s *story, label string, steps []*nvadv1.PolicyStep) {
	for _, t := range steps {
		depth := int(t.GetDepth())
		s.step(label, t.GetVerdict(), depth, joined(" ", t.GetObject(), t.GetRule(), when(t.GetValue() != "", "["+t.GetValue()+"]")))
		for _, c := range t.GetChanges() {
			s.step(label, "", depth+1, fmt.Sprintf("%s: %s -> %s", c.GetAttribute(), c.GetBefore(), c.GetAfter()))
		}
	}
}

// exportStories explains to which neighbors a prefix is advertised, and then why not to
// the others. Neighbors with the same story share a section.
func exportStories(s *story, list []*nvadv1.ExportStory) {
	groups := alike(list)
	for _, told := range []bool{true, false} {
		for _, g := range groups {
			if g[0].GetAdvertised() == told {
				exportStory(s, g)
			}
		}
	}
}

// alike groups, in their order, the stories that differ in the neighbor only.
func alike(list []*nvadv1.ExportStory) [][]*nvadv1.ExportStory {
	var groups [][]*nvadv1.ExportStory
	for _, e := range list {
		found := false
		for i, g := range groups {
			other := proto.CloneOf(g[0])
			other.Neighbor = e.GetNeighbor()
			if len(e.GetExport()) == 0 {
				other.PeerGroup = e.GetPeerGroup()
			}
			if found = proto.Equal(e, other); found {
				groups[i] = append(g, e)
				break
			}
		}
		if !found {
			groups = append(groups, []*nvadv1.ExportStory{e})
		}
	}
	return groups
}

func exportStory(s *story, group []*nvadv1.ExportStory) {
	e := group[0]
	title := "Advertised to "
	if !e.GetAdvertised() {
		title = "Not advertised to "
	}
	names := make([]string, len(group))
	for i, g := range group {
		names[i] = g.GetNeighbor()
	}
	title += strings.Join(names, ", ") + when(len(e.GetExport()) > 0, inGroup(e.GetPeerGroup()))
	s.heading(joined(": ", title, cmp.Or(e.GetHeld(), when(e.GetOriginated(), "a default route of its own (default-originate)"))))
	policySteps(s, "Export", e.GetExport())
	s.field("As sent", sentence(e.GetSent(), 0))
	s.field("Pending", when(e.GetPending() != "", "this is the verdict of the changed policy; "+e.GetPending()+" follows"))
}
