package rib

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// newLimited returns an edge whose branch accepts limit prefixes of each family.
func newLimited(t *testing.T, limit int) *bed {
	b := newEdge(t)
	b.limit(limit)
	b.flush()
	return b
}

func (b *bed) limit(n int) {
	b.t.Helper()
	b.peer(neighbor(branch, 64580, ExportSettings{MaxAdvertised: n}), acceptAll, acceptAll)
}

// toldTo returns the prefixes in a neighbor's Adj-RIB-Out, in the order of the tables.
func (b *bed) toldTo(to string) []netip.Prefix {
	b.flush()
	var out []netip.Prefix
	for _, p := range b.r.Snapshot() {
		if b.r.Sent(p, addr(to)) != nil {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return out
}

func (b *bed) wantTold(why string, want ...string) {
	b.t.Helper()
	if got := b.toldTo(branch); fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("%s: advertised %v, want %v", why, got, want)
	}
}

func TestLimitOrder(t *testing.T) {
	b := newLimited(t, 2)
	b.announce(nva, "65515", "10.3.0.0/16", "10.4.0.0/16", "10.0.0.0/24")
	b.wantTold("shorter first", "10.3.0.0/16", "10.4.0.0/16")
	b.announce(nva, "65515", "10.1.0.0/16")
	b.wantTold("then by address", "10.1.0.0/16", "10.3.0.0/16")
	b.announce(nva, "65515", "10.0.0.0/8")
	b.wantTold("what comes later takes its place", "10.0.0.0/8", "10.1.0.0/16")
	if c := b.r.Counts(addr(branch)); c.Held != 3 || c.Fullest != 2 {
		t.Errorf("counts: %+v", c)
	}
	b.withdraw(nva, "10.0.0.0/8", "10.1.0.0/16")
	b.wantTold("what was held back follows in order", "10.3.0.0/16", "10.4.0.0/16")
	b.limit(3)
	b.wantTold("a higher limit", "10.0.0.0/24", "10.3.0.0/16", "10.4.0.0/16")
	b.limit(1)
	b.wantTold("a lower one", "10.3.0.0/16")
	b.limit(0)
	b.wantTold("none", "10.0.0.0/24", "10.3.0.0/16", "10.4.0.0/16")
	b.limit(1)
	b.wantTold("one again", "10.3.0.0/16")
	if c := b.r.Counts(addr(branch)); c.Held != 2 || c.Advertised != 1 {
		t.Errorf("counts: %+v", c)
	}
	b.r.PeerDown(addr(branch), false)
	if c := b.r.Counts(addr(branch)); c.Held != 0 || c.Fullest != 0 {
		t.Errorf("counts of a neighbor that is down: %+v", c)
	}
}

// A new session is sent the routes that fit under the limit and no others.
func TestLimitOfNewSession(t *testing.T) {
	b := newLimited(t, 2)
	b.announce(nva, "65515", "10.3.0.0/24", "10.2.0.0/24", "10.1.0.0/16", "10.0.0.0/8")
	b.flush()
	b.r.PeerDown(addr(branch), false)
	b.flush()
	done := false
	b.r.PeerUp(addr(branch), Session{LocalAddress: addr("10.0.0.4"), RemoteID: addr(branch), Families: route.IPv4}, func() { done = true })
	for b.r.Flush(1) {
	}
	var sent []string
	for _, a := range b.r.Take().Out {
		for _, c := range a.Changes {
			sent = append(sent, fmt.Sprintf("%s %v", c.Prefix, c.Attrs != nil))
		}
	}
	if want := []string{"10.0.0.0/8 true", "10.1.0.0/16 true"}; !slices.Equal(sent, want) || !done {
		t.Errorf("sent %v, done %v, want %v", sent, done, want)
	}
}

// If a limit is switched on while a session is up, nvad withdraws routes until the limit is
// met and announces none meanwhile: Route Server would end the session.
func TestLimitSwitchedOn(t *testing.T) {
	for _, limit := range []int{1, 10, 39, 60} {
		b := newEdge(t)
		b.flush()
		b.r.Take()
		has := map[netip.Prefix]bool{}
		follow := func() {
			for _, a := range b.r.Take().Out {
				for _, c := range a.Changes {
					if a.Peer != addr(branch) {
						continue
					}
					if before := len(has); c.Attrs == nil {
						delete(has, c.Prefix)
					} else if has[c.Prefix] = true; len(has) > max(before, limit) {
						t.Fatalf("limit %d: %d prefixes after %s", limit, len(has), c.Prefix)
					}
				}
			}
		}
		for i := range 40 {
			b.announce(nva, "65515", fmt.Sprintf("10.%d.0.0/24", i))
		}
		b.flush()
		b.r.Take()
		for _, p := range b.toldTo(branch) {
			has[p] = true
		}
		b.limit(limit)
		for i := range 40 { // new routes, which come first by rank, during the walk
			b.announce(nva, "65515", fmt.Sprintf("20.%d.0.0/16", i))
			b.r.Flush(3)
			follow()
		}
		for b.r.Flush(3) {
			follow()
		}
		follow()
		if len(has) != min(limit, 80) {
			t.Errorf("limit %d: %d prefixes in the end", limit, len(has))
		}
	}
}

func TestLimitByFamily(t *testing.T) {
	b := newEdge(t)
	b.peer(neighbor(branch, 64580, ExportSettings{MaxAdvertised: 1}), acceptAll, acceptAll)
	b.r.PeerDown(addr(branch), false)
	b.r.PeerUp(addr(branch), Session{LocalAddress: addr("10.0.0.4"), RemoteID: addr(branch), Families: route.IPv4 | route.IPv6}, nil)
	b.r.SetLocal([]Local{
		{Prefix: pfx("10.1.0.0/16"), Source: route.SourceNetwork, Attrs: b.in.Intern(route.Attrs{NextHop: addr("10.0.0.4")})},
		{Prefix: pfx("fd00:2::/32"), Source: route.SourceNetwork, Attrs: b.in.Intern(route.Attrs{NextHop: addr("fd00::4")})},
		{Prefix: pfx("fd00:1::/32"), Source: route.SourceNetwork, Attrs: b.in.Intern(route.Attrs{NextHop: addr("fd00::4")})},
	})
	b.wantTold("one of each", "10.1.0.0/16", "fd00:1::/32")
}

// Whatever happens in whatever order, the neighbor ends with the first routes by rank. It
// never has more than the limit in between, and both instances have the same.
func TestLimitIsStable(t *testing.T) {
	const limit = 7
	b := newHub00(t)
	toAll := policy.Chain{Accept: true}
	for _, a := range []string{rs0, rs1} {
		b.peer(neighbor(a, 65515, SourceSettings{Domain: "ars-hub00"}, ExportSettings{MaxAdvertised: limit}), fromAzure, toAll)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	has := map[netip.Prefix]bool{}
	at := map[netip.Addr]map[netip.Prefix]bool{addr(rs0): {}, addr(rs1): {}}
	for i := range 3000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(rnd.IntN(4)), 0, 0}), 16+rnd.IntN(8)).Masked()
		if has[p] = rnd.IntN(2) == 0; has[p] {
			b.announce(nva, fmt.Sprint(65515, 100+rnd.IntN(3)), p.String())
		} else {
			b.withdraw(nva, p.String())
			delete(has, p)
		}
		if rnd.IntN(50) == 0 {
			b.r.PeerDown(addr(rs1), false)
			b.r.Take()
			clear(at[addr(rs1)])
			b.up(rs1)
		}
		for range rnd.IntN(4) {
			b.r.Flush(1 + rnd.IntN(3))
			follow(t, b.r.Take(), at, limit)
		}
		if rnd.IntN(10) > 0 {
			continue
		}
		for b.r.Flush(100) {
		}
		follow(t, b.r.Take(), at, limit)
		want := slices.Collect(maps.Keys(has))
		slices.SortFunc(want, rank)
		want = want[:min(limit, len(want))]
		for to, got := range at {
			if len(got) != len(want) || slices.ContainsFunc(want, func(p netip.Prefix) bool { return !got[p] }) {
				t.Fatalf("step %d: %s has %v, want %v", i, to, got, want)
			}
		}
	}
}

