package rib

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/route"
)

// maximum-prefix with the action "discard" (MaxReceived). A path that is one too many is
// rejected, but stored, so that it can be shown, and accepted once there is room. When as
// many are stored as are accepted, further announcements are only counted. Without that
// bound a neighbor could fill the memory with rejected paths.

// dropped counts the announcements that were not stored since the session came up.
type dropped struct {
	count   [2]uint64    // by family
	missing route.Family // families of which announcements were dropped and not requested again
}

func (d *dropped) drop(prefix netip.Prefix) {
	f := route.FamilyOf(prefix)
	d.missing |= f
	if f == route.IPv4 {
		d.count[0]++
	} else {
		d.count[1]++
	}
}

// limit rejects a path that is one too many.
func (p *peer) limit(pre admission) admission {
	if !p.hasRoom() {
		pre.reject = byLimit
	}
	return pre
}

// hasRoom reports whether one more path of p may be accepted.
func (p *peer) hasRoom() bool { return p.MaxReceived == 0 || p.taken < p.MaxReceived }

// keepsNoMore reports whether a path of another prefix is not even stored.
func (p *peer) keepsNoMore() bool { return !p.hasRoom() && p.excess() >= p.MaxReceived }

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
// since its session came up, because it had announced twice MaxReceived. Missing are the
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

// Requested records that a neighbor was asked to announce all of some families again, so
// that what was dropped of them is not missing any more.
func (r *RIB) Requested(addr netip.Addr, f route.Family) {
	r.peers.byAddr[addr].dropped.missing &^= f
}
