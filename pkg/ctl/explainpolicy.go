package ctl

import (
	"cmp"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// pathHeading returns the source of a path and its state.
func pathHeading(p *nvadv1.PathStory) string {
	source := "Local, " + p.GetSource()
	if p.GetNeighbor() != "" {
		source = "From " + p.GetNeighbor() + inGroup(p.GetPeerGroup())
	}
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
