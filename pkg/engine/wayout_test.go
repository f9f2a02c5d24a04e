package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
)

// TestNoWayOut: a default route of another program, of the file, or a learned one that
// is taken is a way out.
func TestNoWayOut(t *testing.T) {
	all := netip.MustParsePrefix("0.0.0.0/0")
	for name, tt := range map[string]struct {
		change func(*config.Config)
		routes []fib.KernelRoute
		learn  bool
		want   bool
	}{
		"none":                {want: true},
		"of DHCP":             {routes: []fib.KernelRoute{{Prefix: all, Hops: []fib.NextHop{{Link: 2, Via: netip.MustParseAddr("10.0.0.1")}}}}},
		"unreachable":         {routes: []fib.KernelRoute{{Prefix: all, Kind: fib.Unreachable}}, want: true},
		"of the file":         {change: func(c *config.Config) { c.Statics = append(c.Statics, config.Static{Prefix: all}) }},
		"learned, not taken":  {learn: true, want: true},
		"learned, and taken":  {learn: true, change: func(c *config.Config) { c.Kernel.AllowDefault = true }},
		"allowed, not learnt": {change: func(c *config.Config) { c.Kernel.AllowDefault = true }, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, false, func(t *testing.T, e *Engine, p *ports) {
				p.establish(farNVA, true, false)
				if tt.learn {
					p.announce(farNVA, all)
				}
				var got bool
				_ = e.do(t.Context(), func() {
					cfg := *e.cfg
					if tt.change != nil {
						tt.change(&cfg)
					}
					before, facts := e.cfg, e.kernel
					e.cfg = &cfg
					e.kernel.Routes = append(e.kernel.Routes[:len(e.kernel.Routes):len(e.kernel.Routes)], tt.routes...)
					got = e.noWayOut()
					e.cfg, e.kernel = before, facts
				})
				if got != tt.want {
					t.Errorf("got %t, want %t", got, tt.want)
				}
			})
		})
	}
}

// TestAlone: the NVA at the other end of a tunnel can't take the place of this one;
// one in the same hub can, once it has sent routes.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beside := netip.MustParseAddr("10.0.0.5")
		cfg := hub00()
		cfg.Tunnels = []config.Tunnel{{Name: "vxlan0", Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")}}}
		n := cfg.Neighbors[1]
		n.Address, n.Import = beside, policy.Chain{Accept: true}
		cfg.Neighbors = append(cfg.Neighbors, n)
		e, p, stop := start(t, cfg, false)
		defer stop()
		e.SetFacts(reachable())
		apply(t, e, cfg)
		alone := func(want bool) {
			t.Helper()
			if s, err := e.Status(t.Context()); err != nil || s.Alone != want {
				t.Errorf("alone: %t (%v), want %t", s.Alone, err, want)
			}
		}
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		alone(true)
		p.establish(beside, true, false)
		alone(true)
		p.announce(beside, prefix)
		alone(false)
	})
}
