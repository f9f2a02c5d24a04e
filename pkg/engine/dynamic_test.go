package engine

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

var scaleSet = netip.MustParsePrefix("10.0.7.0/24")

// ranged is hub00 with a listen-range of neighbors like its Route Server's.
func ranged(p netip.Prefix) *config.Config {
	cfg := hub00()
	s := cfg.Neighbors[0].Settings
	s.Domain, s.MaximumPrefix, s.StalePathTime = "", 10, 360*time.Second
	cfg.Ranges = []config.Range{{Prefix: p, Limit: 2, Neighbor: config.Neighbor{PeerGroup: "scale-set", Settings: s}}}
	return cfg
}

func runRanged(t *testing.T, story func(*testing.T, *Engine, *ports)) {
	synctest.Test(t, func(t *testing.T) {
		e, p, stop := start(t, ranged(scaleSet), false)
		defer stop()
		e.SetFacts(reachable())
		apply(t, e, ranged(scaleSet))
		story(t, e, p)
	})
}

// dynamic returns the dynamic neighbors.
func dynamic(t *testing.T, e *Engine) (out []string) {
	t.Helper()
	list, err := e.Neighbors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list {
		if n.Range.IsValid() {
			out = append(out, n.Address.String())
		}
	}
	return out
}

func (p *ports) given() (ranges []speaker.Range, released []string, disabled []netip.Addr) {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.wanted {
		if n.Disabled {
			disabled = append(disabled, n.Address)
		}
	}
	return p.ranges, slices.Clone(p.released), disabled
}

// A dynamic neighbor is there from the moment its session is up, and its state vanishes
// with the session.
func TestDynamicNeighbor(t *testing.T) {
	runRanged(t, func(t *testing.T, e *Engine, p *ports) {
		one, stranger := netip.MustParseAddr("10.0.7.4"), netip.MustParseAddr("10.0.8.4")
		ranges, _, _ := p.given()
		if len(ranges) != 1 || ranges[0].Prefix != scaleSet || ranges[0].Limit != 2 || ranges[0].Group != "scale-set" || ranges[0].RemoteASN != 65515 {
			t.Fatalf("the speaker has the ranges %+v", ranges)
		}
		p.events <- speaker.StateChanged{From: speaker.From{Peer: one}, State: speaker.OpenSent}
		p.establish(stranger, false, false)
		if got := dynamic(t, e); len(got) > 0 {
			t.Errorf("neighbors without a session, or outside of the range: %s", got)
		}
		for range 2 {
			p.establish(one, false, false)
			p.announce(one, prefix)
			if got := dynamic(t, e); !p.hasRoute() || !slices.Equal(got, []string{"10.0.7.4"}) || !slices.Equal(p.protected, []netip.Addr{one}) {
				t.Fatalf("neighbors %s; its route is installed: %v", got, p.hasRoute())
			}
			p.events <- speaker.Down{From: speaker.From{Peer: one}, Reason: "Cease"}
			if got := dynamic(t, e); p.hasRoute() || len(got) > 0 || len(p.protected) > 0 {
				t.Errorf("neighbors %s after the session; its route is installed: %v", got, p.hasRoute())
			}
		}
		if _, released, _ := p.given(); !slices.Equal(released, []string{"10.0.7.4 7", "10.0.7.4 7"}) {
			t.Errorf("released %v", released)
		}
		if n := e.rib.Octets(one); n != 0 {
			t.Errorf("%d octets of its routes are left", n)
		}
	})
}

// Graceful restart keeps the routes, and with them the neighbor and its place, until the
// restart time is over.
func TestDynamicNeighborRestarts(t *testing.T) {
	runRanged(t, func(t *testing.T, e *Engine, p *ports) {
		one := netip.MustParseAddr("10.0.7.4")
		p.establish(one, true, false)
		p.announce(one, prefix)
		p.events <- speaker.Down{From: speaker.From{Peer: one}, Graceful: true}
		time.Sleep(119 * time.Second)
		_, released, _ := p.given()
		if got := dynamic(t, e); !p.hasRoute() || len(got) != 1 || len(released) > 0 {
			t.Fatalf("neighbors %s, released %s; its route is installed: %v", got, released, p.hasRoute())
		}
		time.Sleep(2 * time.Second)
		_, released, _ = p.given()
		if got := dynamic(t, e); p.hasRoute() || len(got) > 0 || len(released) != 1 {
			t.Fatalf("after the restart time: neighbors %s, released %s; its route is installed: %v", got, released, p.hasRoute())
		}
	})
}

