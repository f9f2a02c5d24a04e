package engine

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// facts are those of run, with more routes.
func facts(more ...fib.KernelRoute) fib.Facts {
	return fib.Facts{
		Links: []fib.Link{{Index: 2, Name: "eth0", Up: true}, {Index: 3, Name: "vxlan0", Up: true}},
		Routes: append([]fib.KernelRoute{
			{Prefix: pfx("10.0.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: 2}}},
			{Prefix: pfx("169.254.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: 3}}},
		}, more...),
	}
}

// sentTo lists what a neighbor was sent, as "prefix origin med".
func (p *ports) sentTo(peer netip.Addr) []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for prefix, a := range p.sent[peer] {
		s := prefix.String() + " " + a.Origin.String()
		if a.MED.Set {
			s += " med " + policy.Number{Value: a.MED.Value}.String()
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func (p *ports) wantSent(t *testing.T, what string, to netip.Addr, want ...string) {
	t.Helper()
	if got := p.sentTo(to); !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// Routes of the kernel and of the file are announced, and follow changes.
func TestRedistribute(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		cfg := hub00()
		cfg.Kernel.Protocol, cfg.Kernel.StaticProtocol = 186, 200
		cfg.Statics = []config.Static{
			{Prefix: pfx("10.0.210.0/24"), Via: []config.Gateway{{Address: netip.MustParseAddr("10.0.0.1")}}},
			{Prefix: pfx("10.9.0.0/16"), Blackhole: true, Metric: 7},
			{Prefix: pfx("10.8.0.0/16"), Device: "eth9"},
		}
		cfg.Redistributes = []config.Redistribute{{Source: "static"}, {Source: "connected"}, {Source: "kernel", RouteMap: "no-default"}}
		cfg.Policies = policy.Library{
			PrefixLists: map[string]policy.PrefixList{"default": {{Seq: 5, Permit: true, Prefix: pfx("0.0.0.0/0")}}},
			RouteMaps: map[string]policy.RouteMap{"no-default": {
				{Seq: 5, Match: policy.Match{PrefixList: "default"}}, {Seq: 10, Permit: true},
			}},
		}
		e.SetFacts(facts())
		if err := e.Apply(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		p.establish(routeServer, false, false)
		start := []string{"10.0.0.0/24 incomplete med 0", "10.0.210.0/24 incomplete med 0", "10.9.0.0/16 incomplete med 7"}
		p.wantSent(t, "static routes that stand, connected ones but not link-local", routeServer, start...)

		e.SetFacts(facts(
			fib.KernelRoute{Prefix: pfx("0.0.0.0/0"), Protocol: 16, Metric: 100, Hops: []fib.NextHop{{Link: 2}}},
			fib.KernelRoute{Prefix: pfx("10.7.0.0/16"), Protocol: 3, Metric: 50, Hops: []fib.NextHop{{Link: 2}}},
			fib.KernelRoute{Prefix: pfx("10.7.0.0/16"), Protocol: 3, Metric: 40, Hops: []fib.NextHop{{Link: 2}}},
			fib.KernelRoute{Prefix: pfx("10.9.0.0/16"), Protocol: 3, Hops: []fib.NextHop{{Link: 2}}},
		))
		p.wantSent(t, "another program's route, by its best metric; the static one before it",
			routeServer, slices.Insert(slices.Clone(start), 2, "10.7.0.0/16 incomplete med 40")...)
		e.SetFacts(facts())
		p.wantSent(t, "gone again", routeServer, start...)

		f := facts()
		f.Links[0].Addresses = []netip.Prefix{pfx("10.0.0.4/24"), pfx("10.99.0.9/32"), pfx("10.98.0.9/24")}
		f.Links = append(f.Links, fib.Link{Index: 1, Name: "lo", Up: true, Addresses: []netip.Prefix{
			pfx("127.0.0.1/8"), pfx("10.99.0.1/32"), pfx("10.97.0.1/24"), pfx("::1/128"), pfx("169.254.7.7/32"),
		}}, fib.Link{Index: 4, Name: "dummy0", Addresses: []netip.Prefix{pfx("10.99.0.5/32")}})
		e.SetFacts(f)
		p.wantSent(t, "addresses of lo, and of one host; not those of a link that is down, and no subnet whose route somebody keeps out",
			routeServer, append(slices.Clone(start), "10.97.0.0/24 incomplete med 0", "10.99.0.1/32 incomplete med 0", "10.99.0.9/32 incomplete med 0")...)
		e.SetFacts(facts())
		p.wantSent(t, "these go with their addresses", routeServer, start...)

		cfg.Redistributes = nil
		if err := e.Apply(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		p.wantSent(t, "no longer asked for", routeServer)
	})
}

// The kernel gives the subnet of an IPv6 address metric 256 unless the address has another one.
// That is nobody's choice, so it is no MED, as in FRR.
func TestConnectedMED(t *testing.T) {
	connected := func(prefix string, metric uint32) fib.KernelRoute {
		return fib.KernelRoute{Prefix: pfx(prefix), Protocol: protocolKernel, Metric: metric, Hops: []fib.NextHop{{Link: 2}}}
	}
	got := connectedCandidates(fib.Facts{Links: facts().Links, Routes: []fib.KernelRoute{
		connected("fd00:1::/64", 256), connected("fd00:2::/64", 200), connected("10.1.0.0/24", 0), connected("10.2.0.0/24", 200), connected("10.3.0.0/24", 256),
	}})
	want := []candidate{
		{prefix: pfx("fd00:1::/64")}, {prefix: pfx("fd00:2::/64"), metric: 200}, {prefix: pfx("10.1.0.0/24")},
		{prefix: pfx("10.2.0.0/24"), metric: 200}, {prefix: pfx("10.3.0.0/24"), metric: 256},
	}
	if !slices.Equal(got, want) {
		t.Errorf("connected routes and their MED: %v, want %v", got, want)
	}
	other := routeCandidates(fib.Facts{Routes: []fib.KernelRoute{{Prefix: pfx("fd00:3::/64"), Protocol: 3, Metric: 256}}}, false)
	if len(other) != 1 || other[0].metric != 256 {
		t.Errorf("another program's route: %v", other)
	}
}

func TestOrigination(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		med := policy.Number{Value: 9}
		cfg := hub00()
		cfg.Networks = []config.Network{{Prefix: pfx("10.1.0.0/16"), RouteMap: "nine"}, {Prefix: pfx("10.2.0.0/16"), RouteMap: "none"}}
		cfg.Aggregates = []config.Aggregate{
			{Prefix: pfx("10.0.0.0/8"), SummaryOnly: true},
			{Prefix: pfx("10.0.0.0/12"), RouteMap: "none"},
		}
		cfg.Neighbors[0].DefaultOriginate, cfg.Neighbors[0].DefaultOriginateMap = true, "nine"
		cfg.Policies.RouteMaps = map[string]policy.RouteMap{
			"nine": {{Seq: 5, Permit: true, Set: policy.Set{MED: &med}}},
			"none": {{Seq: 5}},
		}
		if err := e.Apply(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		p.establish(routeServer, false, false)
		p.wantSent(t, "default and summary", routeServer, "0.0.0.0/0 igp med 9", "10.0.0.0/8 igp")
		a := p.sent[routeServer][pfx("10.0.0.0/8")]
		if want := (route.Aggregator{ASN: 65001, Address: cfg.RouterID}); !a.AtomicAggregate || a.Aggregator != want {
			t.Errorf("aggregate %+v", a)
		}
		cfg.Aggregates = nil
		if err := e.Apply(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		p.wantSent(t, "without the summary its part shows", routeServer, "0.0.0.0/0 igp med 9", "10.1.0.0/16 igp med 9")
	})
}

// A network with import-check is originated while there is a route for exactly its prefix:
// a connected one, a static one or another program's, but none of BGP. Links that are down
// lead nowhere.
func TestImportCheck(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		cfg := hub00()
		cfg.Networks = []config.Network{
			{Prefix: pfx("10.0.0.0/24"), ImportCheck: true}, {Prefix: pfx("10.7.0.0/16"), ImportCheck: true},
			{Prefix: pfx("10.8.0.0/16"), ImportCheck: true}, {Prefix: pfx("10.6.0.0/16")}, {Prefix: pfx("10.0.0.0/8"), ImportCheck: true},
		}
		cfg.Statics = []config.Static{{Prefix: pfx("10.8.0.0/16"), Via: []config.Gateway{{Address: netip.MustParseAddr("10.0.0.1")}}}}
		apply(t, e, cfg)
		other := fib.KernelRoute{Prefix: pfx("10.7.0.0/16"), Protocol: 3, Metric: 40, Hops: []fib.NextHop{{Link: 2}}}
		e.SetFacts(facts(other))
		p.establish(routeServer, false, false)
		p.establish(farNVA, false, false)
		p.announce(farNVA, pfx("10.0.0.0/8"))
		const connected, foreign, static, always, learned = "10.0.0.0/24 igp med 0", "10.7.0.0/16 igp med 0", "10.8.0.0/16 igp med 0",
			"10.6.0.0/16 igp med 0", "10.0.0.0/8 igp"
		p.wantSent(t, "with routes", routeServer, connected, learned, always, foreign, static)
		e.SetFacts(facts())
		p.wantSent(t, "the other program's route is gone", routeServer, connected, learned, always, static)
		for prefix, want := range map[string]string{"10.7.0.0/16": "import-check", "10.0.0.0/8": "import-check", "10.8.0.0/16": "", "10.5.0.0/16": ""} {
			x, err := e.Explain(t.Context(), rib.ExplainQuery{Prefix: pfx(prefix)})
			if why, _, _ := strings.Cut(x.Unoriginated, ":"); err != nil || why != want {
				t.Errorf("%s is not originated: %q, %v; want %q", prefix, x.Unoriginated, err, want)
			}
		}
		e.SetFacts(facts(fib.KernelRoute{Prefix: other.Prefix, Protocol: 3, Kind: fib.Blackhole}))
		p.wantSent(t, "it drops packets", routeServer, connected, learned, always, foreign, static)
		down := facts(other)
		down.Links[0].Up = false
		e.SetFacts(down)
		p.wantSent(t, "the link is down", routeServer, learned, always)

		e.SetFacts(facts())
		cfg.Networks[1].ImportCheck = false
		apply(t, e, cfg)
		p.wantSent(t, "a reload without the check", routeServer, connected, learned, always, foreign, static)
		cfg.Networks[1].ImportCheck = true
		apply(t, e, cfg)
		p.wantSent(t, "and with it again", routeServer, connected, learned, always, static)
		e.SetDead([]netip.Addr{netip.MustParseAddr("10.0.0.1")})
		p.wantSent(t, "BFD lost the static route's gateway", routeServer, connected, learned, always)
	})
}

// A route of a link without carrier stays in the kernel, but is redistributed no more.
func TestRedistributeLinkDown(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		cfg := hub00()
		cfg.Redistributes = []config.Redistribute{{Source: "connected"}, {Source: "kernel"}}
		apply(t, e, cfg)
		f := facts(fib.KernelRoute{Prefix: pfx("10.7.0.0/16"), Protocol: 3, Hops: []fib.NextHop{{Link: 4}, {Link: 5}}})
		f.Routes = append(f.Routes, fib.KernelRoute{Prefix: pfx("10.4.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: 4}}})
		state := func(four, five bool) fib.Facts {
			f.Links = append(facts().Links, fib.Link{Index: 4, Name: "eth4", Up: four}, fib.Link{Index: 5, Name: "eth5", Up: five})
			return f
		}
		p.establish(routeServer, false, false)
		e.SetFacts(state(true, true))
		p.wantSent(t, "both up", routeServer, "10.0.0.0/24 incomplete med 0", "10.4.0.0/24 incomplete med 0", "10.7.0.0/16 incomplete med 0")
		e.SetFacts(state(false, true))
		p.wantSent(t, "eth4 down", routeServer, "10.0.0.0/24 incomplete med 0", "10.7.0.0/16 incomplete med 0")
		e.SetFacts(state(false, false))
		p.wantSent(t, "both down", routeServer, "10.0.0.0/24 incomplete med 0")
	})
}

// What is originated because of a floating static route, by redistribution or as a network
// with import-check, gives way with it to a neighbor's route, and comes back.
func TestFloatingStatic(t *testing.T) {
	for name, origin := range map[string]struct {
		set  func(*config.Config)
		want string
	}{
		"redistributed": {func(c *config.Config) { c.Redistributes = []config.Redistribute{{Source: "static"}} }, prefix.String() + " incomplete med 0"},
		"import-check":  {func(c *config.Config) { c.Networks = []config.Network{{Prefix: prefix, ImportCheck: true}} }, prefix.String() + " igp med 0"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, false, func(t *testing.T, e *Engine, p *ports) {
				cfg := hub00()
				origin.set(cfg)
				cfg.Statics = []config.Static{{Prefix: prefix, Via: []config.Gateway{{Address: netip.MustParseAddr("10.0.0.1")}}, Distance: 250}}
				apply(t, e, cfg)
				p.establish(routeServer, false, false)
				p.establish(farNVA, false, false)
				p.wantSent(t, "alone", routeServer, origin.want)
				wantInstalled(t, p, fib.Static)
				p.announce(farNVA, prefix)
				p.wantSent(t, "beside BGP", routeServer, prefix.String()+" igp")
				wantInstalled(t, p, fib.BGP)
				p.events <- speaker.Update{From: speaker.From{Peer: farNVA}, Withdrawn: []netip.Prefix{prefix}}
				p.wantSent(t, "alone again", routeServer, origin.want)
				wantInstalled(t, p, fib.Static)
				e.SetDead([]netip.Addr{netip.MustParseAddr("10.0.0.1")})
				p.wantSent(t, "its gateway is dead", routeServer)
			})
		})
	}
}

func wantInstalled(t *testing.T, p *ports, class fib.Class) {
	t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.routes[prefix]; r == nil || r.Class != class {
		t.Errorf("the kernel is to have %+v, want class %s", r, class)
	}
}
