package web

import (
	"slices"
	"testing"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// TestExplain follows a prefix from the NVA that learned it from Route Server to the one that
// learned it from there.
func TestExplain(t *testing.T) {
	tale := func(neighbor string, rejected bool) *nvadv1.Explanation {
		return &nvadv1.Explanation{Prefix: "10.1.0.0/16", Known: true, Paths: []*nvadv1.PathStory{{
			Neighbor: neighbor, Source: "bgp", Best: !rejected, Valid: !rejected, Accepted: !rejected, Rule: "prefix-list x seq 5", Received: &nvadv1.Attributes{AsPath: "65515"},
			Checks: []*nvadv1.Check{{Name: "AS path loop", Value: "65515", Passed: true}},
			Import: []*nvadv1.PolicyStep{{Object: "prefix-list x", Verdict: "permit", Changes: []*nvadv1.AttributeChange{{Attribute: "med", Before: "-", After: "5"}}}},
		}}, NotWanted: "no path is best", Exports: []*nvadv1.ExportStory{{Neighbor: "10.0.0.9", Held: "split horizon"}}}
	}
	far := &fake{story: tale("169.254.0.1", false), links: []*nvadv1.Link{{Name: "vxlan0", Addresses: []string{"169.254.0.2/24"}}}}
	near := &fake{story: tale("10.0.210.4", false), links: []*nvadv1.Link{{Name: "vxlan0", Addresses: []string{"169.254.0.1/24"}}}, paths: []*nvadv1.Path{{Prefix: "10.1.0.0/16"}, {Prefix: "10.0.0.0/8"}}}
	near.record(routeEvent(0, start))
	b := open(t, NVA{Name: "far", Client: far.client(t)}, NVA{Name: "gone", Client: dial(t, "unix:/nowhere/nvad.sock")}, NVA{Name: "near", Client: near.client(t)})
	got := ask[explainAnswer](b, "api/explain?prefix=10.1.2.3")
	var order []string
	for _, n := range got.NVAs {
		order = append(order, n.NVA)
	}
	if got.Prefix != "10.1.0.0/16" || !slices.Equal(order, []string{"near", "far", "gone"}) {
		t.Errorf("%s on %v", got.Prefix, order)
	}
	n := got.NVAs[0]
	if !n.OK || n.Verdict != "good" || n.Summary != "10.1.0.0/16: summary" || len(n.Steps) != 4 || n.Steps[0].Detail != "accepted, best; AS path 65515" ||
		n.Steps[1].Title != "Best: from 10.0.210.4" || n.Steps[3].Title != "Advertised to 0 of 1 neighbors" {
		t.Errorf("got %+v", n)
	}
	if want := []string{"check AS path loop: 65515: pass", "import prefix-list x: permit", "  set med: - -> 5"}; !slices.Equal(n.Steps[0].Lines, want) {
		t.Errorf("got %q", n.Steps[0].Lines)
	}
	if g := got.NVAs[2]; g.OK || g.Error == "" || g.Verdict != "none" {
		t.Errorf("got %+v", g)
	}
	if len(got.HistoryErrors) != 2 { // gone, and far keeps no journal
		t.Errorf("got %+v", got.HistoryErrors)
	}
	b.get("api/explain?prefix=x", 400)
	b.get("api/explain", 400)
}

// TestHistory tells how long a prefix was in each state.
func TestHistory(t *testing.T) {
	f := &fake{}
	for i, after := range []int{0, 10, 25} {
		e := routeEvent(i, start.Add(1e9*1).Add(1e9*0))
		e.Time.Seconds = start.Unix() + int64(after)
		e.GetRoute().Prefix = "10.1.0.0/16"
		f.record(e)
	}
	b := open(t, NVA{Name: "one", Client: f.client(t)})
	h := ask[explainAnswer](b, "api/explain?prefix=10.1.0.0/16").History
	if len(h) != 3 || h[0].Until != nil || !h[0].Present || h[1].Present || *h[1].Seconds != 15 || *h[2].Seconds != 10 || h[2].Neighbor != "10.0.210.4" {
		t.Errorf("got %+v", h)
	}
	then := ask[explainAnswer](b, "api/explain?prefix=10.1.0.0/16&at="+start.AddDate(1, 0, 0).Format("2006-01-02T15:04:05Z"))
	if n := then.NVAs[0]; !n.OK || !n.Known || n.Text != "" {
		t.Errorf("got %+v", n)
	}
}
