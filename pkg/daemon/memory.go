package daemon

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/route"
)

// Times and sizes of returning memory to the system. Reading the heap takes some
// microseconds. Returning memory takes milliseconds of two processors, for which a single
// route would have to wait: so a process that handles single routes is busy.
const (
	tidyInterval = time.Second
	quietBytes   = 128 << 10 // a process that allocates more between two looks is busy; a route takes 5 kB
	worthTidying = 2 << 20   // least amount allocated since the last time, beside an eighth of the memory in use
)

// The collector runs when garbage reaches this percentage of the memory in use. With 50,
// the peak while 100,000 routes arrive is 1.3 times what stays. With 200 it is 1.6 times, for
// a fifth less processor time. With a small heap, room counts more than megabytes: 1,000 routes
// then arrive without a collection among them, which doubles their time.
const (
	gcPercent      = 50
	gcPercentSmall = 200      // up to smallHeap
	smallHeap      = 16 << 20 // in use
)

// memory is the memory of the process: its limit, and the pace of the garbage
// collector.
type memory struct {
	limit    atomic.Uint64 // for the garbage collector; 0: none
	from     string        // what sets the limit, in words
	warned   string        // see limitMemory
	reclaims chan chan struct{}
	interner *route.Interner
}

func newMemory(interner *route.Interner) *memory {
	return &memory{reclaims: make(chan chan struct{}, 8), interner: interner}
}

// set sets the limit to that of the configuration or, without one, to a share of the
// machine's or control group's memory. If the operator sets GOMEMLIMIT, the collector
// uses that in any case, and it is the budget unless the configuration sets one.
func (m *memory) set(c config.Limits) {
	limit := uint64(c.Memory) << 20
	m.from = "limits.memory"
	if os.Getenv("GOMEMLIMIT") != "" {
		if limit == 0 {
			limit, m.from = uint64(debug.SetMemoryLimit(-1)), "GOMEMLIMIT"
		}
	} else {
		if limit == 0 {
			limit, m.from = memoryShare(os.DirFS("/"), machineMemory())
		}
		debug.SetMemoryLimit(int64(limit))
	}
	m.limit.Store(limit)
}

// Budget implements engine.Memory. It leaves a tenth of the limit to the collector,
// which would have to run all the time to use the last of it.
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
		close(done) // several requests are waiting
	}
	return done
}

// pace is the pace of the garbage collector until ctx is done.
type pace struct {
	ctx     context.Context
	percent int
}

// keep sets the pace for what is in use, after each collection again, unless the operator
// sets GOGC. A look every second would be too late: 100,000 routes arrive in half of one.
func (p pace) keep() {
	if p.ctx.Err() != nil || os.Getenv("GOGC") != "" {
		return
	}
	want := gcPercent
	if _, live := heap(); live < smallHeap {
		want = gcPercentSmall
	}
	if want != p.percent {
		p.percent = want
		debug.SetGCPercent(want)
	}
	runtime.AddCleanup(new(*byte), pace.keep, p)
}

// tidy paces the garbage collector, and returns the memory that a burst of work left
// unused to the system once the process is quiet, or at once if Reclaim asks for it.
// The collector alone would keep as much again as is in use for the next burst, which
// may never come. It calls low while the budget is exceeded.
func (m *memory) tidy(ctx context.Context, low func()) error {
	tick := time.NewTicker(tidyInterval)
	defer tick.Stop()
	pace{ctx: ctx}.keep()
	var b burst
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case done := <-m.reclaims:
			m.giveBack()
			close(done)
			b.tidied, _ = heap()
		case <-tick.C:
			allocated, live := heap()
			if b.over(allocated, live) {
				m.giveBack()
				b.tidied, _ = heap()
			}
		}
		if b := m.Budget(); b > 0 && m.InUse() > b {
			low()
		}
	}
}

// burst finds the end of a burst of work. Its fields are octets that were ever allocated.
type burst struct {
	last   uint64 // at the last look
	tidied uint64 // when memory was returned last
}

// over reports whether the process is quiet after a burst that is worth tidying up.
// Allocated is how much was ever allocated, live how much is in use.
func (b *burst) over(allocated, live uint64) bool {
	quiet := allocated-b.last < quietBytes
	b.last = allocated
	return quiet && allocated-b.tidied > worthTidying+live/8
}

// giveBack returns free memory and unused pages of the program to the system. Other
// goroutines keep running meanwhile.
func (m *memory) giveBack() {
	runtime.GC() // frees attribute sets, which the interner then forgets; what a sync.Pool has goes with the second
	m.interner.Tidy()
	debug.FreeOSMemory()
	unmapProgram()
}

// heap returns how many bytes were ever allocated, and how many the last collection
// found in use.
func heap() (allocated, live uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64()
}

// memoryShare returns the default of [limits] memory, in octets, and where it comes from:
// five sixths of the smallest limit of the process's control groups, or half of the
// machine's memory if that is less. The last sixth is for memory that the kernel charges to
// a group beside the heap: sockets, netlink messages, the program itself. On a machine, the
// kernel's routes and all other programs need the other half. Root is the root of the file
// system.
func memoryShare(root fs.FS, machine uint64) (share uint64, from string) {
	share, from = machine/2, fmt.Sprintf("the machine (%d MiB)", machine>>20)
	if group, ok := groupLimit(root); ok && group/6*5 < share {
		share, from = group/6*5, fmt.Sprintf("the control group (%d MiB)", group>>20)
	}
	return share, from
}

func machineMemory() uint64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 1 << 62
	}
	return info.Totalram * uint64(info.Unit)
}

// hierarchy says where one kind of control groups is mounted, and which of its files
// limit memory.
type hierarchy struct {
	mounts []string
	files  []string
}

var (
	unified = hierarchy{[]string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}, []string{"memory.max", "memory.high"}}
	legacy  = hierarchy{[]string{"sys/fs/cgroup/memory"}, []string{"memory.limit_in_bytes"}}
)

// groupLimit returns the smallest memory limit of the process's control group and its
// parents; false if there is none.
func groupLimit(root fs.FS) (limit uint64, ok bool) {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, path
		if len(fields) < 3 {
			continue
		}
		h := unified
		if fields[1] != "" {
			if h = legacy; fields[1] != "memory" {
				continue
			}
		}
		if n, found := h.limit(root, fields[2]); found && (!ok || n < limit) {
			limit, ok = n, true
		}
	}
	return limit, ok
}

// limit walks from group up to the root of the hierarchy. In a container the group may
// have the name that the host gives it, and not exist: then only the root counts.
func (h hierarchy) limit(root fs.FS, group string) (limit uint64, ok bool) {
	for _, mount := range h.mounts {
		for at := path.Join(mount, group); ; at = path.Dir(at) {
			for _, file := range h.files {
				text, _ := fs.ReadFile(root, path.Join(at, file))
				n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64) // "max" is no number
				if err == nil && (!ok || n < limit) {
					limit, ok = n, true
				}
			}
			if len(at) <= len(mount) {
				break
			}
		}
	}
	return limit, ok
}
