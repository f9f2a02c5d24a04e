package engine

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

func TestEngineCarriesRoutes(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		if !p.hasRoute() {
			t.Error("no route for the kernel")
		}
		if p.sent[routeServer][prefix] == nil {
			t.Error("not advertised to the Route Server")
		}
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Reason: "Cease"}
		if p.hasRoute() {
			t.Error("route stays after the session is lost")
		}
	})
}

// The engine is in sync after End-of-RIB from neighbors that send it, and three quiet
// seconds of those that do not. A restarted engine sends its own End-of-RIB only then.
func TestEngineInSync(t *testing.T) {
	run(t, true, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		p.establish(farNVA, true, false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if p.synced() || len(p.eor) > 0 {
			t.Fatalf("in sync %v, %d End-of-RIB, before the far NVA's End-of-RIB", p.synced(), len(p.eor))
		}
		p.events <- speaker.EndOfRIB{From: speaker.From{Peer: farNVA}, Family: route.IPv4}
		time.Sleep(time.Second)
		synctest.Wait()
		if !p.synced() {
			t.Fatal("not in sync after End-of-RIB and three quiet seconds")
		}
		slices.SortFunc(p.eor, netip.Addr.Compare)
		if !slices.Equal(p.eor, []netip.Addr{routeServer, farNVA}) {
			t.Errorf("End-of-RIB sent to %v", p.eor)
		}
	})
}

// Two NVAs that start together do not wait for each other's End-of-RIB, but they do
// wait for each other's routes.
func TestEngineInSyncBothRestarted(t *testing.T) {
	run(t, true, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		p.establish(farNVA, true, true)
		time.Sleep(time.Second)
		p.announce(farNVA, prefix)
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if p.synced() {
			t.Error("in sync before three quiet seconds")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !p.synced() {
			t.Error("waits for a neighbor that waits for us")
		}
	})
}

// The engine does not wait for a neighbor that stays down longer than its hold time.
func TestEngineInSyncNeighborDown(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		time.Sleep(179 * time.Second)
		synctest.Wait()
		if p.synced() {
			t.Fatal("in sync before the hold time of a neighbor that is down")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !p.synced() {
			t.Fatal("never in sync with a neighbor down")
		}
	})
}

// Without the kernel's links no next hop resolves, so that no route is wanted: a sweep
// would empty a table that works.
func TestEngineInSyncWithoutLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, p, stop := start(t, hub00(), true)
		defer stop()
		apply(t, e, hub00())
		for _, n := range hub00().Neighbors {
			p.establish(n.Address, false, false)
		}
		e.SetFacts(fib.Facts{Routes: reachable().Routes})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if p.synced() {
			t.Fatal("in sync before the kernel's links were known")
		}
		e.SetFacts(reachable())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !p.synced() {
			t.Fatal("never in sync")
		}
	})
}

func TestEngineMaximumPrefix(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		var many []netip.Prefix
		for i := range 4 {
			many = append(many, netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i), 0, 0}), 16))
		}
		p.announce(routeServer, many...)
		if len(p.resets) != 1 || p.resets[0].Code != 6 || p.resets[0].Subcode != 1 {
			t.Fatalf("resets %+v, want Cease/Maximum Number of Prefixes Reached", p.resets)
		}
		views, err := e.Neighbors(t.Context())
		if err != nil || views[0].Reason != "maximum-prefix 3 exceeded" || !views[0].Shutdown {
			t.Errorf("neighbor shows %q, shutdown %v, %v", views[0].Reason, views[0].Shutdown, err)
		}
		if err := e.SetShutdown(t.Context(), routeServer, false, ""); err != nil || p.wanted[0].Disabled {
			t.Errorf("enable: %v, disabled %v", err, p.wanted[0].Disabled)
		}
	})
}

// A configuration whose policies do not compile changes nothing.
func TestEngineRefusesBadPolicy(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		bad := hub00()
		bad.Neighbors = bad.Neighbors[:1]
		bad.Neighbors[0].Import = policy.Chain{RouteMap: "missing"}
		if err := e.Apply(t.Context(), bad); err == nil {
			t.Fatal("accepted")
		}
		if s, _ := e.Status(t.Context()); s.Neighbors != 2 {
			t.Errorf("%d neighbors after a refused configuration, want 2", s.Neighbors)
		}
	})
}

func TestEngineReads(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		for _, table := range []Table{LocRIB, AdjRIBIn, AdjRIBInAccepted} {
			n := 0
			err := e.Routes(t.Context(), Query{Table: table, Neighbor: farNVA}, func(v Path) error {
				n++
				if v.Prefix != prefix || !v.Best || v.NextHops[0] != "via 169.254.0.2 dev vxlan0" {
					t.Errorf("table %d: %+v", table, v)
				}
				return nil
			})
			if err != nil || n != 1 {
				t.Errorf("table %d: %d routes, %v", table, n, err)
			}
		}
		err := e.Routes(t.Context(), Query{Table: AdjRIBOut, Neighbor: netip.MustParseAddr("1.2.3.4")}, nil)
		if err == nil {
			t.Error("an unknown neighbor is no error")
		}
	})
}
