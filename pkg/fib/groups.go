package fib

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
)

// moveGroups spares writing routes one by one when all routes of a group move to the same
// other set. Say all 100,000 routes of a neighbor move from gateway A to gateway B, and B
// has no group yet: then B's set takes over the number of A's group, putSets replaces the
// content of the group in one message, and every route is as wanted.
//
// A group qualifies if no route wants its set any more and every route in the kernel that
// refers to it either moves to the same set or is going to be deleted. Routes of an
// earlier run that are not wanted yet may still turn out to be, by another set; so before
// everything is in sync, no group moves while there are any.
func (f *FIB) moveGroups() {
	if !f.inSync && len(f.stale) > 0 {
		return
	}
	to := make(map[uint32]*hopSet)
	for id, s := range f.byID {
		if s.refs == 0 && f.users[id] > 0 {
			to[id] = nil
		}
	}
	if len(to) == 0 {
		return
	}
	moves := func(s *slot) {
		target, candidate := to[s.have.object]
		switch {
		case !candidate || s.set == nil:
		case target == nil:
			to[s.have.object] = s.set
		case target != s.set:
			delete(to, s.have.object)
		}
	}
	for _, s := range f.dirty {
		moves(s)
	}
	for set := range f.bad {
		for s := range set.waits() { // still in the old group until the new one is written
			moves(s)
		}
	}
	for s := range f.failed { // stays in the group until its next attempt
		if s.list != dirty {
			delete(to, s.have.object)
		}
	}
	for id, set := range to {
		if set != nil && set.id == 0 && f.bucketsOf(set) == f.bucketsOf(f.byID[id]) {
			f.give(id, f.byID[id], set)
		}
	}
}

// give hands the group with number id from one set to another.
func (f *FIB) give(id uint32, from, to *hopSet) {
	from.id, from.ok, from.live = 0, false, ""
	to.id, to.ok, to.live = id, false, ""
	f.byID[id] = to
	f.bad[to] = true
	f.count.Moved++
	if from.refs == 0 {
		delete(f.sets, from.key)
		delete(f.bad, from)
	}
}

// putSets writes the groups that are wanted and not as they should be.
func (f *FIB) putSets(now time.Time) {
	for _, s := range slices.Collect(maps.Keys(f.bad)) {
		switch {
		case s.refs == 0 && f.users[s.id] == 0:
			delete(f.bad, s)
		case !s.fail.Due(now):
			f.retryBy(s.fail.At)
		default:
			f.putSet(s, now)
		}
		if f.plain {
			return
		}
	}
}

// putSet writes one group, and queues the slots that wait for it.
func (f *FIB) putSet(s *hopSet, now time.Time) {
	err := f.writeSet(s, now)
	if isUnsupported(err) {
		f.usePlain(now)
		return
	}
	if s.ok {
		f.wake(s)
	}
	if err != nil {
		s.fail = s.fail.After(err, now)
		f.retryBy(s.fail.At)
		f.needResync = true // perhaps a hop that is believed to be there is gone
		f.count.Failures++
		return
	}
	s.fail = nil
	delete(f.bad, s)
}

func (f *FIB) wake(s *hopSet) {
	slots := s.waits()
	s.wait = nil
	for w := range slots {
		f.queue(w)
	}
}

// addWait makes a slot wait for the group of s. A slot that stops waiting leaves its entry
// behind, so if slots come and go the list is thinned out from time to time.
func (s *hopSet) addWait(w *slot) {
	if len(s.wait) > 2*s.refs {
		seen := make(map[*slot]bool, s.refs)
		for o := range s.waits() {
			seen[o] = o != w
		}
		s.wait = s.wait[:0]
		for o, other := range seen {
			if other {
				s.wait = append(s.wait, o)
			}
		}
	}
	s.wait = append(s.wait, w)
}

// waits yields the slots that wait for the group of s.
func (s *hopSet) waits() iter.Seq[*slot] {
	list := s.wait
	return func(yield func(*slot) bool) {
		for _, w := range list {
			if w.list == waiting && w.set == s && !yield(w) {
				return
			}
		}
	}
}

