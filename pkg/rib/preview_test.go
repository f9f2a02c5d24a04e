package rib

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// hub00With returns hub00's NVA with n routes of a Route Server, of which every five share a
// set of attributes.
func hub00With(n int) *bed {
	b := newHub00(&testing.T{})
	for i := 0; i < n; i += 5 {
		u := speaker.Update{From: speaker.From{Peer: addr(rs0)}, Attrs: b.in.Intern(route.Attrs{
			ASPath:  route.ASPath{{Type: route.ASSequence, ASNs: []uint32{65515, 12076, uint32(1000 + i), 30_000}}},
			NextHop: addr(rs0), Communities: []route.Community{1, route.Community(i % 50)},
		})}
		for k := range 5 {
			u.Announced = append(u.Announced, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(16 + (i+k)>>16), byte((i + k) >> 8), byte(i + k), 0}), 24))
		}
		b.r.Update(&u, time.Time{})
	}
	for b.r.Flush(2048) {
	}
	b.r.Take()
	return b
}

// preview previews a change under which every route of rs0 is evaluated again and denied.
func (b *bed) preview() (e Effect, turns int) {
	next := b.r.Fork()
	next.SetFacts(fib.Facts{Links: slices.Collect(maps.Values(b.r.under.links)), Routes: b.r.under.routes})
	next.SetStatics(b.r.Standing())
	for _, p := range b.r.peers.byAddr {
		c := p.Peer
		if c.Address == addr(rs0) {
			c.Import, _ = policy.Compile(&library, policy.Chain{Accept: true, PrefixList: "none"}, policy.Session{})
		}
		next.SetPeer(c)
	}
	v := NewPreview(b.r, next)
	for turns = 1; !v.Step(256); turns++ {
	}
	return v.Effect(), turns
}

// BenchmarkPreview previews the largest possible change to 10,000 routes: all are rejected,
// withdrawn and removed from the kernel.
func BenchmarkPreview(bm *testing.B) {
	const routes = 10_000
	b := hub00With(routes)
	bm.ReportAllocs()
	for bm.Loop() {
		b.preview()
	}
	bm.ReportMetric(float64(bm.Elapsed().Nanoseconds())/float64(bm.N)/routes, "ns/route")
}

// A preview visits a bounded number of destinations in each turn. It counts every difference
// and lists at most mostListed of them, each with its reason.
func TestPreviewBounds(t *testing.T) {
	const routes = 30_000
	b := hub00With(routes)
	e, turns := b.preview()
	if turns < routes/256 {
		t.Errorf("%d turns", turns)
	}
	listed, counted := 0, e.Unlisted
	for _, g := range e.Groups {
		listed += len(g.Routes)
		if g.Removed != routes || g.Stage != Preferred && (g.Before < routes || !g.Heavy()) {
			t.Errorf("%s %s: %d of %d removed", g.Stage, g.Neighbor, g.Removed, g.Before)
		}
		counted += len(g.Routes)
	}
	if listed != mostListed || counted != len(e.Groups)*routes {
		t.Errorf("%d listed, %d counted, %d groups", listed, counted, len(e.Groups))
	}
	first := e.Groups[0]
	if first.Stage != Accepted || first.Neighbor != addr(rs0) || first.Routes[0].Reason != "prefix-list none seq 5 deny any" {
		t.Errorf("first %s %s: %q", first.Stage, first.Neighbor, first.Routes[0].Reason)
	}
	if n, _ := b.r.Prefixes(); n != routes || b.r.Flush(1) {
		t.Errorf("the table has changed: %d prefixes", n)
	}
}

// A journal has a bounded size, and says so if entries are missing.
func TestJournalBounds(t *testing.T) {
	b := hub00With(mostImages + 5000)
	b.r.StartJournal()
	b.r.PeerDown(addr(rs0), false)
	for b.r.Flush(2048) {
	}
	v := b.r.EndJournal()
	for !v.Step(256) {
	}
	if e := v.Effect(); !e.Partial || e.Groups[0].Removed > mostImages {
		t.Errorf("partial %v, %d counted", e.Partial, e.Groups[0].Removed)
	}
}
