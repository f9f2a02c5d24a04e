package ctl

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

const established = "Established"

func (a *app) neighborsCommand() *cobra.Command {
	at := &past{moment{now: a.Now}}
	cmd := &cobra.Command{
		Use:   "neighbors [ADDRESS]",
		Short: "Show the BGP neighbors, or one in detail",
		Long: `Show every BGP neighbor with the state of its session, the time since it came up
or went down, and the number of routes received, accepted and advertised. If BFD
watches a neighbor, a column shows the state of BFD. A * marks a dynamic
neighbor, which connected from a listen-range; the ranges follow. With ADDRESS,
show one neighbor in detail.

With --at, show the sessions of that moment from the journal, why those that
were down were down, and how many best paths came from each.
` + helpOfMoments + ``,
		Example: `  nvactl neighbors
  nvactl neighbors 10.0.210.4
  nvactl neighbors -o json | jq '.[] | select(.state != "Established")'
  nvactl neighbors --at "yesterday 03:12"`,
		ValidArgsFunction: a.completeNeighbors,
		Annotations:       forSites,
		RunE: a.orSite(a.siteNeighbors, func(ctx context.Context, c *client, args []string) error {
			switch {
			case at.given != "":
				return a.neighborsAt(ctx, c, strings.Join(args, ""), at)
			case len(args) == 1:
				n, err := c.read.GetNeighbor(ctx, &nvadv1.GetNeighborRequest{Address: args[0]})
				return answer(a, n, err, a.printNeighbor)
			}
			r, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
			if a.json() || err != nil {
				return answerList(a, r.GetNeighbors(), err, "", a.printNeighbors)
			}
			a.printNeighborList(r)
			return nil
		}),
	}
	cmd.Flags().Var(at, "at", "show the sessions as they were at `TIME`")
	return cmd
}

// printNeighborList prints the neighbors, and the ranges from which more may come.
func (a *app) printNeighborList(r *nvadv1.ListNeighborsResponse) {
	switch {
	case len(r.GetNeighbors()) > 0:
		a.printNeighbors(r.GetNeighbors())
	case len(r.GetListenRanges()) > 0:
		line(a.Out, "No neighbor is there.")
	default:
		line(a.Out, "No neighbors are configured.")
	}
	a.printRanges(r.GetListenRanges())
}

func (a *app) printNeighbors(list []*nvadv1.Neighbor) {
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
	const bfd = 3 // the column is left out if BFD watches nobody
	if !watched {
		columns = slices.Delete(columns, bfd, bfd+1)
	}
	t := a.newTable(columns...)
	for _, n := range list {
		cells := []string{addressOf(n), strings.TrimPrefix(asName(n.GetRemoteAsn()), "AS "), stateOf(n), cmp.Or(n.GetBfd().GetState(), "-"), a.upDown(n),
			decimal(n.GetReceived()), decimal(n.GetAccepted()), decimal(n.GetAdvertised()), n.GetDescription()}
		if !watched {
			cells = slices.Delete(cells, bfd, bfd+1)
		}
		t.rowWithNote(trouble(n), cells...)
	}
	t.end()
}

// printRanges prints from where dynamic neighbors may come, and how full that is.
func (a *app) printRanges(list []*nvadv1.ListenRange) {
	if len(list) > 0 {
		line(a.Out, "")
	}
	for _, r := range list {
		text := fmt.Sprintf("* listen-range %s (peer-group %s): %d established, %d of %d places taken",
			r.GetPrefix(), r.GetPeerGroup(), r.GetEstablished(), r.GetPlaces(), r.GetLimit())
		if n := r.GetRefused(); n > 0 {
			text += fmt.Sprintf(", %s refused", count(n, "connection"))
		}
		line(a.Out, text)
	}
}

// addressOf marks the address of a dynamic neighbor.
func addressOf(n *nvadv1.Neighbor) string {
	if n.GetListenRange() != "" {
		return "*" + n.GetAddress()
	}
	return n.GetAddress()
}

// trouble returns the reason why a neighbor is down, or why its session is up in vain.
func trouble(n *nvadv1.Neighbor) string {
	switch {
	case n.GetState() == established:
		return cmp.Or(withoutPolicy(n), joined("; ", append([]string{heldBack(n)}, n.GetWarnings()...)...))
	case n.GetShutdown():
		return ""
	}
	return n.GetReason()
}

