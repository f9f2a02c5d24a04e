package route

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"weak"

	"pgregory.net/rapid"
)

// full returns a set with a value for every attribute.
func full() Attrs {
	return Attrs{
		ASPath:           ASPath{seq(65515, 12076), set(1, 2)},
		NextHop:          netip.MustParseAddr("10.0.210.4"),
		MED:              Some(5),
		LocalPref:        Some(100),
		Communities:      []Community{NoExport},
		ExtCommunities:   []ExtCommunity{SiteOfOrigin(65515, 7)},
		LargeCommunities: []LargeCommunity{{1, 2, 3}},
		Aggregator:       Aggregator{65001, netip.MustParseAddr("10.0.0.4")},
		OriginatorID:     netip.MustParseAddr("10.0.0.5"),
		ClusterList:      []netip.Addr{netip.MustParseAddr("10.0.0.6")},
		OTC:              Some(65515),
		Unknown:          []Unknown{{Flags: 0xe0, Type: 99, Value: "x"}},
		Origin:           OriginEGP,
		AtomicAggregate:  true,
	}
}

// edits change one attribute each.
var edits = map[string]func(*Attrs){
	"as-path":            func(a *Attrs) { a.ASPath = a.ASPath.Prepend(1, 1) },
	"segment type":       func(a *Attrs) { a.ASPath = ASPath{seq(65515, 12076), cset(1, 2)} },
	"next hop":           func(a *Attrs) { a.NextHop = netip.MustParseAddr("10.0.210.5") },
	"no next hop":        func(a *Attrs) { a.NextHop = netip.Addr{} },
	"med":                func(a *Attrs) { a.MED.Value++ },
	"no med":             func(a *Attrs) { a.MED = Optional{} },
	"local-pref":         func(a *Attrs) { a.LocalPref.Value++ },
	"communities":        func(a *Attrs) { a.Communities = nil },
	"ext-communities":    func(a *Attrs) { a.ExtCommunities = []ExtCommunity{1} },
	"large communities":  func(a *Attrs) { a.LargeCommunities = nil },
	"aggregator":         func(a *Attrs) { a.Aggregator.ASN++ },
	"aggregator address": func(a *Attrs) { a.Aggregator.Address = netip.Addr{} },
	"originator":         func(a *Attrs) { a.OriginatorID = netip.Addr{} },
	"cluster list":       func(a *Attrs) { a.ClusterList = nil },
	"otc":                func(a *Attrs) { a.OTC = Optional{} },
	"unknown":            func(a *Attrs) { a.Unknown = []Unknown{{Flags: 0xe0, Type: 99, Value: "y"}} },
	"origin":             func(a *Attrs) { a.Origin = OriginIGP },
	"atomic":             func(a *Attrs) { a.AtomicAggregate = false },
}

func TestInternEveryAttribute(t *testing.T) {
	in := NewInterner()
	base := in.Intern(full())
	if in.Intern(full()) != base {
		t.Error("equal sets have two pointers")
	}
	for name, edit := range edits {
		a := full()
		edit(&a)
		if base.Equal(&a) || in.Intern(a) == base {
			t.Errorf("sets that differ in %s share a pointer", name)
		}
	}
	runtime.KeepAlive(base)
}

// TestInternPointers: two sets are equal exactly when their pointers are.
func TestInternPointers(t *testing.T) {
	in := NewInterner()
	draw := rapid.Custom(func(t *rapid.T) Attrs {
		a := Attrs{ASPath: drawPath(t), MED: Optional{Set: rapid.Bool().Draw(t, "med")}}
		a.Communities = SortedSet(rapid.SliceOfN(rapid.SampledFrom([]Community{NoExport, 1}), 0, 2).Draw(t, "communities"))
		a.Origin = Origin(rapid.IntRange(0, 2).Draw(t, "origin"))
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		p, q := in.Intern(a), in.Intern(b)
		if (p == q) != a.Equal(&b) || !p.Equal(&a) || !q.Equal(&b) {
			t.Fatalf("%+v and %+v: equal pointers: %v", a, b, p == q)
		}
		runtime.KeepAlive(p)
		runtime.KeepAlive(q)
	})
}

// inUse counts the sets that something still refers to.
func inUse(in *Interner) int {
	in.Tidy()
	return remembered(in)
}

func remembered(in *Interner) int {
	n := 0
	for i := range in.shards {
		n += len(in.shards[i].sets)
	}
	return n
}

// TestInternForgets: the interner forgets a set once nothing refers to it, and keeps the sets
// in use.
func TestInternForgets(t *testing.T) {
	in := NewInterner()
	kept := in.Intern(full())
	for i := range uint32(1000) {
		in.Intern(Attrs{MED: Some(i)})
	}
	runtime.GC()
	if n := inUse(in); n != 1 {
		t.Errorf("%d sets are remembered", n)
	}
	if in.Intern(full()) != kept {
		t.Error("the set in use has a second pointer")
	}
	runtime.KeepAlive(kept)
}