// follow applies the advertised changes as a neighbor would.
func follow(t *testing.T, eff Effects, at map[netip.Addr]map[netip.Prefix]bool, limit int) {
	t.Helper()
	for _, a := range eff.Out {
		have := at[a.Peer]
		if have == nil {
			continue
		}
		for _, c := range a.Changes {
			if c.Attrs == nil {
				delete(have, c.Prefix)
			} else {
				have[c.Prefix] = true
			}
			if len(have) > limit {
				t.Fatalf("%s is sent %d prefixes", a.Peer, len(have))
			}
		}
	}
}

// BenchmarkExportLimit replaces and withdraws routes that are advertised to three neighbors:
// without a limit, far below one, and at one.
func BenchmarkExportLimit(bm *testing.B) {
	const routes = 10_000
	for name, limit := range map[string]int{"none": 0, "below": 2 * routes, "at": 4000} {
		bm.Run(name, func(bm *testing.B) {
			b := newHub00(&testing.T{})
			b.peer(neighbor(rs0, 65515, SourceSettings{Domain: "ars-hub00"}, ExportSettings{MaxAdvertised: limit}), fromAzure, acceptAll)
			b.peer(neighbor(rs1, 65515, SourceSettings{Domain: "ars-hub00"}, ExportSettings{MaxAdvertised: limit}), fromAzure, acceptAll)
			var prefixes []netip.Prefix
			for i := range routes {
				prefixes = append(prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24))
			}
			var sets []*route.Attrs
			for i := range 2 {
				sets = append(sets, b.in.Intern(route.Attrs{ASPath: asPath(fmt.Sprint("65515 ", i+1)), NextHop: addr(nva)}))
			}
			from := speaker.From{Peer: addr(nva)}
			settle := func(u speaker.Update) {
				u.From = from
				b.r.Update(&u, time.Time{})
				for b.r.Flush(2048) {
				}
				b.r.Take()
			}
			settle(speaker.Update{Attrs: sets[1], Announced: prefixes})
			bm.ReportAllocs()
			for bm.Loop() {
				for i := range 2 {
					settle(speaker.Update{Attrs: sets[i], Announced: prefixes})
				}
				settle(speaker.Update{Withdrawn: prefixes[:100]})
			}
			bm.ReportMetric(float64(bm.Elapsed().Nanoseconds())/float64(bm.N)/(2*routes), "ns/route")
		})
	}
}

