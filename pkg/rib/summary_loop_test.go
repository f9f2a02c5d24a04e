package rib

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// lan is a set of NVAs on one subnet, some of which are neighbors.
type lan struct {
	t    *testing.T
	in   *route.Interner
	nvas map[netip.Addr]*RIB
	fibs map[netip.Addr]map[netip.Prefix]*fib.Route
}

func nvaAt(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}) }

// newLAN creates one NVA for each ASN.
func newLAN(t *testing.T, asns []uint32) *lan {
	l := &lan{t: t, in: route.NewInterner(), nvas: map[netip.Addr]*RIB{}, fibs: map[netip.Addr]map[netip.Prefix]*fib.Route{}}
	for i, asn := range asns {
		a := nvaAt(i)
		r := New(Options{ASN: asn, RouterID: a, Metric: 20, Interner: l.in, Forwarding: Forwarding{MaxPaths: 4}})
		r.SetFacts(fib.Facts{
			Links:  []fib.Link{{Index: eth0, Name: "eth0", Up: true, Addresses: []netip.Prefix{netip.PrefixFrom(a, 24)}}},
			Routes: []fib.KernelRoute{{Prefix: pfx("192.0.2.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: eth0}}}},
		})
		l.nvas[a], l.fibs[a] = r, map[netip.Prefix]*fib.Route{}
	}
	return l
}

// join makes two NVAs neighbors that accept and announce everything.
func (l *lan) join(a, b netip.Addr) {
	for _, end := range [][2]netip.Addr{{a, b}, {b, a}} {
		r, far := l.nvas[end[0]], end[1]
		accept, err := policy.Compile(&policy.Library{}, acceptAll, policy.Session{LocalASN: r.opt.ASN, PeerASN: l.nvas[far].opt.ASN})
		if err != nil {
			l.t.Fatal(err)
		}
		r.SetPeer(neighbor(far.String(), l.nvas[far].opt.ASN, SessionSettings{LocalASN: r.opt.ASN},
			ImportSettings{Import: accept}, ExportSettings{Export: accept, NextHopSelf: true}))
		r.PeerUp(far, Session{LocalAddress: end[0], RemoteID: far, Families: route.IPv4}, nil)
	}
}

// converge carries the NVAs' updates to each other until none has any left.
func (l *lan) converge() {
	for silent := false; !silent; {
		silent = true
		for i := range len(l.nvas) {
			a := nvaAt(i)
			r := l.nvas[a]
			for r.Flush(1000) {
			}
			e := r.Take()
			for _, c := range e.FIB {
				l.fibs[a][c.Prefix] = c.Route
			}
			for _, adverts := range e.Out {
				for _, c := range adverts.Changes {
					u := &speaker.Update{From: speaker.From{Peer: a}, Withdrawn: []netip.Prefix{c.Prefix}}
					if c.Attrs != nil {
						u = &speaker.Update{From: u.From, Attrs: c.Attrs, Announced: []netip.Prefix{c.Prefix}}
					}
					l.nvas[adverts.Peer].Update(u, time.Unix(1_700_000_000, 0))
					silent = false
				}
			}
		}
	}
}

// next returns where an NVA sends packets for dst, or nothing if it has no route.
func (l *lan) next(at, dst netip.Addr) (hops []fib.NextHop) {
	longest := -1
	for p, r := range l.fibs[at] {
		if r != nil && p.Contains(dst) && p.Bits() > longest {
			longest, hops = p.Bits(), r.Hops
		}
	}
	return hops
}

// follow fails the test if a packet for dst can reach an NVA twice.
func (l *lan) follow(dst netip.Addr, way ...netip.Addr) {
	for _, h := range l.next(way[len(way)-1], dst) {
		if slices.Contains(way, h.Via) {
			l.t.Fatalf("packets for %s loop: %v %s", dst, way, h.Via)
		}
		if l.nvas[h.Via] != nil {
			l.follow(dst, append(slices.Clone(way), h.Via)...)
		}
	}
}

// Several NVAs originate the same summary, as a network or as an aggregate of learned routes.
// They must not send each other the packets that no part of the summary covers: an originated
// route is never installed through a neighbor, which may do the same.
func TestSummariesDoNotLoop(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 200 {
		n := 2 + rng.IntN(4)
		asns := make([]uint32, n)
		for i := range asns {
			asns[i] = 65001 + uint32(i*(round%2)) // all in one AS, or each in its own
		}
		l := newLAN(t, asns)
		for i := range n {
			for j := range i {
				if n == 2 || rng.IntN(4) > 0 {
					l.join(nvaAt(i), nvaAt(j))
				}
			}
		}
		for i := range n {
			r, own := l.nvas[nvaAt(i)], Local{Prefix: pfx("10.0.0.0/8"), Source: route.SourceNetwork, Attrs: l.in.Intern(route.Attrs{})}
			part := Local{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16), Source: route.SourceConnected, Attrs: own.Attrs}
			switch rng.IntN(3) {
			case 0:
				r.SetLocal([]Local{own, part})
			case 1:
				r.SetLocal([]Local{part})
				r.SetAggregates([]Aggregate{{Prefix: own.Prefix, Attrs: l.in.Intern(route.Attrs{AtomicAggregate: true})}})
			}
		}
		l.converge()
		for i := range n {
			l.follow(addr("10.200.0.1"), nvaAt(i))
			l.follow(addr("10.0.0.1"), nvaAt(i))
		}
	}
}
