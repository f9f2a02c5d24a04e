package route

import (
	"encoding/binary"
	"hash/maphash"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"weak"
)

// Interner stores each attribute set once, so that equal sets have the same pointer. The
// garbage collector frees a set that nothing refers to any more. The Interner's entry for
// it is removed when the table has doubled since the last removal, or by Tidy. An Interner is
// safe for concurrent use. The zero value is not usable, see [NewInterner].
//
// Neighbors choose which sets are interned, and no choice may cost more than another. So
// sets are found by a keyed hash of every field, for which nobody can construct collisions.
// The table is divided into shards with a lock each, so nobody waits for a pass through
// all of it.
type Interner struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

const shardCount = 64

// shard contains the sets whose hashes are equal modulo shardCount.
type shard struct {
	mu   sync.Mutex
	sets map[uint64]weak.Pointer[Attrs]
	most int // entries at which those without a set are removed
	peak int // most entries since the map was made, which never shrinks by itself
}

// fewSums is the size below which a shard is not tidied.
const fewSums = 64

// NewInterner returns an empty Interner.
func NewInterner() *Interner {
	in := &Interner{seed: maphash.MakeSeed()}
	for i := range in.shards {
		in.shards[i].sets = map[uint64]weak.Pointer[Attrs]{}
	}
	return in
}

// Intern returns the pointer of the set that equals a. The caller must not change the
// contents of a's slices afterwards.
func (in *Interner) Intern(a Attrs) *Attrs {
	var short [512]byte
	sum := maphash.Bytes(in.seed, a.appendKey(short[:0]))
	return in.shards[sum%shardCount].intern(sum, &a)
}

// Tidy removes the entries of freed sets, and gives back the memory of tables that have
// become much too large.
func (in *Interner) Tidy() {
	for i := range in.shards {
		s := &in.shards[i]
		s.mu.Lock()
		s.forget()
		s.mu.Unlock()
	}
}

// intern finds a under sum or, if that is another set's, under one of the next sums.
func (s *shard) intern(sum uint64, a *Attrs) *Attrs {
	s.mu.Lock()
	defer s.mu.Unlock()
	free, found := sum, false
	for ; ; sum += shardCount {
		w, ok := s.sets[sum]
		p := w.Value()
		if p != nil && p.Equal(a) {
			return p
		}
		if p == nil && !found {
			free, found = sum, true
		}
		if !ok {
			break
		}
	}
	p := new(Attrs)
	*p = *a
	p.octets = uint32(p.Measure())
	s.sets[free] = weak.Make(p)
	s.peak = max(s.peak, len(s.sets))
	if len(s.sets) >= max(s.most, fewSums) {
		s.forget()
	}
	return p
}

// forget removes the entries of freed sets.
func (s *shard) forget() {
	maps.DeleteFunc(s.sets, func(_ uint64, w weak.Pointer[Attrs]) bool { return w.Value() == nil })
	s.most = 2 * len(s.sets)
	if s.peak < fewSums || len(s.sets) > s.peak/4 {
		return
	}
	left := make(map[uint64]weak.Pointer[Attrs], len(s.sets))
	maps.Copy(left, s.sets)
	s.sets, s.peak = left, len(left)
}

// Equal reports whether a and b are the same set. For interned sets comparing pointers
// does the same.
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

// appendKey appends every field, each list after its length, so that two sets have the
// same key only if they are equal.
func (a *Attrs) appendKey(b []byte) []byte {
	b = append(b, byte(a.Origin), bit(a.AtomicAggregate), bit(a.MED.Set), bit(a.LocalPref.Set), bit(a.OTC.Set))
	b = u32(u32(u32(u32(b, a.MED.Value), a.LocalPref.Value), a.OTC.Value), a.Aggregator.ASN)
	b = appendAddr(appendAddr(appendAddr(b, a.NextHop), a.Aggregator.Address), a.OriginatorID)
	b = u32(b, uint32(len(a.ASPath)))
	for _, s := range a.ASPath {
		b = u32(append(b, byte(s.Type)), uint32(len(s.ASNs)))
		for _, asn := range s.ASNs {
			b = u32(b, asn)
		}
	}
	b = u32(b, uint32(len(a.Communities)))
	for _, c := range a.Communities {
		b = u32(b, uint32(c))
	}
	b = u32(b, uint32(len(a.ExtCommunities)))
	for _, c := range a.ExtCommunities {
		b = binary.BigEndian.AppendUint64(b, uint64(c))
	}
	b = u32(b, uint32(len(a.LargeCommunities)))
	for _, c := range a.LargeCommunities {
		b = u32(u32(u32(b, c.Global), c.Local1), c.Local2)
	}
	b = u32(b, uint32(len(a.ClusterList)))
	for _, id := range a.ClusterList {
		b = appendAddr(b, id)
	}
	b = u32(b, uint32(len(a.Unknown)))
	for _, u := range a.Unknown {
		b = append(u32(append(b, u.Flags, u.Type), uint32(len(u.Value))), u.Value...)
	}
	return b
}

func u32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// appendAddr appends ip after its length, which is 0 if there is none.
func appendAddr(b []byte, ip netip.Addr) []byte {
	b = append(b, byte(ip.BitLen()/8))
	switch {
	case ip.Is4():
		v4 := ip.As4()
		b = append(b, v4[:]...)
	case ip.Is6():
		v6, zone := ip.As16(), ip.Zone()
		b = append(u32(append(b, v6[:]...), uint32(len(zone))), zone...)
	}
	return b
}
