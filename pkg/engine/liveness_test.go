package engine

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// When a session is lost, its gateway is dead until its routes have gone, and not
// longer.
func TestSessionDownDiverts(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Reason: "Cease"}
		if p.hasRoute() {
			t.Error("route stays")
		}
		if len(p.dead) != 2 || !slices.Equal(p.dead[0], []netip.Addr{farNVA}) || len(p.dead[1]) > 0 {
			t.Errorf("dead were %v", p.dead)
		}
		p.establish(farNVA, true, false)
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Graceful: true}
		synctest.Wait()
		if len(p.dead) != 2 {
			t.Errorf("a graceful restart diverts: %v", p.dead[2:])
		}
	})
}

// BFD down resets the session with Cease/BFD Down (RFC 9384), and graceful restart
// keeps no routes.
func TestPathDown(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		e.PathDown(farNVA, "nothing received for 900ms")
		synctest.Wait()
		if want := (speaker.Notification{Code: 6, Subcode: 10}); len(p.resets) != 1 || p.resets[0] != want {
			t.Fatalf("resets %+v", p.resets)
		}
		if want := uint64(7); p.reset[0] != want {
			t.Errorf("reset of session %d, want %d: the one whose path died", p.reset[0], want)
		}
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Reason: "sent", Graceful: true}
		if p.hasRoute() {
			t.Error("route is kept")
		}
		views, err := e.Neighbors(t.Context())
		if err != nil || views[1].Reason != "BFD: nothing received for 900ms" {
			t.Errorf("neighbor %+v, %v", views[1], err)
		}
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Graceful: true}
		if !p.hasRoute() {
			t.Error("a later restart keeps nothing")
		}
		e.PathDown(farNVA, "nothing received for 900ms")
		if p.hasRoute() {
			t.Error("route is kept over a restart though the path is down")
		}
	})
}

// watcher records the paths that it should watch.
type watcher struct {
	lists   [][]Watched
	reached []netip.Addr
}

func (w *watcher) Watch(list []Watched)    { w.lists = append(w.lists, list) }
func (w *watcher) Reached(addr netip.Addr) { w.reached = append(w.reached, addr) }

func TestWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := hub00()
		e, p, stop := start(t, cfg, false)
		defer stop()
		w := &watcher{}
		e.opt.Liveness = w
		last := func() []Watched {
			synctest.Wait()
			return slices.Clone(w.lists[len(w.lists)-1])
		}
		fast := config.BFD{Enabled: true, MinTx: 50 * time.Millisecond, MinRx: 50 * time.Millisecond, Multiplier: 3}
		cfg.Neighbors[0].BFD, cfg.Neighbors[0].EBGPMultihop = fast, 3
		cfg.Neighbors[1].BFD = fast
		apply(t, e, cfg)
		if len(w.lists) > 0 {
			t.Errorf("watches %v without an address of its own", w.lists)
		}
		e.SetFacts(fib.Facts{
			Links: []fib.Link{
				{Index: 2, Name: "eth0", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.4/24")}},
				{Index: 3, Name: "vxlan0", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")}},
			},
			Routes: []fib.KernelRoute{
				{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Hops: []fib.NextHop{{Link: 2}}},
				{Prefix: netip.MustParsePrefix("169.254.0.0/24"), Hops: []fib.NextHop{{Link: 3}}},
			},
		})
		own, inner := netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("169.254.0.1")
		far := fast
		far.MinTTL = 253 // what ebgp-multihop leaves of 255
		want := []Watched{
			{Neighbor: routeServer, Local: own, Multihop: true, BFD: far}, {Neighbor: farNVA, Local: inner, Device: "vxlan0", BFD: fast},
		}
		if got := last(); !slices.Equal(got, want) {
			t.Errorf("watches %v, want %v", got, want)
		}
		p.establish(farNVA, false, false)
		want[1].Local, want[1].Device = own, "" // that of the session, on no link with the neighbor
		if got := last(); !slices.Equal(got, want) || !slices.Equal(w.reached, []netip.Addr{farNVA}) {
			t.Errorf("watches %v, want %v; reached %v", got, want, w.reached)
		}
		if err := e.SetShutdown(t.Context(), farNVA, true, ""); err != nil {
			t.Fatal(err)
		}
		if got := last(); !slices.Equal(got, want[:1]) {
			t.Errorf("watches %v, which is shut down", got)
		}
	})
}

