package engine

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	routeServer = netip.MustParseAddr("10.0.210.4")
	farNVA      = netip.MustParseAddr("169.254.0.2")
	prefix      = netip.MustParsePrefix("10.1.0.0/16")
)

// ports implements the engine's interfaces and records what arrives.
type ports struct {
	events    chan speaker.Event
	mu        sync.Mutex
	routes    map[netip.Prefix]*fib.Route
	sent      map[netip.Addr]map[netip.Prefix]*route.Attrs
	told      []told   // every change that was sent, in order
	requested []string // ROUTE-REFRESH: neighbor and families
	log       []string
	eor       []netip.Addr
	resets    []speaker.Notification
	reset     []uint64 // the session of each
	wanted    []speaker.Neighbor
	ranges    []speaker.Range
	protected []netip.Addr
	released  []string // dynamic neighbor and session
	inSync    bool
	dead      [][]netip.Addr // each set that was told

	prepare   func([]speaker.Neighbor) error // answers Prepare
	configure func()                         // called by Configure
}

// told is a change of a neighbor's Adj-RIB-Out.
type told struct {
	to netip.Addr
	speaker.Change
}

// Write receives the engine's log.
func (p *ports) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, string(line))
	return len(line), nil
}

// logged returns the messages that begin with about.
func (p *ports) logged(about string) []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, line := range p.log {
		if _, msg, _ := strings.Cut(line, `msg="`); strings.HasPrefix(msg, about) {
			msg, _, _ = strings.Cut(msg, `"`)
			out = append(out, msg)
		}
	}
	return out
}

// since returns the changes sent after the first n.
func (p *ports) since(n int) []told {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told[n:])
}

func (p *ports) Events() <-chan speaker.Event { return p.events }

func (p *ports) Prepare(n []speaker.Neighbor, _ ...speaker.Range) error {
	if p.prepare != nil {
		return p.prepare(n)
	}
	return nil
}

func (p *ports) Release(peer netip.Addr, session uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released = append(p.released, fmt.Sprint(peer, " ", session))
}

func (p *ports) Ranges() map[string]speaker.RangeStats { return nil }

func (p *ports) Configure(n []speaker.Neighbor, r ...speaker.Range) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted, p.ranges = n, r
	if p.configure != nil {
		p.configure()
	}
}

func (p *ports) Send(to netip.Addr, _ uint64, changes []speaker.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range changes {
		p.told = append(p.told, told{to, c})
		if p.sent[to] == nil {
			p.sent[to] = map[netip.Prefix]*route.Attrs{}
		}
		if p.sent[to][c.Prefix] = c.Attrs; c.Attrs == nil {
			delete(p.sent[to], c.Prefix)
		}
	}
}

func (p *ports) SendEndOfRIB(to netip.Addr, _ uint64, _ route.Family) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.eor = append(p.eor, to)
}

func (p *ports) Reset(_ netip.Addr, session uint64, n speaker.Notification) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reset = append(p.reset, session)
	p.resets = append(p.resets, n)
}

func (p *ports) Restarted() {}

func (p *ports) SetLimit(netip.Addr, uint64, int) {}

func (p *ports) RequestRefresh(to netip.Addr, _ uint64, f route.Family) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requested = append(p.requested, fmt.Sprint(to, " ", f))
}

func (p *ports) Stats(netip.Addr) (speaker.Stats, bool) { return speaker.Stats{}, true }

func (p *ports) UpdateRoutes(changes []fib.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range changes {
		if p.routes[c.Prefix] = c.Route; c.Route == nil {
			delete(p.routes, c.Prefix)
		}
	}
}

func (p *ports) SetDead(_ string, gateways []netip.Addr) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = append(p.dead, gateways)
	diverted := make(chan struct{})
	close(diverted)
	return diverted
}

func (p *ports) ProtectNeighbors(list []netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.protected = list
}

func (p *ports) InSync() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inSync = true
}

func (p *ports) synced() bool {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inSync
}

