package engine

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// prefixes returns n prefixes of 11.0.0.0/8.
func prefixes(n int) []netip.Prefix {
	var out []netip.Prefix
	for i := range n {
		out = append(out, netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i), 0, 0}), 16))
	}
	return out
}

// limited is hub00 whose Route Server may announce three prefixes.
func limited(change func(*config.Settings)) *config.Config {
	cfg := hub00()
	change(&cfg.Neighbors[0].Settings)
	return cfg
}

func (p *ports) disabled() bool {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wanted[0].Disabled
}

func (p *ports) forwards() int {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.routes)
}

func TestMaximumPrefixRestarts(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		apply(t, e, limited(func(s *config.Settings) { s.MaximumPrefixRestart = time.Minute }))
		for range 2 {
			p.establish(routeServer, false, false)
			p.announce(routeServer, prefixes(4)...)
			p.events <- speaker.Down{From: speaker.From{Peer: routeServer}}
			if !p.disabled() {
				t.Fatal("not shut down")
			}
			time.Sleep(59 * time.Second)
			if !p.disabled() {
				t.Fatal("tried again too early")
			}
			time.Sleep(2 * time.Second)
			if p.disabled() {
				t.Fatal("never tried again")
			}
		}
		if len(p.resets) != 2 {
			t.Errorf("%d resets, want 2", len(p.resets))
		}
	})
}

func TestMaximumPrefixLifted(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		p.announce(routeServer, prefixes(4)...)
		time.Sleep(24 * time.Hour)
		apply(t, e, hub00())
		if !p.disabled() {
			t.Fatal("let up by time or by a reload that changes nothing")
		}
		apply(t, e, limited(func(s *config.Settings) { s.MaximumPrefix = 10 }))
		if p.disabled() {
			t.Fatal("a higher limit does not let it up")
		}
	})
}

// A limit that a reload lowers applies to routes received before.
func TestMaximumPrefixLowered(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		p.announce(routeServer, prefixes(3)...)
		apply(t, e, limited(func(s *config.Settings) { s.MaximumPrefix = 2 }))
		if !p.disabled() {
			t.Error("not shut down")
		}
	})
}

func TestMaximumPrefixWarns(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		apply(t, e, limited(func(s *config.Settings) {
			s.MaximumPrefixAction, s.MaximumPrefixWarning = config.ActionWarn, 60
		}))
		p.establish(routeServer, false, false)
		all := prefixes(5)
		for i := range all {
			p.announce(routeServer, all[i])
		}
		want := []string{"maximum-prefix nearly reached", "maximum-prefix exceeded"}
		if got := p.logged("maximum-prefix"); !slices.Equal(got, want) {
			t.Errorf("logged %q, want %q", got, want)
		}
		if p.disabled() || p.forwards() != 5 {
			t.Errorf("disabled %v, %d routes", p.disabled(), p.forwards())
		}
	})
}

func TestMaximumPrefixDiscards(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		apply(t, e, limited(func(s *config.Settings) { s.MaximumPrefixAction = config.ActionDiscard }))
		p.establish(routeServer, false, false)
		p.announce(routeServer, prefixes(5)...)
		if p.disabled() || p.forwards() != 3 {
			t.Errorf("disabled %v, %d routes; want 3", p.disabled(), p.forwards())
		}
		p.events <- speaker.Update{From: speaker.From{Peer: routeServer}, Withdrawn: prefixes(1)}
		if n := p.forwards(); n != 3 {
			t.Errorf("%d routes after one was withdrawn, want another in its place", n)
		}
		apply(t, e, limited(func(s *config.Settings) { s.MaximumPrefix = 0 }))
		if n := p.forwards(); n != 4 {
			t.Errorf("%d routes without limit, want 4", n)
		}
	})
}

// discarding is hub00 with a limit for its Route Server.
func discarding(limit int) *config.Config {
	return limited(func(s *config.Settings) { s.MaximumPrefix, s.MaximumPrefixAction = limit, config.ActionDiscard })
}

// refreshing establishes a session with Route Server, with or without support for
// ROUTE-REFRESH.
func (p *ports) refreshing(supported bool) {
	p.events <- speaker.Established{
		From: speaker.From{Peer: routeServer}, Session: 7, RemoteID: routeServer, Families: route.IPv4, RouteRefresh: supported,
	}
}