// The far ends of a tunnel are watched beside the neighbors, none of them twice, and a
// static route through a dead one is withdrawn.
func TestFarEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := hub00()
		e, p, stop := start(t, cfg, false)
		defer stop()
		w := &watcher{}
		e.opt.Liveness = w
		gateway, inner := netip.MustParseAddr("169.254.0.3"), netip.MustParsePrefix("169.254.0.1/24")
		slow := config.BFD{Enabled: true, MinTx: time.Second, MinRx: time.Second, Multiplier: 3}
		cfg.Tunnels = []config.Tunnel{{Name: "vxlan0", Addresses: []netip.Prefix{inner}, BFD: slow}}
		cfg.Statics = []config.Static{
			{Prefix: prefix, Via: []config.Gateway{{Address: gateway}}}, {Prefix: netip.MustParsePrefix("10.2.0.0/16"), Via: []config.Gateway{{Address: farNVA}}},
		}
		apply(t, e, cfg)
		synctest.Wait()
		want := []Watched{
			{Neighbor: gateway, Local: inner.Addr(), Device: "vxlan0", FarEnd: true, BFD: slow},
			{Neighbor: farNVA, Local: inner.Addr(), Device: "vxlan0", BFD: slow},
		}
		if got := w.lists[len(w.lists)-1]; !slices.Equal(got, want) {
			t.Errorf("watches %v, want %v", got, want)
		}
		e.SetFacts(fib.Facts{
			Links:  []fib.Link{{Index: 3, Up: true, Addresses: []netip.Prefix{inner}}},
			Routes: []fib.KernelRoute{{Prefix: inner.Masked(), Hops: []fib.NextHop{{Link: 3}}}},
		})
		for _, dead := range [][]netip.Addr{{}, {gateway}, {farNVA}} {
			e.SetDead(dead)
			if p.hasRoute() == slices.Contains(dead, gateway) {
				t.Errorf("there is a route: %t, with %v dead", p.hasRoute(), dead)
			}
		}
	})
}

// A neighbor that has returned is not dead any more, even if the RIB still has to
// decide about its loss.
func TestReturned(t *testing.T) {
	first, second := netip.MustParseAddr("10.0.210.4"), netip.MustParseAddr("10.0.210.5")
	p := &ports{}
	d := departures{forwarding: p}
	d.add(first)
	d.add(second)
	d.remove(first)
	d.remove(first)
	want := [][]netip.Addr{{first}, {first, second}, {second}}
	if !slices.EqualFunc(p.dead, want, slices.Equal[[]netip.Addr]) {
		t.Errorf("told %v, want %v", p.dead, want)
	}
}

// The gateway of a lost session does not stay dead for as long as another neighbor
// keeps sending.
func TestDepartureEndsUnderFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, in := newPorts(), route.NewInterner()
		e := New(Options{Interner: in, Speaker: p, Forwarding: p, Log: slog.New(slog.NewTextHandler(p, nil))}, hub00())
		stop := runEngine(t, e)
		e.SetFacts(fib.Facts{Links: []fib.Link{{Index: 2, Name: "eth0", Up: true}}})
		cfg := hub00()
		for i := range cfg.Neighbors {
			cfg.Neighbors[i].MaximumPrefix = 0
		}
		apply(t, e, cfg)
		p.establish(routeServer, false, false)
		p.establish(farNVA, false, false)
		synctest.Wait()
		stop()
		many := prefixes(250)
		flood := func(i uint32) {
			set := in.Intern(route.Attrs{ASPath: route.NewASPath(65515, i+1), NextHop: farNVA})
			e.handle(speaker.Update{From: speaker.From{Peer: farNVA}, Attrs: set, Announced: many})
		}
		flood(0)
		e.handle(speaker.Down{From: speaker.From{Peer: routeServer}})
		for i := range uint32(1000) {
			flood(i)
			if !e.rib.Flush(100) {
				t.Fatal("nothing waits: this is no flood")
			}
			e.publish()
			if len(e.departures.gateways) == 0 {
				return
			}
		}
		t.Error("the gateway still counts as dead")
	})
}

// stuck is a forwarding plane that never completes a swap.
type stuck struct{ *ports }

func (stuck) SetDead(string, []netip.Addr) <-chan struct{} { return nil }

// When hundreds of sessions are lost at once, the engine is busy for a moment, not for
// the sum of all swaps.
func TestManyDepartures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, cfg := newPorts(), hub00()
		for i := range 200 {
			n := cfg.Neighbors[0]
			n.Address = netip.AddrFrom4([4]byte{10, 1, byte(i), 4})
			cfg.Neighbors = append(cfg.Neighbors, n)
		}
		e := New(Options{Interner: route.NewInterner(), Speaker: p, Forwarding: stuck{p}, Log: slog.New(slog.NewTextHandler(p, nil))}, cfg)
		stop := runEngine(t, e)
		defer stop()
		apply(t, e, cfg)
		for _, n := range cfg.Neighbors {
			p.establish(n.Address, false, false)
		}
		synctest.Wait()
		begin := time.Now()
		for _, n := range cfg.Neighbors {
			p.events <- speaker.Down{From: speaker.From{Peer: n.Address}}
		}
		for up := 1; up > 0; {
			status, err := e.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			up = status.Established
		}
		if took := time.Since(begin); took > mostDiverts*divertTime {
			t.Errorf("the engine was busy with it for %s", took)
		}
	})
}
