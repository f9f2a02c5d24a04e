package fib

import (
	"net/netip"
	"slices"
)

// Transition is a change of what the kernel holds in a place, or of a group and so
// of all routes through it.
type Transition struct {
	Prefix   netip.Prefix // invalid: a group
	Class    Class
	Group    uint32
	Routes   int // that go through the group
	Old, New Way
	State    State // Installed, Failed, Refused or Outranked; Installed without New: removed
	Reason   string
}

// Way is what becomes of packets for a route: its kind and next hops. The zero value
// is no route.
type Way struct {
	Present bool
	Kind    Kind
	Hops    []NextHop
}

func (w Way) equal(o Way) bool {
	return w.Present == o.Present && w.Kind == o.Kind && slices.Equal(w.Hops, o.Hops)
}

// Report begins or ends the reporting of transitions. While it is off, which it is
// at first, it costs a comparison with nil.
func (f *FIB) Report(on bool) {
	switch {
	case on && f.before == nil:
		f.before = make(map[*slot]Transition)
	case !on:
		f.before, f.transitions = nil, nil
	}
}

// Transitions returns what happened since the last call.
func (f *FIB) Transitions() []Transition {
	list := f.transitions
	f.transitions = nil
	return list
}

// note remembers what the kernel held in s before anything else was wanted.
func (f *FIB) note(s *slot) {
	if f.before == nil {
		return
	}
	if _, known := f.before[s]; !known {
		f.before[s] = Transition{Prefix: s.prefix, Class: f.classOfSlot(s), Old: f.way(s), State: Installed}
	}
}

// way is what the kernel holds in s.
func (f *FIB) way(s *slot) Way {
	if !s.have.present {
		return Way{}
	}
	w := Way{Present: true, Kind: s.have.kind}
	switch set := f.byID[s.have.object]; {
	case s.have.set != nil:
		w.Hops = plainHops(s.have.set.hops)
	case set != nil:
		w.Hops = plainHops(set.hops)
	}
	return w
}

// tell reports that s came to its end: written, found in place, or removed.
func (f *FIB) tell(s *slot) {
	t, changed := f.before[s]
	if !changed {
		return
	}
	delete(f.before, s)
	if t.New = f.way(s); !s.backup && !t.Old.equal(t.New) {
		if s.want != nil {
			t.Class = s.want.Class
		}
		f.transitions = append(f.transitions, t)
	}
}

func (f *FIB) classOfSlot(s *slot) Class {
	if s.want != nil {
		return s.want.Class
	}
	return f.classOf(s.have.protocol)
}

// tellFailed reports that the kernel refused a message about s.
func (f *FIB) tellFailed(s *slot, err error) {
	if f.before == nil || s.backup {
		return
	}
	t := Transition{Prefix: s.prefix, Class: f.classOfSlot(s), Old: f.way(s), State: Failed, Reason: err.Error()}
	if s.want != nil {
		t.New = Way{Present: true, Kind: s.want.Kind, Hops: s.want.Hops}
	}
	f.transitions = append(f.transitions, t)
}

// tellRefused reports that a route is kept out.
func (f *FIB) tellRefused(prefix netip.Prefix, r refusal) {
	if f.before == nil {
		return
	}
	f.transitions = append(f.transitions, Transition{
		Prefix: prefix, Class: r.route.Class, State: r.state, Reason: r.reason,
		New: Way{Present: true, Kind: r.route.Kind, Hops: r.route.Hops},
	})
}

// tellSwapped reports that a group leads elsewhere than its routes ask for, or no
// more.
func (f *FIB) tellSwapped(s *hopSet) {
	if f.before == nil || !s.ok {
		return
	}
	hops, _ := f.alive(s)
	f.transitions = append(f.transitions, Transition{
		Group: s.id, Routes: f.users[s.id], State: Installed, Reason: "a next hop died or is back",
		New: Way{Present: true, Hops: plainHops(hops)},
	})
}
