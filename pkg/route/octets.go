package route

import "unsafe"

// internOverhead is what an Interner keeps of a set beside the set: its sum, the
// weak pointer, and what the runtime keeps of that.
const internOverhead = 96

// Octets is how much memory an interned set takes, with everything that it refers
// to: an estimate that leaves out the rounding of the allocator.
func (a *Attrs) Octets() int { return int(a.octets) }

// Measure is Octets for a set that is not interned. It looks at all of it.
func (a *Attrs) Measure() int {
	n := internOverhead + int(unsafe.Sizeof(*a))
	for _, s := range a.ASPath {
		n += int(unsafe.Sizeof(s)) + 4*len(s.ASNs)
	}
	n += 4*len(a.Communities) + 8*len(a.ExtCommunities) + 12*len(a.LargeCommunities)
	for _, id := range a.ClusterList {
		n += int(unsafe.Sizeof(id))
	}
	for _, u := range a.Unknown {
		n += int(unsafe.Sizeof(u)) + len(u.Value)
	}
	return n
}
