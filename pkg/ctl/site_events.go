package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// siteEvent is an event of one of the NVAs.
type siteEvent struct {
	nva string
	at  time.Time
	*nvadv1.WatchEvent
}

// eventOctets is the memory that the smallest event takes, in bytes. In an answer it may take two.
const eventOctets = 128

// siteEvents prints what happened at all NVAs, in the order of their clocks.
func (a *app) siteEvents(ctx context.Context, f *eventsFlags) error {
	if f.follow || f.mrt != "" {
		return errors.New("--follow and --mrt are for one NVA: give --socket or --address")
	}
	if err := f.check(); err != nil {
		return err
	}
	last := int(f.req.GetLast())
	if last == 0 && f.req.GetSince() == nil {
		f.req.Last, last = lastEvents, lastEvents
	}
	ask := func(ctx context.Context, c *client) (list []*nvadv1.WatchEvent, err error) {
		stream, err := c.read.ListEvents(ctx, &f.req)
		err = bounded(c, stream, err, func(r *nvadv1.ListEventsResponse) error {
			list = append(list, r.GetEvents()...)
			if len(list) > c.most/eventOctets {
				return tooLarge(c)
			}
			return nil
		})
		return list, err
	}
	return askSite(ctx, a, ask, func(replies []reply[[]*nvadv1.WatchEvent]) {
		if a.json() {
			writeReplies(a, "events", replies, messages[*nvadv1.WatchEvent])
			return
		}
		a.printSiteEvents(replies, last)
	})
}

// printSiteEvents prints the last events of all NVAs; 0: all.
func (a *app) printSiteEvents(replies []reply[[]*nvadv1.WatchEvent], last int) {
	var list []siteEvent
	names := 0
	for _, r := range replies {
		names = max(names, length(r.nva))
		if r.err != nil {
			hang(a.Out, a.Width, "", "  ", r.nva+" did not answer: "+r.err.Error())
		}
		for _, ev := range r.answer {
			if r.err == nil {
				list = append(list, siteEvent{r.nva, ev.GetTime().AsTime(), ev})
			}
		}
	}
	slices.SortStableFunc(list, func(x, y siteEvent) int { return cmp.Compare(x.at.UnixNano(), y.at.UnixNano()) })
	if last > 0 {
		list = list[max(len(list)-last, 0):]
	}
	if len(list) == 0 {
		line(a.Out, "Nothing happened in that time.")
	}
	day := ""
	for _, ev := range list {
		at := ev.at.In(a.Now().Location())
		if d := at.Format(dayHeading); d != day {
			day = d
			line(a.Out, d)
		}
		kind, text := eventText(ev.WatchEvent)
		head := fmt.Sprintf("%s %s %-9s ", at.Format(clockMillis), pad(ev.nva, names), kind)
		hang(a.Out, a.Width, head, spaces(length(head)), text)
	}
}
