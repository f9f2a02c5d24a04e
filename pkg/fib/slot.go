package fib

import (
	"net/netip"
	"time"
)

// slot is one place in the kernel's table, a prefix and a metric: what is wanted
// there and what the kernel is believed to hold. A prefix has several while its
// metric changes, or where it has a backup.
type slot struct {
	prefix netip.Prefix
	next   *slot // same prefix, other metric
	want   *Route
	set    *hopSet // of want, if it is unicast
	have   have
	since  time.Time // of the state that it shows
	metric uint32
	seen   uint32 // round of the full compare that last saw it
	backup bool   // set is want's Backup
	list   list
	taken  bool // a foreign route is in this place
	ours   bool // something was wanted here in this run
}

// list is where a slot waits for its turn. The lists may hold stale entries: one
// counts only if the slot says that it is on that list.
type list uint8

const (
	none    list = iota
	dirty        // FIB.dirty
	doomed       // FIB.doomed
	stale        // FIB.stale
	waiting      // hopSet.wait
)

// have is what the kernel is believed to hold in a slot.
type have struct {
	present  bool
	kind     Kind
	protocol int
	object   uint32
	set      *hopSet // of a route without object
	source   netip.Addr
}

// find returns the slot of a place, or nil.
func (f *FIB) find(prefix netip.Prefix, metric uint32) *slot {
	s := f.slots[prefix]
	for s != nil && s.metric != metric {
		s = s.next
	}
	return s
}

// slotOf returns the slot of a place, new if need be.
func (f *FIB) slotOf(prefix netip.Prefix, metric uint32) *slot {
	if s := f.find(prefix, metric); s != nil {
		return s
	}
	s := &slot{prefix: prefix, metric: metric, next: f.slots[prefix]}
	f.slots[prefix] = s
	return s
}

// drop forgets a slot in which nothing is wanted nor held.
func (f *FIB) drop(s *slot) {
	delete(f.failed, s)
	delete(f.before, s)
	f.setTaken(s, false)
	s.list = none
	first := f.slots[s.prefix]
	if first == s {
		if s.next == nil {
			delete(f.slots, s.prefix)
		} else {
			f.slots[s.prefix] = s.next
		}
		return
	}
	for p := first; p != nil; p = p.next {
		if p.next == s {
			p.next = s.next
			return
		}
	}
}

// setHave notes what the kernel holds in a slot and keeps the counts of users.
func (f *FIB) setHave(s *slot, h have) {
	if h.set != nil {
		h.set.refs++
	}
	if h.object != 0 {
		f.users[h.object]++
	}
	old := s.have
	s.have = h
	if old.object != 0 {
		if f.users[old.object]--; f.users[old.object] == 0 {
			delete(f.users, old.object)
			f.sweepDue = true
		}
	}
	if old.set != nil {
		f.release(old.set)
	}
}

// setWant notes what is wanted in a slot and queues it.
func (f *FIB) setWant(s *slot, r *Route, set *hopSet, backup bool, now time.Time) {
	f.remember(s)
	if set != nil {
		set.refs++
	}
	old := s.set
	if s.want == nil || r == nil || s.want.Kind != r.Kind || old != set {
		s.since = now
	}
	f.count.Wanted += counted(r, backup) - counted(s.want, s.backup)
	s.want, s.set, s.backup = r, set, backup
	if r == nil {
		f.setTaken(s, false)
	}
	s.ours = s.ours || r != nil
	if old != nil {
		f.release(old)
	}
	delete(f.failed, s)
	if set != nil && !set.ok && !f.plain {
		f.bad[set] = true
	}
	f.queue(s)
}

// counted is 1 for a route that counts as wanted.
func counted(r *Route, backup bool) int {
	if r == nil || backup {
		return 0
	}
	return 1
}

// setTaken notes whether a foreign route is in the place of a slot.
func (f *FIB) setTaken(s *slot, taken bool) {
	switch {
	case taken && !s.taken:
		f.count.Conflicts++
	case !taken && s.taken:
		f.count.Conflicts--
	}
	s.taken = taken
}

// queue puts a slot on the list that it belongs on.
func (f *FIB) queue(s *slot) {
	switch {
	case s.want == nil && !s.ours && !f.inSync:
		if s.list != stale {
			s.list = stale
			f.stale = append(f.stale, s)
		}
	case s.want == nil && s.list != doomed:
		s.list = doomed
		f.doomed = append(f.doomed, s)
	case s.want != nil && s.list != dirty:
		s.list = dirty
		f.dirty = append(f.dirty, s)
	}
}

// wanted is the route as the kernel should hold it.
func (f *FIB) wanted(s *slot) have {
	h := have{present: true, kind: s.want.Kind, protocol: f.opt.Protocols.of(s.want.Class), source: s.want.Source}
	switch {
	case s.set == nil:
	case s.set.id != 0:
		h.object = s.set.id
	default:
		h.set = s.set
	}
	return h
}

// kernelRoute is the message form of what a slot holds or shall hold.
func (s *slot) kernelRoute(h have) KernelRoute {
	r := KernelRoute{
		Prefix: s.prefix, Metric: s.metric, Kind: h.kind, Protocol: h.protocol,
		Source: h.source, Object: h.object,
	}
	if h.set != nil {
		r.Hops = h.set.hops
	}
	return r
}