// A neighbor that an operator shuts down keeps its place, and no other gets it, until it is
// enabled. It is then forgotten, and may connect again.
func TestDynamicNeighborIsShutDown(t *testing.T) {
	runRanged(t, func(t *testing.T, e *Engine, p *ports) {
		one := netip.MustParseAddr("10.0.7.4")
		p.establish(one, true, false)
		if err := e.SetShutdown(t.Context(), one, true, ""); err != nil {
			t.Fatal(err)
		}
		p.events <- speaker.Down{From: speaker.From{Peer: one}, Graceful: true}
		ranges, released, disabled := p.given()
		if got := dynamic(t, e); len(got) != 1 || ranges[0].Limit != 1 || len(released) > 0 || !slices.Equal(disabled, []netip.Addr{one}) {
			t.Errorf("neighbors %s, limit %d, released %s, disabled %s", got, ranges[0].Limit, released, disabled)
		}
		if err := e.SetShutdown(t.Context(), one, false, ""); err != nil {
			t.Fatal(err)
		}
		ranges, released, disabled = p.given()
		if got := dynamic(t, e); len(got) > 0 || ranges[0].Limit != 2 || len(released) != 1 || len(disabled) > 0 {
			t.Errorf("enabled: neighbors %s, limit %d, released %s, disabled %s", got, ranges[0].Limit, released, disabled)
		}
	})
}

// A reload ends the sessions that are in no range any more; --dry-run says so. Those that
// stay follow the settings of their range.
func TestDynamicNeighborReload(t *testing.T) {
	runRanged(t, func(t *testing.T, e *Engine, p *ports) {
		low, high := netip.MustParseAddr("10.0.7.4"), netip.MustParseAddr("10.0.7.200")
		other := netip.MustParsePrefix("10.2.0.0/16")
		p.establish(low, true, false)
		p.establish(high, true, false)
		p.announce(low, other)
		p.announce(high, prefix)
		smaller := ranged(netip.MustParsePrefix("10.0.7.0/25"))
		smaller.Ranges[0].Weight = 9
		effect, resets, err := e.Preview(t.Context(), smaller)
		if err != nil || len(resets) > 0 || removedFrom(effect, rib.Installed) != 1 {
			t.Errorf("preview: %+v resets %v, %v", effect, resets, err)
		}
		reset := ranged(scaleSet)
		reset.Ranges[0].HoldTime = 30 * time.Second
		if _, resets, err := e.Preview(t.Context(), reset); err != nil || len(resets) != 2 {
			t.Errorf("preview of another hold time resets %v, %v", resets, err)
		}
		apply(t, e, smaller)
		if got := dynamic(t, e); p.hasRoute() || !slices.Equal(got, []string{"10.0.7.4"}) {
			t.Errorf("neighbors %s; the other's route is installed: %v", got, p.hasRoute())
		}
		p.events <- speaker.Down{From: speaker.From{Peer: high}, Reason: "Cease"}
		if n := e.neighbors[low]; n.cfg.Weight != 9 || n.up == nil {
			t.Errorf("after the reload: %+v", n.cfg)
		}
		apply(t, e, hub00())
		if got := dynamic(t, e); len(got) > 0 {
			t.Errorf("neighbors %s without a range", got)
		}
	})
}

func removedFrom(e rib.Effect, stage rib.Stage) int {
	for _, g := range e.Groups {
		if g.Stage == stage {
			return g.Removed
		}
	}
	return 0
}

