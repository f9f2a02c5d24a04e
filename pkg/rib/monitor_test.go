package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// follower knows of the Adj-RIBs-In what it was told, as a monitoring station does.
type follower struct {
	m      *model
	has    map[string]map[netip.Prefix]Heard // of neighbors that are up
	walk   *AdjInWalk
	of     map[netip.Addr]bool // neighbors that the walk reads
	again  map[netip.Addr]bool // neighbors that the next walk reads
	joined bool
}

func (f *follower) take(list []Heard) {
	for _, h := range list {
		has := f.has[h.Neighbor.String()]
		if has == nil {
			f.m.t.Fatalf("%s is down, but %s was heard", h.Neighbor, h.Prefix)
		}
		was := has[h.Prefix]
		if h.Pre {
			was.Received = h.Received
		}
		if h.Post {
			was.Accepted = h.Accepted
		}
		if has[h.Prefix] = was; was.Received == nil && was.Accepted == nil {
			delete(has, h.Prefix)
		}
	}
}

// join begins to follow: the sessions that are up, then a walk.
func (f *follower) join() {
	f.m.b.r.Monitor(true)
	f.joined, f.has, f.again = true, map[string]map[netip.Prefix]Heard{}, map[netip.Addr]bool{}
	for a, p := range f.m.peers {
		if p.up {
			f.has[a], f.again[addr(a)] = map[netip.Prefix]Heard{}, true
		}
	}
}

// leave ends that, so that a later join begins without anything.
func (f *follower) leave() {
	f.m.b.r.Monitor(false)
	*f = follower{m: f.m}
}

// step is a step of the model and what follows from it for the sessions.
func (f *follower) step() {
	up := map[string]bool{}
	for a, p := range f.m.peers {
		up[a] = p.up
	}
	f.m.step()
	for a, p := range f.m.peers {
		switch {
		case !f.joined || up[a] == p.up:
		case p.up:
			f.has[a] = map[netip.Prefix]Heard{}
			if f.m.b.r.Counts(addr(a)).Stale > 0 {
				f.again[addr(a)] = true
			}
		default:
			delete(f.has, a)
			delete(f.of, addr(a))
			delete(f.again, addr(a))
		}
	}
	f.take(f.m.b.r.TakeHeard())
}

// read spends the time of n visits on the walk.
func (f *follower) read(n int) {
	if f.walk == nil && len(f.again) > 0 {
		f.of, f.again = f.again, map[netip.Addr]bool{}
		f.walk = f.m.b.r.WalkAdjIn(func(a netip.Addr) bool { return f.of[a] })
	}
	if f.walk == nil {
		return
	}
	heard, done := f.walk.Step(n, nil)
	if f.take(heard); done {
		f.walk, f.of = nil, nil
	}
}

// compare holds what was heard against the table.
func (f *follower) compare() {
	m := f.m
	want := map[string]map[netip.Prefix]Heard{}
	for a, p := range m.peers {
		if p.up {
			want[a] = map[netip.Prefix]Heard{}
		}
	}
	for _, prefix := range m.b.r.Snapshot() {
		m.b.r.Lookup(prefix, func(v Path) {
			if has := want[v.Neighbor.String()]; has != nil && v.Source == route.SourceBGP {
				has[prefix] = Heard{Received: v.Received, Accepted: v.Accepted}
			}
		})
	}
	if got, all := fmt.Sprint(f.has), fmt.Sprint(want); got != all {
		m.t.Fatalf("heard\n %s\nthe table has\n %s", got, all)
	}
}

// Whoever reads the Adj-RIBs-In by a walk and applies the changes collected since has them as
// they are: whatever neighbors and the operator do, however slow the walk is, and whenever
// it began.
func TestFollowAdjIn(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := &follower{m: newModel(t, seed)}
			for i := range 400 {
				switch f.m.rnd.IntN(40) {
				case 0:
					f.leave()
				case 1:
					f.leave()
					f.join()
				}
				f.step()
				for range f.m.rnd.IntN(3) {
					f.m.b.r.Flush(1 + f.m.rnd.IntN(8))
				}
				f.m.take()
				if f.joined {
					f.take(f.m.b.r.TakeHeard())
					f.read(1 + f.m.rnd.IntN(4))
				}
				if i%40 == 39 {
					f.settle()
				}
			}
		})
	}
}

