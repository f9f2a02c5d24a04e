package ctl

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// pastState is a state that a prefix went through.
type pastState struct {
	From     *time.Time `json:"from"`    // nil: before the history begins
	Until    *time.Time `json:"until"`   // nil: now
	Seconds  float64    `json:"seconds"` // that it lasted; so far, if it is the present one
	Neighbor string     `json:"neighbor"`
	Source   string     `json:"source"` // empty: there was no best path
	NextHop  string     `json:"next_hop"`
	ASPath   string     `json:"as_path"`
	Kernel   string     `json:"kernel"` // next hops of the kernel's route; empty: it had none
	Cause    string     `json:"cause"`
}

// prefixHistory puts together the states of a prefix from its events.
type prefixHistory struct {
	states []*pastState
	best   *nvadv1.BestPath // the present one
	kernel bool             // the kernel's route followed the best path of the last state
}

// followTime is how long after its best path a change of the kernel's route belongs to the
// same state. Later ones are a state of their own.
const followTime = 2 * time.Second

func (h *prefixHistory) last() *pastState {
	if len(h.states) == 0 {
		return &pastState{}
	}
	return h.states[len(h.states)-1]
}

// add takes the next event.
func (h *prefixHistory) add(ev *nvadv1.WatchEvent) {
	at := ev.GetTime().AsTime()
	switch {
	case ev.GetRoute() != nil:
		h.route(at, ev.GetRoute())
	case ev.GetFib() != nil:
		h.fib(at, ev.GetFib())
	case ev.GetGap() != nil && len(h.states) > 0:
		next := *h.last()
		next.Cause = gapLine(ev.GetGap())
		h.begin(at, &next)
	}
}

// route takes a change of the best path. If it is the same as before, the journal only
// recorded it again, at a start or after a gap.
func (h *prefixHistory) route(at time.Time, c *nvadv1.RouteChange) {
	if sameBest(h.best, c.GetNew()) && len(h.states) > 0 {
		return
	}
	next := *h.last()
	h.best = c.GetNew()
	next.Neighbor, next.Source, next.NextHop, next.ASPath = h.best.GetNeighbor(), h.best.GetSource(), h.best.GetNextHop(), h.best.GetAsPath()
	next.Cause = c.GetReason()
	h.kernel = false
	h.begin(at, &next)
}

// sameBest reports whether two best paths are the same, as far as both are known.
func sameBest(x, y *nvadv1.BestPath) bool {
	if (x == nil) != (y == nil) || x.GetNeighbor() != y.GetNeighbor() || x.GetSource() != y.GetSource() {
		return false
	}
	return proto.Equal(x.GetAttributes(), y.GetAttributes()) && x.GetNextHop() == y.GetNextHop() && x.GetAsPath() == y.GetAsPath()
}

// fib takes a change of the kernel's route.
func (h *prefixHistory) fib(at time.Time, c *nvadv1.FIBChange) {
	kernel, cause := c.GetNew(), ""
	switch c.GetState() {
	case "removed":
		kernel = ""
	case "failed", "refused", "outranked":
		kernel = c.GetOld()
		cause = joined(": ", "not installed, "+c.GetState(), c.GetReason())
	}
	last := h.last()
	if kernel == last.Kernel && cause == "" && len(h.states) > 0 {
		return
	}
	if len(h.states) > 0 && !h.kernel && last.From != nil && at.Sub(*last.From) < followTime {
		h.kernel, last.Kernel, last.Cause = true, kernel, joined("; ", last.Cause, cause)
		return
	}
	next := *last
	next.Kernel = kernel
	if next.Cause = cause; cause == "" {
		next.Cause = "the kernel's route changed" + prefixed(": ", c.GetReason())
	}
	h.kernel = true
	h.begin(at, &next)
}

// begin begins a state, and ends the one before.
func (h *prefixHistory) begin(at time.Time, next *pastState) {
	if len(h.states) > 0 {
		h.last().Until = &at
	}
	next.From, next.Until = &at, nil
	h.states = append(h.states, next)
}

// end sets how long each state lasted.
func (h *prefixHistory) end(now time.Time) {
	for _, s := range h.states {
		until := now
		if s.Until != nil {
			until = *s.Until
		}
		s.Seconds = max(until.Sub(*s.From), 0).Seconds()
	}
}

// printStates prints every state that a prefix went through.
func (a *app) printStates(ctx context.Context, c *client, prefix string, since *past) error {
	req := &nvadv1.ListEventsRequest{
		Prefix: prefix, Exact: true, Since: since.stamp(),
		Kinds: []nvadv1.WatchKind{nvadv1.WatchKind_WATCH_KIND_ROUTES, nvadv1.WatchKind_WATCH_KIND_FIB},
	}
	h := &prefixHistory{states: []*pastState{}}
	oldest, err := eachEvent(ctx, c, req, h.add)
	if err != nil {
		return err
	}
	h.end(a.Now())
	if a.json() {
		writeValue(a.Out, h.states)
		return nil
	}
	begins := "the journal is empty"
	if oldest != nil {
		begins = "the journal begins at " + a.clock(oldest)
	}
	if len(h.states) == 0 {
		line(a.Out, fmt.Sprintf("%s: no change is recorded%s; %s.", prefix, prefixed(" since ", since.given), begins))
		return nil
	}
	now := h.last()
	line(a.Out, fmt.Sprintf("%s: %s; %s", prefix, count(len(h.states), "state"), begins)+"\n")
	t := a.newTable(column{head: "From"}, column{head: "For", right: true}, column{head: "Best path", max: 24, min: 15}, column{head: "Kernel", fit: wrapped})
	for _, s := range h.states {
		lasted := brief(time.Duration(s.Seconds * float64(time.Second)))
		if s == now {
			lasted = "now " + lasted
		}
		t.rowWithNote(joined("; ", s.Cause, prefixed("AS path ", s.ASPath)), s.From.In(a.Now().Location()).Format("2006-01-02 15:04:05.000"), lasted, s.bestText(), cmp.Or(s.Kernel, "none"))
	}
	t.end()
	return nil
}

// bestText names where the best path came from, and its next hop if that is another.
func (s *pastState) bestText() string {
	from := cmp.Or(s.Neighbor, s.Source, "none")
	if s.NextHop != "" && s.NextHop != from {
		from += "\nvia " + s.NextHop
	}
	return from
}

// brief returns how long something lasted: below a minute with fractions.
func brief(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return span(d)
}