// heldBack reports routes that the neighbor's limit keeps from it.
func heldBack(n *nvadv1.Neighbor) string {
	return when(n.GetHeldBack() > 0,
		fmt.Sprintf("%s held back: maximum-prefix-out %d reached", count(n.GetHeldBack(), "prefix"), n.GetMaxPrefixOut()))
}

// withoutPolicy reports the directions in which an eBGP neighbor has no policy.
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
	return n.GetState() + when(n.GetShutdown() && n.GetState() != established, " (Admin)")
}

// upDown returns how long the session has been up, or down since it was last up.
func (a *app) upDown(n *nvadv1.Neighbor) string {
	if n.GetState() == established {
		return a.age(n.GetSince())
	}
	return a.age(n.GetLastDown())
}

// asName names an AS. 0 stands for the one that an external neighbor has not shown yet.
func asName(asn uint32) string {
	if asn == 0 {
		return "external"
	}
	return fmt.Sprintf("AS %d", asn)
}

func (a *app) printNeighbor(n *nvadv1.Neighbor) {
	p := a.newPage()
	kind := "eBGP"
	if n.GetLocalAsn() == n.GetRemoteAsn() {
		kind = "iBGP"
	}
	p.heading("Neighbor %s, %s (%s)", n.GetAddress(), asName(n.GetRemoteAsn()), kind)
	p.field("Description", n.GetDescription())
	if r := n.GetListenRange(); r != "" {
		p.field("Listen range", r+" (dynamic neighbor)")
	}
	p.field("State", a.stateSentence(n))
	p.field("Warning", strings.Join(n.GetWarnings(), "; "))
	p.field("Last down", a.lastDown(n))
	p.field("Peer group", n.GetPeerGroup())
	p.field("Loop domain", n.GetDomain())
	a.sessionSection(p, n)
	a.bfdSection(p, n.GetBfd())
	routesSection(p, n)
	p.heading("Policy")
	p.field("Import", n.GetImportPolicy())
	p.field("Export", n.GetExportPolicy())
	m := n.GetMessages()
	p.heading("Messages")
	p.field("Received", fmt.Sprintf("%d, of them %s", m.GetReceived(), count(m.GetUpdatesReceived(), "UPDATE")))
	p.field("Sent", fmt.Sprintf("%d, of them %s", m.GetSent(), count(m.GetUpdatesSent(), "UPDATE")))
	bad := m.GetMalformed()
	p.field("Malformed", when(bad.GetTotal() > 0,
		fmt.Sprintf("%s: %s (%s)", count(bad.GetTotal(), "UPDATE"), tallies(bad.GetByAction()), tallies(bad.GetByClass()))))
	p.field("Last of them", when(bad.GetLastAt() != nil, a.age(bad.GetLastAt())+" ago, "+bad.GetLast()))
	p.field("Queued", when(m.GetQueued() > 0, count(m.GetQueued(), "change")))
	p.heading("Settings")
	for _, key := range slices.Sorted(maps.Keys(n.GetSettings())) {
		p.field(key, n.GetSettings()[key])
	}
	p.print()
}

// tallies returns counts with their names, the largest first.
func tallies(counts map[string]uint64) string {
	names := slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", counts[name], name)
	}
	return strings.Join(names, ", ")
}

// stateSentence returns the state, for how long, and what keeps the session down.
func (a *app) stateSentence(n *nvadv1.Neighbor) string {
	down := when(n.GetShutdown(), fmt.Sprintf(", shut down (nvactl enable %s re-enables it)", n.GetAddress()))
	return joined(": ", stateOf(n)+a.lasting(n.GetSince())+down, when(n.GetState() != established, n.GetReason()))
}

// lastDown returns when the session was lost and, if it is up again, why. For a
// session that is down, the state gives the reason.
func (a *app) lastDown(n *nvadv1.Neighbor) string {
	if n.GetLastDown() == nil {
		return ""
	}
	s := fmt.Sprintf("%s ago, %s so far", a.age(n.GetLastDown()), count(n.GetFlaps(), "time"))
	return joined(": ", s, when(n.GetState() == established, n.GetReason()))
}

