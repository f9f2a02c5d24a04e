package daemon

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/engine"
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
