package rib

import (
	"net/netip"
	"unsafe"

	"github.com/nvad/nvad/pkg/route"
)

const (
	// pathOctets is what a path takes beside its attribute sets: its own fields, and
	// what there is once for a prefix, here, in the forwarding plane and in the
	// Adj-RIBs-Out, as if no other neighbor had announced it.
	pathOctets = int(unsafe.Sizeof(path{})+unsafe.Sizeof(dest{})+2*unsafe.Sizeof(advert{})) + 240
	// setOctets is what the count of a set takes.
	setOctets = 32
)

// holdings estimates how much memory the paths of one neighbor take. A set of
// attributes counts once, however many paths share it, and in full for each
// neighbor that has it.
type holdings struct {
	paths  int
	octets int // of sets
	sets   map[*route.Attrs]int32
	peak   int // most sets since the map was made, which never shrinks by itself

	// The routes of an UPDATE share their sets, so that counts are added up before
	// the map is asked.
	received, accepted run
}

// run is a change of the count of one set.
type run struct {
	set *route.Attrs
	n   int32
}

// add counts n paths like pt; n is negative for those that are gone.
func (h *holdings) add(pt *path, n int32) {
	h.paths += int(n)
	h.count(&h.received, pt.received, n)
	if pt.accepted != pt.received {
		h.count(&h.accepted, pt.accepted, n)
	}
}

func (h *holdings) count(r *run, set *route.Attrs, n int32) {
	if set != r.set {
		h.settle(r)
		r.set = set
	}
	r.n += n
}

// settle takes a run into the counts.
func (h *holdings) settle(r *run) {
	if r.n == 0 || r.set == nil {
		r.n = 0
		return
	}
	before := h.sets[r.set]
	after := before + r.n
	r.n = 0
	if before == 0 {
		if h.sets == nil {
			h.sets = map[*route.Attrs]int32{}
		}
		h.octets += r.set.Octets() + setOctets
	}
	if after != 0 {
		h.sets[r.set] = after
		h.peak = max(h.peak, len(h.sets))
		return
	}
	h.octets -= r.set.Octets() + setOctets
	delete(h.sets, r.set)
	h.shrink()
}

// shrink makes the map anew where few are left of what it held.
func (h *holdings) shrink() {
	if h.peak < 1024 || len(h.sets) > h.peak/4 {
		return
	}
	left := make(map[*route.Attrs]int32, len(h.sets))
	for set, n := range h.sets {
		left[set] = n
	}
	h.sets, h.peak = left, len(left)
}

// sum is the estimate, in octets.
func (h *holdings) sum() int {
	h.settle(&h.received)
	h.settle(&h.accepted)
	return h.octets + h.paths*pathOctets
}

// Octets estimates how much memory a neighbor's routes take. It walks nothing.
func (r *RIB) Octets(addr netip.Addr) int {
	p := r.byAddr[addr]
	if p == nil {
		return 0
	}
	return p.holds.sum()
}

// SetOctets is what attribute sets are of Octets. Neighbors that are told of the routes
// may be told sets of their own, as large.
func (r *RIB) SetOctets(addr netip.Addr) int {
	p := r.byAddr[addr]
	if p == nil {
		return 0
	}
	p.holds.sum()
	return p.holds.octets
}

// Tidy forgets attribute sets that are remembered only because they may come
// again, so that those of a neighbor that is gone can be freed.
func (r *RIB) Tidy() {
	r.forgetWire()
	r.work = scratch{}
	for _, p := range r.byAddr {
		p.Import.Forget()
		p.Export.Forget()
		if p.Default != nil {
			p.Default.Forget()
		}
		p.holds.sum()
		p.holds.received, p.holds.accepted = run{}, run{}
	}
}
