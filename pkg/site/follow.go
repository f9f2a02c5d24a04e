package site

import (
	"slices"
	"strings"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// Told holds what one NVA says about a prefix.
type Told struct {
	Answer // without its tables and configuration, which are not looked at
	// Explanation is nil if the NVA did not answer.
	Explanation *nvadv1.Explanation
}

// Way says how a prefix reaches one NVA, and to whom it goes from there. Its JSON is part of
// nvactl's interface.
type Way struct {
	// Enters says that the best path comes from outside of the site, or is the NVA's own.
	Enters bool `json:"enters"`
	// Best is where the best path comes from: the name of an NVA, the address of a
	// neighbor outside of the site, or "itself". Empty if there is none.
	Best string `json:"best"`
	// From are the neighbors from which the prefix came or might have come, the best first.
	From []Leg `json:"from"`
	// To are the neighbors outside of the site.
	To []Leg `json:"to"`
}

// Leg says what became of the prefix between two routers.
type Leg struct {
	// Neighbor is the address of the neighbor; empty for a path of the NVA's own.
	Neighbor string `json:"neighbor"`
	// NVA is the neighbor's name; empty if it is outside of the site.
	NVA     string  `json:"nva"`
	Verdict Verdict `json:"verdict"`
	// Why says which rule or step decided; may be empty.
	Why string `json:"why"`
}

// Verdict says what became of the prefix.
type Verdict string

// The verdicts.
const (
	Best          Verdict = "best"
	Multipath     Verdict = "multipath" // shares the traffic with the best path
	NotBest       Verdict = "not best"
	Rejected      Verdict = "rejected"  // by a check or an import policy
	NotValid      Verdict = "not valid" // its next hop does not resolve
	Advertised    Verdict = "advertised"
	NotAdvertised Verdict = "not advertised"
	NoSession     Verdict = "no session"
	NotArrived    Verdict = "not arrived" // it was sent, and is not there
)

// itself names a path that an NVA originates.
const itself = "itself"

// Follow puts together how a prefix gets from NVA to NVA. The ways are in the order of the
// NVAs; that of an NVA that did not answer is empty.
func Follow(told []Told) []Way {
	answers := make([]Answer, len(told))
	stories := map[string]*nvadv1.Explanation{}
	for i, t := range told {
		answers[i], stories[t.Name] = t.Answer, t.Explanation
	}
	d := newDiffer(answers)
	d.tunnels() // for the links
	ways := make([]Way, len(told))
	for i, t := range told {
		ways[i] = Way{From: []Leg{}, To: []Leg{}}
		at := slices.IndexFunc(d.nvas, func(n *nva) bool { return n.Name == t.Name })
		if at >= 0 && t.Explanation != nil {
			f := follower{d, stories, d.nvas[at], t.Explanation}
			ways[i] = f.way()
		}
	}
	return ways
}

// follower follows a prefix at one NVA.
type follower struct {
	d       *differ
	stories map[string]*nvadv1.Explanation
	nva     *nva
	x       *nvadv1.Explanation
}

func (f *follower) way() Way {
	w := Way{From: []Leg{}, To: []Leg{}}
	paths := map[string]*nvadv1.PathStory{}
	for _, p := range f.x.GetPaths() {
		if paths[p.GetNeighbor()] = p; p.GetNeighbor() == "" {
			w.From = append(w.From, legOf(p, ""))
		}
	}
	for _, n := range f.nva.Neighbors {
		p, known := f.d.peering(f.nva, n)
		switch path := paths[n.GetAddress()]; {
		case path != nil && known:
			w.From = append(w.From, legOf(path, p.far.Name))
		case path != nil:
			w.From = append(w.From, legOf(path, ""))
		case known:
			w.From = append(w.From, f.absent(p)...)
		}
		if !known {
			w.To = append(w.To, f.outside(n.GetAddress(), paths[n.GetAddress()] != nil)...)
		}
	}
	slices.SortStableFunc(w.From, func(a, b Leg) int { return order(a.Verdict) - order(b.Verdict) })
	if len(w.From) > 0 && w.From[0].Verdict == Best {
		best := w.From[0]
		w.Enters = best.NVA == ""
		if w.Best = best.NVA; best.NVA == "" {
			w.Best = best.Neighbor
		}
		if w.Best == "" {
			w.Best = itself
		}
	}
	return w
}

func order(v Verdict) int {
	return slices.Index([]Verdict{Best, Multipath, NotBest, NotValid, Rejected, NotArrived, NotAdvertised, NoSession}, v)
}

// legOf returns what became of a path that arrived.
func legOf(p *nvadv1.PathStory, nva string) Leg {
	l := Leg{Neighbor: p.GetNeighbor(), NVA: nva, Verdict: NotBest}
	switch {
	case !p.GetAccepted() && p.GetSource() == "bgp":
		l.Verdict, l.Why = Rejected, p.GetRule()
	case p.GetBest():
		l.Verdict = Best
	case !p.GetValid():
		l.Verdict, l.Why = NotValid, p.GetUnresolved()
	case p.GetMultipath():
		l.Verdict = Multipath
	default:
		l.Why = p.GetLost().GetStep()
	}
	if p.GetNeighbor() == "" {
		l.Why = p.GetSource()
	}
	return l
}

// hasBest reports whether an NVA has a best path.
func hasBest(x *nvadv1.Explanation) bool {
	return slices.ContainsFunc(x.GetPaths(), func(p *nvadv1.PathStory) bool { return p.GetBest() })
}

// absent says why the prefix did not come from a neighbor of the site that has it. If it
// came another way, only a policy is worth a line: a route that does not go back to where
// it came from is as it should be.
func (f *follower) absent(p peering) []Leg {
	far := f.stories[p.far.Name]
	if !hasBest(far) {
		return nil
	}
	l := Leg{Neighbor: p.n.GetAddress(), NVA: p.far.Name, Verdict: NoSession, Why: p.n.GetReason()}
	if p.n.GetState() != established {
		return []Leg{l}
	}
	back := p.back()
	for _, e := range far.GetExports() {
		switch {
		case e.GetNeighbor() != back.GetAddress() || e.GetRule() == "" && !e.GetAdvertised() && hasBest(f.x):
			continue
		case e.GetAdvertised():
			l.Verdict, l.Why = NotArrived, f.lost(l.Neighbor)
		default:
			l.Verdict, l.Why = NotAdvertised, held(e)
		}
		return []Leg{l}
	}
	return nil
}

// lost says why the prefix is missing although the neighbor announced it.
func (f *follower) lost(neighbor string) string {
	for _, m := range f.x.GetMalformed() {
		if m.GetNeighbor() == neighbor {
			return "malformed: " + m.GetReason()
		}
	}
	return "it was sent a moment ago"
}

// outside says whether the prefix leaves the site by a neighbor. It returns nothing for a
// neighbor that the prefix came from, or if there is nothing to advertise.
func (f *follower) outside(neighbor string, came bool) []Leg {
	for _, e := range f.x.GetExports() {
		if e.GetNeighbor() != neighbor || !e.GetAdvertised() && (came && e.GetRule() == "" || !hasBest(f.x)) {
			continue
		}
		l := Leg{Neighbor: neighbor, Verdict: NotAdvertised, Why: held(e)}
		if e.GetAdvertised() {
			l.Verdict, l.Why = Advertised, ""
			if path := e.GetSent().GetAsPath(); path != "" {
				l.Why = "AS path " + path
			}
		}
		return []Leg{l}
	}
	return nil
}

// held says why a prefix is not advertised, with the rule if there is one.
func held(e *nvadv1.ExportStory) string {
	if e.GetRule() == "" || strings.Contains(e.GetHeld(), e.GetRule()) {
		return e.GetHeld()
	}
	return e.GetHeld() + ": " + e.GetRule()
}
