package fib

import (
	"net/netip"
	"slices"
	"time"
)

// In the kernel, a set with a backup is one resilient group of both (ADR 0006). The kernel
// distributes a fixed number of buckets among the members by weight, and the backup's
// weight is too small for even one bucket: so all traffic takes the hops as long as there
// is one. Two things can happen:
//
//   - The link of the hops goes down. The kernel takes its hops out of the group by itself,
//     the backup remains and gets all buckets: traffic moves at once, without a message
//     from nvad and without a route being touched.
//   - A gateway dies behind a link that stays up (BFD, a lost session). [FIB.SetDead] says so,
//     and [FIB.Swap] writes the group without it: one message, however many routes refer to
//     it.
//
// The backup is a bridge: it carries traffic until the best paths that were decided anew
// arrive as wanted routes. A group depends only on its set and on who is dead, so a
// write for any other reason never undoes a swap.
const (
	// buckets of every resilient group (NHA_RES_GROUP_BUCKETS). The kernel replaces a
	// group only by one of the same type and the same number of buckets. A share of 1
	// in 256 rounds to none of 128.
	buckets = 128
	// maxResilient is the number of hops that still get a fair number of buckets each.
	// Larger sets are groups of the other type (NEXTHOP_GRP_TYPE_MPATH), without backup.
	maxResilient = 64
	// fullWeight is the weight of the heaviest hop beside a backup of weight 1.
	fullWeight = 255
)

// bucketsOf returns Object.Buckets for the group of a set. It stays the same for as long as
// the set exists, unless the kernel turns out to have no resilient groups.
func (f *FIB) bucketsOf(s *hopSet) uint16 {
	if f.mpath || len(s.hops) > maxResilient {
		return 0
	}
	return buckets
}

// secondRoutes reports whether backups are second routes, at metric + 1. Without resilient
// groups, this is how the kernel survives the loss of a link by itself.
func (f *FIB) secondRoutes() bool { return f.plain || f.mpath }

// SetDead replaces the gateways that do not forward although their link is up. [FIB.Swap]
// acts on it.
//
// A gateway that is not among them any more stays out of the groups until all routes are
// written. Otherwise a route that is about to leave it would go back to it for a moment:
// group A of a dead gateway swaps to its backup; the gateway returns; the routes of A,
// which want another gateway by now, wait for their turn in group A.
func (f *FIB) SetDead(gateways []netip.Addr) {
	f.deaths = true
	for a := range f.dead {
		f.dead[a] = false
	}
	for _, a := range gateways {
		f.dead[a] = true
	}
}

// revive puts gateways back that are not said to be dead any more, and reports whether there
// were any.
func (f *FIB) revive() (some bool) {
	for a, dead := range f.dead {
		if !dead {
			delete(f.dead, a)
			f.deaths, some = true, true
		}
	}
	return some
}

// LinkDown says that a link went down or lost its carrier. It spares the wait for the next
// [FIB.SetLinks], which needs all links read. The kernel has removed the link's hops.
func (f *FIB) LinkDown(index int) {
	if f.up == nil {
		return
	}
	f.deaths, f.judgeDue = true, true
	f.linkFell(index)
	delete(f.up, index)
	for h := range f.hops {
		if h.Link == index {
			delete(f.hops, h) // the number stays taken until the next Resync
		}
	}
}

// Swap writes the groups whose content a death, or the end of one, changed.
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

// isDead reports whether a hop forwards nothing.
func (f *FIB) isDead(h NextHop) bool {
	_, dead := f.dead[h.Via]
	return dead || f.up != nil && !f.up[h.Link]
}

// alive returns the content that the group of a set should have: the hops that are not dead,
// with the backup; or, if all are dead, the backup in their place. If the backup is dead
// too, no swap helps, and the group keeps its hops.
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

// content returns [FIB.alive] as a key.
func (f *FIB) content(s *hopSet) string { return setKey(f.alive(s)) }

// backupInGroup returns the part of a backup that becomes a member of the group: its first
// hop, or none if the group has no room or has that hop already.
func backupInGroup(hops, backup []NextHop) []NextHop {
	if len(backup) == 0 || len(hops) == 0 || len(hops) > maxResilient || slices.Contains(hops, backup[0]) {
		return nil
	}
	return backup[:1]
}

// scaled returns the weights of a group's members: first those of hops, then of backup.
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

// split separates the members of a group in the kernel into hops and backup, and undoes
// scaled. The kernel keeps the order of members.
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

// reduced divides the weights by their greatest common divisor.
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

// divisor returns the greatest common divisor.
func divisor(a, b uint8) uint8 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
