package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// pastHeading says of when a table is, and how long ago that was.
func (a *app) pastHeading(what string, at *past) string {
	return fmt.Sprintf("%s at %s, %s ago", what, at.value.Format(time.DateTime), span(a.Now().Sub(at.value)))
}

// caveat says that nvad was not running at a moment or, for routes, was not in sync yet.
// Empty if neither is so, as far as the journal knows.
func (a *app) caveat(ctx context.Context, c *client, at *past, routes bool) (text string, err error) {
	req := &nvadv1.ListEventsRequest{State: true, Until: at.stamp(), Kinds: []nvadv1.WatchKind{nvadv1.WatchKind_WATCH_KIND_DAEMON}}
	_, err = eachEvent(ctx, c, req, func(ev *nvadv1.WatchEvent) {
		switch state := ev.GetDaemon().GetState(); {
		case state == "stopping":
			text = "nvad was not running then: it stopped at " + a.clock(ev.GetTime()) + ". This is the last state before."
		case state == "started" && routes:
			text = "nvad was not in sync then: it started at " + a.clock(ev.GetTime()) + ", and records routes once it is in sync."
		}
	})
	return text, err
}

// routesAt prints the best paths of a moment in the past.
func (a *app) routesAt(ctx context.Context, c *client, q *nvadv1.ListRoutesRequest, at *past) error {
	req := &nvadv1.ListEventsRequest{
		State: true, Until: at.stamp(), Kinds: []nvadv1.WatchKind{nvadv1.WatchKind_WATCH_KIND_ROUTES},
		Neighbor: q.GetNeighbor(), Prefix: q.GetPrefix(), Exact: q.GetPrefix() != "" && !q.GetLonger(),
	}
	t := a.pathTable(false)
	arr := &jsonArray{out: a.Out}
	var cut, paths int
	heading := a.pastHeading("Best paths", at)
	caveat, err := a.caveat(ctx, c, at, true)
	if err != nil {
		return err
	}
	_, err = eachEvent(ctx, c, req, func(ev *nvadv1.WatchEvent) {
		best := ev.GetRoute().GetNew()
		if best == nil {
			return // a gap
		}
		if best.GetAttributesCut() {
			cut++
		}
		p := pastPath(ev.GetRoute())
		if a.json() {
			arr.add(p)
			return
		}
		if paths++; paths == 1 {
			line(a.Out, heading+"\n")
		}
		t.add(p)
	})
	switch {
	case err != nil:
		return err
	case a.json():
		arr.end()
	case paths == 0:
		line(a.Out, heading+": none.")
		a.note(caveat)
	default:
		t.finish()
		if cut > 0 {
			line(a.Out, fmt.Sprintf("%s too long for the journal, which cut their attributes.", countAre(cut, "path")))
		}
		a.note(caveat)
	}
	return nil
}

// pastPath returns what the journal knows of a best path in the form of a present one.
func pastPath(r *nvadv1.RouteChange) *nvadv1.Path {
	best := r.GetNew()
	at := best.GetAttributes()
	if at == nil {
		at = &nvadv1.Attributes{NextHop: best.GetNextHop(), AsPath: best.GetAsPath()}
	}
	return &nvadv1.Path{
		Prefix: r.GetPrefix(), Neighbor: best.GetNeighbor(), Source: best.GetSource(), Attributes: at, Best: true, Valid: true, Reason: r.GetReason(),
	}
}

// countAre returns "1 path is", "2 paths are".
func countAre(n int, noun string) string {
	if n == 1 {
		return count(n, noun) + " is"
	}
	return count(n, noun) + " are"
}

// pastNeighbor holds what the journal knows of a neighbor at a moment.
type pastNeighbor struct {
	Address   string     `json:"address"`
	RemoteASN uint32     `json:"remote_asn"`
	State     string     `json:"state"`
	Since     *time.Time `json:"since"` // when it came up or went down; nil: not known
	Reason    string     `json:"reason"`
	BestPaths int        `json:"best_paths"`
}

