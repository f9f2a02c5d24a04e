package rib

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/route"
)

// Heard holds a neighbor's Adj-RIB-In entry for a prefix, before and after import policy.
type Heard struct {
	Prefix   netip.Prefix
	Neighbor netip.Addr
	Received *route.Attrs // nil: withdrawn
	Accepted *route.Attrs // nil: rejected, or withdrawn
	At       uint32       // Unix time of receipt; 0: now
	Pre      bool         // Received is news
	Post     bool         // Accepted is news
}

// monitor collects changes of the Adj-RIBs-In of established neighbors, in order, for those
// who follow them.
type monitor struct {
	on    bool
	heard []Heard
}

// Monitor begins or ends the collection of changes of the Adj-RIBs-In. While it is off, as
// at first, it costs one comparison for each changed path. What there was before is read by
// [RIB.WalkAdjIn].
func (r *RIB) Monitor(on bool) {
	if r.in.mon.on = on; !on {
		r.in.mon.heard = nil
	}
}

// TakeHeard returns the changes of the Adj-RIBs-In since the last call.
func (r *RIB) TakeHeard() []Heard {
	heard := r.in.mon.heard
	r.in.mon.heard = nil
	return heard
}

// note collects the change of p's path of d; nil stands for none. Routes of a session that
// is over went with it, so nobody who follows has them: neither their end nor what happens
// to stale ones before the next session is news.
func (m *monitor) note(d *dest, p *peer, before, after *path) {
	if !m.on || !p.up || p.id == 0 {
		return
	}
	h := Heard{Prefix: d.prefix, Neighbor: p.Address}
	var received, accepted *route.Attrs
	if before != nil && before.era >= p.forgotten {
		received, accepted = before.received, before.accepted
	}
	if after != nil {
		h.Received, h.Accepted, h.At = after.received, after.accepted, after.at
	}
	h.Pre, h.Post = h.Received != received, h.Accepted != accepted
	if h.Pre || h.Post {
		m.heard = append(m.heard, h)
	}
}

// AdjInWalk reads the Adj-RIBs-In of established neighbors in turns. Together with the
// changes collected meanwhile, it yields every path that is there at its end. Like every
// walk (ADR 0011), it holds a place and no copy.
type AdjInWalk struct {
	rib *RIB
	of  func(netip.Addr) bool
	at  int // destinations below it are still to be visited
}

// WalkAdjIn begins a walk of the Adj-RIBs-In of those neighbors that of selects.
func (r *RIB) WalkAdjIn(of func(neighbor netip.Addr) bool) *AdjInWalk {
	return &AdjInWalk{rib: r, of: of, at: len(r.table.all)}
}

// Step spends the time of n idle visits, appends the paths that it finds to out, and
// reports whether the walk is over.
func (w *AdjInWalk) Step(n int, out []Heard) (_ []Heard, done bool) {
	all := w.rib.table.all
	for w.at = min(w.at, len(all)); n > 0 && w.at > 0; n-- {
		w.at--
		before := len(out)
		out = w.visit(all[w.at], out)
		n -= len(out) - before
	}
	return out, w.at == 0
}

func (w *AdjInWalk) visit(d *dest, out []Heard) []Heard {
	for i := range d.paths {
		pt := &d.paths[i]
		p := w.rib.peers.of(pt)
		if p.id == 0 || !p.up || p.isGone(pt, d.family()) || !w.of(p.Address) {
			continue
		}
		out = append(out, Heard{
			Prefix: d.prefix, Neighbor: p.Address, Received: pt.received, Accepted: pt.accepted, At: pt.at,
			Pre: true, Post: pt.accepted != nil,
		})
	}
	return out
}