// requests returns the ROUTE-REFRESH messages sent so far.
func (p *ports) requests() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requested)
}

// server returns the status of Route Server.
func server(t *testing.T, e *Engine) NeighborStatus {
	t.Helper()
	v, err := e.Neighbors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v[slices.IndexFunc(v, func(v NeighborStatus) bool { return v.Address == routeServer })]
}

// Announcements that maximum-prefix dropped are counted, shown, and requested once a
// reload raises the limit; nothing else is requested.
func TestDroppedIsRequested(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		apply(t, e, discarding(3))
		p.refreshing(true)
		p.announce(routeServer, prefixes(10)...)
		if v := server(t, e); v.Dropped != 4 || v.Counts.Received != 6 || len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "twice maximum-prefix 3") {
			t.Errorf("%d dropped of %d received, warnings %q", v.Dropped, v.Counts.Received, v.Warnings)
		}
		if got := p.logged("maximum-prefix exceeded"); len(got) != 1 || !strings.Contains(got[0], "twice over") {
			t.Errorf("logged %q", got)
		}
		x, err := e.Explain(t.Context(), rib.ExplainQuery{Prefix: prefixes(10)[9]})
		if err != nil || !strings.Contains(x.NoRoute, "10.0.210.4 announced more than maximum-prefix") {
			t.Errorf("explained as %q, %v", x.NoRoute, err)
		}
		time.Sleep(5 * time.Minute)
		apply(t, e, discarding(5)) // still no room once what is kept aside is taken
		time.Sleep(5 * time.Minute)
		if got := p.requests(); got != nil {
			t.Fatalf("requested %q while there is no room", got)
		}
		apply(t, e, discarding(20))
		time.Sleep(3 * time.Second)
		if got := p.requests(); !slices.Equal(got, []string{"10.0.210.4 ipv4 unicast"}) {
			t.Fatalf("requested %q", got)
		}
		p.announce(routeServer, prefixes(10)...)
		time.Sleep(5 * time.Minute)
		if v := server(t, e); v.Counts.Accepted != 10 || v.Dropped != 4 || len(v.Warnings) != 0 || len(p.requests()) != 1 {
			t.Errorf("%d accepted, %d dropped, warnings %q, requested %q", v.Counts.Accepted, v.Dropped, v.Warnings, p.requests())
		}
	})
}

// countingAccepted counts what the import policy accepts: the prefixes of 10.1.0.0/16.
func countingAccepted(limit int, action string) *config.Config {
	cfg := limited(func(s *config.Settings) {
		s.MaximumPrefix, s.MaximumPrefixAction, s.MaximumPrefixCount = limit, action, config.CountAccepted
		s.Import.PrefixList = "some"
	})
	cfg.Policies.PrefixLists = map[string]policy.PrefixList{"some": {{Seq: 5, Permit: true, Prefix: pfx("10.1.0.0/16"), LE: 32}}}
	return cfg
}

// hosts returns addresses within a /16, as prefixes.
func hosts(second byte, n int) (out []netip.Prefix) {
	for i := range n {
		out = append(out, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, second, byte(i >> 8), byte(i)}), 32))
	}
	return out
}

