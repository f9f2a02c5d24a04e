package ctl

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/site"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// siteExplain follows a prefix from NVA to NVA.
func (a *app) siteExplain(ctx context.Context, prefix string) error {
	if _, err := netip.ParsePrefix(prefix); err != nil {
		return fmt.Errorf("%q is not a prefix (want one like 10.110.0.0/16)", prefix)
	}
	ask := func(ctx context.Context, c *client) (t site.Told, err error) {
		if t.Explanation, err = c.read.Explain(ctx, &nvadv1.ExplainRequest{Prefix: prefix}); err != nil {
			return t, err
		}
		n, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
		if err != nil {
			return t, err
		}
		tunnels, err := c.read.ListTunnels(ctx, &nvadv1.ListTunnelsRequest{})
		t.Neighbors, t.Ranges, t.Tunnels = n.GetNeighbors(), n.GetListenRanges(), tunnels.GetTunnels()
		return t, err
	}
	return askSite(ctx, a, ask, func(replies []reply[site.Told]) {
		told := make([]site.Told, len(replies))
		for i, r := range replies {
			if told[i] = r.answer; r.err != nil {
				told[i] = site.Told{Answer: site.Answer{Failure: r.err.Error()}}
			}
			told[i].Name = r.nva
		}
		ways := site.Follow(told)
		if a.json() {
			writeWays(a, told, ways)
			return
		}
		a.printWays(prefix, told, ways)
	})
}

// writeWays prints an object for each NVA, with its explanation as the NVA alone prints it,
// and its part in the way.
func writeWays(a *app, told []site.Told, ways []site.Way) {
	out := make([]json.RawMessage, len(told))
	for i, t := range told {
		failure, explanation, way := []byte("null"), []byte("null"), []byte("null")
		if t.Failure != "" {
			failure = appendString(nil, t.Failure)
		} else {
			explanation = appendJSON(nil, t.Explanation.ProtoReflect())
			way, _ = json.Marshal(ways[i]) // a struct of strings can't fail
		}
		out[i] = fmt.Appendf(nil, `{"nva":%s,"error":%s,"way":%s,"explain":%s}`, appendString(nil, t.Name), failure, way, explanation)
	}
	writeValue(a.Out, out)
}

func (a *app) printWays(prefix string, told []site.Told, ways []site.Way) {
	hang(a.Out, a.Width, "", "  ", wayInBrief(prefix, told, ways))
	for _, i := range inOrder(told, ways) {
		t, w, heading := told[i], ways[i], ""
		switch {
		case t.Failure != "":
			heading = "did not answer: " + t.Failure
		case w.Best == "":
			heading = "no route" + prefixed(", packets follow ", t.Explanation.GetCoveredBy())
		default:
			heading = joined(", ", when(w.Enters, "enters here"), "best from "+w.Best, kernelState(t.Explanation)+viaText(t.Explanation))
		}
		line(a.Out, "")
		hang(a.Out, a.Width, "", "  ", t.Name+": "+heading)
		a.printLegs(w)
	}
}

// viaText returns the next hops in the kernel.
func viaText(x *nvadv1.Explanation) string {
	if len(x.GetKernel()) == 0 || x.GetKernel()[0].GetState() != installed {
		return ""
	}
	return " " + strings.ReplaceAll(fibHops(x.GetKernel()[0]), "\n", ", ")
}

// wayInBrief says in a sentence or two where the prefix enters, and which NVAs lack it.
func wayInBrief(prefix string, told []site.Told, ways []site.Way) string {
	var enters, lacks []string
	answered := 0
	for i, w := range ways {
		if told[i].Failure != "" {
			continue
		}
		answered++
		switch {
		case w.Enters:
			enters = append(enters, told[i].Name)
		case w.Best == "":
			lacks = append(lacks, told[i].Name)
		}
	}
	if len(lacks) == answered {
		return prefix + ": no NVA of the site has a route for it"
	}
	s := fmt.Sprintf("%s: enters the site at %s, and reaches %d of %s", prefix, orNone(enters, "no NVA that answered"), answered-len(lacks), count(len(told), "NVA"))
	return s + prefixed("; not: ", strings.Join(lacks, ", "))
}

// inOrder returns the NVAs as the prefix meets them: where it enters, then where the best
// path comes from those, at last those that lack it.
func inOrder(told []site.Told, ways []site.Way) []int {
	hops := make([]int, len(ways))
	for i := range ways {
		hops[i] = len(ways) + 1
		for at, n := i, 0; n < len(ways) && at >= 0 && ways[at].Best != ""; n++ {
			if ways[at].Enters {
				hops[i] = n
				break
			}
			at = slices.IndexFunc(told, func(t site.Told) bool { return t.Name == ways[at].Best })
		}
	}
	order := make([]int, len(ways))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return hops[i] - hops[j] })
	return order
}

// widestName bounds the column of names below an NVA.
const widestName = 28

// printLegs prints a line for each neighbor. Those outside of the site that fare alike
// share one.
func (a *app) printLegs(w site.Way) {
	var rows [][3]string
	for _, l := range w.From {
		rows = append(rows, [3]string{"from", cmp.Or(joined(" ", l.NVA, l.Neighbor), "itself"), verdictText(l)})
	}
	for i := 0; i < len(w.To); {
		first, list := w.To[i], []string{}
		for ; i < len(w.To) && w.To[i].Verdict == first.Verdict && w.To[i].Why == first.Why; i++ {
			list = append(list, w.To[i].Neighbor)
		}
		rows = append(rows, [3]string{"to", strings.Join(list, ", "), verdictText(first)})
	}
	column := 0
	for _, r := range rows {
		column = max(column, min(length(r[1]), widestName))
	}
	for _, r := range rows {
		indent := "  " + pad(r[0], 6)
		rest := spaces(length(indent) + column + gap)
		if length(r[1]) > column {
			hang(a.Out, a.Width, indent, spaces(length(indent)), r[1])
			hang(a.Out, a.Width, rest, rest, r[2])
			continue
		}
		hang(a.Out, a.Width, indent+pad(r[1], column+gap), rest, r[2])
	}
}

// verdictText puts a verdict and its reason into one phrase.
func verdictText(l site.Leg) string {
	switch l.Verdict {
	case site.NotBest, site.Rejected:
		return string(l.Verdict) + prefixed(" by ", l.Why)
	case site.Best, site.Advertised:
		return string(l.Verdict) + prefixed(", ", l.Why)
	}
	return string(l.Verdict) + prefixed(": ", l.Why)
}
