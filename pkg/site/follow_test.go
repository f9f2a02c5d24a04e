package site

import (
	"cmp"
	"strings"
	"testing"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// explained is the site of sound with the explanations of a prefix that enters at hub10-a
// and hub10-b.
func explained(t *testing.T) []Told {
	t.Helper()
	w := sound(t)
	told := make([]Told, len(w.nvas))
	path := func(i, from int, best bool) *nvadv1.PathStory {
		p := &nvadv1.PathStory{Neighbor: inside[from], Source: "bgp", Accepted: true, Valid: true, Best: best, Multipath: best, Internal: true}
		if !best {
			p.Lost = &nvadv1.Comparison{Step: "eBGP over iBGP"}
		}
		return p
	}
	for i, a := range w.nvas {
		x := &nvadv1.Explanation{Known: true}
		rs := a.Neighbors[0].GetAddress()
		if i < 2 {
			x.Paths = []*nvadv1.PathStory{path(i, 2, true), path(i, 3, false)}
			x.Exports = []*nvadv1.ExportStory{{Neighbor: rs, Advertised: true, Sent: &nvadv1.Attributes{AsPath: "65001"}},
				{Neighbor: inside[1-i], Held: "iBGP routes are not passed on to iBGP neighbors"}}
		} else {
			x.Paths = []*nvadv1.PathStory{{Neighbor: rs, Source: "bgp", Accepted: true, Valid: true, Best: true}, path(i, 5-i, false)}
			x.Exports = []*nvadv1.ExportStory{{Neighbor: rs, Held: "learned from this neighbor"}, {Neighbor: inside[0], Advertised: true}, {Neighbor: inside[1], Advertised: true}}
		}
		told[i] = Told{Answer: a, Explanation: x}
	}
	return told
}

// wayText prints ways shortly: "enters best: leg; leg".
func wayText(w Way) string {
	var legs []string
	for _, l := range w.From {
		name := cmp.Or(l.NVA, l.Neighbor, itself)
		legs = append(legs, strings.TrimSpace(name+" "+string(l.Verdict)+" "+l.Why))
	}
	for _, l := range w.To {
		legs = append(legs, strings.TrimSpace("to "+l.Neighbor+" "+string(l.Verdict)+" "+l.Why))
	}
	head := w.Best
	if w.Enters {
		head = "enters " + head
	}
	return head + ": " + strings.Join(legs, "; ")
}

func TestFollow(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(told []Told)
		want map[int]string
	}{
		"everywhere": {func([]Told) {}, map[int]string{
			0: "hub10-a: hub10-a best; hub10-b not best eBGP over iBGP; to 10.0.210.4 advertised AS path 65001",
			2: "enters 10.10.210.4: 10.10.210.4 best; hub10-b not best eBGP over iBGP",
		}},
		"rejected": {func(told []Told) {
			for _, p := range told[1].Explanation.Paths {
				p.Accepted, p.Best, p.Valid, p.Rule = false, false, false, "prefix-list none seq 5 deny any"
			}
		}, map[int]string{1: ": hub10-a rejected prefix-list none seq 5 deny any; hub10-b rejected prefix-list none seq 5 deny any; " +
			"hub00-a not advertised iBGP routes are not passed on to iBGP neighbors"}},
		"not advertised by policy": {func(told []Told) {
			told[0].Explanation.Paths = told[0].Explanation.Paths[:1]
			told[3].Explanation.Exports[1] = &nvadv1.ExportStory{Neighbor: inside[0], Held: "denied by export policy", Rule: "prefix-list x seq 5 deny any"}
		}, map[int]string{0: "hub10-a: hub10-a best; hub10-b not advertised denied by export policy: prefix-list x seq 5 deny any; to 10.0.210.4 advertised AS path 65001"}},
		"no session": {func(told []Told) {
			told[0].Explanation.Paths = nil
			for _, n := range told[0].Neighbors {
				n.State, n.Reason = "Active", "hold timer expired"
			}
		}, map[int]string{0: ": hub00-b no session hold timer expired; hub10-a no session hold timer expired; hub10-b no session hold timer expired"}},
		"not valid, not arrived": {func(told []Told) {
			told[0].Explanation.Paths = told[0].Explanation.Paths[:1]
			p := told[0].Explanation.Paths[0]
			p.Best, p.Valid, p.Unresolved = false, false, "no route to 169.254.0.2"
			told[0].Explanation.Malformed = []*nvadv1.MalformedAnnouncement{{Neighbor: inside[3], Reason: "ORIGIN is missing"}}
		}, map[int]string{0: ": hub10-a not valid no route to 169.254.0.2; hub10-b not arrived malformed: ORIGIN is missing; hub00-b not advertised iBGP routes are not passed on to iBGP neighbors"}},
		"originated": {func(told []Told) {
			told[2].Explanation.Paths = []*nvadv1.PathStory{{Source: "network", Accepted: true, Valid: true, Best: true}}
		}, map[int]string{2: "enters itself: itself best network; to 10.10.210.4 not advertised learned from this neighbor"}},
		"one does not answer": {func(told []Told) {
			told[2] = Told{Answer: Answer{Name: "hub10-a", Failure: "no answer within 10s"}}
		}, map[int]string{2: ": ", 3: "enters 10.10.210.4: 10.10.210.4 best; 169.254.0.2 not best eBGP over iBGP"}},
		"tunnel of one side": {func(told []Told) { told[3].Tunnels[0].Remotes = nil; told[3].Tunnels[0].Peers = nil }, map[int]string{
			0: "hub10-a: hub10-a best; hub10-b not best eBGP over iBGP; to 10.0.210.4 advertised AS path 65001",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			told := explained(t)
			c.do(told)
			for _, x := range told { // what has no best path is advertised to nobody
				for _, e := range x.Explanation.GetExports() {
					e.Advertised = e.Advertised && hasBest(x.Explanation)
				}
			}
			ways := Follow(told)
			for i, want := range c.want {
				got := wayText(ways[i])
				if got != want {
					t.Errorf("%s:\ngot  %s\nwant %s", told[i].Name, got, want)
				}
			}
		})
	}
}
