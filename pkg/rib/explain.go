package rib

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Explanation is the story of one prefix: what came in and was made of it, what
// was decided, what went out. Policies are run again for it, by the Programs in
// force; where the tables hold another outcome, which they do while a change of
// policy is still being worked off, it says so.
type Explanation struct {
	Prefix    netip.Prefix
	Known     bool         // there is a path, a static route or an originated default
	Covering  netip.Prefix // the longest less specific one with a route; invalid: none
	Undecided bool         // something changed that was not decided about yet
	Paths     []PathStory  // the best first, then by neighbor
	Exports   []Export     // by neighbor
	Route     *fib.Route   // as the forwarding plane was told; nil: none
	NoRoute   string       // why Route is nil
}

// PathStory is what became of one path.
type PathStory struct {
	Path
	PeerGroup  string
	Checks     []Check       // before policy; only the last can have failed
	Steps      []policy.Step // of import policy; nil if a check failed
	Evaluated  *route.Attrs  // what checks and policy make of it now; nil: rejected
	Differs    bool          // what is in force is not yet what was evaluated
	Via        []string      // how the next hop is reached: "via 10.0.0.1 dev eth0"
	Metric     uint32        // to the next hop
	Unresolved string        // why the next hop is not reached
	Lost       *Comparison   // against the best path; nil if it is that, or not valid
}

// Check is one of the checks that stand before import policy.
type Check struct {
	Name   string
	Value  string // what it looked at
	Passed bool
}

// ExplainQuery selects what of a prefix is told. An invalid address selects
// every neighbor.
type ExplainQuery struct {
	Prefix   netip.Prefix
	Neighbor netip.Addr // whose path
	ExportTo netip.Addr // who is told
}

// Explain tells the story of a prefix.
func (r *RIB) Explain(q ExplainQuery) Explanation {
	x := Explanation{Prefix: q.Prefix, Covering: r.covering(q.Prefix)}
	d := r.look(q.Prefix)
	if d == nil {
		x.NoRoute = noneAnnounced
		return x
	}
	x.Undecided = d.dirty
	if d.fib != nil {
		x.Route = &d.fib.Route
	} else {
		x.NoRoute = r.noRoute(d)
	}
	x.Paths = r.pathStories(d, q.Neighbor)
	x.Exports = r.exports(d, q.ExportTo)
	x.Known = len(d.paths) > 0 || len(r.under.statics[q.Prefix]) > 0 ||
		slices.ContainsFunc(x.Exports, func(e Export) bool { return e.Originated })
	return x
}

// covering returns the longest less specific prefix that has a route, or is
// originated here.
func (r *RIB) covering(p netip.Prefix) netip.Prefix {
	for bits := p.Bits() - 1; bits >= 0; bits-- {
		less := netip.PrefixFrom(p.Addr(), bits).Masked()
		if d := r.find(less); d != nil && (d.best >= 0 || d.fib != nil) {
			return less
		}
	}
	return netip.Prefix{}
}

const noneAnnounced = "no neighbor has announced it"

// noRoute says why the forwarding plane has no route for d.
func (r *RIB) noRoute(d *dest) string {
	accepted := slices.ContainsFunc(d.paths, func(p path) bool { return p.accepted != nil })
	switch {
	case d.best >= 0 && d.paths[d.best].source != route.SourceBGP:
		return "originated here: no route for it is put in the kernel, and packets follow more or less specific ones"
	case d.best >= 0:
		return "not decided about yet"
	case accepted:
		return "the next hop of no accepted path is reached"
	case len(d.paths) > 0:
		return "no path was accepted"
	}
	return r.under.whyNotStatic(d.prefix)
}

// whyNotStatic says why the first static route for a prefix does not stand.
func (u *underlay) whyNotStatic(prefix netip.Prefix) string {
	if len(u.statics[prefix]) == 0 {
		return noneAnnounced
	}
	switch s := u.statics[prefix][0]; {
	case s.loop != nil:
		return circleText(s.loop)
	case s.Device != "" && u.link(s.Device) == 0:
		return "static route: there is no device " + s.Device
	case u.dead[s.Via]:
		return "static route: gateway " + s.Via.String() + " does not answer BFD"
	case s.Via.IsValid():
		return "static route: gateway " + s.Via.String() + " is not reached"
	default:
		return "static route: device " + s.Device + " is down"
	}
}

// pathStories tells of d's paths, or of the one from a neighbor alone.
func (r *RIB) pathStories(d *dest, from netip.Addr) []PathStory {
	c := r.contest(d)
	var out []PathStory
	for i := range d.paths {
		if p := r.peers[d.paths[i].peer]; from.IsValid() && p.Address != from {
			continue
		}
		s := r.pathStory(d, i)
		s.Lost = r.comparison(d, c, i)
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b PathStory) int {
		if a.Best != b.Best {
			return 1 - 2*int(bit(a.Best))
		}
		return a.Neighbor.Compare(b.Neighbor)
	})
	return out
}
