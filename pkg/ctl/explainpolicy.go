package ctl

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// pathHeading says where a path is from and what became of it.
func pathHeading(p *nvadv1.PathStory) string {
	words := []string{"Local, " + p.GetSource()}
	if p.GetNeighbor() != "" {
		words[0] = "From " + p.GetNeighbor() + inGroup(p.GetPeerGroup())
	}
	for _, w := range []struct {
		word string
		is   bool
	}{
		{"iBGP", p.GetInternal()},
		{"stale", p.GetStale()},
		{"best", p.GetBest()},
		{"multipath", p.GetMultipath() && !p.GetBest()},
		{"not settled", p.GetPending() != ""},
		{"rejected", p.GetPending() == "" && !p.GetAccepted()},
		{"not valid", p.GetPending() == "" && p.GetAccepted() && !p.GetValid()},
	} {
		if w.is {
			words = append(words, w.word)
		}
	}
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

// pathStory tells how a path came in.
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
		s.field("Not settled", "the policy has changed and this is its new verdict; still in force: "+p.GetPending())
	}
	switch {
	case p.GetUnresolved() != "":
		s.field("Next hop", "is not reached: "+p.GetUnresolved())
	case len(p.GetNextHops()) > 0:
		s.field("Next hop", fmt.Sprintf("reached %s, metric %d", strings.Join(p.GetNextHops(), ", "), p.GetMetric()))
	}
}

// importStory tells what checks and policy made of a path.
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

// policySteps prints a trace. What a step changes stands below it.
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

// sentence is a set of attributes in words.
func sentence(at *nvadv1.Attributes, weight uint32) string {
	if at == nil {
		return ""
	}
	words := []string{"AS path " + at.GetAsPath()}
	if at.GetAsPath() == "" {
		words[0] = "empty AS path"
	}
	if at.GetNextHop() != "" {
		words = append(words, "next hop "+at.GetNextHop())
	}
	words = append(words, scalarWords(at, weight)...)
	for _, list := range []struct {
		name   string
		values []string
	}{
		{"communities", at.GetCommunities()},
		{"large communities", at.GetLargeCommunities()},
		{"extended communities", at.GetExtCommunities()},
	} {
		if len(list.values) > 0 {
			words = append(words, list.name+" "+strings.Join(list.values, " "))
		}
	}
	for _, w := range []string{reflected(at), unknown(at)} {
		if w != "" {
			words = append(words, w)
		}
	}
	if at.GetAggregator() != "" {
		words = append(words, "aggregator "+at.GetAggregator())
	}
	return strings.Join(words, ", ")
}

// exportStories tells who is told of a prefix, those who are told first.
// Neighbors of whom the same is to be said share a section.
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

// alike groups the stories that differ in the neighbor alone, in their order.
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
		s.field("Not settled", "the policy has changed and this is its new verdict; "+e.GetPending()+" is to follow")
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
