package ctl

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// eventList prints events, the same change of many prefixes in one line.
type eventList struct {
	*app
	array *jsonArray // nil: in lines
	keep  int        // print only so many lines, the last ones; 0: all, as they come
	kept  []*eventRun
	open  []*eventRun // that the next event may belong to, the oldest first
	day   string      // of the event before
	n     uint32      // events so far
	lines int
	more  bool // lines were left out
}

// eventRun is an event with those that are like it.
type eventRun struct {
	first *nvadv1.WatchEvent
	key   string // what they have in common; empty: nothing is like it
	last  time.Time
	n     int
}

func (a *app) eventList() *eventList {
	l := &eventList{app: a}
	if a.json() {
		l.array = &jsonArray{out: a.Out}
	}
	return l
}

// runTime is the longest time between two events of a run. While a table moves, changes of
// best paths and of the kernel's routes take turns, so that two runs are open.
const runTime = 2 * time.Second

// add takes the next event.
func (l *eventList) add(ev *nvadv1.WatchEvent) {
	l.n++
	if l.array != nil {
		l.array.add(ev)
		return
	}
	at, key := ev.GetTime().AsTime(), runKey(ev)
	if key == "" {
		l.flush()
	}
	for _, r := range l.open {
		if r.key == key && at.Sub(r.last) < runTime {
			r.n, r.last = r.n+1, at
			return
		}
	}
	if most := 2; len(l.open) == most {
		l.close(1)
	}
	l.open = append(l.open, &eventRun{ev, key, at, 1})
	if key == "" {
		l.flush()
	}
}

// runKey returns what a change of a prefix has in common with the same change of others;
// empty if ev is no such change.
func runKey(ev *nvadv1.WatchEvent) string {
	switch c := ev.GetChange().(type) {
	case *nvadv1.WatchEvent_Route:
		return fmt.Sprintf("route %q %q %q", bestKey(c.Route.GetOld()), bestKey(c.Route.GetNew()), c.Route.GetReason())
	case *nvadv1.WatchEvent_Fib:
		if f := c.Fib; f.GetPrefix() != "" {
			return fmt.Sprintf("fib %s %s %q %q %q", f.GetClass(), f.GetState(), f.GetOld(), f.GetNew(), f.GetReason())
		}
	}
	return ""
}

func bestKey(b *nvadv1.BestPath) string { return joined(" ", b.GetNeighbor(), b.GetSource()) }

// flush prints what is open.
func (l *eventList) flush() { l.close(len(l.open)) }

// close prints the first n open runs, or keeps them for the end.
func (l *eventList) close(n int) {
	for _, r := range l.open[:n] {
		l.lines++
		if l.keep == 0 {
			l.put(r)
			continue
		}
		if len(l.kept) == l.keep {
			l.kept = slices.Delete(l.kept, 0, 1)
		}
		l.kept = append(l.kept, r)
	}
	l.open = slices.Delete(l.open, 0, n)
}

// dayHeading is the form of the line above the events of a day.
const dayHeading = "Monday, 2006-01-02 (MST)"

// put prints a run, below the day if that is another than the one before.
func (l *eventList) put(r *eventRun) {
	at := r.first.GetTime().AsTime().In(l.Now().Location())
	if day := at.Format(dayHeading); day != l.day {
		line(l.Out, when(l.day != "", "\n")+day)
		l.day = day
	}
	kind, text := eventText(r.event())
	before := fmt.Sprintf("%s %-9s ", at.Format(clockMillis), kind)
	hang(l.Out, l.Width, before, spaces(len(before)), text)
}

// event returns the event to print: of the first prefix and so many more.
func (r *eventRun) event() *nvadv1.WatchEvent {
	if r.n == 1 {
		return r.first
	}
	ev := proto.CloneOf(r.first)
	more := fmt.Sprintf(" and %d more", r.n-1)
	if c := ev.GetFib(); c != nil {
		c.Prefix += more
	} else {
		c := ev.GetRoute()
		c.Prefix += more
		if c.GetOld() == nil { // each may have an AS path of its own
			c.GetNew().AsPath = ""
		}
	}
	return ev
}

// end prints the rest, how many events there were, and how far the journal reaches. Most
// is how many were asked for; 0: all.
func (l *eventList) end(oldest *timestamppb.Timestamp, most uint32) {
	if l.array != nil {
		l.array.end()
		return
	}
	l.keepNoMore()
	line(l.Out, when(l.n > 0, "\n")+l.summary(oldest, most))
}

// keepNoMore prints what was kept; later events are printed as they come.
func (l *eventList) keepNoMore() {
	l.flush()
	for _, r := range l.kept {
		l.put(r)
	}
	l.more, l.keep, l.kept = l.keep > 0 && l.lines > l.keep, 0, nil
}

func (l *eventList) summary(oldest *timestamppb.Timestamp, most uint32) string {
	more := l.n == most && most > 0 || l.more
	text := count(l.n, "event")
	switch {
	case oldest == nil:
		return "The journal is empty."
	case l.n == 0:
		text = "There was no such event"
	case l.more:
		text = fmt.Sprintf("The last %d lines", lastEvents)
	case more:
		text = "The last " + text
	}
	return fmt.Sprintf("%s. The journal begins at %s.", text, l.clock(oldest)) +
		when(more, "\nOlder ones: --since TIME or --last N.")
}
