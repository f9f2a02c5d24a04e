package gobgp

import (
	"net/netip"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// TestPacking counts UPDATEs.
func TestPacking(t *testing.T) {
	cases := []struct {
		name     string
		prefixes int
		sets     int
		want     int
	}{
		{"one set", 1000, 1, 1},
		{"as many sets as prefixes", 100, 100, 100},
		{"more than a message holds", 2000, 1, 2},
		{"sets in turn", 1000, 10, 10},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := &writer{enc: wire.Encoder{}, families: route.IPv4}
			sets := make([]*route.Attrs, c.sets)
			for i := range sets {
				sets[i] = &route.Attrs{NextHop: addr("192.0.2.1"), MED: route.Some(uint32(i))}
			}
			var changes []speaker.Change
			for i := range c.prefixes {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
				changes = append(changes, speaker.Change{Prefix: p, Attrs: sets[i%c.sets]})
			}
			groups, withdrawn := w.group(&load{}, changes)
			updates, prefixes := 0, len(withdrawn)
			for _, g := range groups {
				set, _ := w.enc.Encode(g.attrs, g.family)
				for rest := g.prefixes; len(rest) > 0; updates++ {
					before := len(rest)
					_, rest, _ = w.enc.Announce(nil, set, rest)
					prefixes += before - len(rest)
				}
			}
			if updates != c.want || prefixes != c.prefixes {
				t.Errorf("%d UPDATEs with %d prefixes, want %d with %d", updates, prefixes, c.want, c.prefixes)
			}
		})
	}
}

// TestQueue: the latest change of a prefix wins.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue()
		attrs := []*route.Attrs{nil, {}, {MED: route.Some(1)}}
		queued, got := map[netip.Prefix]*route.Attrs{}, map[netip.Prefix]*route.Attrs{}
		told, left := map[netip.Prefix]bool{}, map[netip.Prefix]bool{} // in the Adj-RIB-Out, and on the wire
		take := func() {
			b := q.take()
			for _, c := range b.changes {
				if _, twice := got[c.Prefix]; twice {
					t.Fatalf("%s leaves twice in a batch", c.Prefix)
				}
				got[c.Prefix] = c.Attrs
				if left[c.Prefix] = c.Attrs != nil; !left[c.Prefix] {
					delete(left, c.Prefix)
				}
			}
			if !reflect.DeepEqual(got, queued) {
				t.Fatalf("got %v, want %v", got, queued)
			}
			clear(got)
			clear(queued)
		}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			if rapid.IntRange(0, 9).Draw(t, "take") == 0 {
				take()
			}
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(0, 5).Draw(t, "prefix"))}), 32)
			c := speaker.Change{Prefix: p, Attrs: rapid.SampledFrom(attrs).Draw(t, "attrs")}
			if c.Attrs == nil && !told[p] {
				continue // only announced prefixes are withdrawn
			}
			c.New = c.Attrs != nil && !told[p]
			told[p] = c.Attrs != nil
			q.add([]speaker.Change{c})
			if queued[p] = c.Attrs; c.Attrs == nil && !left[p] {
				delete(queued, p) // it came and went
			}
		}
		take()
	})
}

// TestQueueForgetsWhatCameAndWent: while one neighbor does not read, another announces and
// withdraws new prefixes all the time, within its maximum-prefix. None of them stays queued.
func TestQueueForgetsWhatCameAndWent(t *testing.T) {
	q := newQueue()
	for i := range uint32(1 << 16) {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		p := netip.PrefixFrom(a, 32)
		q.add([]speaker.Change{{Prefix: p, Attrs: &route.Attrs{}, New: true}})
		q.add([]speaker.Change{{Prefix: p}})
	}
	if n := q.len(); n != 0 || len(q.index) != 0 || cap(q.changes) > 16 {
		t.Errorf("%d changes of %d and %d prefixes wait", n, cap(q.changes), len(q.index))
	}
}
