package fib

import (
	"slices"
	"time"
)

// Observe takes in an event of the kernel. Only those about routes and next-hop objects
// matter here.
func (f *FIB) Observe(e Event, now time.Time) {
	switch e.Kind {
	case LostEvent:
		f.needResync = true
	case ObjectEvent:
		switch {
		case !inRange(e.Object):
		case e.Deleted:
			f.objectGone(e.Object, now)
		default:
			f.needResync = true
		}
	case RouteEvent:
		s := f.find(e.Route.Prefix, e.Route.Metric)
		switch mine := f.own(e.Route, s); {
		case mine && e.Deleted:
			if s != nil && s.have.present && s.have.object == e.Route.Object {
				f.lost(s, now)
			}
		case mine:
			if s == nil {
				s = f.slotOf(e.Route.Prefix, e.Route.Metric)
			}
			f.holds(s, e.Route)
		case e.Deleted:
			f.foreignGone(s, e.Route, now)
		default:
			f.foreignNew(s, e)
		}
	}
}

func (f *FIB) foreignGone(s *slot, r KernelRoute, now time.Time) {
	key := keyOf(r)
	routes := f.foreign[key]
	i := slices.IndexFunc(routes, func(o KernelRoute) bool { return sameRoute(o, r) })
	if i < 0 {
		i = slices.IndexFunc(routes, func(o KernelRoute) bool { return o.Protocol == r.Protocol })
	}
	if i < 0 {
		return
	}
	if routes = slices.Delete(slices.Clone(routes), i, i+1); len(routes) == 0 {
		delete(f.foreign, key)
	} else {
		f.foreign[key] = routes
	}
	f.news, f.judgeDue = true, true
	if s != nil && s.taken && len(routes) == 0 {
		f.setTaken(s, false)
		s.enter(now)
		delete(f.failed, s)
		f.queue(s)
	}
}

func (f *FIB) foreignNew(s *slot, e Event) {
	key := keyOf(e.Route)
	routes := f.foreign[key]
	if slices.ContainsFunc(routes, func(o KernelRoute) bool { return sameRoute(o, e.Route) }) {
		return
	}
	if e.Replaced {
		// The event does not say which route it replaced: nvad's, or one of several
		// foreign ones. Only the table shows that.
		f.needResync = f.needResync || s != nil || len(routes) > 1
		routes = nil
	}
	f.foreign[key] = append(slices.Clone(routes), e.Route)
	f.news, f.judgeDue = true, true
}

// Foreign returns the routes that neither nvad nor a BGP daemon installed, if any changed
// since the last call. The hops of several routes may share memory.
func (f *FIB) Foreign() (routes []KernelRoute, changed bool) {
	if !f.news {
		return nil, false
	}
	f.news = false
	return f.foreignRoutes(func(r *KernelRoute) bool { return !f.fromBGP(r) }), true
}

// objectGone takes in that another program deleted an object of nvad's. The kernel reports
// only the object: if it was a hop, the kernel took it out of its groups as well; if it was
// a group, the kernel removed all its routes.
//
// The replacement gets a new number. `ip nexthop flush` deletes one number after the
// other; if nvad put an object back under its old number meanwhile, the flush would
// delete it again.
func (f *FIB) objectGone(id uint32, now time.Time) {
	members, isGroup := f.groups[id]
	if !isGroup {
		if f.forgetHop(id) {
			f.rewriteGroupsOf(id)
		}
		return
	}
	delete(f.groups, id)
	for _, m := range members {
		if !f.isMember(m.ID) {
			f.forgetHop(m.ID) // a group goes with its last hop, and the event of the group comes first
		}
	}
	if f.users[id] > 0 {
		f.routesGone(id, now)
	}
	f.abandon(id)
}

// abandon gives the number of a set's group up to whoever has it now.
func (f *FIB) abandon(id uint32) {
	if s := f.byID[id]; s != nil {
		f.forgetID(id)
		f.inUse[id] = true // until a Resync finds it free
		f.bad[s] = true
	}
}

// forgetHop forgets the object of a hop, and reports whether the kernel was believed to
// have it. The number stays taken until the next Resync.
func (f *FIB) forgetHop(id uint32) bool {
	for h, hid := range f.hops {
		if hid == id {
			delete(f.hops, h)
			return true
		}
	}
	return false
}

// isMember reports whether an object is a member of a group that the kernel has.
func (f *FIB) isMember(id uint32) bool {
	for _, members := range f.groups {
		if slices.ContainsFunc(members, func(m Member) bool { return m.ID == id }) {
			return true
		}
	}
	return false
}

// rewriteGroupsOf marks the groups with a member for being written again.
func (f *FIB) rewriteGroupsOf(id uint32) {
	for gid, members := range f.groups {
		for _, m := range members {
			if s := f.byID[gid]; m.ID == id && s != nil {
				s.live, s.fail = "", nil
				f.bad[s] = true
			}
		}
	}
}

// routesGone records that the kernel removed all routes of a group.
func (f *FIB) routesGone(id uint32, now time.Time) {
	for _, first := range f.slots {
		for s := first; s != nil; s = s.next {
			if s.have.object == id {
				f.lost(s, now)
			}
		}
	}
}