// A router that a reload configures by its address is dynamic no longer, and the reverse.
func TestDynamicNeighborIsConfigured(t *testing.T) {
	runRanged(t, func(t *testing.T, e *Engine, p *ports) {
		one := netip.MustParseAddr("10.0.7.4")
		p.establish(one, false, false)
		fixed := ranged(scaleSet)
		fixed.Neighbors = append(fixed.Neighbors, config.Neighbor{Address: one, Settings: fixed.Neighbors[0].Settings})
		apply(t, e, fixed)
		p.events <- speaker.Down{From: speaker.From{Peer: one}, Reason: "Cease"}
		if list, _ := e.Neighbors(t.Context()); len(list) != 3 || len(dynamic(t, e)) > 0 {
			t.Errorf("%d neighbors, dynamic %s", len(list), dynamic(t, e))
		}
		apply(t, e, ranged(scaleSet))
		if list, _ := e.Neighbors(t.Context()); len(list) != 2 {
			t.Errorf("%d neighbors", len(list))
		}
	})
}

// An external dynamic neighbor is judged by the ASN that it shows, and BFD watches one
// for as long as it is there.
func TestDynamicNeighborExternalWithBFD(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := ranged(scaleSet)
		r := &cfg.Ranges[0]
		r.RemoteASN, r.RemoteType, r.EnforceFirstAS, r.BFD = 0, config.External, true, config.DefaultBFD()
		e, p, stop := start(t, cfg, false)
		defer stop()
		var watched [][]Watched
		e.opt.Liveness = watchFunc(func(list []Watched) { watched = append(watched, list) })
		e.SetFacts(reachable())
		apply(t, e, cfg)
		one := netip.MustParseAddr("10.0.7.4")
		p.establishAs(one, 65515)
		p.announce(one, prefix)
		if !p.hasRoute() {
			t.Error("a path of its ASN is rejected")
		}
		p.events <- speaker.Down{From: speaker.From{Peer: one}, Reason: "Cease"}
		p.establishAs(one, 64999)
		p.announce(one, prefix)
		if p.hasRoute() {
			t.Error("a path that does not begin with its ASN is accepted")
		}
		p.events <- speaker.Down{From: speaker.From{Peer: one}, Reason: "Cease"}
		synctest.Wait()
		var counts []int
		for _, list := range watched {
			counts = append(counts, len(list))
		}
		if !slices.Equal(counts, []int{1, 0, 1, 0}) {
			t.Errorf("BFD watched %v", counts)
		}
	})
}

type watchFunc func([]Watched)

func (w watchFunc) Watch(list []Watched) { w(list) }
func (watchFunc) Reached(netip.Addr)     {}

// After a restart nothing names the dynamic neighbors of the earlier run. The engine gives
// them some time before it deletes their routes.
func TestDynamicNeighborsAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := ranged(scaleSet)
		cfg.Neighbors = nil
		e, p, stop := start(t, cfg, true)
		defer stop()
		e.SetFacts(reachable())
		apply(t, e, cfg)
		time.Sleep(listenWait - time.Second)
		if p.synced() {
			t.Error("in sync before dynamic neighbors could return")
		}
		p.establish(netip.MustParseAddr("10.0.7.4"), true, false)
		time.Sleep(2 * time.Second)
		if p.synced() {
			t.Error("in sync before the End-of-RIB of a dynamic neighbor")
		}
		p.events <- speaker.EndOfRIB{From: speaker.From{Peer: netip.MustParseAddr("10.0.7.4")}, Family: route.IPv4}
		time.Sleep(time.Second)
		if !p.synced() {
			t.Error("not in sync")
		}
	})
}

// Dynamic neighbors that come and go in turn, each before it has announced all its routes,
// do not keep the engine from getting in sync.
func TestDynamicNeighborsDelaySync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := ranged(scaleSet)
		cfg.Neighbors = nil
		e, p, stop := start(t, cfg, true)
		defer stop()
		e.SetFacts(reachable())
		apply(t, e, cfg)
		began := time.Now()
		for i := byte(1); !p.synced(); i++ {
			p.establish(netip.AddrFrom4([4]byte{10, 0, 7, i}), true, false)
			time.Sleep(5 * time.Second)
			p.events <- speaker.Down{From: speaker.From{Peer: netip.AddrFrom4([4]byte{10, 0, 7, i - 1})}}
			synctest.Wait()
			if time.Since(began) > cfg.Ranges[0].HoldTime+longestTable+10*time.Second {
				t.Fatalf("not in sync after %s", time.Since(began))
			}
		}
		if time.Since(began) < cfg.Ranges[0].HoldTime {
			t.Errorf("in sync after %s", time.Since(began))
		}
	})
}

