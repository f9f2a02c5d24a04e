package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/config"
)

// pathLength is the length of the AS path of prefix as advertised to a neighbor.
func (p *ports) pathLength(to netip.Addr) int {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent[to][prefix].ASPath.Len()
}

// A drain survives a reload, which may change its prepends, and ends when nobody asks
// for it any more.
func TestEngineDrain(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		if n := p.pathLength(routeServer); n != 2 {
			t.Fatalf("path of %d before", n)
		}
		before := len(p.since(0))
		cfg := hub00()
		cfg.Drain = config.Drain{Prepends: 3}
		step := func(what string, want int, reason string, do func() error) {
			t.Helper()
			if err := do(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			s, err := e.Status(t.Context())
			if n := p.pathLength(routeServer); err != nil || n != want || s.Drain.Reason != reason || s.Drain.Since.IsZero() != (reason == "") {
				t.Errorf("%s: path of %d, want %d; drain %+v, %v", what, n, want, s.Drain, err)
			}
		}
		step("drain", 2, "operator: new kernel", func() error { return e.Drain(t.Context(), "operator", "new kernel") })
		step("reload", 5, "operator: new kernel", func() error { return e.Apply(t.Context(), cfg) })
		step("by another", 5, "azure: Reboot; operator: new kernel", func() error { return e.Drain(t.Context(), "azure", "Reboot") })
		step("one ends", 5, "azure: Reboot", func() error { return e.Undrain(t.Context(), "operator") })
		step("both end", 2, "", func() error { return e.Undrain(t.Context(), "azure") })
		step("again", 5, "operator", func() error { return e.Drain(t.Context(), "operator", "") })
		time.Sleep(time.Minute)
		step("all end", 2, "", func() error { return e.Undrain(t.Context(), "") })
		step("nothing to end", 2, "", func() error { return e.Undrain(t.Context(), "") })
		for _, c := range p.since(before) {
			if c.Attrs == nil {
				t.Errorf("%s was withdrawn from %s", c.Prefix, c.to)
			}
		}
	})
}
