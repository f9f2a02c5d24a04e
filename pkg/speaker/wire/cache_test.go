package wire

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

// TestCacheOctets: however large the sets of a neighbor are, the cache stays within its
// bound, and reports its size.
func TestCacheOctets(t *testing.T) {
	in := route.NewInterner()
	for _, asns := range []int{1, 100, 1000, 16_000} {
		var c attrCache
		before := heapInUse()
		for i := range uint32(10_000) {
			a := in.Intern(route.Attrs{ASPath: route.NewASPath(slices.Repeat([]uint32{i}, asns)...)})
			c.put(binary.BigEndian.AppendUint32(make([]byte, 4*asns), i), a)
		}
		held := int(c.held.Load())
		if held > 2*generationOctets {
			t.Errorf("%d ASNs: the cache holds %d octets", asns, held)
		}
		if took := heapInUse() - before; took > held+held/2+1<<20 {
			t.Errorf("%d ASNs: the cache takes %d octets and says %d", asns, took, held)
		}
		runtime.KeepAlive(&c)
	}
	runtime.KeepAlive(in)
}

// TestCacheKeepsWhatIsUsed: sets that are asked for survive others that are not.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	in := route.NewInterner()
	var c attrCache
	used := in.Intern(route.Attrs{MED: route.Some(1)})
	c.put([]byte("used"), used)
	for i := range uint32(20_000) {
		c.put(binary.BigEndian.AppendUint32(nil, i), in.Intern(route.Attrs{LocalPref: route.Some(i)}))
		if c.get([]byte("used")) != used {
			t.Fatalf("forgotten after %d others", i)
		}
	}
}

func heapInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
