package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// lastEvents is how many lines are shown if nothing says from when, and readBack how many
// events are put together for them: a lost session may change thousands of routes, which
// take a line.
const (
	lastEvents = 50
	readBack   = 10_000
)

// eventsFlags are the flags of the events command.
type eventsFlags struct {
	since, until past
	req          nvadv1.ListEventsRequest
	kinds        []string
	follow       bool
	mrt          string
}

func (a *app) eventsCommand() *cobra.Command {
	f := &eventsFlags{}
	f.since.now, f.until.now = a.Now, a.Now
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what happened, from the journal",
		Long: `Show what happened, the newest last: sessions with reasons, best paths, routes
in the kernel, tunnels, next hops, repairs, operations with who asked for them,
problems that came and went, and nvad's own starts and stops. It comes from the
journal that nvad keeps on disk; [journal] in nvad.toml says how large that may
become. Without --since and --last, show the last 50 lines. The same change of
many prefixes takes one line, which says how many; -o json has them all.

` + helpOfMoments + `

--mrt writes the sessions and the best paths as records of RFC 6396 (BGP4MP_ET),
for tools such as bgpdump: changes of states, and for each change of a best path
an UPDATE of the neighbor that the path comes from, or a withdrawal from the
neighbor that it came from before. These are best paths after the import policy,
and not everything that neighbors sent (the Adj-RIB-In).`,
		Example: `  nvactl events --since 03:00 --until 03:30
  nvactl events --since 1h --kind neighbors,operations
  nvactl events --since yesterday --prefix 10.100.0.0/16 -o json
  nvactl events --neighbor 10.0.210.4 --follow
  nvactl events --since 2d --mrt - | bgpdump -m -`,
		Annotations: forSites,
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.site != "" {
				return failed(a.siteEvents(cmd.Context(), f))
			}
			return a.run(func(ctx context.Context, c *client, _ []string) error { return a.events(ctx, c, f) })(cmd, args)
		},
	}
	fl := cmd.Flags()
	fl.Var(&f.since, "since", "only events at or after `TIME`")
	fl.Var(&f.until, "until", "only events before `TIME`")
	fl.StringVar(&f.req.Neighbor, "neighbor", "", "only the session with `ADDRESS`, and paths from it")
	fl.StringVar(&f.req.Prefix, "prefix", "", "only events of routes for `PREFIX` and within it")
	fl.StringSliceVar(&f.kinds, "kind", nil, "only events of these `KINDS`, as in nvactl watch")
	fl.Uint32Var(&f.req.Last, "last", 0, "only the last `N` events")
	fl.BoolVar(&f.follow, "follow", false, "then show each event as it happens, until Ctrl-C")
	fl.StringVar(&f.mrt, "mrt", "", "write MRT records to `FILE`, or to stdout (-)")
	completeFixed(cmd, "kind", kindNames...)
	a.completeNeighborFlags(cmd, "neighbor")
	return cmd
}

// check completes the request, and refuses flags that exclude each other.
func (f *eventsFlags) check() error {
	for _, k := range f.kinds {
		kind, ok := watchKinds[k]
		if !ok {
			return fmt.Errorf("--kind: %q is none of %s", k, oneOf(kindNames))
		}
		f.req.Kinds = append(f.req.Kinds, kind)
	}
	f.req.Since, f.req.Until = f.since.stamp(), f.until.stamp()
	switch {
	case f.follow && f.req.Until != nil:
		return errors.New("use either --follow or --until: what happens from now on has no end")
	case f.follow && f.mrt != "":
		return errors.New("use either --follow or --mrt")
	case f.mrt != "" && len(f.kinds) > 0:
		return errors.New("use either --kind or --mrt: MRT has sessions and best paths")
	case f.req.Since != nil && f.req.Until != nil && f.until.value.Before(f.since.value):
		return fmt.Errorf("--until %s is before --since %s", f.until.value.Format(time.DateTime), f.since.value.Format(time.DateTime))
	}
	return nil
}

func (a *app) events(ctx context.Context, c *client, f *eventsFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	l := a.eventList()
	if f.req.GetLast() == 0 && f.req.GetSince() == nil && f.mrt == "" {
		f.req.Last, l.keep = lastEvents, 0
		if !a.json() {
			f.req.Last, l.keep = readBack, lastEvents
		}
	}
	switch {
	case f.mrt != "":
		return a.writeMRT(ctx, c, f)
	case f.follow:
		return a.followEvents(ctx, c, &f.req, l)
	}
	oldest, err := eachEvent(ctx, c, &f.req, l.add)
	if err != nil {
		return err
	}
	l.end(oldest, f.req.GetLast())
	return nil
}

// eachEvent calls yield with every event that req selects, and returns the time of the
// oldest event that the journal has; nil if it has none.
func eachEvent(ctx context.Context, c *client, req *nvadv1.ListEventsRequest, yield func(*nvadv1.WatchEvent)) (oldest *timestamppb.Timestamp, err error) {
	stream, err := c.read.ListEvents(ctx, req)
	err = receive(stream, err, func(r *nvadv1.ListEventsResponse) error {
		if r.GetOldest() != nil {
			oldest = r.GetOldest()
		}
		for _, ev := range r.GetEvents() {
			yield(ev)
		}
		return nil
	})
	return oldest, err
}

// followEvents prints events of the journal and goes on with those that happen. It begins
// to watch before it asks for the past, so that no event is lost in between, and leaves
// out those that come both ways.
func (a *app) followEvents(ctx context.Context, c *client, req *nvadv1.ListEventsRequest, l *eventList) error {
	w := &nvadv1.WatchRequest{Kinds: req.GetKinds(), Neighbor: req.GetNeighbor(), Prefix: req.GetPrefix()}
	add := l.add
	if a.json() {
		add = a.printEvent
	}
	var seen echoes
	begun := false
	return a.follow(ctx, c, w, func(events []*nvadv1.WatchEvent) error {
		if !begun { // the first message says that the watch has begun
			begun = true
			if _, err := eachEvent(ctx, c, req, func(ev *nvadv1.WatchEvent) { add(ev); seen.note(ev) }); err != nil {
				return err
			}
			l.keepNoMore()
		}
		for _, ev := range events {
			if !seen.has(ev) {
				add(ev)
			}
		}
		l.flush()
		return nil
	})
}

// mostEchoes bounds the events that are remembered to be left out: nvad keeps no more for
// a watch that does not read, as during the list.
const mostEchoes = 1 << 15

// echoes are the latest events of a list, which a watch may bring again.
type echoes struct {
	count map[string]int
	order []string // the ones that were noted last
}

// echo identifies an event. In a list, paths have more attributes than in a watch.
func echo(ev *nvadv1.WatchEvent) string {
	kind, text := eventText(ev)
	return fmt.Sprint(ev.GetTime().AsTime().UnixNano(), kind, text)
}

func (e *echoes) note(ev *nvadv1.WatchEvent) {
	if e.count == nil {
		e.count = map[string]int{}
	}
	if len(e.order) == mostEchoes {
		e.drop(e.order[0])
		e.order = e.order[1:]
	}
	id := echo(ev)
	e.count[id]++
	e.order = append(e.order, id)
}

// has reports whether ev was in the list, once for each time that it was.
func (e *echoes) has(ev *nvadv1.WatchEvent) bool {
	id := echo(ev)
	if e.count[id] == 0 {
		return false
	}
	e.drop(id)
	return true
}

func (e *echoes) drop(id string) {
	if e.count[id]--; e.count[id] <= 0 {
		delete(e.count, id)
	}
}
