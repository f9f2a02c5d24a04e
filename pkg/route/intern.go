package route

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"weak"
)

// Interner makes equal attribute sets one pointer. The garbage collector takes a
// set that nothing refers to any more; what the Interner knew of it goes when
// it has grown to twice its size. It is safe for concurrent use. The zero value
// is not usable, see [NewInterner].
type Interner struct {
	seed maphash.Seed
	mu   sync.Mutex
	key  []byte // reused
	sets map[uint64][]weak.Pointer[Attrs]
	most int // sums in sets before those without a set are forgotten
}

// fewSums is not worth a look for what can be forgotten.
const fewSums = 1024

// NewInterner returns an empty Interner.
func NewInterner() *Interner {
	return &Interner{seed: maphash.MakeSeed(), sets: make(map[uint64][]weak.Pointer[Attrs])}
}

// Intern returns the one pointer for the set that a holds. The caller must not
// change what a's slices refer to afterwards.
func (in *Interner) Intern(a Attrs) *Attrs {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.key = a.appendKey(in.key[:0])
	sum := maphash.Bytes(in.seed, in.key)
	for _, w := range in.sets[sum] {
		if p := w.Value(); p != nil && p.Equal(&a) {
			return p
		}
	}
	p := new(Attrs)
	*p = a
	if len(in.sets) >= max(in.most, fewSums) {
		in.forget()
	}
	in.sets[sum] = append(in.sets[sum], weak.Make(p))
	return p
}

// forget forgets the sets that the garbage collector has taken.
func (in *Interner) forget() {
	for sum, list := range in.sets {
		left := slices.DeleteFunc(list, func(w weak.Pointer[Attrs]) bool { return w.Value() == nil })
		if len(left) == 0 {
			delete(in.sets, sum)
		} else {
			in.sets[sum] = left
		}
	}
	in.most = 2 * len(in.sets)
}

// Equal reports whether both sets have the same attributes with the same values.
func (a *Attrs) Equal(b *Attrs) bool {
	return a == b || a.Origin == b.Origin && a.NextHop == b.NextHop &&
		a.MED == b.MED && a.LocalPref == b.LocalPref &&
		a.AtomicAggregate == b.AtomicAggregate && a.Aggregator == b.Aggregator &&
		a.OriginatorID == b.OriginatorID && a.OTC == b.OTC &&
		a.ASPath.Equal(b.ASPath) &&
		slices.Equal(a.Communities, b.Communities) &&
		slices.Equal(a.ExtCommunities, b.ExtCommunities) &&
		slices.Equal(a.LargeCommunities, b.LargeCommunities) &&
		slices.Equal(a.ClusterList, b.ClusterList) &&
		slices.Equal(a.Unknown, b.Unknown)
}

// appendKey appends bytes that are the same for equal sets. Different sets may
// share them: it feeds a hash, not a comparison.
func (a *Attrs) appendKey(b []byte) []byte {
	u32 := binary.BigEndian.AppendUint32
	addr := func(b []byte, ip netip.Addr) []byte {
		x := ip.As16()
		return append(b, x[:]...)
	}
	b = append(b, byte(a.Origin))
	if a.NextHop.IsValid() {
		b = addr(b, a.NextHop)
	}
	b = u32(u32(u32(b, a.MED.Value), a.LocalPref.Value), a.OTC.Value)
	for _, s := range a.ASPath {
		b = append(b, byte(s.Type))
		for _, asn := range s.ASNs {
			b = u32(b, asn)
		}
	}
	for _, c := range a.Communities {
		b = u32(b, uint32(c))
	}
	for _, c := range a.ExtCommunities {
		b = binary.BigEndian.AppendUint64(b, uint64(c))
	}
	for _, c := range a.LargeCommunities {
		b = u32(u32(u32(b, c.Global), c.Local1), c.Local2)
	}
	for _, u := range a.Unknown {
		b = append(append(b, u.Flags, u.Type), u.Value...)
	}
	return b
}
