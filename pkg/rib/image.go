package rib

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

// image is what a destination comes to at one moment.
type image struct {
	best    Choice
	route   *fib.Route // that the forwarding plane is told; nil: none
	in, out []mark     // accepted from neighbors and advertised to them
}

// mark is a set of attributes at one neighbor.
type mark struct {
	peer  netip.Addr
	attrs *route.Attrs
	extra *extra
}

// standpoint is what has to be known of a neighbor to tell which paths and adverts
// of a destination counted at one moment.
type standpoint struct {
	history
	addr  netip.Addr
	epoch uint32
}

// standpoints are those of now, by peerID.
func (r *RIB) standpoints() []standpoint {
	out := make([]standpoint, len(r.peers))
	for i, p := range r.peers {
		if p != nil {
			out[i] = standpoint{p.history, p.Address, p.epoch}
		}
	}
	return out
}

// imageOf returns the image of d from a moment after which d has not changed. It
// uses what into refers to.
func (r *RIB) imageOf(d *dest, at []standpoint, into image) image {
	m := image{in: into.in[:0], out: into.out[:0]}
	for i := range d.paths {
		pt := &d.paths[i]
		if int(pt.peer) >= len(at) {
			continue
		}
		if s := &at[pt.peer]; pt.peer != 0 && pt.accepted != nil && !s.isGone(pt, d.family()) {
			m.in = append(m.in, mark{s.addr, pt.accepted, pt.extra})
		}
	}
	for _, a := range d.out {
		if int(a.peer) < len(at) && a.epoch == at[a.peer].epoch {
			m.out = append(m.out, mark{peer: at[a.peer].addr, attrs: a.attrs})
		}
	}
	if d.best >= 0 && int(d.paths[d.best].peer) < len(at) {
		pt := &d.paths[d.best]
		m.best = Choice{Neighbor: at[pt.peer].addr, Source: pt.source, Attrs: pt.accepted}
	}
	if d.fib != nil {
		m.route = &d.fib.Route
	}
	return m
}
