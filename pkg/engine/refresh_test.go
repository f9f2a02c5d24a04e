package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// many returns n prefixes.
func many(n int) []netip.Prefix {
	out := make([]netip.Prefix, n)
	for i := range out {
		out[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(i>>16), byte(i >> 8), byte(i), 0}), 24)
	}
	return out
}

func (p *ports) refresh(from netip.Addr, f route.Family) {
	p.events <- speaker.RouteRefresh{From: speaker.From{Peer: from}, Family: f}
}

// A neighbor that asks for its routes all the time is sent them at once, and then once
// in each pause, as long as its session lasts.
func TestRouteRefreshIsPaced(t *testing.T) {
	const routes = 3_000
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		p.establish(farNVA, false, false)
		p.announce(farNVA, many(routes)...)
		sent := len(p.since(0))
		again := func() (n int) {
			list := p.since(sent)
			sent += len(list)
			return len(list)
		}
		flood := func() {
			for range 1_000 {
				p.refresh(routeServer, route.IPv4)
				p.refresh(routeServer, route.IPv6) // was not negotiated
			}
		}
		flood()
		if n := again(); n != routes {
			t.Errorf("%d routes were sent again at first, want %d", n, routes)
		}
		time.Sleep(refreshSpacing - time.Second)
		if n := again(); n != 0 {
			t.Errorf("%d routes were sent again during the pause", n)
		}
		flood()
		time.Sleep(2 * time.Second)
		if n := again(); n != routes {
			t.Errorf("%d routes were sent again after the pause, want %d", n, routes)
		}
		flood()
		p.events <- speaker.Down{From: speaker.From{Peer: routeServer}, Reason: "Cease"}
		p.establish(routeServer, false, false)
		if n := again(); n != routes {
			t.Errorf("%d routes were sent in the new session, want %d", n, routes)
		}
		time.Sleep(10 * refreshSpacing)
		if n := again(); n != 0 {
			t.Errorf("%d routes were sent for requests of the session before", n)
		}
		p.refresh(routeServer, route.IPv4)
		if n := again(); n != routes {
			t.Errorf("%d routes were sent for the first request of a session, want %d", n, routes)
		}
	})
}

// Before the engine is in sync, it works in turns too: callers get answers between
// them, the kernel has everything that was heard when the gate opens, and a neighbor
// that never stops sending does not keep the gate shut.
func TestInSyncTakesTurns(t *testing.T) {
	const routes = 20 * destinationsPerTurn
	synctest.Test(t, func(t *testing.T) {
		cfg := hub00()
		cfg.Neighbors[0].MaximumPrefix = 0
		e, p, stop := start(t, cfg, true)
		stop() // the test takes the turns
		e.ended = make(chan struct{})
		e.takeConfig(t, cfg)
		now := time.Now()
		all := many(2 * routes)
		for _, a := range []netip.Addr{routeServer, farNVA} {
			e.handle(speaker.Established{From: speaker.From{Peer: a}, LocalAddress: netip.MustParseAddr("10.0.0.4"), RemoteID: a, Families: route.IPv4})
		}
		say := func(from netip.Addr, asn uint32, list []netip.Prefix) {
			e.handle(speaker.Update{From: speaker.From{Peer: from}, Announced: list, Attrs: &route.Attrs{
				ASPath: route.NewASPath(65515, asn), NextHop: from,
			}})
		}
		say(farNVA, 1, all[:routes])
		e.tick(now.Add(time.Hour))
		turns := 0
		for ; !p.inSync && turns < 500; turns++ {
			if got := len(p.routes); got > 2*(turns+1)*destinationsPerTurn {
				t.Fatalf("%d routes after %d turns", got, turns)
			}
			say(routeServer, uint32(turns%2), all[routes:routes+destinationsPerTurn])
			e.rib.Flush(destinationsPerTurn)
			e.publish()
			e.tick(now.Add(time.Hour))
		}
		if !p.inSync || turns < 10 {
			t.Errorf("in sync %v after %d turns", p.inSync, turns)
		}
		for _, prefix := range all[:routes] {
			if p.routes[prefix] == nil {
				t.Fatalf("in sync without %s", prefix)
			}
		}
	})
}

// takeConfig applies cfg without a running engine.
func (e *Engine) takeConfig(t *testing.T, cfg *config.Config) {
	t.Helper()
	c, err := compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	origin, err := compileOrigination(cfg, e.opt.Interner)
	if err != nil {
		t.Fatal(err)
	}
	e.apply(c, origin)
	facts := reachable()
	e.SetFacts(facts)
	e.takeInbox()
}

// A turn takes a bounded number of prefixes, and at most one UPDATE more.
func TestTurnTakesSoManyPrefixes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := hub00()
		cfg.Neighbors[1].MaximumPrefix = 0
		e, p, stop := start(t, cfg, false)
		stop()
		e.takeConfig(t, cfg)
		p.events = make(chan speaker.Event, 64)
		p.events <- speaker.Established{From: speaker.From{Peer: farNVA}, LocalAddress: netip.MustParseAddr("169.254.0.1"), RemoteID: farNVA, Families: route.IPv4}
		all := many(10 * prefixesPerTurn)
		for i := range 20 {
			p.events <- speaker.Update{From: speaker.From{Peer: farNVA}, Announced: all[i*prefixesPerTurn/2:][:prefixesPerTurn/2],
				Attrs: &route.Attrs{ASPath: route.NewASPath(65515), NextHop: farNVA}}
		}
		e.turn(t.Context(), nil, true)
		if _, n := e.rib.Prefixes(); n != prefixesPerTurn {
			t.Errorf("%d prefixes in one turn, want %d", n, prefixesPerTurn)
		}
	})
}
