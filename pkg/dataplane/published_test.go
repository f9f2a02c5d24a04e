package dataplane_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/watch"
)

// repairs returns the repairs that were published.
func repairs(hub *watch.Hub) (out []string) {
	for _, ev := range hub.Recent(watch.Filter{Kinds: watch.Repairs}) {
		r := ev.Change.(watch.Repair)
		out = append(out, fmt.Sprintf("%s %d: %s", r.Object, r.Count, r.Reason))
	}
	return out
}

// TestPublishesRepairs: what another program changed and nvad put back is published. What
// nvad writes for the first time is no repair.
func TestPublishesRepairs(t *testing.T) {
	f, hub := newFakes(), &watch.Hub{}
	f.sysctls = sysctls{"net.ipv4.ip_forward": "0"}
	file := filepath.Join(t.TempDir(), "sysctls.state")
	options := func(o *dataplane.Options) { o.SysctlFile, o.Namespace, o.Watch = file, "boot 7", hub }
	f.run(t, options, func(t *testing.T, d *dataplane.Dataplane) {
		w := clampOnly()
		w.Sysctls = map[string]string{"net.ipv4.ip_forward": "1"}
		d.SetWanted(w)
		<-d.Ready()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := repairs(hub); len(got) > 0 {
			t.Errorf("after the start: %q", got)
		}
		f.sysctls["net.ipv4.ip_forward"] = "0"
		f.nat.Change(func(*nat.Found) *nat.Found { return nil })
		_, _ = d.Tally(t.Context()) // makes the loop read only after the write
		f.events <- []fib.Event{{Kind: fib.SysctlEvent}, {Kind: fib.NATEvent}}
		time.Sleep(time.Second)
		synctest.Wait()
		want := []string{"sysctl 1: net.ipv4.ip_forward = 1, was 0", "nat 1: the table is missing"}
		if got := repairs(hub); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
