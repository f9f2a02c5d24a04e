package fib

import (
	"maps"
	"net/netip"
	"time"
	"unique"
)

// slot is one place in the kernel's table, identified by prefix and metric: the route that
// is wanted there, and the route that the kernel is believed to have there. A prefix has
// several slots while its metric changes, or if its backup is a second route.
type slot struct {
	prefix netip.Prefix
	next   *slot // same prefix, other metric
	want   *Route
	set    *hopSet // of want, if it is unicast
	have   have
	since  uint32 // Unix time when it got into its present state; 0: not known
	metric uint32
	seen   uint32 // the last full compare that found a route here
	backup bool   // set is want's Backup
	list   list
	taken  bool // a foreign route is here
	ours   bool // a route was wanted here in this run
}

// list says on which list a slot waits for its turn. A slot that moves to another list is not
// searched for on the old one; instead, an entry counts only if the slot says that it is
// on that list.
type list uint8

const (
	none    list = iota
	dirty        // FIB.dirty
	doomed       // FIB.doomed
	stale        // FIB.stale
	waiting      // hopSet.wait
)

// have is the route that the kernel is believed to have in a slot.
type have struct {
	set      *hopSet // hops of a route without object
	source   source
	object   uint32
	present  bool
	kind     Kind
	protocol uint8
}

// source is a preferred source address in the eight octets of a pointer, as many slots have
// the same; the zero value is none.
type source struct{ addr unique.Handle[netip.Addr] }

func sourceOf(a netip.Addr) source {
	if !a.IsValid() {
		return source{}
	}
	return source{unique.Make(a)}
}

// address returns the invalid address for none.
func (s source) address() netip.Addr {
	if s == (source{}) {
		return netip.Addr{}
	}
	return s.addr.Value()
}

// enter records that s gets into another state.
func (s *slot) enter(now time.Time) { s.since = uint32(now.Unix()) }

// entered returns when s got into its state, zero if that is not known.
func (s *slot) entered() time.Time {
	if s.since == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s.since), 0)
}

// find returns the slot of a prefix and metric; nil if there is none.
func (f *FIB) find(prefix netip.Prefix, metric uint32) *slot {
	s := f.slots[prefix]
	for s != nil && s.metric != metric {
		s = s.next
	}
	return s
}

// slotOf returns the slot of a prefix and metric, and makes one if there is none.
func (f *FIB) slotOf(prefix netip.Prefix, metric uint32) *slot {
	if s := f.find(prefix, metric); s != nil {
		return s
	}
	s := &slot{prefix: prefix, metric: metric, next: f.slots[prefix]}
	f.slots[prefix] = s
	f.peak = max(f.peak, len(f.slots))
	return s
}

// drop forgets a slot without a route, wanted or present.
func (f *FIB) drop(s *slot) {
	delete(f.failed, s)
	f.report(s)
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

// shrink gives memory back once the table is much smaller than it was: a map of Go keeps the
// size of its largest moment.
func (f *FIB) shrink() {
	const few = 1 << 16
	if f.peak < few || len(f.slots) > f.peak/16 {
		return
	}
	slots := make(map[netip.Prefix]*slot, len(f.slots))
	maps.Copy(slots, f.slots)
	f.slots, f.peak = slots, len(slots)
}

// setHave records the route that the kernel has in a slot, and counts the users of objects
// and sets.
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

// setWant records the route that is wanted in a slot, and queues the slot.
func (f *FIB) setWant(s *slot, r *Route, set *hopSet, backup bool, now time.Time) {
	f.remember(s)
	if set != nil {
		set.refs++
	}
	old := s.set
	if s.want == nil || r == nil || s.want.Kind != r.Kind || old != set {
		s.enter(now)
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

// counted returns 1 for a route that counts in Counters.Wanted, otherwise 0.
func counted(r *Route, backup bool) int {
	if r == nil || backup {
		return 0
	}
	return 1
}

// setTaken records whether a foreign route is in the slot's place.
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

// wanted returns the route as the kernel should have it.
func (f *FIB) wanted(s *slot) have {
	h := have{present: true, kind: s.want.Kind, protocol: uint8(f.opt.Protocols.of(s.want.Class)), source: sourceOf(s.want.Source)}
	switch {
	case s.set == nil:
	case s.set.id != 0:
		h.object = s.set.id
	default:
		h.set = s.set
	}
	return h
}

// kernelRoute returns h as a message says it.
func (s *slot) kernelRoute(h have) KernelRoute {
	r := KernelRoute{
		Prefix: s.prefix, Metric: s.metric, Kind: h.kind, Protocol: int(h.protocol),
		Source: h.source.address(), Object: h.object,
	}
	if h.set != nil {
		r.Hops = h.set.hops
	}
	return r
}
