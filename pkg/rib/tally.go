package rib

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/route"
)

// tally counts what a neighbor has announced of one family. It is exact at any time: paths
// that are gone are not counted, also while they are still in the table.
type tally struct {
	outcomes [outcomes]int // paths received, by what became of them
	stale    [outcomes]int // of these, kept over the neighbor's restart
}

// forget takes all paths out of the count.
func (t *tally) forget() { *t = tally{} }

// sweep takes the stale paths out of the count.
func (t *tally) sweep() {
	for i, n := range t.stale {
		t.outcomes[i] -= n
	}
	t.stale = [outcomes]int{}
}

func (t *tally) received() (n int) {
	for _, k := range t.outcomes {
		n += k
	}
	return n
}

func (t *tally) sumStale() (n int) {
	for _, k := range t.stale {
		n += k
	}
	return n
}

// tallies are those of IPv4 and IPv6.
type tallies [2]tally

func (t *tallies) of(d *dest) *tally { return &t[d.family()] }

// count adds n paths like pt to all counts; n is 1 or -1. A path that is gone is in no
// count of its neighbor any more, only in those of the table.
func (s *adjIn) count(d *dest, p *peer, pt *path, n int) {
	s.paths += n
	if pt.reject == accepted {
		s.countUsable(d, n)
	}
	p.holds.add(pt, int32(n))
	if n > 0 {
		p.evaluated[d.family()][pt.reject]++
	}
	if p.isGone(pt, d.family()) {
		return
	}
	t := p.tallies.of(d)
	t.outcomes[pt.reject] += n
	if pt.reject != byLimit {
		p.taken += n
	}
	if p.isStale(pt) {
		t.stale[pt.reject] += n
	}
}

func (s *adjIn) countUsable(d *dest, n int) {
	had := d.usable > 0
	d.usable = uint16(int(d.usable) + n)
	s.usable += n
	switch has := d.usable > 0; {
	case has && !had:
		s.routed++
	case had && !has:
		s.routed--
	}
}

// Counts are the sizes of a neighbor's tables.
type Counts struct {
	Received, Accepted, Stale, Advertised int

	OverLimit int // received, but rejected by MaxReceived

	Held    int // prefixes that MaxAdvertised holds back
	Fullest int // prefixes advertised of the family that has more, if MaxAdvertised is set
}

// Counts returns the sizes of a neighbor's tables.
func (r *RIB) Counts(addr netip.Addr) Counts {
	p := r.peers.byAddr[addr]
	var c Counts
	for i := range p.tallies {
		t := &p.tallies[i]
		c.Received += t.received()
		c.Accepted += t.outcomes[accepted]
		c.OverLimit += t.outcomes[byLimit]
		c.Stale += t.sumStale()
		c.Advertised += p.advertised[i]
		if q := p.rations[i]; q != nil {
			c.Held += q.over(p.MaxAdvertised)
			c.Fullest = max(c.Fullest, q.sent.Len())
		}
	}
	return c
}

// Tally is how many routes a neighbor's tables hold of one family.
type Tally struct {
	Family     route.Family
	Accepted   int
	Rejected   []Rejected // one for each reason there is, most of them 0
	Advertised int
	Held       int    // prefixes that MaxAdvertised holds back
	Dropped    uint64 // announcements not stored since the session came up; see [RIB.Dropped]
}

// Rejected is how many received paths were rejected for one reason.
type Rejected struct {
	Reason string // "policy", "as-loop", "first-as"...
	Paths  int
	Total  uint64 // times that a path was rejected since the neighbor was configured, at reloads too
}

// Received returns the size of the Adj-RIB-In.
func (t Tally) Received() int {
	n := t.Accepted
	for _, r := range t.Rejected {
		n += r.Paths
	}
	return n
}

// Tallies returns how many routes a neighbor's tables hold of IPv4 and of IPv6, without a
// walk.
func (r *RIB) Tallies(addr netip.Addr) [2]Tally {
	var out [2]Tally
	p := r.peers.byAddr[addr]
	for i, t := range p.tallies {
		out[i] = Tally{
			Family: families[i], Accepted: t.outcomes[accepted], Advertised: p.advertised[i],
			Held: p.rations[i].over(p.MaxAdvertised), Dropped: p.dropped.count[i],
		}
		for why, n := range t.outcomes {
			if reject(why) != accepted {
				out[i].Rejected = append(out[i].Rejected, Rejected{reject(why).String(), n, p.evaluated[i][why]})
			}
		}
	}
	return out
}
