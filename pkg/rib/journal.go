package rib

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

// mostImages bounds the destinations that a journal remembers: some 20 MB.
const mostImages = 1 << 16

// journal remembers each destination as it was before it changed. So it can be said
// afterwards what a reload did.
type journal struct {
	at     []standpoint // when it began
	before totals
	images map[netip.Prefix]image
	full   bool
}

// image is the outcome of a destination at one moment.
type image struct {
	best    Choice
	route   *fib.Route // in the forwarding plane; nil: none
	in, out []mark     // accepted from neighbors, and advertised to them
}

// mark is a set of attributes at one neighbor.
type mark struct {
	peer  netip.Addr
	attrs *route.Attrs
	extra *extra
}

// standpoint dates one moment for a neighbor. With it one can tell later which paths and
// adverts of a destination counted then: both have the era or epoch that they are of.
type standpoint struct {
	history
	addr  netip.Addr
	epoch uint32
}

// standpoints returns those of now, by peerID.
func (ps *peers) standpoints() []standpoint {
	out := make([]standpoint, len(ps.byID))
	for i, p := range ps.byID {
		if p != nil {
			out[i] = standpoint{p.history, p.Address, p.epoch}
		}
	}
	return out
}

// image returns the image of d at a moment since which d has not changed. It reuses the
// arrays of into.
func (d *dest) image(at []standpoint, into image) image {
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

// record remembers d, which is about to change.
func (o *observer) record(d *dest) {
	j := o.journal
	if j == nil {
		return
	}
	if _, known := j.images[d.prefix]; known {
		return
	}
	if j.full = j.full || len(j.images) == mostImages; !j.full {
		j.images[d.prefix] = d.image(j.at, image{})
	}
}

// StartJournal begins a journal, in place of the last one. It is called before the change
// that is to be followed.
func (r *RIB) StartJournal() {
	r.seen.journal = &journal{at: r.peers.standpoints(), before: r.totals(), images: map[netip.Prefix]image{}}
}

// Review compares what a journal remembers with what there is, in turns.
type Review struct {
	rib      *RIB
	journal  *journal
	prefixes []netip.Prefix // still to be compared
	eff      effects
}

// EndJournal ends the journal, and returns the Review of it.
func (r *RIB) EndJournal() *Review {
	v := &Review{rib: r, journal: r.seen.journal}
	r.seen.journal = nil
	for prefix := range v.journal.images {
		v.prefixes = append(v.prefixes, prefix)
	}
	return v
}

// Step compares n destinations, and reports whether all are done.
func (v *Review) Step(n int) (done bool) {
	n = min(n, len(v.prefixes))
	now := v.rib.peers.standpoints()
	for _, prefix := range v.prefixes[:n] {
		before := v.journal.images[prefix]
		d := v.rib.look(prefix)
		if d == nil {
			d = newDest(prefix)
		}
		after := d.image(now, image{})
		v.eff.compareImages(&before, &after, v.rib, d)
	}
	v.prefixes = v.prefixes[n:]
	return len(v.prefixes) == 0
}

// Effect returns what was found. It is called once Step has reported the end.
func (v *Review) Effect() Effect {
	v.eff.out.Partial = v.journal.full
	return v.eff.finish(v.journal.before)
}
