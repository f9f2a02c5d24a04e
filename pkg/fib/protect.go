package fib

import (
	"net/netip"
	"slices"
	"time"
)

// A set with a backup is one group of both in the kernel, in which the backup's
// share is too small for a single bucket: traffic takes the first hops as long as
// one is left. When their link goes the kernel takes them out of the group, and
// the backup has all buckets, without a word from nvad and without touching a
// route. A gateway that dies behind a link that stays is nvad's to take out, in
// one message.
const (
	// buckets of every resilient group (NHA_RES_GROUP_BUCKETS). The kernel
	// replaces a group only by one of the same type and number. The share of one
	// in 256 rounds to none of 128.
	buckets = 128
	// maxResilient hops still get a fair number of buckets each. Larger sets are
	// groups of the other type (NEXTHOP_GRP_TYPE_MPATH) and have no backup.
	maxResilient = 64
	// fullWeight is what hops are scaled to beside a backup of weight 1.
	fullWeight = 255
)

// bucketsOf returns what Object.Buckets a set's group has; it stays the same for
// as long as the set exists.
func (f *FIB) bucketsOf(s *hopSet) uint16 {
	if f.mpath || len(s.hops) > maxResilient {
		return 0
	}
	return buckets
}

// ownRoute reports whether backups are second routes, at metric + 1: without
// resilient groups that is what lets the kernel survive a link by itself.
func (f *FIB) ownRoute() bool { return f.plain || f.mpath }

// SetDead replaces the gateways that are known not to forward although their link
// is up. [FIB.Swap] acts on it. A gateway that is not among them any more comes
// back once all routes are written: those that leave it must not return to it while
// they wait for their turn.
func (f *FIB) SetDead(gateways []netip.Addr) {
	f.deaths = true
	for a := range f.dead {
		f.dead[a] = false
	}
	for _, a := range gateways {
		f.dead[a] = true
	}
}

// revive ends the death of gateways that are not said to be dead any more. It
// reports whether there were any.
func (f *FIB) revive() (some bool) {
	for a, dead := range f.dead {
		if !dead {
			delete(f.dead, a)
			f.deaths, some = true, true
		}
	}
	return some
}

// LinkDown says that a link has gone down, or has no carrier, before the next
// [FIB.SetLinks] tells the state of all. The kernel has removed its hops.
func (f *FIB) LinkDown(index int) {
	if f.up == nil {
		return
	}
	f.deaths, f.judgeDue = true, true
	delete(f.up, index)
	for h := range f.hops {
		if h.Link == index {
			delete(f.hops, h) // its number stays taken until the next Resync
		}
	}
}

// Swap writes the groups that a death, or its end, has changed: one message for
// each, however many routes go through it.
func (f *FIB) Swap(now time.Time) {
	if !f.deaths || f.plain {
		return
	}
	f.deaths = false
	for _, s := range f.byID {
		if s.ok && f.content(s) != s.live {
			s.fail = nil
			f.bad[s] = true
			f.putSet(s, now)
			f.reportSwapped(s)
		}
	}
}

// isDead reports whether nothing gets through by way of a hop.
func (f *FIB) isDead(h NextHop) bool {
	_, dead := f.dead[h.Via]
	return dead || f.up != nil && !f.up[h.Link]
}

// alive is what the group of a set shall hold now: the hops that are not dead and
// the backup; or the backup in their place. Where nothing is alive, no swap helps.
func (f *FIB) alive(s *hopSet) (hops, backup []NextHop) {
	hops, backup = s.hops, s.backup
	if f.mpath || len(backup) > 0 && f.isDead(backup[0]) {
		backup = nil
	}
	if !slices.ContainsFunc(hops, f.isDead) {
		return hops, backup
	}
	left := slices.DeleteFunc(slices.Clone(hops), f.isDead)
	switch {
	case len(left) > 0:
		return left, backup
	case len(backup) > 0:
		return backup, nil
	}
	return hops, nil
}

// content is what alive returns, as a key.
func (f *FIB) content(s *hopSet) string { return setKey(f.alive(s)) }

// bridge is the part of a backup that a group has room for: it carries traffic
// only until best paths follow.
func bridge(hops, backup []NextHop) []NextHop {
	if len(backup) == 0 || len(hops) == 0 || len(hops) > maxResilient || slices.Contains(hops, backup[0]) {
		return nil
	}
	return backup[:1]
}

// scaled returns the weights of a group's members, first hops and then backup.
func scaled(hops, backup []NextHop) []uint8 {
	factor, most := uint8(1), uint8(1)
	for _, h := range hops {
		most = max(most, h.Weight)
	}
	if len(backup) > 0 {
		factor = fullWeight / most
	}
	var weights []uint8
	for _, h := range hops {
		weights = append(weights, factor*max(h.Weight, 1))
	}
	for range backup {
		weights = append(weights, 1)
	}
	return weights
}

// split undoes scaled on what the kernel holds. The kernel keeps the order.
func split(hops []NextHop) (first, backup []NextHop) {
	last := len(hops) - 1
	isBackup := func(h NextHop) bool { return h.Weight > fullWeight/2 }
	if last > 0 && hops[last].Weight <= 1 && slices.ContainsFunc(hops[:last], isBackup) {
		first, backup = hops[:last], hops[last:]
	} else {
		first = hops
	}
	return SortHops(reduced(first)), backup
}

// reduced divides the weights by what they have in common.
func reduced(hops []NextHop) []NextHop {
	common := uint8(0)
	for _, h := range hops {
		common = divisor(max(h.Weight, 1), common)
	}
	if common <= 1 {
		return hops
	}
	hops = slices.Clone(hops)
	for i := range hops {
		hops[i].Weight = max(hops[i].Weight, 1) / common
	}
	return hops
}

// divisor is the greatest common one.
func divisor(a, b uint8) uint8 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