// With maximum-prefix-count = "accepted", rejected routes neither end the session nor take
// the room of others, and few of them are kept. Those that are not are requested when a
// reload may make policy accept them.
func TestMaximumPrefixCountsAccepted(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		apply(t, e, countingAccepted(3, config.ActionShutdown))
		p.refreshing(true)
		p.announce(routeServer, hosts(2, 100)...)
		p.announce(routeServer, hosts(1, 3)...)
		v := server(t, e)
		if p.disabled() || p.forwards() != 3 || v.Counts.Received != 6 || v.Dropped != 97 || len(v.Warnings) != 0 {
			t.Fatalf("disabled %v, %d routes, %+v, %d dropped, warnings %q", p.disabled(), p.forwards(), v.Counts, v.Dropped, v.Warnings)
		}
		if v.Settings["maximum-prefix-count"] != config.CountAccepted {
			t.Errorf("shown as %v", v.Settings)
		}
		time.Sleep(5 * time.Minute)
		if got := p.requests(); got != nil {
			t.Errorf("requested %q although policy rejects them", got)
		}
		cfg := countingAccepted(200, config.ActionShutdown)
		cfg.Policies.PrefixLists["some"] = policy.PrefixList{{Seq: 5, Permit: true, Any: true}}
		apply(t, e, cfg)
		time.Sleep(3 * time.Second)
		if got := p.requests(); !slices.Equal(got, []string{"10.0.210.4 ipv4 unicast"}) {
			t.Errorf("requested %q after a reload of the policy", got)
		}
		p.announce(routeServer, append(hosts(2, 100), hosts(1, 3)...)...)
		if n := p.forwards(); n != 103 {
			t.Errorf("%d routes, want 103", n)
		}
		cfg.Neighbors[0].MaximumPrefix = 102
		apply(t, e, cfg)
		if !p.disabled() {
			t.Error("not shut down by a lower limit")
		}
	})
}

// The policy of a reload may accept more than the limit, without any announcement.
func TestMaximumPrefixCountsAcceptedByReload(t *testing.T) {
	for _, action := range []string{config.ActionShutdown, config.ActionWarn, config.ActionDiscard} {
		run(t, false, func(t *testing.T, e *Engine, p *ports) {
			apply(t, e, countingAccepted(3, action))
			p.refreshing(true)
			p.announce(routeServer, append(hosts(2, 2), hosts(1, 2)...)...)
			cfg := countingAccepted(3, action)
			cfg.Policies.PrefixLists["some"] = policy.PrefixList{{Seq: 5, Permit: true, Any: true}}
			apply(t, e, cfg)
			synctest.Wait()
			if got := p.logged("maximum-prefix exceeded"); len(got) != 1 || p.disabled() != (action == config.ActionShutdown) {
				t.Errorf("%s: disabled %v, logged %q", action, p.disabled(), got)
			}
			if n := p.forwards(); n != map[string]int{config.ActionShutdown: 4, config.ActionWarn: 4, config.ActionDiscard: 3}[action] {
				t.Errorf("%s: %d routes", action, n)
			}
		})
	}
}

// A neighbor that makes room and fills it again all the time is sent one request a
// minute, even if it starts a new session each time.
func TestRequestsArePaced(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		apply(t, e, discarding(3))
		for i := range 120 {
			if i%10 == 0 {
				p.events <- speaker.Down{From: speaker.From{Peer: routeServer}}
				p.refreshing(true)
			}
			p.announce(routeServer, prefixes(10)...)
			p.events <- speaker.Update{From: speaker.From{Peer: routeServer}, Withdrawn: prefixes(10)}
			time.Sleep(time.Second)
		}
		if n := len(p.requests()); n < 1 || n > 2 {
			t.Errorf("%d requests in two minutes, want one a minute", n)
		}
	})
}

// If a neighbor does not support ROUTE-REFRESH, a warning asks for a reset.
func TestDroppedWithoutRouteRefresh(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		apply(t, e, discarding(3))
		p.refreshing(false)
		p.announce(routeServer, prefixes(10)...)
		reset := "nvactl reset " + routeServer.String()
		if w := server(t, e).Warnings; len(w) != 1 || !strings.Contains(w[0], reset) {
			t.Errorf("warnings %q", w)
		}
		apply(t, e, discarding(20))
		time.Sleep(5 * time.Minute)
		if w := server(t, e).Warnings; len(w) != 1 || !strings.Contains(w[0], "has room") || !strings.Contains(w[0], reset) {
			t.Errorf("warnings with room %q", w)
		}
		if got := p.requests(); got != nil {
			t.Errorf("requested %q", got)
		}
	})
}

// Dropped announcements do not keep a reload from making the limit end the session.
func TestDroppedThenShutdown(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		apply(t, e, discarding(3))
		p.refreshing(true)
		p.announce(routeServer, prefixes(10)...)
		apply(t, e, limited(func(s *config.Settings) { s.MaximumPrefixAction = config.ActionShutdown }))
		if !p.disabled() {
			t.Error("not shut down")
		}
	})
}