// settle lets everything come to rest, and compares.
func (f *follower) settle() {
	if !f.joined {
		f.join()
	}
	for f.m.b.r.Flush(1 + f.m.rnd.IntN(8)) {
	}
	f.m.take()
	f.take(f.m.b.r.TakeHeard())
	for f.walk != nil || len(f.again) > 0 {
		f.read(3)
	}
	f.compare()
}

// heard returns the changes as lines.
func (b *bed) heard() (out []string) {
	b.flush()
	for _, h := range b.r.TakeHeard() {
		s := fmt.Sprint(h.Neighbor, " ", h.Prefix)
		if h.Pre {
			s += " pre " + pathText(h.Received)
		}
		if h.Post {
			s += " post " + pathText(h.Accepted)
		}
		out = append(out, s)
	}
	return out
}

func pathText(a *route.Attrs) string {
	if a == nil {
		return "-"
	}
	return fmt.Sprint("[", a.ASPath, "]")
}

func (b *bed) wantHeard(what string, lines ...string) {
	b.t.Helper()
	if got := b.heard(); !slices.Equal(got, lines) {
		b.t.Errorf("%s: heard %q, want %q", what, got, lines)
	}
}

// Each change is heard once, and only in the view that it concerns.
func TestHeard(t *testing.T) {
	b := newHub00(t)
	b.r.Monitor(true)
	b.announce(rs0, "65515 12076", "10.1.0.0/16")
	b.wantHeard("accepted", rs0+" 10.1.0.0/16 pre [65515 12076] post [65515 12076]")
	b.announce(rs0, "65515 12076", "10.1.0.0/16")
	b.wantHeard("once more")
	b.announce(rs0, "65515 65001", "10.2.0.0/16")
	b.wantHeard("rejected", rs0+" 10.2.0.0/16 pre [65515 65001]")
	b.announce(rs0, "65515 12076", "10.2.0.0/16")
	b.wantHeard("accepted by its new path", rs0+" 10.2.0.0/16 pre [65515 12076] post [65515 12076]")
	b.peer(neighbor(rs0, 65515, SourceSettings{Domain: "ars-hub00"}), toNVA, toAzure)
	b.wantHeard("allowed by the new policy as well")
	b.peer(neighbor(rs0, 65515, SourceSettings{Domain: "ars-hub00"}), policy.Chain{}, toAzure)
	b.wantHeard("denied by the new policy", rs0+" 10.2.0.0/16 post -", rs0+" 10.1.0.0/16 post -")
	b.withdraw(rs0, "10.1.0.0/16", "10.99.0.0/16")
	b.wantHeard("withdrawn", rs0+" 10.1.0.0/16 pre -")
	b.r.PeerDown(addr(rs0), false)
	b.wantHeard("session lost")
	b.up(rs0)
	b.announce(rs0, "65515", "10.3.0.0/16")
	b.wantHeard("of the new session", rs0+" 10.3.0.0/16 pre [65515]")
	b.r.PeerDown(addr(rs0), false)
	b.up(rs0)
	b.wantHeard("session lost, and back at once")
	b.announce(rs0, "65515", "10.4.0.0/16")
	b.r.PeerDown(addr(rs0), true)
	b.up(rs0)
	b.r.SweepStale(addr(rs0), route.IPv4)
	b.wantHeard("kept over a restart, and not announced again",
		rs0+" 10.4.0.0/16 pre [65515]", rs0+" 10.4.0.0/16 pre -")
}

// A station that has room for little waits; a walk of the table takes what it is given.
func TestWalkAdjInIsBounded(t *testing.T) {
	b := newHub00(t)
	b.r.Monitor(true)
	prefixes := manyPrefixes(5000)
	b.tell(rs0, prefixes, 1)
	b.tell(nva, prefixes, 2)
	b.rest()
	w := b.r.WalkAdjIn(func(netip.Addr) bool { return true })
	seen, steps := 0, 0
	for done := false; !done; steps++ {
		var heard []Heard
		if heard, done = w.Step(100, nil); len(heard) > 100+len(b.r.peers.byID) {
			t.Fatalf("%d paths in one step of 100", len(heard))
		}
		seen += len(heard)
	}
	if seen != 2*len(prefixes) || steps < seen/100 {
		t.Errorf("%d paths in %d steps", seen, steps)
	}
}
