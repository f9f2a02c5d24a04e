package daemon

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"testing/fstest"
	"time"
)

func TestMemoryShare(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		files map[string]string
		want  uint64 // MiB
	}{
		"no control groups": {nil, 512},
		"no limit":          {map[string]string{"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/memory.max": "max\n"}, 512},
		"a limit":           {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "100663296\n"}, 80},
		"the parent's is smaller": {map[string]string{"proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "200000000\n", "sys/fs/cgroup/a/memory.max": "100663296\n"}, 80},
		"memory.high is smaller": {map[string]string{"proc/self/cgroup": "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "200000000\n", "sys/fs/cgroup/a/memory.high": "100663296\n"}, 80},
		"larger than the machine": {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "99999999999\n"}, 512},
		"a container":             {map[string]string{"proc/self/cgroup": "0::/docker/0123\n", "sys/fs/cgroup/memory.max": "100663296\n"}, 80},
		"version 1": {map[string]string{"proc/self/cgroup": "5:cpu:/x\n4:memory:/a/b\n0::/\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "100663296\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 80},
	} {
		root := fstest.MapFS{}
		for path, text := range c.files {
			root[path] = &fstest.MapFile{Data: []byte(text)}
		}
		if got, _ := memoryShare(root, 1<<30); got/mib != c.want {
			t.Errorf("%s: %d MiB, want %d", name, got/mib, c.want)
		}
	}
	if n := machineMemory(); n < 64*mib {
		t.Errorf("this machine has %d octets", n)
	}
	if n, _ := memoryShare(os.DirFS("/"), machineMemory()); n < mib {
		t.Errorf("a share of %d octets here", n)
	}
}

// TestBurst looks when memory is returned: after a burst, and not between single routes.
func TestBurst(t *testing.T) {
	const mib, live = 1 << 20, 4 << 20
	var b burst
	allocated := uint64(0)
	over := func(step uint64) bool {
		allocated += step
		return b.over(allocated, live)
	}
	for range 10 {
		if over(mib) {
			t.Error("memory is returned in the middle of a burst")
		}
	}
	if !over(10_000) {
		t.Error("memory is not returned after a burst")
	}
	b.tidied = allocated
	for range 1000 {
		if over(30 * 5_000) {
			t.Fatal("memory is returned between single routes, 30 a second")
		}
	}
	b.tidied = allocated
	for range 60 {
		if over(10_000) {
			t.Fatal("memory is returned within a minute without work")
		}
	}
}

// With much in use, the collector runs sooner. Whatever a burst leaves in use is judged
// by the collection that finds it.
func TestPace(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pace{ctx: ctx}.keep()
	kept := make([]byte, 2*smallHeap)
	percent := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		if metrics.Read(percent); percent[0].Value.Uint64() == gcPercent {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("GOGC is %d with %d MiB in use", percent[0].Value.Uint64(), len(kept)>>20)
		}
	}
	runtime.KeepAlive(kept)
}
