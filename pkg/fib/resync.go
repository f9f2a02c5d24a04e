package fib

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// RouteError is the kernel's answer to one route.
type RouteError struct {
	Prefix netip.Prefix
	Err    error
}

// Error implements error.
func (e *RouteError) Error() string { return "route " + e.Prefix.String() + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *RouteError) Unwrap() error { return e.Err }

// Resync reads the whole table and all next-hop objects, and corrects what is believed of
// them. What differs from what is wanted is queued.
//
// The first call adopts what an earlier run left. A route that refers to an object in nvad's
// range is nvad's; one without object is if Options.Owns recognises it. Groups become
// the groups of the sets with the same hops. So when the same routes are wanted
// again after a restart, they are in the kernel already, and no packet notices.
func (f *FIB) Resync(now time.Time) error {
	objects, err := f.opt.Kernel.Objects()
	if err != nil && !isUnsupported(err) {
		return fmt.Errorf("next-hop objects: %w", err)
	}
	if isUnsupported(err) && !f.plain {
		f.usePlain(now)
	}
	f.needResync = false
	f.readObjects(objects)
	old := f.foreign
	f.foreign = make(map[routeKey][]KernelRoute, len(old))
	f.round++
	err = f.opt.Kernel.Routes(func(r KernelRoute) { f.see(r, now) })
	if err != nil {
		f.foreign, f.needResync = old, true
		return fmt.Errorf("routes: %w", err)
	}
	f.missing(now)
	f.count.Compares++
	f.sweepDue = true
	if f.count.Compares == 1 || !f.foreignSame(old) {
		f.news, f.judgeDue = true, true
	}
	return nil
}

// readObjects replaces what is believed of the kernel's objects, and finds the groups that
// must be written again.
func (f *FIB) readObjects(objects []Object) {
	clear(f.hops)
	clear(f.groups)
	clear(f.inUse)
	f.spare = nil
	hop, kind := make(map[uint32]NextHop), make(map[uint32]uint16)
	for _, o := range objects {
		if !inRange(o.ID) {
			continue
		}
		f.inUse[o.ID] = true
		switch {
		case o.Protocol != f.opt.Protocols.BGP:
			f.abandon(o.ID)
		case len(o.Members) > 0:
			f.groups[o.ID] = o.Members
			kind[o.ID] = o.Buckets
		default:
			hop[o.ID] = o.Hop
			if first, twice := f.hops[o.Hop]; twice {
				f.spare = append(f.spare, first)
			}
			f.hops[o.Hop] = o.ID
		}
	}
	for id := range f.byID {
		f.inUse[id] = true
	}
	f.deaths = true
	content := make(map[uint32]string, len(f.groups))
	for id, members := range f.groups {
		content[id] = f.readGroup(id, members, kind[id], hop)
	}
	for id, s := range f.byID {
		if f.groups[id] != nil && kind[id] != f.bucketsOf(s) {
			f.abandon(id) // another program made it anew; the kernel would reject a replacement
			continue
		}
		switch content[id] {
		case f.content(s): // perhaps because the kernel took out what died
			s.ok, s.live, s.fail = true, content[id], nil
			delete(f.bad, s)
			if f.holdsSpare(id) {
				f.bad[s] = true // write it with the other object of the hop, so that the spare one can go
			}
			f.wake(s)
			continue
		case s.live:
			continue
		}
		if s.ok {
			s.ok = false
			f.repair(fmt.Sprintf("next-hop group %d", id))
		}
		f.bad[s] = true
		s.fail = nil
	}
}

// holdsSpare reports whether a member of the group is a spare object. There are two objects
// of one hop if nvad wrote a second one while it believed the first to be gone.
func (f *FIB) holdsSpare(group uint32) bool {
	return slices.ContainsFunc(f.groups[group], func(m Member) bool { return slices.Contains(f.spare, m.ID) })
}

// readGroup returns the key of a group's content. If the group is an earlier run's, it
// becomes the group of the set with that content.
func (f *FIB) readGroup(id uint32, members []Member, buckets uint16, hop map[uint32]NextHop) string {
	var hops []NextHop
	for _, m := range members {
		h, ok := hop[m.ID]
		if !ok {
			return ""
		}
		h.Weight = m.Weight
		hops = append(hops, h)
	}
	hops, backup := split(hops)
	key := setKey(hops, backup)
	if f.byID[id] == nil && !f.plain {
		if s := f.intern(hops, backup); s.id == 0 && f.bucketsOf(s) == buckets {
			s.id, s.ok, s.live = id, true, key
			f.byID[id] = s
			delete(f.bad, s)
			f.wake(s)
		}
	}
	return key
}

