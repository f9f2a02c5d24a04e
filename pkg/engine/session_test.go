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

// without is hub00 without one neighbor.
func without(addr netip.Addr) *config.Config {
	cfg := hub00()
	for i, n := range cfg.Neighbors {
		if n.Address == addr {
			cfg.Neighbors = append(cfg.Neighbors[:i:i], cfg.Neighbors[i+1:]...)
			break
		}
	}
	return cfg
}

// If a neighbor is removed and added again while UPDATEs of its session are under way,
// they are ignored: no session is left that could withdraw their routes.
func TestRemovedAndAddedAgain(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(farNVA, false, false)
		p.announce(farNVA, prefix)
		apply(t, e, without(farNVA))
		apply(t, e, hub00())
		p.announce(farNVA, prefix)
		p.events <- speaker.EndOfRIB{From: speaker.From{Peer: farNVA}, Family: route.IPv4}
		p.events <- speaker.RouteRefresh{From: speaker.From{Peer: farNVA}, Family: route.IPv4}
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Reason: "Cease"}
		if p.hasRoute() {
			t.Error("a route of the session that is over stays for good")
		}
		p.establish(farNVA, false, false)
		if p.hasRoute() {
			t.Error("the next session began with a route of the one before")
		}
	})
}

// RFC 4724: routes of a restarting neighbor stay until its End-of-RIB, or until its
// restart time is over.
func TestEngineKeepsRoutesOverRestart(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Graceful: true}
		if !p.hasRoute() {
			t.Fatal("route went at once")
		}
		time.Sleep(119 * time.Second)
		if !p.hasRoute() {
			t.Fatal("route went before the restart time")
		}
		time.Sleep(2 * time.Second)
		if p.hasRoute() {
			t.Fatal("route stays after the restart time")
		}
		p.establish(farNVA, true, true)
		p.announce(farNVA, prefix)
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Graceful: true}
		p.establish(farNVA, true, true)
		if !p.hasRoute() {
			t.Fatal("route went before End-of-RIB")
		}
		p.events <- speaker.EndOfRIB{From: speaker.From{Peer: farNVA}, Family: route.IPv4}
		if p.hasRoute() {
			t.Fatal("route not announced again stays after End-of-RIB")
		}
	})
}

// A neighbor's restart time counts up to stalepath-time. After that, stale routes go
// even if the session is back, unless End-of-RIB has come.
func TestStalePathTime(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		for _, returns := range []bool{false, true} {
			p.events <- speaker.Established{
				From: speaker.From{Peer: farNVA}, LocalAddress: netip.MustParseAddr("169.254.0.1"), RemoteID: farNVA,
				Families: route.IPv4, GracefulPeer: route.IPv4, PeerRestart: 4095 * time.Second, Preserved: route.IPv4,
			}
			p.announce(farNVA, prefix)
			p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Graceful: true}
			time.Sleep(300 * time.Second)
			if returns {
				p.establish(farNVA, true, true)
			}
			time.Sleep(59 * time.Second)
			if !p.hasRoute() {
				t.Fatalf("returns %t: route went before stalepath-time", returns)
			}
			time.Sleep(2 * time.Second)
			if p.hasRoute() {
				t.Fatalf("returns %t: route stays after stalepath-time", returns)
			}
		}
	})
}

// Graceful restart keeps only the routes of the families that the neighbor named (RFC
// 4724 4.2).
func TestKeepsOnlyGracefulFamilies(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		cfg := hub00()
		cfg.Neighbors[1].Families = allFamilies
		apply(t, e, cfg)
		p.events <- speaker.Established{
			From: speaker.From{Peer: farNVA}, LocalAddress: netip.MustParseAddr("169.254.0.1"), RemoteID: farNVA,
			Families: allFamilies, GracefulPeer: route.IPv4, PeerRestart: 120 * time.Second,
		}
		p.announce(farNVA, prefix, netip.MustParsePrefix("2001:db8::/32"))
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Graceful: true}
		if !p.hasRoute() {
			t.Error("IPv4 route gone, which the neighbor keeps")
		}
		views, err := e.Neighbors(t.Context())
		if err != nil || views[1].Counts.Received != 1 || views[1].Counts.Stale != 1 {
			t.Errorf("%d routes kept, %d stale, %v; want the IPv4 one alone", views[1].Counts.Received, views[1].Counts.Stale, err)
		}
	})
}

// Shutting a neighbor down also removes the routes that graceful restart keeps.
func TestShutdownWhileRestarting(t *testing.T) {
	for name, shut := range map[string]func(*testing.T, *Engine){
		"by nvactl": func(t *testing.T, e *Engine) {
			if err := e.SetShutdown(t.Context(), farNVA, true, ""); err != nil {
				t.Error(err)
			}
		},
		"by the file": func(t *testing.T, e *Engine) {
			cfg := hub00()
			cfg.Neighbors[1].Shutdown = true
			apply(t, e, cfg)
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, false, func(t *testing.T, e *Engine, p *ports) {
				p.establish(farNVA, true, false)
				p.announce(farNVA, prefix)
				p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Graceful: true}
				if !p.hasRoute() {
					t.Fatal("route went at once")
				}
				shut(t, e)
				if p.hasRoute() {
					t.Error("route of a neighbor that is shut down")
				}
			})
		})
	}
}

// If there is no hold time (RFC 4271 4.2), the engine still waits for a neighbor that
// is down before it deletes routes of an earlier run.
func TestInSyncWithoutHoldTime(t *testing.T) {
	run(t, true, func(t *testing.T, e *Engine, p *ports) {
		cfg := hub00()
		for i := range cfg.Neighbors {
			cfg.Neighbors[i].HoldTime = 0
		}
		apply(t, e, cfg)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if p.synced() {
			t.Error("in sync before any neighbor had a chance")
		}
		time.Sleep(longestTable)
		if !p.synced() {
			t.Error("never in sync")
		}
	})
}
