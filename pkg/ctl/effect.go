package ctl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// largeEffect lets an answer through that lists every route of an effect; nvad lists
// 50,000 at most.
var largeEffect = grpc.MaxCallRecvMsgSize(64 << 20)

// printEffect prints what a reload does to the routes: what loses much first, and
// groups once that are alike for several neighbors. It says that there is nothing if
// the configuration changes.
func (a *app) printEffect(e *nvadv1.Effect, changes bool) error {
	if e == nil || !changes && len(e.GetGroups()) == 0 {
		return nil
	}
	if e.GetUnknown() != "" {
		return a.paragraph("What becomes of the routes is not known: " + e.GetUnknown())
	}
	err := line(a.Out, "")
	groups := slices.Clone(e.GetGroups())
	slices.SortStableFunc(groups, func(x, y *nvadv1.EffectGroup) int {
		switch {
		case x.GetHeavy() == y.GetHeavy():
			return 0
		case x.GetHeavy():
			return -1
		}
		return 1
	})
	for i, who := range subjects(groups) {
		if who != "" {
			err = errors.Join(err, a.printGroup(groups[i], who))
		}
	}
	if len(groups) == 0 {
		err = errors.Join(err, a.paragraph("The routes stay as they are."))
	}
	if e.GetPartial() {
		err = errors.Join(err, a.paragraph("There are more differences than nvad counts."))
	}
	if list := e.GetResets(); len(list) > 0 {
		err = errors.Join(err, a.paragraph(fmt.Sprintf(
			"Sessions are reset: %s. Their routes go until the sessions are back, which is not counted here.", strings.Join(list, ", "))))
	}
	return err
}

// subjects returns for each group whom it is about: for the first of several that differ
// in their neighbor alone all neighbors, and "" for the others.
func subjects(groups []*nvadv1.EffectGroup) []string {
	out := make([]string, len(groups))
	first := map[string]int{}
	for i, g := range groups {
		text := fmt.Sprint(g.GetStage(), g.GetBefore(), effectCounts(g), g.GetRoutes())
		j, twice := first[text]
		switch {
		case g.GetStage() == "installed":
			out[i] = "kernel"
		case g.GetNeighbor() == "":
			out[i] = "best paths"
		case twice:
			out[j] += ", " + g.GetNeighbor()
		default:
			first[text], out[i] = i, g.GetNeighbor()
		}
	}
	return out
}

func (a *app) printGroup(g *nvadv1.EffectGroup, who string) error {
	head := who + ": " + effectCounts(g)
	if g.GetHeavy() {
		head = "Warning: " + head
	}
	routes := g.GetRoutes()
	if len(routes) == 1 && g.GetAdded()+g.GetRemoved()+g.GetChanged() == 1 {
		r := routes[0]
		head += ": " + r.GetPrefix()
		if r.GetReason() != "" {
			head += " (" + r.GetReason() + ")"
		}
		return a.paragraph(head)
	}
	if err := a.paragraph(head); err != nil {
		return err
	}
	widest := 0
	for _, r := range routes {
		widest = max(widest, length(r.GetPrefix()))
	}
	for _, r := range routes {
		sign := map[string]string{"added": "+", "removed": "-", "changed": "~"}[r.GetDifference()]
		text := printable(fmt.Sprintf("  %s %s  %s", sign, pad(r.GetPrefix(), widest), r.GetReason()))
		if err := line(a.Out, strings.TrimRight(elide(text, a.Width), " ")); err != nil {
			return err
		}
	}
	if left := int(g.GetAdded()+g.GetRemoved()+g.GetChanged()) - len(routes); left > 0 {
		return line(a.Out, fmt.Sprintf("  and %d more (--output json lists all)", left))
	}
	return nil
}

// effectCounts is "2 routes fewer sent of 20, 1 route changed".
func effectCounts(g *nvadv1.EffectGroup) string {
	verb := map[string]string{"accepted": " accepted", "advertised": " sent", "installed": " installed"}[g.GetStage()]
	var out []string
	if n := int(g.GetRemoved()); n > 0 {
		text := count(n, "route") + " fewer" + verb
		switch {
		case g.GetHeavy() && g.GetRemoved() == g.GetBefore():
			text += ", all there were"
		case g.GetHeavy():
			text += fmt.Sprintf(", of %d", g.GetBefore())
		}
		out = append(out, text)
	}
	if n := int(g.GetAdded()); n > 0 {
		out = append(out, count(n, "route")+" more"+verb)
	}
	if n := int(g.GetChanged()); n > 0 {
		out = append(out, count(n, "route")+" changed")
	}
	return strings.Join(out, ", ")
}

// paragraph prints a text in as many lines as it takes.
func (a *app) paragraph(s string) error {
	for i, l := range wrap(printable(s), a.Width-2) {
		if i > 0 {
			l = "  " + l
		}
		if err := line(a.Out, l); err != nil {
			return err
		}
	}
	return nil
}
