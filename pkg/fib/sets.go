package fib

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/retry"
)

// hopSet is one distinct set of resolved next hops. In the kernel it is one
// group object that all its routes share, so that one message moves them all. A
// group is used even for one hop: the kernel replaces a group only by a group,
// and prints a route through a group of one as if it had no group.
type hopSet struct {
	key    string
	hops   []NextHop
	backup []NextHop // takes over when hops are dead; at most one
	id     uint32    // of the group; 0: none yet, or plain routes
	ok     bool      // the kernel has the group
	live   string    // key of what the group holds, as far as it is as wanted
	refs   int       // slots that want it, or hold it without an object
	fail   *retry.State
	wait   []*slot // slots that can't be written until ok
}

// setKey is the content of a set as a map key.
func setKey(hops, backup []NextHop) string {
	b := make([]byte, 0, 24*(len(hops)+len(backup)))
	for _, h := range reduced(hops) {
		b = appendHop(b, h)
	}
	for _, h := range backup {
		b = append(b, '|')
		b = appendHop(b, h)
	}
	return string(b)
}

func appendHop(b []byte, h NextHop) []byte {
	via := h.Via.As16()
	b = append(b, via[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(h.Link))
	onlink := byte(0)
	if h.Onlink {
		onlink = 1
	}
	return append(b, byte(h.Via.BitLen()), onlink, max(h.Weight, 1))
}

// canonical gives hops without a gateway the unspecified address of the route's
// family: a next-hop object has a family even if it only names a link.
func canonical(hops []NextHop, prefix netip.Prefix) []NextHop {
	if !slices.ContainsFunc(hops, func(h NextHop) bool { return !h.Via.IsValid() }) {
		return hops
	}
	hops = slices.Clone(hops)
	for i := range hops {
		switch {
		case hops[i].Via.IsValid():
		case prefix.Addr().Is4():
			hops[i].Via = netip.IPv4Unspecified()
		default:
			hops[i].Via = netip.IPv6Unspecified()
		}
	}
	return SortHops(hops)
}

// intern returns the set of these hops and backup. The caller takes a reference.
func (f *FIB) intern(hops, backup []NextHop) *hopSet {
	if s := f.last; s != nil && s.refs > 0 && sameSlice(s.hops, hops) && sameSlice(s.backup, backup) {
		return s
	}
	key := setKey(hops, backup)
	s := f.sets[key]
	if s == nil {
		s = &hopSet{key: key}
		f.sets[key] = s
	}
	s.hops, s.backup = hops, backup // any form will do, and the next route has most likely this very one
	f.last = s
	return s
}

// sameSlice reports whether a and b are the same memory: routes share their hops.
func sameSlice(a, b []NextHop) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// release gives a reference back. The set stays known while routes of the
// kernel use its group.
func (f *FIB) release(s *hopSet) {
	if s.refs--; s.refs == 0 {
		f.sweepDue = true
	}
}

// allocate returns a number of nvad's range that no object has.
func (f *FIB) allocate() (uint32, error) {
	for range f.opt.IDs.Count {
		f.nextID++
		if f.nextID < f.opt.IDs.First || f.nextID >= f.opt.IDs.First+f.opt.IDs.Count {
			f.nextID = f.opt.IDs.First
		}
		if !f.inUse[f.nextID] {
			f.inUse[f.nextID] = true
			return f.nextID, nil
		}
	}
	return 0, fmt.Errorf("next hop: all %d numbers are in use", f.opt.IDs.Count)
}

// moveGroups lets a set take over the group of another where every route of the
// group goes to it (or goes away): one message then moves them all. Of a route that
// an earlier run left nobody knows yet where it goes, so that none moves before all
// are in sync.
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
	leaves := func(s *slot) {
		was, left := to[s.have.object]
		switch {
		case !left || s.set == nil:
		case was == nil:
			to[s.have.object] = s.set
		case was != s.set:
			delete(to, s.have.object)
		}
	}
	for _, s := range f.dirty {
		leaves(s)
	}
	for set := range f.bad {
		for s := range set.waits() { // its packets follow the group until it can be written
			leaves(s)
		}
	}
	for s := range f.failed { // these don't go yet
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

// give hands the group id from one set to another.
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

// putSets writes the groups that are wanted and not as they should be, hops
// first.
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

// putSet writes one group and lets the slots that wait for it go on.
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
		f.needResync = true // a hop that is believed to be there may be gone
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

// addWait has a slot wait for the group of s. Slots that leave stay in the list, so
// that what leaves and comes back is thinned out from time to time.
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

// waits is the slots that wait for the group of s. Others of the list have left it.
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

// writeSet writes a group of those hops that can be written, and returns the
// error of one that can't.
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

// group is the object of a set that holds these hops.
func (f *FIB) group(s *hopSet, hops, backup []NextHop) Object {
	o := Object{ID: s.id, Protocol: f.opt.Protocols.BGP, Buckets: f.bucketsOf(s)}
	weights := scaled(hops, backup)
	for i, h := range slices.Concat(hops, backup) {
		h.Weight = 0
		o.Members = append(o.Members, Member{ID: f.hops[h], Weight: weights[i]})
	}
	return o
}

// putHops returns those of the hops whose objects stand, and the error of one
// whose does not.
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

// putHop makes the object of one hop if need be.
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
	f.sweepDue = true // should its group fail, nothing uses it
	return nil
}

// useMultipath gives up resilient groups for good: the kernel has none.
func (f *FIB) useMultipath(now time.Time) {
	f.mpath = true
	f.doubted = true // there are other groups to write now
	f.replan(now)
}

// usePlain gives up next-hop objects for good: the kernel has none.
func (f *FIB) usePlain(now time.Time) {
	f.plain = true
	clear(f.bad)
	for _, s := range f.sets {
		s.id, s.ok, s.live, s.fail = 0, false, "", nil
		f.wake(s)
	}
	clear(f.byID)
	f.replan(now)
}

// replan wants every route again, in the form that the kernel is capable of.
func (f *FIB) replan(now time.Time) {
	for prefix := range f.slots {
		if r := f.wantedAt(prefix); r != nil && len(r.Backup) > 0 {
			f.place(prefix, r, now)
		}
	}
}

// sweep removes the objects that no route uses or wants, groups first: the
// kernel removes the routes of an object that goes, without an event.
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

// sweepHop removes a hop object unless it is used, and reports whether it did.
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
