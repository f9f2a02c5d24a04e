package fib

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/retry"
)

// hopSet is one distinct set of resolved next hops with its backup, shared by all routes
// that want it. In the kernel it is one group object to which all these routes refer, so
// that one message moves them all.
//
// It is a group even for a single hop, because the kernel replaces a group only by a group.
// `ip route` prints a route through a group of one as if there were no group.
type hopSet struct {
	key    string
	hops   []NextHop
	backup []NextHop // where traffic goes if all of hops die; at most one
	id     uint32    // of the group; 0: none yet, or routes are plain
	ok     bool      // the kernel has the group, and routes may refer to it
	live   string    // key of the hops in the kernel's group; "": not as written
	refs   int       // slots that want the set, or have it without an object
	fail   *retry.State
	wait   []*slot // slots that can't be written before ok
}

// setKey returns the content of a set as a map key.
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

// canonical gives on-link hops the unspecified address of the prefix's family as gateway: a
// next-hop object has a family even if it only names a link.
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

// intern returns the set with these hops and backup. The caller adds itself to refs.
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
	s.hops, s.backup = hops, backup // equal to those before, but sameSlice finds this form next time
	f.last = s
	return s
}

// sameSlice reports whether a and b share their memory, as the hops of many routes do. It is
// much cheaper than comparing the content.
func sameSlice(a, b []NextHop) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// release gives a reference back. The set stays known as long as routes in the kernel use
// its group.
func (f *FIB) release(s *hopSet) {
	if s.refs--; s.refs == 0 {
		f.sweepDue = true
	}
}

// allocate returns a number of nvad's range that is free.
func (f *FIB) allocate() (uint32, error) {
	for range idCount {
		f.nextID++
		if !inRange(f.nextID) {
			f.nextID = FirstID
		}
		if !f.inUse[f.nextID] {
			f.inUse[f.nextID] = true
			return f.nextID, nil
		}
	}
	return 0, fmt.Errorf("next hop: all %d numbers are in use", idCount)
}

// useMultipath gives up resilient groups for good: the kernel has none.
func (f *FIB) useMultipath(now time.Time) {
	f.mpath = true
	f.doubted = true // replan makes other groups necessary
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

// replan places every route with a backup again, in the form that the kernel supports.
func (f *FIB) replan(now time.Time) {
	for prefix := range f.slots {
		if r := f.wantedAt(prefix); r != nil && len(r.Backup) > 0 {
			f.place(prefix, r, now)
		}
	}
}
