package rib

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// model records as simply as possible what neighbors and the operator did. The same inputs,
// given all at once to a new RIB at rest, must lead to the same tables.
type model struct {
	t      *testing.T
	b      *bed
	rnd    *rand.Rand
	peers  map[string]*modelPeer
	locals map[netip.Prefix]bool
	sums   map[netip.Prefix]bool
	floats map[netip.Prefix]bool // floating static routes: worse than iBGP routes, too
	fib    map[netip.Prefix]string
}

type modelPeer struct {
	removed, up bool
	denies      bool // the import policy accepts only part of the prefixes
	shows       bool // the export policy replaces part of the paths
	routes      map[netip.Prefix]modelRoute
	told        map[netip.Prefix]string // what nvad has sent it in this session
}

type modelRoute struct {
	variant int
	stale   bool
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		t: t, b: newBed(t), rnd: rand.New(rand.NewPCG(seed, 1)), peers: map[string]*modelPeer{},
		locals: map[netip.Prefix]bool{}, sums: map[netip.Prefix]bool{}, floats: map[netip.Prefix]bool{}, fib: map[netip.Prefix]string{},
	}
	for _, a := range modelPeers {
		m.peers[a] = &modelPeer{routes: map[netip.Prefix]modelRoute{}}
		m.configure(m.b, a)
	}
	return m
}

var modelPeers = []string{rs0, rs1, nva, branch}

func (m *model) configure(b *bed, a string) {
	p := neighbor(a, map[string]uint32{rs0: 65515, rs1: 65515, nva: 65001, branch: 64580}[a])
	if p.RemoteASN == 65515 {
		p.Domain = "ars-hub00"
	}
	in, out := acceptAll, acceptAll
	if m.peers[a].denies {
		in = policy.Chain{Accept: true, PrefixList: "rs-hub00"}
	}
	if m.peers[a].shows {
		out = policy.Chain{Accept: true, RouteMap: "to-azure"}
	}
	b.peer(p, in, out)
}

func modelPrefix(i int) netip.Prefix {
	if i%5 == 4 {
		return netip.MustParsePrefix(fmt.Sprintf("fd00:%x::/32", i))
	}
	return netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/16", i*20))
}

const modelPrefixes = 12 // includes 10.0.0.0/16 and 10.100.0.0/16, which a list denies

// behindFloat is a next hop that only a floating static route for one of the prefixes leads to.
var behindFloat = addr("10.100.0.9")

func (b *bed) announceVariant(from string, p netip.Prefix, variant int) {
	if variant == 3 && p.Addr().Is4() {
		b.send(from, route.Attrs{ASPath: asPath("64580"), NextHop: behindFloat}, p.String())
		return
	}
	b.announce(from, []string{"65515", "65515 12076", "65515 65515 12076", "64580"}[variant], p.String())
}

func (m *model) setSums(b *bed) {
	var list []Aggregate
	for p, only := range m.sums {
		list = append(list, Aggregate{Prefix: p, SummaryOnly: only, Attrs: b.in.Intern(route.Attrs{AtomicAggregate: true})})
	}
	slices.SortFunc(list, func(a, c Aggregate) int { return route.ComparePrefix(a.Prefix, c.Prefix) })
	b.r.SetAggregates(list)
}

// setLocals configures the static routes, too, and redistributes the floating ones.
func (m *model) setLocals(b *bed) {
	var list []Local
	statics := []Static{{Prefix: pfx("10.0.210.0/24"), Via: addr("10.0.0.1"), Metric: 20}}
	for p, worst := range m.floats {
		s := Static{Prefix: p, Via: addr("10.0.0.7"), Device: "eth0", Distance: 100, Metric: 20}
		if worst {
			s.Distance = 250
		}
		statics = append(statics, s)
		if !m.locals[p] {
			list = append(list, Local{Prefix: p, Source: route.SourceStatic, Attrs: b.in.Intern(route.Attrs{Origin: route.OriginIncomplete}), Floats: true})
		}
	}
	b.r.SetStatics(statics)
	for p := range m.locals {
		list = append(list, Local{Prefix: p, Source: route.SourceNetwork, Attrs: b.in.Intern(route.Attrs{})})
	}
	b.r.SetLocal(list)
}

// flip adds p to set, or removes it.
func (m *model) flip(set map[netip.Prefix]bool, p netip.Prefix, value bool) {
	if _, ok := set[p]; ok {
		delete(set, p)
		return
	}
	set[p] = value
}

