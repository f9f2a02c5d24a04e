package ctl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// eventLine returns a change in one line.
func (a *app) eventLine(ev *nvadv1.WatchEvent) string {
	kind, text := eventText(ev)
	return fmt.Sprintf("%s %-9s %s", ev.GetTime().AsTime().In(a.Now().Location()).Format(clockMillis), kind, text)
}

// clockMillis is the time of day of an event.
const clockMillis = "15:04:05.000"

// eventText returns what an event is about in a word, and what happened.
func eventText(ev *nvadv1.WatchEvent) (kind, text string) {
	switch c := ev.GetChange().(type) {
	case *nvadv1.WatchEvent_Neighbor:
		kind, text = "neighbor", neighborLine(c.Neighbor)
	case *nvadv1.WatchEvent_Route:
		kind, text = "route", routeLine(c.Route)
	case *nvadv1.WatchEvent_Fib:
		kind, text = "fib", fibLine(c.Fib)
	case *nvadv1.WatchEvent_Tunnel:
		kind, text = "tunnel", tunnelLine(c.Tunnel)
	case *nvadv1.WatchEvent_NextHop:
		kind, text = "next-hop", nextHopLine(c.NextHop)
	case *nvadv1.WatchEvent_Repair:
		kind, text = "repair", repairLine(c.Repair)
	case *nvadv1.WatchEvent_Operation:
		kind, text = "operation", operationLine(c.Operation)
	case *nvadv1.WatchEvent_Problem:
		kind, text = problemLine(c.Problem)
	case *nvadv1.WatchEvent_Daemon:
		kind, text = "daemon", daemonLine(c.Daemon)
	case *nvadv1.WatchEvent_Gap:
		kind, text = "gap", gapLine(c.Gap)
	}
	return kind, strings.ReplaceAll(text, "\n", " ")
}

func neighborLine(c *nvadv1.NeighborChange) string {
	states := arrow(c.GetOldState(), c.GetNewState())
	if c.GetNewState() == established {
		states = established
	}
	return joined(": ", fmt.Sprintf("%s (%s) %s", c.GetAddress(), asName(c.GetRemoteAsn()), states), c.GetReason()) +
		when(c.GetRoutesKept(), "; its routes stay for now")
}

func routeLine(c *nvadv1.RouteChange) string {
	old, now := from(c.GetOld()), from(c.GetNew())
	switch {
	case c.GetNew() == nil:
		return fmt.Sprintf("%s unreachable, was %s: %s", c.GetPrefix(), old, c.GetReason())
	case c.GetOld() == nil:
		return c.GetPrefix() + " best " + now + prefixed(", AS path ", c.GetNew().GetAsPath())
	}
	return fmt.Sprintf("%s best %s: %s", c.GetPrefix(), arrow(old, now), c.GetReason())
}

// from returns the source of a best path.
func from(b *nvadv1.BestPath) string {
	return cmp.Or(b.GetNeighbor(), b.GetSource(), "none")
}

func fibLine(c *nvadv1.FIBChange) string {
	what, way := c.GetPrefix(), arrow(c.GetOld(), c.GetNew())
	switch {
	case c.GetGroup() != 0:
		what = fmt.Sprintf("group %d (%s)", c.GetGroup(), count(c.GetRoutes(), "route"))
	case c.GetState() == "removed":
		way = c.GetOld()
	case slices.Contains([]string{"failed", "refused", "outranked"}, c.GetState()):
		way = c.GetNew()
	}
	return joined(": ", fmt.Sprintf("%s %s %s", what, c.GetState(), way), c.GetReason())
}

func tunnelLine(c *nvadv1.TunnelChange) string {
	return joined(": ", c.GetName()+" "+arrow(c.GetOldState(), c.GetNewState()), c.GetReason())
}

func nextHopLine(c *nvadv1.NextHopChange) string {
	state := " is dead"
	if c.GetAlive() {
		state = " is alive again"
	}
	return joined(": ", fmt.Sprintf("%s%s (%s)", c.GetAddress(), state, c.GetBy()), c.GetReason())
}

func repairLine(c *nvadv1.Repair) string {
	const by = "another program had changed it"
	switch {
	case c.GetCount() > 1:
		return fmt.Sprintf("%s put back, the first: %s", count(c.GetCount(), c.GetObject()), c.GetReason())
	case c.GetObject() == "route":
		return c.GetReason() + " put back: " + by
	}
	return fmt.Sprintf("%s put back: %s", c.GetObject(), c.GetReason())
}

func operationLine(c *nvadv1.Operation) string {
	text := joined(" ", c.GetWhat(), c.GetTarget()) + prefixed(" by ", c.GetBy())
	if c.GetError() != "" {
		return text + " failed: " + c.GetError()
	}
	return joined(": ", text+when(c.GetVersion() > 0, fmt.Sprintf(", version %d runs", c.GetVersion())), c.GetDetail())
}

// problemLine tells problems and warnings apart, as status does.
func problemLine(c *nvadv1.ProblemChange) (kind, text string) {
	kind, text = "problem", c.GetText()
	if c.GetKind() == "warning" {
		key, _, _ := strings.Cut(c.GetKey(), " ")
		kind, text = "warning", joined(": ", key, c.GetText())
	}
	if c.GetBegan() {
		return kind, "began: " + text
	}
	return kind, "over: " + text
}

func daemonLine(c *nvadv1.DaemonChange) string {
	if c.GetState() != "started" {
		return "nvad is " + c.GetState()
	}
	return "nvad " + joined(", ", c.GetState(), prefixed("version ", c.GetVersion()), when(c.GetAsn() != 0, asName(c.GetAsn())),
		prefixed("router ID ", c.GetRouterId()))
}

// gapLine says what is missing. If nvad does not know how many events are, the reason says
// what may be.
func gapLine(c *nvadv1.Gap) string {
	switch c.GetLost() {
	case 0:
		return cmp.Or(c.GetReason(), "events may be missing here")
	case 1:
		return joined(": ", "1 event is missing here", c.GetReason())
	}
	return joined(": ", count(c.GetLost(), "event")+" are missing here", c.GetReason())
}

// arrow returns "old -> new", or only new if nothing else was there before.
func arrow(old, now string) string {
	if old == "" || old == now {
		return now
	}
	return old + " -> " + now
}
