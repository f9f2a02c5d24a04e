package rib

import (
	"net/netip"
	"unsafe"

	"github.com/nvad/nvad/pkg/route"
)

const (
	// pathOctets is the memory for a path without its attribute sets: its own fields, and
	// everything that exists once for a prefix, here, in the forwarding plane and in the
	// Adj-RIBs-Out, as if no other neighbor had announced the prefix.
	pathOctets = int(unsafe.Sizeof(path{})+unsafe.Sizeof(dest{})+2*unsafe.Sizeof(advert{})) + 176
	// setOctets is the memory for counting a set.
	setOctets = 32
)

// holdings estimate how much memory the paths of one neighbor take. A set of attributes
// counts once, however many of the neighbor's paths share it. If several neighbors have
// the same set, it counts in full for each of them.
type holdings struct {
	paths  int
	octets int // of sets
	sets   map[*route.Attrs]int32
	peak   int // most sets since the map was made, which never shrinks by itself

	// The routes of an UPDATE share their sets. So changes of the same set are added up
	// here, and the map is asked once for all of them.
	received, accepted run
}

// run is a pending change of the count of one set.
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

// settleAll takes both runs into the counts, and forgets their sets.
func (h *holdings) settleAll() {
	h.settle(&h.received)
	h.settle(&h.accepted)
	h.received, h.accepted = run{}, run{}
}

// shrink makes the map anew when few of its entries are left.
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

// Octets estimates how much memory a neighbor's routes take, without a walk.
func (r *RIB) Octets(addr netip.Addr) int {
	p := r.peers.byAddr[addr]
	if p == nil {
		return 0
	}
	p.holds.settleAll()
	return p.holds.octets + p.holds.paths*pathOctets
}

// SetOctets returns the part of Octets that attribute sets take. Neighbors that the routes
// are advertised to may be sent sets of their own, as large as these.
func (r *RIB) SetOctets(addr netip.Addr) int {
	p := r.peers.byAddr[addr]
	if p == nil {
		return 0
	}
	p.holds.settleAll()
	return p.holds.octets
}
