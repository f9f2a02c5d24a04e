package route

import (
	"net/netip"
	"runtime"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// full is a set with a value for every attribute.
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
			t.Errorf("%s makes no difference", name)
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
			t.Fatalf("%+v and %+v: one pointer is %v", a, b, p == q)
		}
		runtime.KeepAlive(p)
		runtime.KeepAlive(q)
	})
}

// inUse is the number of sets that something refers to.
func inUse(in *Interner) int {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.forget()
	n := 0
	for _, b := range in.sets {
		n += len(b)
	}
	return n
}

// TestInternForgets: a set that nothing refers to is forgotten, one that is in
// use is not.
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
	for i := range uint32(20 * fewSums) {
		if in.Intern(Attrs{MED: Some(i)}); i%fewSums == 0 {
			runtime.GC()
		}
	}
	if n := len(in.sets); n > 3*fewSums {
		t.Errorf("%d sets are remembered", n)
	}
}

// TestInternConcurrently: goroutines that intern the same sets while others are
// forgotten get the same pointers.
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

// BenchmarkInternNew interns sets of which each is the first of its kind.
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