func hub00() *config.Config {
	accept := policy.Chain{Accept: true}
	common := config.Settings{
		Families: route.IPv4, HoldTime: 180 * time.Second, Keepalive: 60 * time.Second, Import: accept, Export: accept,
	}
	rs, nva := common, common
	rs.RemoteASN, rs.Domain, rs.MaximumPrefix = 65515, "ars-hub00", 3
	nva.RemoteASN, nva.NextHopSelf, nva.GracefulRestart, nva.RestartTime, nva.StalePathTime = 65001, true, true, 120*time.Second, 360*time.Second
	return &config.Config{
		ASN: 65001, RouterID: netip.MustParseAddr("10.0.0.4"),
		Kernel: config.Kernel{Metric: 20, MaxPaths: 16},
		Neighbors: []config.Neighbor{
			{Address: routeServer, Settings: rs},
			{Address: farNVA, Settings: nva},
		},
	}
}

// run starts an engine with hub00's neighbors in a synctest bubble.
func run(t *testing.T, restarting bool, story func(*testing.T, *Engine, *ports)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e, p, stop := start(t, hub00(), restarting)
		defer stop()
		e.SetFacts(reachable())
		apply(t, e, hub00())
		story(t, e, p)
	})
}

// reachable are facts by which hub00's neighbors are reached.
func reachable() fib.Facts {
	return fib.Facts{
		Links: []fib.Link{{Index: 2, Name: "eth0", Up: true}, {Index: 3, Name: "vxlan0", Up: true}},
		Routes: []fib.KernelRoute{
			{Prefix: netip.MustParsePrefix("10.0.0.0/16"), Hops: []fib.NextHop{{Link: 2}}},
			{Prefix: netip.MustParsePrefix("169.254.0.0/24"), Hops: []fib.NextHop{{Link: 3}}},
		},
	}
}

// start runs an engine without a configuration until stop is called.
func start(t *testing.T, cfg *config.Config, restarting bool) (e *Engine, p *ports, stop func()) {
	p = newPorts()
	e = New(Options{
		Interner: route.NewInterner(), Speaker: p, Forwarding: p, Watch: &watch.Hub{},
		Log: slog.New(slog.NewTextHandler(p, nil)), Restarting: restarting,
	}, cfg)
	return e, p, runEngine(t, e)
}

func newPorts() *ports {
	return &ports{
		events: make(chan speaker.Event), routes: map[netip.Prefix]*fib.Route{},
		sent: map[netip.Addr]map[netip.Prefix]*route.Attrs{},
	}
}

// runEngine runs e until stop is called.
func runEngine(t *testing.T, e *Engine) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	return func() { cancel(); <-done }
}

func apply(t *testing.T, e *Engine, cfg *config.Config) {
	t.Helper()
	if err := e.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

func (p *ports) establish(peer netip.Addr, graceful, restarted bool) {
	ev := speaker.Established{
		From: speaker.From{Peer: peer}, Session: 7, LocalAddress: netip.MustParseAddr("10.0.0.4"),
		RemoteID: peer, Families: route.IPv4, HoldTime: 180 * time.Second, PeerRestarted: restarted,
		RemoteASN: p.remoteASN(peer),
	}
	if graceful {
		ev.GracefulPeer, ev.PeerRestart, ev.Preserved = route.IPv4, 120*time.Second, route.IPv4
	}
	p.events <- ev
}

// remoteASN returns the ASN of a neighbor: the configured one, or 64500 if it may have
// any.
func (p *ports) remoteASN(peer netip.Addr) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.wanted {
		if n.Address == peer && n.RemoteASN != 0 {
			return n.RemoteASN
		}
	}
	return 64500
}

func (p *ports) announce(from netip.Addr, prefixes ...netip.Prefix) {
	path := route.NewASPath(65515)
	p.events <- speaker.Update{
		From:  speaker.From{Peer: from},
		Attrs: &route.Attrs{ASPath: path, NextHop: from}, Announced: prefixes,
	}
	synctest.Wait()
}

func (p *ports) hasRoute() bool {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.routes[prefix] != nil
}
