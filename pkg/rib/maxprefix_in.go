package rib

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/route"
)

// maximum-prefix with the action "discard" (MaxReceived). A path that is one too many is
// rejected, but stored, so that it can be shown, and accepted once there is room. When as
// many are stored as are accepted, further announcements are only counted. Without that
// bound a neighbor could fill the memory with rejected paths.
//
// If accepted paths alone are counted (MaxRejected), the paths that anything else rejects
// need a bound as well, whatever the action. Once it is reached, an announcement is stored
// only if policy accepts it. The others are dropped, and requested again when the import
// settings change.

// dropped counts the announcements that were not stored since the session came up.
type dropped struct {
	count   [2]uint64    // by family
	missing route.Family // families of which announcements were dropped and not requested again
	crowded bool         // MaxReceived left no room for some of them
	policy  uint32       // history.policy when the first of the others was dropped
}

// drop counts an announcement of p that is not stored; for want of room, or else because it
// is rejected.
func (p *peer) drop(prefix netip.Prefix, crowded bool) {
	d, f := &p.dropped, route.FamilyOf(prefix)
	if d.missing == 0 {
		d.crowded, d.policy = false, p.policy
	}
	d.missing |= f
	d.crowded = d.crowded || crowded
	if f == route.IPv4 {
		d.count[0]++
	} else {
		d.count[1]++
	}
}

// limit returns byLimit for a path that is one too many of those received.
func (p *peer) limit(pre reject) reject {
	if p.MaxRejected == 0 && !p.hasRoom() {
		return byLimit
	}
	return pre
}

// hasRoom reports whether one more path of p may be accepted.
func (p *peer) hasRoom() bool {
	switch {
	case p.MaxReceived == 0:
		return true
	case p.MaxRejected > 0:
		return p.accepted() < p.MaxReceived
	}
	return p.taken < p.MaxReceived
}

// keepsNoMore reports whether a path of another prefix that is rejected is not even stored.
func (p *peer) keepsNoMore() bool {
	if p.MaxRejected > 0 {
		return p.taken+p.excess()-p.accepted() >= p.MaxRejected
	}
	return !p.hasRoom() && p.excess() >= p.MaxReceived
}

// drops reports whether an announcement of p, which keeps no more, is not to be stored. If
// accepted paths are counted, it also removes the path that p announced of the prefix
// before: otherwise p could have a prefix accepted and rejected in turn, and go on so with
// the next one.
func (r *RIB) drops(p *peer, prefix netip.Prefix, pre admission) bool {
	d, i := r.table.find(prefix), -1
	if d != nil {
		i = d.find(p.id)
	}
	crowded := true
	if p.MaxRejected > 0 {
		crowded = r.in.accepts(prefix, p, pre)
		has := i >= 0 && d.paths[i].accepted != nil && !p.isGone(&d.paths[i], d.family())
		if crowded && (has || p.hasRoom()) {
			return false
		}
	} else if i >= 0 {
		return false
	}
	p.drop(prefix, crowded)
	if i >= 0 {
		r.in.cut(d, i, p)
		r.touch(d, p.id)
	}
	return true
}

// accepts reports whether p's announcement would be accepted, but for the limit.
func (s *adjIn) accepts(prefix netip.Prefix, p *peer, pre admission) bool {
	return checkPrefix(prefix, pre.reject) == accepted && p.Import.Run(s.importInput(prefix, p, pre.attrs)).Accept
}

// accepted returns how many paths are accepted.
func (n *inbound) accepted() int {
	return n.tallies[0].outcomes[accepted] + n.tallies[1].outcomes[accepted]
}

// excess returns how many stored paths MaxReceived rejects.
func (n *inbound) excess() int {
	return n.tallies[0].outcomes[byLimit] + n.tallies[1].outcomes[byLimit]
}

// retake counts the taken paths again, after many went at once.
func (n *inbound) retake() {
	n.taken = n.tallies[0].received() + n.tallies[1].received() - n.excess()
}

// takeMore has the table's walk accept paths that the limit rejected and that fit now. The
// end of that walk calls it again: if a path goes during the walk, then it makes room for
// one that the walk has already passed.
func (r *RIB) takeMore(p *peer) {
	if p.MaxReceived > 0 && p.up && p.excess() > 0 && p.hasRoom() {
		r.requestAll(takes)
	}
}

// Dropped returns how many announcements of a neighbor, of both families, were not stored
// since its session came up, because as many as allowed were stored already. Missing are the
// families of which some were not requested again, see [RIB.Requested].
func (r *RIB) Dropped(addr netip.Addr) (announcements uint64, missing route.Family) {
	d := &r.peers.byAddr[addr].dropped
	return d.count[0] + d.count[1], d.missing
}

// Fits reports whether dropped announcements would be accepted if the neighbor sent them
// again: MaxReceived leaves room that no stored path fills.
func (r *RIB) Fits(addr netip.Addr) bool {
	p := r.peers.byAddr[addr]
	return p.up && p.hasRoom() && p.excess() == 0
}

// Unwanted reports whether the import settings in force reject all announcements that were
// dropped, so that nothing is missing.
func (r *RIB) Unwanted(addr netip.Addr) bool {
	p := r.peers.byAddr[addr]
	return p.MaxRejected > 0 && !p.dropped.crowded && p.dropped.policy == p.policy
}

// Requested records that a neighbor was asked to announce all of some families again, so
// that what was dropped of them is not missing any more.
func (r *RIB) Requested(addr netip.Addr, f route.Family) {
	r.peers.byAddr[addr].dropped.missing &^= f
}
