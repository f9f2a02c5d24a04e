package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/watch"
)

var otherServer = netip.MustParseAddr("10.0.210.5")

// tagged is hub00 with both instances of a Route Server. Each has a route-map of its
// own in its export, which sets the given MED.
func tagged(med0, med1 uint32) *config.Config {
	cfg := hub00()
	second := cfg.Neighbors[0]
	second.Address = otherServer
	cfg.Neighbors = append(cfg.Neighbors, second)
	cfg.Policies.RouteMaps = map[string]policy.RouteMap{}
	for i, med := range map[int]uint32{0: med0, 2: med1} {
		name := fmt.Sprint("to-", cfg.Neighbors[i].Address)
		cfg.Policies.RouteMaps[name] = policy.RouteMap{{Seq: 5, Permit: true, Set: policy.Set{MED: &policy.Number{Value: med}}}}
		cfg.Neighbors[i].Export = policy.Chain{Accept: true, RouteMap: name}
		cfg.Neighbors[i].MaximumPrefix = 0
	}
	return cfg
}

// A reload evaluates the sessions again whose programs changed, and no others; each
// change is sent as one replacement.
func TestReloadTouchesWhatChanged(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		apply(t, e, tagged(1, 1))
		for _, peer := range []netip.Addr{routeServer, otherServer, farNVA} {
			p.establish(peer, false, false)
		}
		p.announce(farNVA, prefixes(20)...)
		n := len(p.since(0))

		apply(t, e, tagged(1, 1))
		if got := p.since(n); len(got) != 0 {
			t.Errorf("a reload without a change sent %d changes", len(got))
		}
		apply(t, e, tagged(1, 2))
		got := p.since(n)
		for _, c := range got {
			if c.to != otherServer || c.Attrs == nil || c.Attrs.MED.Value != 2 {
				t.Errorf("sent to %s: %s %+v", c.to, c.Prefix, c.Attrs)
			}
		}
		if len(got) != 20 {
			t.Errorf("%d changes, want one for each of 20 prefixes", len(got))
		}
	})
}

// A changed import policy reaches the other neighbors as replacements, and its denials
// as withdrawals, once each.
func TestReloadImport(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		apply(t, e, tagged(1, 1))
		p.establish(routeServer, false, false)
		p.establish(farNVA, false, false)
		p.announce(farNVA, prefixes(20)...)
		n := len(p.since(0))

		cfg := tagged(1, 1)
		cfg.Policies.PrefixLists = map[string]policy.PrefixList{"few": {{Seq: 5, Permit: true, Prefix: pfx("11.0.0.0/13"), LE: 16}}}
		cfg.Policies.RouteMaps["in"] = policy.RouteMap{{
			Seq: 5, Permit: true, Match: policy.Match{PrefixList: "few"}, Set: policy.Set{CommunitiesAdd: []string{"65001:1"}},
		}}
		cfg.Neighbors[1].Import = policy.Chain{Accept: true, RouteMap: "in"}
		apply(t, e, cfg)
		seen, withdrawn := map[netip.Prefix]bool{}, 0
		for _, c := range p.since(n) {
			if seen[c.Prefix] || c.to != routeServer {
				t.Errorf("sent to %s again: %s", c.to, c.Prefix)
			}
			seen[c.Prefix] = true
			if c.Attrs == nil {
				withdrawn++
			}
		}
		if len(seen) != 20 || withdrawn != 12 {
			t.Errorf("%d changes, %d of them withdrawals; want 20 and 12", len(seen), withdrawn)
		}
	})
}

