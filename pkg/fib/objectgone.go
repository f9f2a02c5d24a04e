package fib

import (
	"slices"
	"time"
)

// objectGone takes in that another program deleted an object: the kernel has taken
// a hop out of its groups, or removed every route of a group, without a word about
// the routes. What is put back gets a new number: who flushes deletes one number
// after the other, also those that stand again meanwhile.
func (f *FIB) objectGone(id uint32, now time.Time) {
	members, isGroup := f.groups[id]
	if !isGroup {
		if f.forgetHop(id) {
			f.hopGone(id)
		}
		return
	}
	delete(f.groups, id)
	for _, m := range members {
		if !f.isMember(m.ID) {
			f.forgetHop(m.ID) // a group goes with its last hop, and is told of first
		}
	}
	if f.users[id] > 0 {
		f.routesGone(id, now)
	}
	f.abandon(id)
}

// abandon leaves the number of a set's group to whoever has it now.
func (f *FIB) abandon(id uint32) {
	if s := f.byID[id]; s != nil {
		f.forgetID(id)
		f.inUse[id] = true // until a Resync finds it free
		f.bad[s] = true
	}
}

// forgetHop forgets that the kernel has the object of a hop, and reports whether it
// was believed to. Its number stays taken until the next Resync.
func (f *FIB) forgetHop(id uint32) bool {
	for h, hid := range f.hops {
		if hid == id {
			delete(f.hops, h)
			return true
		}
	}
	return false
}

// isMember reports whether a group that the kernel has holds an object.
func (f *FIB) isMember(id uint32) bool {
	for _, members := range f.groups {
		if slices.ContainsFunc(members, func(m Member) bool { return m.ID == id }) {
			return true
		}
	}
	return false
}

// hopGone has the groups that hold an object written anew.
func (f *FIB) hopGone(id uint32) {
	for gid, members := range f.groups {
		for _, m := range members {
			if s := f.byID[gid]; m.ID == id && s != nil {
				s.live, s.fail = "", nil
				f.bad[s] = true
			}
		}
	}
}

// routesGone notes that the routes of a group are not in the kernel any more.
func (f *FIB) routesGone(id uint32, now time.Time) {
	for _, first := range f.slots {
		for s := first; s != nil; s = s.next {
			if s.have.object == id {
				f.lost(s)
				s.since = now
			}
		}
	}
}