func (a *app) sessionSection(p *page, n *nvadv1.Neighbor) {
	up := n.GetState() == established
	p.heading("Session")
	p.field("Local", joined(", ", n.GetLocalAddress(), fmt.Sprintf("AS %d", n.GetLocalAsn())))
	p.field("Remote ID", n.GetRemoteId())
	timers := "hold 0, no keepalives"
	if n.GetHoldTimeSeconds() > 0 {
		timers = fmt.Sprintf("hold %d s, keepalive %d s", n.GetHoldTimeSeconds(), n.GetKeepaliveSeconds())
	}
	p.field("Timers", timers+when(up, " (negotiated)"))
	p.field("Families", orNone(n.GetFamilies(), "none in common"))
	p.field("Capabilities", joined(", ", n.GetCapabilities()...))
	p.field("Restart", when(up, gracefulRestart(n)))
	p.field("End-of-RIB", when(up, orNone(n.GetEndOfRib(), "not received")))
}

func gracefulRestart(n *nvadv1.Neighbor) string {
	if len(n.GetGracefulRestart()) == 0 {
		return "not graceful: its routes are removed when the session is lost"
	}
	return fmt.Sprintf("graceful: its routes stay for %d s (%s)",
		n.GetRestartTimeSeconds(), strings.Join(n.GetGracefulRestart(), ", "))
}

func (a *app) bfdSection(p *page, b *nvadv1.Bfd) {
	if b == nil {
		return
	}
	p.heading("BFD")
	p.field("State", joined(": ", b.GetState()+a.lasting(b.GetSince()), b.GetError()))
	p.field("Last down", when(b.GetLastDown() != "", fmt.Sprintf("%s, %s so far", b.GetLastDown(), count(b.GetFlaps(), "time"))))
	hops := "one hop"
	if b.GetMultihop() {
		hops = "several hops"
	}
	p.field("Local", b.GetLocalAddress()+", "+hops)
	p.field("Detection", when(b.GetDetectionTimeMs() > 0, fmt.Sprintf("%d ms (%d packets)", b.GetDetectionTimeMs(), b.GetRemoteMultiplier())))
	p.field("Intervals", fmt.Sprintf("send %d ms, receive %d ms", b.GetTxIntervalMs(), b.GetRxIntervalMs()))
	p.field("Packets", fmt.Sprintf("%d received, %d sent", b.GetPacketsReceived(), b.GetPacketsSent()))
	p.field("Discarded", when(b.GetRefused() > 0, fmt.Sprintf("%s, the last because: %s", count(b.GetRefused(), "packet"), b.GetLastRefused())))
	p.field("Auth", when(b.GetAuthenticated(), "Meticulous Keyed SHA1"))
}

func routesSection(p *page, n *nvadv1.Neighbor) {
	limit := func(most uint32) string { return when(most > 0, fmt.Sprintf(", limit %d", most)) }
	p.heading("Routes")
	p.field("Received", decimal(n.GetReceived())+limit(n.GetMaxPrefix()))
	p.field("Accepted", decimal(n.GetAccepted()))
	p.field("Rejected", decimal(n.GetRejected())+when(n.GetRejected() > 0, fmt.Sprintf(" (nvactl routes rejected %s says why)", n.GetAddress())))
	p.field("Dropped", when(n.GetDropped() > 0, count(n.GetDropped(), "announcement")+" in this session, beyond twice the limit"))
	p.field("Stale", when(n.GetStale() > 0, decimal(n.GetStale())+", kept while the neighbor restarts"))
	p.field("Advertised", decimal(n.GetAdvertised())+limit(n.GetMaxPrefixOut()))
	p.field("Held back", when(n.GetHeldBack() > 0, decimal(n.GetHeldBack())+" by maximum-prefix-out"))
	closed := when(n.GetMemoryClosings() > 0, ", closed "+count(n.GetMemoryClosings(), "time")+" for the memory budget")
	p.field("Memory", when(n.GetMemoryOctets() > 0 || closed != "", "about "+octets(n.GetMemoryOctets())+closed))
	var summaries []string
	for _, s := range n.GetSummaries() {
		summaries = append(summaries, fmt.Sprintf("%s for %s", s.GetPrefix(), count(s.GetReplaces(), "prefix")))
	}
	p.field("Aggregate?", strings.Join(summaries, ", "))
}