// step does one random thing.
func (m *model) step() {
	a := modelPeers[m.rnd.IntN(len(modelPeers))]
	p, r := m.peers[a], m.b.r
	prefix := modelPrefix(m.rnd.IntN(modelPrefixes))
	switch what := m.rnd.IntN(42); {
	case what == 40:
		m.flip(m.floats, prefix, m.rnd.IntN(2) == 0)
		m.setLocals(m.b)
	case what == 41:
		m.flip(m.floats, pfx("10.100.0.0/16"), m.rnd.IntN(2) == 0)
		m.setLocals(m.b)
	case what == 0:
		m.flip(m.locals, prefix, true)
		m.setLocals(m.b)
	case what == 1:
		m.flip(m.sums, pfx([]string{"10.0.0.0/8", "10.96.0.0/11", "fd00::/16"}[m.rnd.IntN(3)]), m.rnd.IntN(2) == 0)
		m.setSums(m.b)
	case p.removed:
		*p = modelPeer{routes: map[netip.Prefix]modelRoute{}}
		m.configure(m.b, a)
	case what == 2:
		r.RemovePeer(addr(a))
		*p = modelPeer{removed: true, routes: map[netip.Prefix]modelRoute{}}
	case what == 3:
		p.denies = !p.denies
		m.configure(m.b, a)
	case what == 4:
		p.shows = !p.shows
		m.configure(m.b, a)
	case what == 5:
		r.Reimport(addr(a))
	case what == 6 && p.up:
		r.Readvertise(addr(a), route.IPv4|route.IPv6, nil)
	case what == 7:
		m.b.facts(m.rnd.IntN(2) == 0)
		m.b.facts(true)
	case what < 10:
		f := 1 + m.rnd.IntN(3)
		r.SweepStale(addr(a), route.Family(f))
		maps.DeleteFunc(p.routes, func(q netip.Prefix, x modelRoute) bool {
			return x.stale && route.Family(f).Has(route.FamilyOf(q))
		})
	case !p.up:
		m.b.upBoth(a)
		p.up, p.told = true, map[netip.Prefix]string{}
	case what < 16:
		m.down(a, p, m.rnd.IntN(2) == 0)
	case what < 22:
		m.b.withdraw(a, prefix.String())
		delete(p.routes, prefix)
	default:
		v := m.rnd.IntN(4)
		m.b.announceVariant(a, prefix, v)
		p.routes[prefix] = modelRoute{variant: v}
	}
}

func (m *model) down(a string, p *modelPeer, keep bool) {
	m.b.r.PeerDown(addr(a), keep)
	p.up, p.told = false, nil
	for q, x := range p.routes {
		if !keep || x.stale {
			delete(p.routes, q)
			continue
		}
		p.routes[q] = modelRoute{x.variant, true}
	}
}

func (b *bed) upBoth(a string) {
	b.r.PeerUp(addr(a), Session{LocalAddress: addr("10.0.0.4"), RemoteID: addr(a), Families: route.IPv4 | route.IPv6}, nil)
}

// take applies the effects to the model's tables.
func (m *model) take() {
	eff := m.b.r.Take()
	for _, c := range eff.FIB {
		if m.fib[c.Prefix] = fibLine(c); c.Route == nil {
			delete(m.fib, c.Prefix)
		}
	}
	for _, o := range eff.Out {
		p := m.peers[o.Peer.String()]
		if !p.up {
			m.t.Fatalf("%s is down, but was sent %v", o.Peer, o.Changes)
		}
		for _, c := range o.Changes {
			if p.told[c.Prefix] = outLine(o.Peer, c); c.Attrs == nil {
				delete(p.told, c.Prefix)
			}
		}
	}
}

// counted compares the counters with the model: they are exact at any moment.
func (m *model) counted() {
	for a, p := range m.peers {
		if p.removed {
			continue
		}
		stale := 0
		for _, x := range p.routes {
			stale += int(bit(x.stale))
		}
		if c := m.b.r.Counts(addr(a)); c.Received != len(p.routes) || c.Stale != stale {
			m.t.Fatalf("%s: counts %+v, want %d received, %d stale", a, c, len(p.routes), stale)
		}
		for prefix := range p.routes {
			n := 0
			m.b.r.From(prefix, addr(a), func(v Path) { n += 1 + int(bit(v.Stale))*2 })
			if want := 1 + int(bit(p.routes[prefix].stale))*2; n != want {
				m.t.Fatalf("%s from %s is %d, want %d", prefix, a, n, want)
			}
		}
	}
}

// fresh compares the tables with those of a RIB that gets only the final inputs.
func (m *model) fresh() {
	b := newBed(m.t)
	for _, a := range modelPeers {
		if p := m.peers[a]; !p.removed {
			m.configure(b, a)
			b.upBoth(a)
			for prefix, x := range p.routes {
				b.announceVariant(a, prefix, x.variant)
			}
			if !p.up {
				b.r.PeerDown(addr(a), true)
			}
		}
	}
	m.setSums(b)
	m.setLocals(b)
	want, told := map[netip.Prefix]string{}, map[string]map[netip.Prefix]string{}
	for b.r.Flush(100) {
	}
	eff := b.r.Take()
	for _, c := range eff.FIB {
		if want[c.Prefix] = fibLine(c); c.Route == nil {
			delete(want, c.Prefix)
		}
	}
	for _, o := range eff.Out {
		told[o.Peer.String()] = map[netip.Prefix]string{}
		for _, c := range o.Changes {
			if told[o.Peer.String()][c.Prefix] = outLine(o.Peer, c); c.Attrs == nil {
				delete(told[o.Peer.String()], c.Prefix)
			}
		}
	}
	if !maps.Equal(m.fib, want) {
		m.t.Fatalf("kernel:\n got %v\nwant %v", m.fib, want)
	}
	for a, p := range m.peers {
		if p.up && !maps.Equal(p.told, told[a]) {
			m.t.Fatalf("sent to %s:\n got %v\nwant %v", a, p.told, told[a])
		}
	}
}

// Whatever neighbors and the operator do, and in whatever turns it is processed, the RIB ends
// like one that got only the final inputs. Counters are exact at any moment.
func TestAnyOrderOfTurns(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := newModel(t, seed)
			m.b.r.Observe(seed%2 == 0)
			for i := range 600 {
				m.step()
				m.counted()
				for range m.rnd.IntN(4) {
					m.b.r.Flush(1 + m.rnd.IntN(8))
				}
				m.take()
				if i%60 == 59 {
					for m.b.r.Flush(1 + m.rnd.IntN(8)) {
					}
					m.take()
					m.b.wantWhole()
					m.fresh()
				}
			}
		})
	}
}
