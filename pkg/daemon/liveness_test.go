package daemon

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/watch"
)

// Changes of a BFD session reach the forwarding plane and the engine.
func TestLivenessTakes(t *testing.T) {
	neighbor := netip.MustParseAddr("169.254.0.2")
	key := bfd.Key{Local: netip.MustParseAddr("169.254.0.1"), Remote: neighbor}
	up := bfd.Event{Key: key, State: bfd.Up}
	down := bfd.Event{Key: key, State: bfd.Down, Reason: "nothing received for 900ms"}
	shut := bfd.Event{Key: key, State: bfd.Down, Administrative: true, Reason: "neighbor: administratively down"}
	diverted, back, lost := "diverts [169.254.0.2]", "diverts []", "lost 169.254.0.2: nothing received for 900ms"
	for _, tt := range []struct {
		name string
		do   func(*liveness)
		want []string
	}{
		{"up", func(l *liveness) { l.take(up) }, nil},
		{"down and up", func(l *liveness) { l.take(down); l.take(up) }, []string{diverted, lost, back}},
		{"taken down on purpose", func(l *liveness) { l.take(up); l.take(shut) }, nil},
		{"down, then on purpose", func(l *liveness) { l.take(down); l.take(shut) }, []string{diverted, lost, back}},
		{"down, but BGP gets through", func(l *liveness) { l.take(down); l.Reached(neighbor) }, []string{diverted, lost, back}},
		{"down, still watched", func(l *liveness) { l.take(down); l.Watch([]engine.Watched{{Neighbor: neighbor}}) }, []string{diverted, lost}},
		{"no longer watched, down", func(l *liveness) { l.Watch(nil); l.take(down) }, nil},
		{"down, no longer watched", func(l *liveness) { l.take(down); l.Watch(nil) }, []string{diverted, lost, back}},
	} {
		var did []string
		l := newLiveness(slog.New(slog.DiscardHandler),
			func(dead []netip.Addr) { did = append(did, fmt.Sprint("diverts ", dead)) },
			func(n netip.Addr, reason string) { did = append(did, fmt.Sprintf("lost %s: %s", n, reason)) })
		l.Watch([]engine.Watched{{Neighbor: neighbor}})
		tt.do(l)
		l.manager.Close()
		if !slices.Equal(did, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, did, tt.want)
		}
	}
}

// TestPublishesDeaths: what BFD and WireGuard find dead is published once, and once when it
// is back or not watched any more.
func TestPublishesDeaths(t *testing.T) {
	neighbor, gateway := netip.MustParseAddr("169.254.0.2"), netip.MustParseAddr("169.254.1.2")
	key := bfd.Key{Local: netip.MustParseAddr("169.254.0.1"), Remote: neighbor}
	down := bfd.Event{Key: key, State: bfd.Down, Reason: "nothing received for 900ms"}
	l := newLiveness(slog.New(slog.DiscardHandler), func([]netip.Addr) {}, func(netip.Addr, string) {})
	defer l.manager.Close()
	silent := map[netip.Addr]string{gateway: "silent for 3m"}
	l.changes, l.silent = &watch.Hub{}, func() map[netip.Addr]string { return maps.Clone(silent) }
	l.Watch([]engine.Watched{{Neighbor: neighbor}})
	l.take(down)
	l.take(down)
	l.take(bfd.Event{Key: key, State: bfd.Up})
	l.take(down)
	l.Watch(nil)
	l.askTunnels()
	l.askTunnels()
	clear(silent)
	l.askTunnels()
	var got []string
	for _, ev := range l.changes.Recent(watch.Filter{Kinds: watch.NextHops}) {
		got = append(got, fmt.Sprint(ev.Change))
	}
	want := []string{
		"{169.254.0.2 false bfd nothing received for 900ms}", "{169.254.0.2 true bfd }",
		"{169.254.0.2 false bfd nothing received for 900ms}", "{169.254.0.2 true bfd not watched any more}",
		"{169.254.1.2 false wireguard silent for 3m}", "{169.254.1.2 true wireguard }",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A far end that never answers is dead after a while; one that says AdminDown is alive.
// For neighbors, BGP decides.
func TestFarEndNeverAnswers(t *testing.T) {
	far, neighbor := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")
	local := netip.MustParseAddr("127.0.0.1")
	var did []string
	l := newLiveness(slog.New(slog.DiscardHandler),
		func(dead []netip.Addr) { did = append(did, fmt.Sprint(dead)) }, func(netip.Addr, string) {})
	defer l.manager.Close()
	l.Watch([]engine.Watched{{Neighbor: far, Local: local, FarEnd: true}, {Neighbor: neighbor, Local: local}})
	if err := l.manager.Configure(l.wanted); err != nil {
		t.Fatal(err)
	}
	l.askFarEnds(time.Now())
	if len(did) > 0 {
		t.Errorf("dead at once: %q", did)
	}
	l.askFarEnds(time.Now().Add(answerTime + time.Second))
	if why := l.deaths(); !slices.Equal(did, []string{"[127.0.0.2]"}) || why[far] != "no answer" {
		t.Errorf("told %q, dead are %v", did, why)
	}
	l.Watch(nil)
	if !slices.Equal(did, []string{"[127.0.0.2]", "[]"}) {
		t.Errorf("told %q", did)
	}
}
