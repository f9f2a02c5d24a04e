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
	worthTidying = 8 << 20 // allocated since the last time at least
)

// gcPercent is how much garbage the collector waits for, in percent of what is
// in use. With Go's 100 a table of 100,000 routes costs a fifth more processor
// time until it stands, with 400 nothing less but a sixth more memory.
const gcPercent = 200

// tuneGC sets the collector's pace, unless the operator does with GOGC.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// tidyMemory gives what a burst of work has left over back to the system, once
// it is quiet. The garbage collector alone would keep as much again as is in use
// for the next burst, which may never come.
func tidyMemory(ctx context.Context) error {
	tick := time.NewTicker(tidyInterval)
	defer tick.Stop()
	var last, tidied uint64
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now := allocated()
		if now-last < quietBytes && now-tidied > worthTidying {
			debug.FreeOSMemory()
			tidied = allocated()
		}
		last = now
	}
}

// allocated is how much was ever allocated, in bytes.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