// kernel.max-paths and kernel.resolve-default take effect with the reload.
func TestReloadKernel(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		hops := func() int {
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			if r := p.routes[prefix]; r != nil {
				return len(r.Hops)
			}
			return 0
		}
		e.SetFacts(facts(fib.KernelRoute{
			Prefix: pfx("0.0.0.0/0"), Protocol: 16, Hops: []fib.NextHop{{Via: netip.MustParseAddr("10.0.0.1"), Link: 2}, {Via: netip.MustParseAddr("10.0.0.2"), Link: 2}},
		}))
		p.establish(routeServer, false, false)
		p.announce(routeServer, prefix)
		if hops() != 0 {
			t.Fatal("the next hop is reached without the default route")
		}
		cfg := hub00()
		cfg.Kernel.ResolveDefault = true
		apply(t, e, cfg)
		if hops() != 2 {
			t.Fatalf("%d next hops through the default route, want 2", hops())
		}
		cfg = hub00()
		cfg.Kernel.ResolveDefault, cfg.Kernel.MaxPaths = true, 1
		apply(t, e, cfg)
		if hops() != 1 {
			t.Fatalf("%d next hops, want 1", hops())
		}
	})
}

// If the sessions can't open what they need, the reload fails before anything changes.
func TestReloadRefusedBySessions(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(farNVA, false, false)
		p.announce(farNVA, prefixes(3)...)
		p.prepare = func(n []speaker.Neighbor) error {
			if len(n) == 1 {
				return errors.New("listen on 10.0.0.4 port 179: address already in use")
			}
			return nil
		}
		if err := e.Prepare(t.Context(), without(farNVA)); err == nil {
			t.Fatal("no error")
		}
		s, _ := e.Status(t.Context())
		if s.Neighbors != 2 || s.Established != 1 || s.Prefixes != 3 || len(p.wanted) != 2 {
			t.Errorf("%+v, %d sessions wanted after a refused configuration", s, len(p.wanted))
		}
		if err := e.Prepare(t.Context(), hub00()); err != nil {
			t.Error(err)
		}
	})
}

// A neighbor that was shut down at run time stays so in a reload.
func TestPrepareKeepsShutdowns(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		if err := e.SetShutdown(t.Context(), farNVA, true, ""); err != nil {
			t.Fatal(err)
		}
		p.prepare = func(n []speaker.Neighbor) error {
			for _, n := range n {
				if n.Disabled != (n.Address == farNVA) {
					t.Errorf("neighbor %s: disabled is %v", n.Address, n.Disabled)
				}
			}
			return nil
		}
		if err := e.Prepare(t.Context(), hub00()); err != nil {
			t.Error(err)
		}
	})
}

// Removing a neighbor by a reload is logged and published.
func TestReloadRemovesNeighbor(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(farNVA, false, false)
		synctest.Wait()
		events := e.opt.Watch.Subscribe(watch.Filter{Kinds: watch.Neighbors})
		defer events.Close()
		apply(t, e, without(farNVA))
		if got := p.logged("neighbor removed"); len(got) != 1 {
			t.Errorf("logged %q", got)
		}
		got, _, err := events.Next(t.Context())
		if err != nil || len(got) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		if n, ok := got[0].Change.(watch.Neighbor); !ok || n.Address != farNVA || n.From != speaker.EstablishedState ||
			n.To != speaker.Idle || n.Reason != "removed from the configuration" {
			t.Errorf("%+v", got)
		}
	})
}

// A caller whose context ends still waits until the engine has finished writing its
// answer.
func TestCallerWaitsForWhatWasTaken(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		ctx, cancel := context.WithCancel(t.Context())
		gate, returned := make(chan struct{}), make(chan error, 1)
		go func() { returned <- e.do(ctx, func() { <-gate }) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case <-returned:
			t.Error("it returned while the engine was at it")
		default:
		}
		close(gate)
		if err := <-returned; err != nil {
			t.Error(err)
		}
	})
}

// A reload completes even if its caller goes away. Otherwise the engine would run the
// new configuration and the data plane the old one.
func TestReloadOutlivesItsCaller(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		gate := make(chan struct{})
		p.configure = func() { <-gate }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Apply(ctx, without(farNVA)) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(gate)
		if err := <-done; err != nil {
			t.Errorf("applied, and yet an error: %v", err)
		}
	})
}

// An engine that has ended refuses a configuration at once.
func TestReloadAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, stop := start(t, hub00(), false)
		stop()
		if err := e.Apply(t.Context(), hub00()); !errors.Is(err, errEnded) {
			t.Errorf("error %v", err)
		}
	})
}