// writeSet writes a group with those hops whose objects the kernel accepts, and returns the
// error of one that it rejected: a group with some of its hops is better than none.
func (f *FIB) writeSet(s *hopSet, now time.Time) error {
	hops, backup := f.alive(s)
	hops, hopErr := f.putHops(hops)
	if len(hops) == 0 {
		return hopErr
	}
	backup, backupErr := f.putHops(backup)
	if s.id == 0 {
		id, err := f.allocate()
		if err != nil {
			return err
		}
		s.id = id
		f.byID[id] = s
	}
	group := f.group(s, hops, backup)
	err := f.do(Op{Kind: PutObject, Object: group})
	if isUnsupported(err) && group.Buckets > 0 {
		f.useMultipath(now)
		return f.writeSet(s, now)
	}
	if err != nil {
		return fmt.Errorf("next-hop group %d: %w", s.id, err)
	}
	f.groups[s.id] = group.Members
	s.ok, s.live = true, setKey(hops, backup)
	return errors.Join(hopErr, backupErr)
}

// group returns the group object of a set, with these hops and backup.
func (f *FIB) group(s *hopSet, hops, backup []NextHop) Object {
	o := Object{ID: s.id, Protocol: f.opt.Protocols.BGP, Buckets: f.bucketsOf(s)}
	weights := scaled(hops, backup)
	for i, h := range slices.Concat(hops, backup) {
		h.Weight = 0
		o.Members = append(o.Members, Member{ID: f.hops[h], Weight: weights[i]})
	}
	return o
}

// putHops writes the objects of hops. It returns the hops that have one, and the error of one
// that was rejected.
func (f *FIB) putHops(hops []NextHop) (put []NextHop, err error) {
	for _, h := range hops {
		if herr := f.putHop(h); herr != nil {
			err = herr
			continue
		}
		put = append(put, h)
	}
	return put, err
}

// putHop writes the object of one hop unless the kernel has it.
func (f *FIB) putHop(h NextHop) error {
	h.Weight = 0
	if _, ok := f.hops[h]; ok {
		return nil
	}
	id, err := f.allocate()
	if err != nil {
		return err
	}
	err = f.do(Op{Kind: PutObject, Object: Object{ID: id, Protocol: f.opt.Protocols.BGP, Hop: h}})
	if err != nil {
		delete(f.inUse, id)
		return fmt.Errorf("next hop %s: %w", h, err)
	}
	f.hops[h] = id
	f.sweepDue = true // if its group fails, nothing uses it
	return nil
}

// sweep deletes the objects that no route uses or wants, groups before hops. It must never
// delete one that is in use: the kernel then removes all its routes, without an event.
func (f *FIB) sweep() {
	f.sweepDue = false
	used := make(map[uint32]bool)
	for id, members := range f.groups {
		s := f.byID[id]
		if f.users[id] > 0 || s != nil && s.refs > 0 {
			for _, m := range members {
				used[m.ID] = true
			}
			continue
		}
		if f.do(Op{Kind: DeleteObject, Object: Object{ID: id}}) != nil {
			f.needResync = true
			continue
		}
		delete(f.groups, id)
		f.forgetID(id)
	}
	for h, id := range f.hops {
		if f.sweepHop(id, used) {
			delete(f.hops, h)
		}
	}
	f.spare = slices.DeleteFunc(f.spare, func(id uint32) bool { return f.sweepHop(id, used) })
	for key, s := range f.sets {
		if s.refs == 0 && (s.id == 0 || f.users[s.id] == 0 && f.groups[s.id] == nil) {
			delete(f.sets, key)
			delete(f.bad, s)
			f.forgetID(s.id)
		}
	}
}

// sweepHop deletes a hop object unless it is in use, and reports whether it did.
func (f *FIB) sweepHop(id uint32, used map[uint32]bool) bool {
	if used[id] || f.users[id] > 0 {
		return false
	}
	if f.do(Op{Kind: DeleteObject, Object: Object{ID: id}}) != nil {
		f.needResync = true
		return false
	}
	delete(f.inUse, id)
	return true
}

func (f *FIB) forgetID(id uint32) {
	if s := f.byID[id]; s != nil {
		s.id, s.ok, s.live = 0, false, ""
		delete(f.byID, id)
	}
	delete(f.inUse, id)
}

func (f *FIB) do(op Op) error { return f.opt.Kernel.Do([]Op{op})[0] }
