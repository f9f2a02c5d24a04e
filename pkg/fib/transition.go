package fib

import (
	"net/netip"
	"slices"
	"strings"
)

// Transition is one change in the kernel, or one failed attempt at a change: of the route
// with some prefix and metric, or of a group and so of all routes through it.
type Transition struct {
	Prefix   netip.Prefix // invalid: a group
	Class    Class
	Group    uint32
	Routes   int // that go through the group
	Old, New Way
	State    State // Installed, Failed, Refused or Outranked; Installed without New: removed
	Reason   string

	failed bool // an attempt that failed was reported since Old
}

// Way is where a route sends packets. The zero value is no route.
type Way struct {
	Present bool
	Kind    Kind
	Hops    []Hop
}

// String returns the way in iproute2's form; "" for no route.
func (w Way) String() string {
	switch {
	case !w.Present:
		return ""
	case w.Kind != Unicast:
		return w.Kind.String()
	}
	hops := make([]string, len(w.Hops))
	for i, h := range w.Hops {
		hops[i] = h.String()
	}
	return strings.Join(hops, ", ")
}

func (w Way) equal(o Way) bool {
	return w.Present == o.Present && w.Kind == o.Kind && slices.Equal(w.Hops, o.Hops)
}

// Report starts or stops the recording of transitions. It is off at first.
func (f *FIB) Report(on bool) {
	switch {
	case on && f.before == nil:
		f.before = make(map[*slot]Transition)
	case !on:
		f.before, f.transitions = nil, nil
	}
}

// Transitions returns what was recorded since the last call.
func (f *FIB) Transitions() []Transition {
	list := f.transitions
	f.transitions = nil
	return list
}

// remember keeps the present content of s until its change is done, for [FIB.report].
// Only the first call counts: a route may be wanted anew several times before it is written.
func (f *FIB) remember(s *slot) {
	if f.before == nil {
		return
	}
	if _, known := f.before[s]; !known {
		f.before[s] = Transition{Prefix: s.prefix, Class: f.classOfSlot(s), Old: f.way(s), State: Installed, failed: f.failed[s] != nil}
	}
}

// way returns where the route that the kernel has in s sends packets.
func (f *FIB) way(s *slot) Way {
	if !s.have.present {
		return Way{}
	}
	w := Way{Present: true, Kind: s.have.kind}
	switch set := f.byID[s.have.object]; {
	case s.have.set != nil:
		w.Hops = f.named(s.have.set.hops)
	case set != nil:
		w.Hops = f.named(set.hops)
	}
	return w
}

// report publishes the outcome for s: written, already correct, or removed.
func (f *FIB) report(s *slot) {
	t, changed := f.before[s]
	if !changed {
		return
	}
	delete(f.before, s)
	if t.New = f.way(s); !s.backup && (t.failed || !t.Old.equal(t.New)) {
		if s.want != nil {
			t.Class = s.want.Class
		}
		f.transitions = append(f.transitions, t)
	}
	if r, refused := f.refused[s.prefix]; refused && !t.New.Present {
		f.reportRefused(s.prefix, r)
	}
}

func (f *FIB) classOfSlot(s *slot) Class {
	if s.want != nil {
		return s.want.Class
	}
	return f.classOf(int(s.have.protocol))
}

// reportFailed publishes that the kernel rejected a message about s.
func (f *FIB) reportFailed(s *slot, err error) {
	if f.before == nil || s.backup {
		return
	}
	if under, way := f.before[s]; way {
		under.failed = true
		f.before[s] = under
	}
	t := Transition{Prefix: s.prefix, Class: f.classOfSlot(s), Old: f.way(s), State: Failed, Reason: err.Error()}
	if s.want != nil {
		t.New = Way{Present: true, Kind: s.want.Kind, Hops: f.named(s.want.Hops)}
	}
	f.transitions = append(f.transitions, t)
}

// reportUnwanted publishes that a route which was not installed is not wanted any more.
func (f *FIB) reportUnwanted(prefix netip.Prefix, r refusal) {
	if f.before != nil {
		f.transitions = append(f.transitions, Transition{Prefix: prefix, Class: r.route.Class, State: Installed, Reason: "it was not installed"})
	}
}

// installed reports whether the kernel has a route of nvad for a prefix.
func (f *FIB) installed(prefix netip.Prefix) bool {
	for s := f.slots[prefix]; s != nil; s = s.next {
		if s.have.present {
			return true
		}
	}
	return false
}

// reportRefused publishes that a wanted route is not installed.
func (f *FIB) reportRefused(prefix netip.Prefix, r refusal) {
	if f.before == nil {
		return
	}
	f.transitions = append(f.transitions, Transition{
		Prefix: prefix, Class: r.route.Class, State: r.state, Reason: r.reason,
		New: Way{Present: true, Kind: r.route.Kind, Hops: f.named(r.route.Hops)},
	})
}

// reportSwapped publishes that a group leads to other next hops than its routes ask for,
// or to those again.
func (f *FIB) reportSwapped(s *hopSet) {
	if f.before == nil || !s.ok {
		return
	}
	hops, _ := f.alive(s)
	f.transitions = append(f.transitions, Transition{
		Group: s.id, Routes: f.users[s.id], State: Installed, Reason: "a next hop died or is back",
		New: Way{Present: true, Hops: f.named(hops)},
	})
}
