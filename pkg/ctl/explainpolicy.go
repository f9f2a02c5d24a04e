package ctl

import (
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
	words := applying([]string{source}, trait{"iBGP", p.GetInternal()}, trait{"stale", p.GetStale()}, trait{"best", p.GetBest()},
		trait{"multipath", p.GetMultipath() && !p.GetBest()}, trait{"pending", !settled}, trait{"rejected", settled && !p.GetAccepted()},
		trait{"not valid", settled && p.GetAccepted() && !p.GetValid()})
	if l := p.GetLost(); l != nil {
		words = append(words, "not best by "+l.GetStep())
	}
	return strings.Join(words, ", ")
}

func inGroup(group string) string {
	if group == "" {
		return ""
	}
	return " (" + group + ")"
}

// pathStory explains how a path was received and accepted.
func (a *app) pathStory(s *story, p *nvadv1.PathStory) {
	if p.GetSource() != "bgp" {
		s.field("Attributes", sentence(p.GetAttributes(), p.GetWeight()))
		return
	}
	received := sentence(p.GetReceived(), 0)
	if p.GetReceivedAt() != nil {
		received = a.age(p.GetReceivedAt()) + " ago: " + received
	}
	s.field("Received", received)
	importStory(s, p)
	if p.GetPending() != "" {
		s.field("Pending", "this is the verdict of the changed policy, which is not applied yet; still in force: "+p.GetPending())
	}
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
		text := t.GetObject()
		if t.GetRule() != "" {
			text += " " + t.GetRule()
		}
		if t.GetValue() != "" {
			text += " [" + t.GetValue() + "]"
		}
		depth := int(t.GetDepth())
		s.step(label, t.GetVerdict(), depth, text)
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
	title += strings.Join(names, ", ")
	if len(e.GetExport()) > 0 {
		title += inGroup(e.GetPeerGroup())
	}
	s.heading(title + exportNote(e))
	policySteps(s, "Export", e.GetExport())
	s.field("As sent", sentence(e.GetSent(), 0))
	if e.GetPending() != "" {
		s.field("Pending", "this is the verdict of the changed policy; "+e.GetPending()+" follows")
	}
}

func exportNote(e *nvadv1.ExportStory) string {
	switch {
	case e.GetHeld() != "":
		return ": " + e.GetHeld()
	case e.GetOriginated():
		return ": a default route of its own (default-originate)"
	}
	return ""
}