// removedReason is the reason of the last event of a neighbor that a reload removed.
const removedReason = "removed from the configuration"

// neighborsAt prints the neighbors as they were at a moment in the past.
func (a *app) neighborsAt(ctx context.Context, c *client, address string, at *past) error {
	list, err := pastNeighbors(ctx, c, address, at)
	if err != nil {
		return err
	}
	caveat, err := a.caveat(ctx, c, at, false)
	switch {
	case err != nil:
		return err
	case a.json():
		writeValue(a.Out, list)
		return nil
	case len(list) == 0 && address != "":
		return fmt.Errorf("the journal knows no neighbor %s at that time", address)
	case len(list) == 0:
		line(a.Out, a.pastHeading("Neighbors", at)+": none.")
		a.note(caveat)
		return nil
	}
	line(a.Out, a.pastHeading("Neighbors", at)+"\n")
	t := a.newTable(column{head: "Neighbor", max: 24, min: 15}, column{head: "AS", right: true}, column{head: "State"},
		column{head: "For", right: true}, column{head: "Since"}, column{head: "Best paths", right: true})
	for _, n := range list {
		since, lasted := "-", "-"
		if n.Since != nil {
			since, lasted = n.Since.In(a.Now().Location()).Format(time.DateTime), span(at.value.Sub(*n.Since))
		}
		t.rowWithNote(when(n.State != established, n.Reason), n.Address, strings.TrimPrefix(asName(n.RemoteASN), "AS "), n.State,
			lasted, since, fmt.Sprint(n.BestPaths))
	}
	t.end()
	a.note(caveat)
	return nil
}

// note prints a remark below a table, unless it is empty.
func (a *app) note(text string) {
	if text != "" {
		line(a.Out, "")
		hang(a.Out, a.Width, "", "", text)
	}
}

// pastNeighbors returns the neighbors at a moment. The state has the last event of each
// neighbor, which for one that is down may be another reason: the events before it say
// since when it was down, and why.
func pastNeighbors(ctx context.Context, c *client, address string, at *past) ([]*pastNeighbor, error) {
	list := []*pastNeighbor{}
	known := map[string]*pastNeighbor{}
	req := &nvadv1.ListEventsRequest{
		State: true, Until: at.stamp(), Neighbor: address,
		Kinds: []nvadv1.WatchKind{nvadv1.WatchKind_WATCH_KIND_NEIGHBORS, nvadv1.WatchKind_WATCH_KIND_ROUTES},
	}
	_, err := eachEvent(ctx, c, req, func(ev *nvadv1.WatchEvent) {
		if n := ev.GetNeighbor(); n != nil && n.GetReason() != removedReason {
			p := &pastNeighbor{Address: n.GetAddress(), RemoteASN: n.GetRemoteAsn(), State: n.GetNewState(), Reason: n.GetReason()}
			known[p.Address] = p
			list = append(list, p)
		}
		if p := known[ev.GetRoute().GetNew().GetNeighbor()]; p != nil {
			p.BestPaths++
		}
	})
	if err != nil {
		return nil, err
	}
	req.State, req.Kinds = false, req.Kinds[:1]
	_, err = eachEvent(ctx, c, req, func(ev *nvadv1.WatchEvent) {
		n, p := ev.GetNeighbor(), known[ev.GetNeighbor().GetAddress()]
		if p != nil && (n.GetOldState() == established) != (n.GetNewState() == established) {
			since := ev.GetTime().AsTime()
			p.Since = &since
			if n.GetNewState() != established {
				p.Reason = n.GetReason()
			}
		}
	})
	return list, err
}

// refusePast refuses what can't be asked of the past.
func refusePast(at *past, with bool, what string) error {
	if at.given != "" && with {
		return errors.New("use either --at or " + what + ": the journal has best paths only")
	}
	return nil
}