// A route may be tried from and to an address in a listen-range, as if it had connected.
func TestTryDynamic(t *testing.T) {
	cfg := ranged(scaleSet)
	r := &cfg.Ranges[0]
	r.RemoteASN, r.RemoteType, r.EnforceFirstAS = 0, config.External, true
	trial := Trial{Neighbor: netip.MustParseAddr("10.0.7.9"), Prefix: prefix, Attrs: route.Attrs{ASPath: route.NewASPath(64999)}}
	x, err := Try(cfg, trial)
	if err != nil || len(x.Paths) != 1 || x.Paths[0].Accepted == nil {
		t.Errorf("import: %+v, %v", x.Paths, err)
	}
	trial.Export, trial.Neighbor, trial.From = true, routeServer, trial.Neighbor
	if x, err = Try(cfg, trial); err != nil || len(x.Exports) != 1 {
		t.Errorf("export of its route: %+v, %v", x.Exports, err)
	}
	trial.From = netip.MustParseAddr("10.0.8.9")
	if _, err = Try(cfg, trial); err == nil {
		t.Error("an address outside of the range is taken for a neighbor")
	}
}

// A dynamic neighbor that was closed for the memory budget is forgotten once it may return.
// Each time it stays closed for longer all the same.
func TestDynamicNeighborOverMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p, in := &fakeMemory{}, newPorts(), route.NewInterner()
		cfg := ranged(scaleSet)
		cfg.Ranges[0].MaximumPrefix = 0
		e := New(Options{Interner: in, Speaker: p, Forwarding: p, Memory: m, Log: slog.New(slog.NewTextHandler(p, nil))}, cfg)
		m.e = e
		defer runEngine(t, e)()
		e.SetFacts(reachable())
		apply(t, e, cfg)
		m.budget.Store(500 << 10)
		one := netip.MustParseAddr("10.0.7.4")
		for _, hold := range []time.Duration{time.Minute, 2 * time.Minute} {
			p.establish(one, false, false)
			p.load(in, one, 100)
			m.inUse.Store(600 << 10)
			time.Sleep(time.Second)
			e.MemoryLow()
			if !p.closed(one) {
				t.Fatal("the neighbor that fills the memory is not closed")
			}
			p.events <- speaker.Down{From: speaker.From{Peer: one}}
			time.Sleep(hold - 3*time.Second)
			if !p.closed(one) {
				t.Fatalf("closed for less than %s", hold)
			}
			time.Sleep(5 * time.Second)
			if got := dynamic(t, e); len(got) > 0 {
				t.Fatalf("still there after %s: %s", hold, got)
			}
		}
	})
}

// The loop domain of a listen-range is there before its first neighbor, and after the last:
// a neighbor that flaps does not have everything advertised again to all others.
func TestDynamicNeighborDomain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, one := ranged(scaleSet), netip.MustParseAddr("10.0.7.4")
		for i := range cfg.Neighbors {
			cfg.Neighbors[i].Domain = ""
		}
		cfg.Ranges[0].Domain = "scale-set"
		e, p, stop := start(t, cfg, false)
		defer stop()
		e.SetFacts(reachable())
		apply(t, e, cfg)
		in := e.opt.Interner
		p.establish(routeServer, false, false)
		p.establish(farNVA, false, false)
		marked := in.Intern(route.Attrs{
			ASPath: route.NewASPath(64580), NextHop: farNVA, ExtCommunities: []route.ExtCommunity{route.SiteOfOrigin(65001, 7)},
		})
		p.events <- speaker.Update{From: speaker.From{Peer: farNVA}, Attrs: marked, Announced: []netip.Prefix{prefix}}
		synctest.Wait()
		before := len(p.told)
		if before == 0 {
			t.Fatal("nothing is advertised")
		}
		p.establish(one, false, false)
		synctest.Wait()
		p.events <- speaker.Down{From: speaker.From{Peer: one}}
		synctest.Wait()
		for _, c := range p.told[before:] {
			if c.to != one {
				t.Errorf("sent again: %s %+v", c.to, c.Change)
			}
		}
	})
}
