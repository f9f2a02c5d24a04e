package daemon

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/route"
)

// Times and sizes of giving memory back. A look costs some microseconds.
const (
	tidyInterval = time.Second
	quietBytes   = 1 << 20 // allocated between two looks at most, or there is work
	worthTidying = 2 << 20 // allocated since the last time at least, and an eighth of what is in use
)

// The collector waits for garbage of so many percent of what is in use. With Go's
// 100 a table of 100,000 routes costs a fifth more processor time until it stands;
// but with 200 a million take twice the memory meanwhile.
const (
	gcPercent      = 200
	gcPercentLarge = 100       // from largeHeap on
	gcPercentHuge  = 50        // from hugeHeap on
	largeHeap      = 64 << 20  // in use
	hugeHeap       = 320 << 20 // half a million routes
)

// memory is the process's: how much there may be, and the collector's pace.
type memory struct {
	limit    atomic.Uint64 // that the collector works to hold to; 0: none
	reclaims chan chan struct{}
	interner *route.Interner
}

func newMemory(interner *route.Interner) *memory {
	return &memory{reclaims: make(chan chan struct{}, 8), interner: interner}
}

// set holds to what the configuration asks for or, where it does not, to a share of
// what there is. A limit of the operator's, GOMEMLIMIT, is the collector's whatever
// the configuration says, and is the budget where that says nothing.
func (m *memory) set(c config.Limits) {
	limit := uint64(c.Memory) << 20
	if os.Getenv("GOMEMLIMIT") != "" {
		if limit == 0 {
			limit = uint64(debug.SetMemoryLimit(-1))
		}
	} else {
		if limit == 0 {
			limit = memoryShare(os.DirFS("/"), machineMemory())
		}
		debug.SetMemoryLimit(int64(limit))
	}
	m.limit.Store(limit)
}

// Budget implements engine.Memory: a tenth of the limit is the collector's, which
// would have to work without a pause in order to fill it.
func (m *memory) Budget() uint64 { return m.limit.Load() / 10 * 9 }

// InUse implements engine.Memory.
func (m *memory) InUse() uint64 {
	s := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(s)
	n := s[1].Value.Uint64()
	for _, heap := range s[2:] {
		n -= min(n, heap.Value.Uint64())
	}
	return n + s[0].Value.Uint64()
}

// Reclaim implements engine.Memory.
func (m *memory) Reclaim() <-chan struct{} {
	done := make(chan struct{})
	select {
	case m.reclaims <- done:
	default:
		close(done) // several are under way
	}
	return done
}

// paceGC sets the collector's pace for the bytes in use, unless the operator does
// with GOGC.
func paceGC(live uint64) {
	switch {
	case os.Getenv("GOGC") != "":
	case live < largeHeap:
		debug.SetGCPercent(gcPercent)
	case live < hugeHeap:
		debug.SetGCPercent(gcPercentLarge)
	default:
		debug.SetGCPercent(gcPercentHuge)
	}
}

// tidy paces the garbage collector, and gives what a burst of work has left over
// back to the system once it is quiet, or at once where that was asked for. The
// collector alone would keep as much again as is in use for the next burst, which
// may never come. low is called while more is in use than may be.
func (m *memory) tidy(ctx context.Context, low func()) error {
	tick := time.NewTicker(tidyInterval)
	defer tick.Stop()
	paceGC(0)
	var last, tidied uint64
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case done := <-m.reclaims:
			runtime.GC() // lets go of attribute sets, which the interner then forgets
			m.giveBack()
			close(done)
			tidied, _ = heap()
		case <-tick.C:
			now, live := heap()
			paceGC(live)
			if now-last < quietBytes && now-tidied > worthTidying+live/8 {
				m.giveBack()
				tidied, _ = heap()
			}
			last = now
		}
		if b := m.Budget(); b > 0 && m.InUse() > b {
			low()
		}
	}
}

// giveBack gives free memory back to the system. Other goroutines go on meanwhile.
func (m *memory) giveBack() {
	m.interner.Tidy()
	debug.FreeOSMemory()
}

// heap is how much was ever allocated, and how much the last collection found in
// use, in bytes.
func heap() (allocated, live uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64()
}