func TestMaximumPrefixOut(t *testing.T) {
	b := newEdge(t)
	limited := neighbor(branch, 64580, ExportSettings{MaxAdvertised: 2})
	b.peer(limited, acceptAll, acceptAll)
	b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16")
	b.flush()
	b.wantAdvertised(branch, 2)
	if held := b.held(pfx("10.4.0.0/16"), addr(branch)); held != "held back: maximum-prefix-out 2 reached" {
		t.Errorf("held: %q", held)
	}
	b.withdraw(nva, "10.1.0.0/16")
	b.flush()
	b.wantAdvertised(branch, 2)
	if b.r.Sent(pfx("10.3.0.0/16"), addr(branch)) == nil && b.r.Sent(pfx("10.4.0.0/16"), addr(branch)) == nil {
		t.Error("no route takes the place of the withdrawn one")
	}
	limited.MaxAdvertised = 1
	b.peer(limited, acceptAll, acceptAll)
	b.flush()
	b.wantAdvertised(branch, 1)
	limited.MaxAdvertised = 0
	b.peer(limited, acceptAll, acceptAll)
	b.flush()
	b.wantAdvertised(branch, 3)
}

func (b *bed) wantAdvertised(to string, n int) {
	b.t.Helper()
	if c := b.r.Counts(addr(to)); c.Advertised != n {
		b.t.Errorf("%d prefixes advertised, want %d", c.Advertised, n)
	}
}
