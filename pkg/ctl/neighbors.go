package ctl

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

const established = "Established"

func (a *app) neighborsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "neighbors [ADDRESS]",
		Aliases: []string{"neighbor"},
		GroupID: groupShow,
		Short:   "Show the BGP neighbors, or one in detail",
		Long: `Show every BGP neighbor with the state of its session, how long it is up or
down, and how many routes were received, accepted and advertised; the state of
BFD, where it watches somebody; or one neighbor in detail.`,
		Example: `  nvactl neighbors
  nvactl neighbors 10.0.210.4
  nvactl neighbors -o json | jq '.[] | select(.state != "Established")'`,
		Args:              between(0, 1),
		ValidArgsFunction: a.completeNeighbors,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			if len(args) == 1 {
				return a.showNeighbor(ctx, c, args[0])
			}
			r, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
			if err != nil {
				return err
			}
			if a.json() {
				return writeArray(a.Out, r.GetNeighbors())
			}
			return a.printNeighbors(r.GetNeighbors())
		}),
	}
}

func (a *app) printNeighbors(list []*nvadv1.Neighbor) error {
	if len(list) == 0 {
		return line(a.Out, "No neighbors are configured.")
	}
	watched := slices.ContainsFunc(list, func(n *nvadv1.Neighbor) bool { return n.GetBfd() != nil })
	columns := []column{
		{head: "Neighbor", max: 24, min: 15},
		{head: "AS", right: true},
		{head: "State"},
		{head: "BFD"},
		{head: "Up/Down", right: true},
		{head: "Rcvd", right: true},
		{head: "Acc", right: true},
		{head: "Adv", right: true},
		{head: "Description", min: 11, fit: elided},
	}
	const bfd = 3 // a column only where BFD watches somebody
	if !watched {
		columns = slices.Delete(columns, bfd, bfd+1)
	}
	t := newTable(a.Out, a.Width, columns...)
	for _, n := range list {
		cells := []string{n.GetAddress(), decimal(n.GetRemoteAsn()), stateOf(n), cmp.Or(n.GetBfd().GetState(), "-"), a.upDown(n),
			decimal(n.GetReceived()), decimal(n.GetAccepted()), decimal(n.GetAdvertised()), n.GetDescription()}
		if !watched {
			cells = slices.Delete(cells, bfd, bfd+1)
		}
		t.rowWithNote(trouble(n), cells...)
	}
	return t.end()
}

// trouble says below a neighbor why it is not up, or why it is up in vain.
func trouble(n *nvadv1.Neighbor) string {
	switch {
	case n.GetState() == established:
		return cmp.Or(withoutPolicy(n), strings.Join(append(heldBack(n), n.GetWarnings()...), "; "))
	case n.GetShutdown():
		return ""
	}
	return n.GetReason()
}

// heldBack says that the neighbor does not take all there is for it.
func heldBack(n *nvadv1.Neighbor) []string {
	if n.GetHeldBack() == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s held back: maximum-prefix-out %d reached", count(int(n.GetHeldBack()), "prefix"), n.GetMaxPrefixOut())}
}

// withoutPolicy says what RFC 8212 keeps an eBGP neighbor from.
func withoutPolicy(n *nvadv1.Neighbor) string {
	in, out := missing(n.GetImportPolicy()), missing(n.GetExportPolicy())
	switch {
	case in && out:
		return "no policy: nothing is accepted or advertised (RFC 8212)"
	case in:
		return "no import policy: nothing is accepted (RFC 8212)"
	case out:
		return "no export policy: nothing is advertised (RFC 8212)"
	}
	return ""
}

func missing(policy string) bool { return strings.Contains(policy, "no policy") }

func stateOf(n *nvadv1.Neighbor) string {
	if n.GetShutdown() && n.GetState() != established {
		return n.GetState() + " (Admin)"
	}
	return n.GetState()
}

// upDown is how long the session is up, or how long it is down if it ever was
// up.
func (a *app) upDown(n *nvadv1.Neighbor) string {
	if n.GetState() == established {
		return a.age(n.GetSince())
	}
	return a.age(n.GetLastDown())
}

func decimal[T uint32 | uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }
