package engine

import (
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// fakeMemory reports the memory of the engine's neighbors, plus what else says.
type fakeMemory struct {
	e         *Engine
	budget    atomic.Uint64
	inUse     atomic.Uint64
	reclaimed atomic.Int64
}

func (m *fakeMemory) InUse() uint64  { return m.inUse.Load() }
func (m *fakeMemory) Budget() uint64 { return m.budget.Load() }

func (m *fakeMemory) Reclaim() <-chan struct{} {
	m.reclaimed.Add(1)
	held := uint64(0)
	for a := range m.e.neighbors { // called by the engine's goroutine
		held += uint64(m.e.rib.Octets(a))
	}
	m.inUse.Store(held)
	done := make(chan struct{})
	close(done)
	return done
}

// crowded is hub00 with a memory budget and both neighbors established.
func crowded(t *testing.T, story func(t *testing.T, e *Engine, p *ports, m *fakeMemory, in *route.Interner)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, p, in := &fakeMemory{}, newPorts(), route.NewInterner()
		e := New(Options{Interner: in, Speaker: p, Forwarding: p, Memory: m, Log: slog.New(slog.NewTextHandler(p, nil))}, hub00())
		m.e = e
		stop := runEngine(t, e)
		defer stop()
		e.SetFacts(fib.Facts{Links: []fib.Link{{Index: 2, Name: "eth0", Up: true}}})
		cfg := hub00()
		for i := range cfg.Neighbors {
			cfg.Neighbors[i].MaximumPrefix = 0
		}
		apply(t, e, cfg)
		p.establish(routeServer, false, false)
		p.establish(farNVA, false, false)
		story(t, e, p, m, in)
	})
}

// load lets a neighbor announce n routes with large attribute sets.
func (p *ports) load(in *route.Interner, from netip.Addr, n int) {
	for i, prefix := range prefixes(n) {
		set := in.Intern(route.Attrs{ASPath: route.NewASPath(65515, uint32(i)).Prepend(65515, 1000), NextHop: from})
		p.events <- speaker.Update{From: speaker.From{Peer: from}, Attrs: set, Announced: []netip.Prefix{prefix}}
	}
	synctest.Wait()
}

func (p *ports) closed(addr netip.Addr) bool {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.wanted {
		if n.Address == addr {
			return n.Disabled
		}
	}
	return false
}

// When the budget is exceeded, the neighbor that holds most is closed with Cease/Out of
// Resources, and the other stays. Each time it stays closed for longer.
func TestMemoryBudget(t *testing.T) {
	crowded(t, func(t *testing.T, e *Engine, p *ports, m *fakeMemory, in *route.Interner) {
		m.budget.Store(500 << 10)
		p.load(in, farNVA, 20)
		for i, hold := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
			p.load(in, routeServer, 100)
			m.inUse.Store(600 << 10)
			time.Sleep(time.Second)
			e.MemoryLow()
			if !p.closed(routeServer) || p.closed(farNVA) {
				t.Fatalf("closing %d: closed are %v and %v", i, p.closed(routeServer), p.closed(farNVA))
			}
			if n := p.resets[len(p.resets)-1]; n.Code != speaker.CodeCease || n.Subcode != speaker.CeaseOutOfResources || len(p.resets) != i+1 {
				t.Fatalf("%d resets, the last %+v", len(p.resets), n)
			}
			p.events <- speaker.Down{From: speaker.From{Peer: routeServer}}
			time.Sleep(hold - 3*time.Second)
			if m.reclaimed.Load() < int64(i+1) || m.inUse.Load() > 500<<10 {
				t.Errorf("reclaimed %d times, %d in use", m.reclaimed.Load(), m.inUse.Load())
			}
			if !p.closed(routeServer) {
				t.Fatalf("closing %d: tried again too early", i)
			}
			v, _ := e.Neighbors(t.Context())
			if !strings.Contains(v[0].Reason, "memory budget exceeded") || v[0].MemoryClosings != uint64(i+1) || v[1].MemoryClosings != 0 {
				t.Errorf("%q, closed %d and %d times", v[0].Reason, v[0].MemoryClosings, v[1].MemoryClosings)
			}
			time.Sleep(4 * time.Second)
			if p.closed(routeServer) {
				t.Fatalf("closing %d: never tried again", i)
			}
			p.establish(routeServer, false, false)
		}
		if s, _ := e.Status(t.Context()); s.Memory.Closings != 3 || s.Memory.Budget != 500<<10 {
			t.Errorf("%+v", s.Memory)
		}
		if n := len(p.logged("memory budget exceeded, the neighbor that holds most is closed")); n != 3 {
			t.Errorf("%d lines for three closings", n)
		}
	})
}

// Until the routes of a closed neighbor are gone and their memory is free, no other
// neighbor is closed.
func TestMemoryOneAtATime(t *testing.T) {
	crowded(t, func(t *testing.T, e *Engine, p *ports, m *fakeMemory, in *route.Interner) {
		m.budget.Store(500 << 10)
		p.load(in, farNVA, 90)
		p.load(in, routeServer, 100)
		m.inUse.Store(1000 << 10)
		for range 20 {
			e.MemoryLow()
			time.Sleep(memoryInterval)
		}
		if !p.closed(routeServer) || p.closed(farNVA) {
			t.Fatalf("closed are %v and %v", p.closed(routeServer), p.closed(farNVA))
		}
		p.events <- speaker.Down{From: speaker.From{Peer: routeServer}}
		time.Sleep(time.Minute / 2)
		e.MemoryLow()
		if p.closed(farNVA) {
			t.Error("the end of one neighbor was enough, and another is closed")
		}
	})
}

// A neighbor is charged for the attribute sets made to advertise its routes to others,
// each with another next hop.
func TestMemoryOfWhatOthersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p, in := &fakeMemory{}, newPorts(), route.NewInterner()
		cfg := hub00()
		for i := range 20 {
			n := cfg.Neighbors[0]
			n.Address = netip.AddrFrom4([4]byte{10, 1, byte(i), 4})
			cfg.Neighbors = append(cfg.Neighbors, n)
		}
		for i := range cfg.Neighbors {
			cfg.Neighbors[i].MaximumPrefix = 0
		}
		e := New(Options{Interner: in, Speaker: p, Forwarding: p, Memory: m, Log: slog.New(slog.NewTextHandler(p, nil))}, cfg)
		m.e = e
		stop := runEngine(t, e)
		defer stop()
		e.SetFacts(fib.Facts{Links: []fib.Link{{Index: 2, Name: "eth0", Up: true}}})
		apply(t, e, cfg)
		for i, n := range cfg.Neighbors {
			p.events <- speaker.Established{
				From: speaker.From{Peer: n.Address}, Session: 7, LocalAddress: netip.AddrFrom4([4]byte{10, 1, byte(i), 5}),
				RemoteID: n.Address, Families: route.IPv4, HoldTime: 180 * time.Second,
			}
		}
		m.budget.Store(500 << 10)
		p.load(in, routeServer, 100)
		m.inUse.Store(8 << 20)
		time.Sleep(time.Second)
		e.MemoryLow()
		if !p.closed(routeServer) {
			t.Error("the neighbor that has filled the memory goes on")
		}
	})
}

// Memory that something else has filled closes no session.
func TestMemoryOfOthers(t *testing.T) {
	crowded(t, func(t *testing.T, e *Engine, p *ports, m *fakeMemory, in *route.Interner) {
		m.budget.Store(500 << 10)
		p.load(in, routeServer, 100)
		m.inUse.Store(1 << 30)
		for range 100 {
			e.MemoryLow()
			time.Sleep(memoryInterval)
		}
		if p.closed(routeServer) || p.closed(farNVA) {
			t.Error("a neighbor is closed for what it does not hold")
		}
		if n := len(p.logged("memory budget exceeded, but not by what neighbors hold")); n != 1 {
			t.Errorf("%d lines", n)
		}
	})
}
