package fib

import (
	"slices"
	"time"
)

// Observe takes in an event of the kernel. Only routes and next-hop objects
// matter here; the others are for the caller.
func (f *FIB) Observe(e Event, now time.Time) {
	switch e.Kind {
	case LostEvent:
		f.needResync = true
	case ObjectEvent:
		switch {
		case !f.inRange(e.Object):
		case e.Deleted:
			f.objectGone(e.Object, now)
		default:
			f.needResync = true
		}
	case RouteEvent:
		s := f.find(e.Route.Prefix, e.Route.Metric)
		switch mine := f.own(e.Route, s); {
		case mine && e.Deleted:
			f.gone(s, e.Route, now)
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

// gone takes in that a route of nvad was deleted by another program.
func (f *FIB) gone(s *slot, r KernelRoute, now time.Time) {
	if s == nil || !s.have.present || s.have.object != r.Object {
		return
	}
	f.lost(s)
	s.since = now
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
		s.since = now
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
		// It may have replaced nvad's own route, or one of several: only the
		// table tells.
		f.needResync = f.needResync || s != nil || len(routes) > 1
		routes = nil
	}
	f.foreign[key] = append(slices.Clone(routes), e.Route)
	f.news, f.judgeDue = true, true
}

// Foreign returns the routes that are not nvad's, nor of BGP, if any changed since
// it was last asked. The hops of several may share memory.
func (f *FIB) Foreign() (routes []KernelRoute, changed bool) {
	if !f.news {
		return nil, false
	}
	f.news = false
	return f.foreignRoutes(func(r *KernelRoute) bool { return !f.fromBGP(r) }), true
}
