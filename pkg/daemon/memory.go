package daemon

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
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

// tidyMemory paces the garbage collector, and gives what a burst of work has left
// over back to the system once it is quiet. The collector alone would keep as
// much again as is in use for the next burst, which may never come.
func tidyMemory(ctx context.Context) error {
	tick := time.NewTicker(tidyInterval)
	defer tick.Stop()
	paceGC(0)
	var last, tidied uint64
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now, live := heap()
		paceGC(live)
		if now-last < quietBytes && now-tidied > worthTidying+live/8 {
			debug.FreeOSMemory()
			tidied, _ = heap()
		}
		last = now
	}
}

// heap is how much was ever allocated, and how much the last collection found in
// use, in bytes.
func heap() (allocated, live uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64()
}
