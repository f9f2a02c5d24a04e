package daemon

import (
	"context"
	"log/slog"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/route"

	"github.com/nvad/nvad/pkg/watch"
)

// flap returns what a flap of a route publishes: its best path and the kernel's route go and
// come back.
func flap(i int, in *route.Interner) []watch.Change {
	p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
	set := in.Intern(route.Attrs{
		ASPath: route.NewASPath(65515, 12076, uint32(1000+i), 30_000), NextHop: peer0, MED: route.Some(uint32(i % 10)),
		Communities: []route.Community{1, route.Community(i % 50)},
	})
	best := watch.Best{Neighbor: peer0, Attrs: set}
	const way = "via 10.0.0.1 dev eth0"
	return []watch.Change{
		watch.Route{Prefix: p, Old: best, Reason: "10.0.210.4 withdrew it"},
		watch.Forwarding{Prefix: p, Class: "bgp", Old: way, State: "removed"},
		watch.Route{Prefix: p, New: best, Reason: "new"},
		watch.Forwarding{Prefix: p, Class: "bgp", New: way, State: "installed"},
	}
}

// BenchmarkFlap measures what it costs to publish and record one flap of a route, which is
// four events: an operation is a flap, 1,000 of which are published in each second.
func BenchmarkFlap(b *testing.B) {
	hub, in := &watch.Hub{}, route.NewInterner()
	c := newChronicle(slog.New(slog.DiscardHandler), hub, b.TempDir(), 64)
	for _, r := range []*recorder{c.rare, c.frequent} {
		r.ready = func(context.Context) bool { return true }
		r.state = func(context.Context, int64, func(watch.Event) error) error { return nil }
		r.takes = r.kinds
	}
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- c.run(ctx) }()
	for !hub.Wants(watch.Routes) {
		time.Sleep(time.Millisecond)
	}
	var flaps [][]watch.Change
	for i := range 1000 {
		flaps = append(flaps, flap(i, in))
	}
	began := processorTime(b)
	b.ResetTimer()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range b.N {
		if i%10 == 0 {
			<-tick.C
		}
		events := make([]watch.Event, 0, 4)
		for _, change := range flaps[i%len(flaps)] {
			events = append(events, watch.Event{At: time.Now(), Change: change})
		}
		hub.Publish(events...)
	}
	stop()
	<-ended
	spent := processorTime(b) - began
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "cpu-us/flap")
	b.ReportMetric(100*spent.Seconds()/b.Elapsed().Seconds(), "%core")
	b.ReportMetric(float64(c.frequent.lost.Load()), "lost")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRecord measures how long it takes to write events as records, without publishing.
func BenchmarkRecord(b *testing.B) {
	j, _, err := journal.Open(b.TempDir(), 64<<20, uint16(frequentKinds))
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	changes := flap(7, route.NewInterner())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := api.EventRecord(watch.Event{At: time.Now(), Change: changes[i%len(changes)]}, false)
		if _, err := j.Frequent.Append([]journal.Record{r}); err != nil {
			b.Fatal(err)
		}
	}
}