// TestInternForgetsUnasked: sets that come and go do not pile up.
func TestInternForgetsUnasked(t *testing.T) {
	in := NewInterner()
	const few = shardCount * fewSums
	for i := range uint32(20 * few) {
		if in.Intern(Attrs{MED: Some(i)}); i%few == 0 {
			runtime.GC()
		}
	}
	if n := remembered(in); n > 4*few {
		t.Errorf("%d sets are remembered", n)
	}
}

// TestInternKey: every field is part of the hash. If one were not, a neighbor could send many
// sets with the same hash, and each lookup would compare with all of them.
func TestInternKey(t *testing.T) {
	base := full()
	want := base.appendKey(nil)
	differs := func(name string, change func(a *Attrs)) {
		t.Helper()
		a := full()
		if change(&a); bytes.Equal(a.appendKey(nil), want) {
			t.Errorf("%s is not in the key", name)
		}
	}
	for name, edit := range edits {
		differs(name, edit)
	}
	eachLeaf(reflect.TypeFor[Attrs](), "", func(name string, at func(reflect.Value) reflect.Value) {
		differs(name, func(a *Attrs) { alter(t, name, at(reflect.ValueOf(a).Elem())) })
	})
	// An item that follows a list must not be hashed as a part of the list.
	for name, pair := range map[string][2]Attrs{
		"segments":          {{ASPath: ASPath{seq(1), seq(2)}}, {ASPath: ASPath{seq(1, 2)}}},
		"communities":       {{Communities: []Community{1, 2}}, {ExtCommunities: []ExtCommunity{1<<32 | 2}}},
		"large communities": {{LargeCommunities: []LargeCommunity{{1, 2, 3}}}, {Communities: []Community{1, 2, 3}}},
		"unknown":           {{Unknown: []Unknown{{1, 2, "ab"}}}, {Unknown: []Unknown{{1, 2, "a"}, {'b', 0, ""}}}},
		"IPv4 in IPv6":      {{NextHop: netip.MustParseAddr("10.0.0.1")}, {NextHop: netip.MustParseAddr("::ffff:10.0.0.1")}},
		"zone":              {{NextHop: netip.MustParseAddr("fe80::1%a")}, {NextHop: netip.MustParseAddr("fe80::1%b")}},
	} {
		if bytes.Equal(pair[0].appendKey(nil), pair[1].appendKey(nil)) {
			t.Errorf("%s: two sets have one key", name)
		}
	}
}

// eachLeaf visits every value that a set consists of, including the elements of its lists.
func eachLeaf(typ reflect.Type, name string, yield func(string, func(reflect.Value) reflect.Value)) {
	switch {
	case typ == reflect.TypeFor[netip.Addr]():
	case typ.Kind() == reflect.Struct:
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() {
				eachLeaf(f.Type, name+"."+f.Name, func(n string, at func(reflect.Value) reflect.Value) {
					yield(n, func(v reflect.Value) reflect.Value { return at(v.Field(i)) })
				})
			}
		}
		return
	case typ.Kind() == reflect.Slice:
		yield(name+" (length)", func(v reflect.Value) reflect.Value { return v })
		eachLeaf(typ.Elem(), name+"[]", func(n string, at func(reflect.Value) reflect.Value) {
			yield(n, func(v reflect.Value) reflect.Value { return at(v.Index(0)) })
		})
		return
	}
	yield(name, func(v reflect.Value) reflect.Value { return v })
}

// alter changes v to another value.
func alter(t *testing.T, name string, v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[netip.Addr]():
		v.Set(reflect.ValueOf(v.Interface().(netip.Addr).Next()))
	case v.Kind() == reflect.Slice:
		v.Set(v.Slice(0, 0))
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.CanUint():
		v.SetUint(v.Uint() + 1)
	case v.Kind() == reflect.String:
		v.SetString(v.String() + "x")
	default:
		t.Fatalf("%s: this test can't alter a %s", name, v.Type())
	}
}

// TestInternAlike: many sets that differ in a single field cost no more than other sets,
// because each has its own hash.
func TestInternAlike(t *testing.T) {
	in := NewInterner()
	var kept []*Attrs
	for i := range uint32(10_000) {
		id := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		kept = append(kept,
			in.Intern(Attrs{Aggregator: Aggregator{ASN: i, Address: id}}),
			in.Intern(Attrs{OriginatorID: id}), in.Intern(Attrs{ClusterList: []netip.Addr{id}}))
	}
	for _, p := range kept {
		sum := maphash.Bytes(in.seed, p.appendKey(nil))
		if in.shards[sum%shardCount].sets[sum].Value() != p {
			t.Fatalf("%+v is not stored under its own hash", p)
		}
	}
}

