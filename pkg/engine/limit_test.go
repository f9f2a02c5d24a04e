package engine

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/speaker"
)

// prefixes are n of 11.0.0.0/8.
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

// A limit that a reload lowers holds for what is there already.
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
