package rib

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/route"
)

// tally is what a neighbor's tables hold in one family, kept as it changes.
type tally struct {
	outcomes   [outcomes]int // paths received, by what became of them
	stale      [outcomes]int // of these, kept over the neighbor's restart
	advertised int
}

// forget counts no path any more.
func (t *tally) forget() { t.outcomes, t.stale = [outcomes]int{}, [outcomes]int{} }

// sweep counts stale paths no more.
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

// count counts pt, a path of p.
func (r *RIB) count(d *dest, p *peer, pt *path) { r.add(d, p, pt, 1) }

// uncount counts pt no more.
func (r *RIB) uncount(d *dest, p *peer, pt *path) { r.add(d, p, pt, -1) }

// add changes the counts of paths. A path that is gone is in no count of the
// neighbor's, only in those of what the table still holds.
func (r *RIB) add(d *dest, p *peer, pt *path, n int) {
	r.paths += n
	if pt.reject == accepted {
		r.addUsable(d, n)
	}
	p.holds.add(pt, int32(n))
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

// addUsable counts n paths more that policy let in; n is 1 or -1.
func (r *RIB) addUsable(d *dest, n int) {
	had := d.usable > 0
	d.usable = uint16(int(d.usable) + n)
	r.usable += n
	switch has := d.usable > 0; {
	case has && !had:
		r.routed++
	case had && !has:
		r.routed--
	}
}

// Tally is how many routes a neighbor's tables hold in one family.
type Tally struct {
	Family     route.Family
	Accepted   int
	Rejected   []Rejected // one for each reason there is, most of them 0
	Advertised int
	Held       int    // what MaxAdvertised keeps back
	Dropped    uint64 // announcements not kept since the session came up; see [RIB.Dropped]
}

// Rejected is how many received paths one reason keeps out.
type Rejected struct {
	Reason string // "policy", "as-loop", "first-as"...
	Paths  int
}

// Received is the size of the Adj-RIB-In.
func (t Tally) Received() int {
	n := t.Accepted
	for _, r := range t.Rejected {
		n += r.Paths
	}
	return n
}

// Tallies returns how many routes a neighbor's tables hold, for IPv4 and IPv6. It
// walks nothing.
func (r *RIB) Tallies(addr netip.Addr) [2]Tally {
	var out [2]Tally
	p := r.byAddr[addr]
	for i, t := range p.tallies {
		out[i] = Tally{
			Family: [...]route.Family{route.IPv4, route.IPv6}[i], Accepted: t.outcomes[accepted], Advertised: t.advertised,
			Held: p.rations[i].over(p.MaxAdvertised), Dropped: p.dropped.count[i],
		}
		for why, n := range t.outcomes {
			if reject(why) != accepted {
				out[i].Rejected = append(out[i].Rejected, Rejected{reject(why).String(), n})
			}
		}
	}
	return out
}

// String is the reason as one word.
func (r reject) String() string {
	return [outcomes]string{
		accepted: "accepted", byPolicy: "policy", byASLoop: "as-loop", byFirstAS: "first-as", byASSet: "as-set",
		byConfed: "confederation", byNextHop: "next-hop", byOriginator: "originator-id", byCluster: "cluster-list",
		byLeak: "route-leak", byPrefix: "prefix", byLimit: "maximum-prefix",
	}[r]
}