func inRange(id uint32) bool { return id >= FirstID && id < FirstID+idCount }

// own reports whether a route of the kernel is nvad's: it refers to one of nvad's objects, or
// is where this run put one, or is known to come from an earlier run.
func (f *FIB) own(r KernelRoute, s *slot) bool {
	switch {
	case !f.opt.Protocols.has(r.Protocol):
		return false
	case inRange(r.Object):
		return true
	case s != nil && s.have.present:
		return true
	}
	return f.count.Compares == 0 && (f.opt.Adopt || f.opt.Owns != nil && f.opt.Owns(r))
}

// see takes in one route of a full compare.
func (f *FIB) see(r KernelRoute, now time.Time) {
	s := f.find(r.Prefix, r.Metric)
	if !f.own(r, s) {
		f.seeForeign(r)
		return
	}
	if s == nil {
		s = f.slotOf(r.Prefix, r.Metric)
		s.enter(now)
	}
	s.seen = f.round
	f.holds(s, r)
}

func (f *FIB) seeForeign(r KernelRoute) {
	key := keyOf(r)
	if !slices.ContainsFunc(f.foreign[key], func(o KernelRoute) bool { return sameRoute(o, r) }) {
		f.foreign[key] = append(f.foreign[key], r)
	}
}

// holds records that the kernel has r in slot s.
func (f *FIB) holds(s *slot, r KernelRoute) {
	h := have{present: true, kind: r.Kind, protocol: uint8(r.Protocol), object: r.Object, source: sourceOf(r.Source)}
	if r.Kind == Unicast && r.Object == 0 {
		h.set = f.intern(SortHops(slices.Clone(canonical(r.Hops, r.Prefix))), nil)
	}
	if h == s.have {
		return
	}
	known := s.have.present
	f.setHave(s, h)
	if known && s.want != nil {
		f.repairRoute(s.prefix)
	}
	if s.want == nil || h != f.wanted(s) {
		f.queue(s)
	}
}

// lost records that the kernel no longer has the route of a slot.
func (f *FIB) lost(s *slot, now time.Time) {
	if s.want != nil && s.have.present {
		f.repairRoute(s.prefix)
	}
	f.setHave(s, have{})
	s.enter(now)
	f.queue(s)
}

// missing finds the routes that a full compare did not see, and the slots whose place was
// taken or became free.
func (f *FIB) missing(now time.Time) {
	for prefix, first := range f.slots {
		for s := first; s != nil; s = s.next {
			if s.have.present && s.seen != f.round {
				f.lost(s, now)
			}
			if s.taken != (len(f.foreign[routeKey{prefix, s.metric}]) > 0) {
				f.setTaken(s, !s.taken)
				s.enter(now)
				f.queue(s)
			}
		}
	}
}

// foreignSame reports whether the foreign routes are the same as before.
func (f *FIB) foreignSame(old map[routeKey][]KernelRoute) bool {
	if len(old) != len(f.foreign) {
		return false
	}
	for key, routes := range f.foreign {
		if !slices.EqualFunc(routes, old[key], sameRoute) {
			return false
		}
	}
	return true
}

func sameRoute(a, b KernelRoute) bool {
	return a.Prefix == b.Prefix && a.Kind == b.Kind && a.Protocol == b.Protocol && a.Metric == b.Metric &&
		a.Source == b.Source && a.Object == b.Object && slices.Equal(a.Hops, b.Hops)
}

// repair counts one route or object that another program removed or changed.
func (f *FIB) repair(what string) {
	if f.repairs == 0 {
		f.repaired = what
	}
	f.repairs++
	f.count.Repairs++
}

// repairRoute is [FIB.repair] for a route. There may be very many, so it names only the first.
func (f *FIB) repairRoute(prefix netip.Prefix) {
	what := f.repaired
	if f.repairs == 0 {
		what = "route " + prefix.String()
	}
	f.repair(what)
}

// Repairs returns how many routes and objects were found removed or changed since the last
// call, and names the first.
func (f *FIB) Repairs() (n int, first string) {
	n, first = f.repairs, f.repaired
	f.repairs, f.repaired = 0, ""
	return n, first
}
