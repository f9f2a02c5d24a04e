package ctl

import (
	"strings"

	"google.golang.org/protobuf/proto"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

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