// TestInternClash: sets with equal hashes are kept apart, and the slot of a forgotten one is
// used again.
func TestInternClash(t *testing.T) {
	s := shard{sets: map[uint64]weak.Pointer[Attrs]{}}
	a, b := s.intern(7, &Attrs{MED: Some(1)}), s.intern(7, &Attrs{MED: Some(2)})
	if a == b || s.intern(7, &Attrs{MED: Some(1)}) != a || s.intern(7, &Attrs{MED: Some(2)}) != b {
		t.Fatal("sets with equal hashes are mixed up")
	}
	for range 10 {
		for i := range uint32(10) {
			s.intern(7, &Attrs{LocalPref: Some(i)})
		}
		runtime.GC()
	}
	if len(s.sets) > 12 {
		t.Errorf("%d slots for 2 sets in use", len(s.sets))
	}
	runtime.KeepAlive(a)
	runtime.KeepAlive(b)
}

// TestInternShrinks: after a peak, the tables shrink to the size of what is left.
func TestInternShrinks(t *testing.T) {
	in := NewInterner()
	before := heapInUse()
	var kept []*Attrs
	for i := range uint32(300_000) {
		kept = append(kept, in.Intern(Attrs{MED: Some(i)}))
	}
	runtime.KeepAlive(kept)
	peak := heapInUse() - before
	kept = nil
	runtime.GC()
	in.Tidy()
	left := heapInUse() - before
	t.Logf("%d kB at the peak, %d kB after it", peak>>10, left>>10)
	if left > peak/50 {
		t.Errorf("%d of %d octets are left", left, peak)
	}
	runtime.KeepAlive(in)
}

func heapInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestOctets: the size that is reported for a set is the size it takes.
func TestOctets(t *testing.T) {
	const sets = 2000
	for name, make := range map[string]func(i uint32) Attrs{
		"small":       func(i uint32) Attrs { return Attrs{MED: Some(i)} },
		"path":        func(i uint32) Attrs { return Attrs{ASPath: NewASPath(slices.Repeat([]uint32{i}, 256)...)} },
		"communities": func(i uint32) Attrs { return Attrs{Communities: slices.Repeat([]Community{Community(i)}, 1024)} },
		"unknown": func(i uint32) Attrs {
			return Attrs{MED: Some(i), Unknown: []Unknown{{0xe0, 99, strings.Repeat("x", 4096)}}}
		},
	} {
		in, kept, said := NewInterner(), []*Attrs{}, 0
		before := heapInUse()
		for i := range uint32(sets) {
			p := in.Intern(make(i))
			kept = append(kept, p)
			said += p.Octets()
		}
		took := heapInUse() - before
		if took < said*3/4 || took > said*5/4 {
			t.Errorf("%s: each set takes %d octets, %d are reported", name, took/sets, said/sets)
		}
		runtime.KeepAlive(kept)
		runtime.KeepAlive(in)
	}
}

// TestInternConcurrently: goroutines that intern the same sets get the same pointers, even
// while other sets are forgotten.
func TestInternConcurrently(t *testing.T) {
	const sets, workers, rounds = 50, 8, 20
	in := NewInterner()
	got := make([][]*Attrs, workers)
	var wg sync.WaitGroup
	for w := range got {
		wg.Go(func() {
			for range rounds {
				got[w] = got[w][:0]
				for i := range uint32(sets) {
					got[w] = append(got[w], in.Intern(Attrs{MED: Some(i), ASPath: NewASPath(65515, i)}))
					in.Intern(Attrs{LocalPref: Some(i), OTC: Some(uint32(w))})
				}
				runtime.GC()
			}
		})
	}
	wg.Wait()
	for i := range sets {
		for w := 1; w < workers; w++ {
			if got[w][i] != got[0][i] {
				t.Fatalf("set %d has two pointers", i)
			}
		}
	}
}

// BenchmarkInternNew interns sets that all differ from each other.
func BenchmarkInternNew(b *testing.B) {
	in := NewInterner()
	a := full()
	kept := make([]*Attrs, 20_000)
	b.ReportAllocs()
	for i := uint32(0); b.Loop(); i++ {
		a.MED = Some(i)
		kept[int(i)%len(kept)] = in.Intern(a)
	}
	runtime.KeepAlive(kept)
}

func BenchmarkIntern(b *testing.B) {
	in := NewInterner()
	a := full()
	kept := in.Intern(a)
	b.ReportAllocs()
	for b.Loop() {
		in.Intern(a)
	}
	runtime.KeepAlive(kept)
}
