package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// gambler edits a configuration and announces routes, both at random.
type gambler struct {
	*rand.Rand
	t   *testing.T
	e   *Engine
	p   *ports
	cfg *config.Config
	up  map[netip.Addr]bool
	all map[netip.Addr]config.Neighbor // that there may be
}

var spoke = netip.MustParseAddr("10.0.9.4")

// TestPreviewIsWhatAReloadDoes makes 500 random edits of a configuration over random
// tables. It previews, applies and reports each, and all three must agree: the preview,
// the report, and what sessions and forwarding plane received.
func TestPreviewIsWhatAReloadDoes(t *testing.T) {
	const seeds, perSeed = 10, 50
	differing, stages := 0, map[rib.Stage]int{}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run(t, false, func(t *testing.T, e *Engine, p *ports) {
				g := newGambler(t, e, p, seed)
				for i := range perSeed {
					done := g.check(g.edit())
					differing += min(len(done.Groups), 1)
					for _, group := range done.Groups {
						stages[group.Stage]++
					}
					if t.Failed() {
						t.Fatalf("edit %d", i)
					}
					g.repair()
					if g.IntN(4) == 0 {
						g.announce()
					}
				}
			})
		})
	}
	t.Logf("%d of %d edits had an effect: %v", differing, seeds*perSeed, stages)
	for s := range rib.Installed + 1 {
		if differing < seeds*perSeed/3 || stages[s] < seeds {
			t.Errorf("too few for a proof: %s %d", s, stages[s])
		}
	}
}

func newGambler(t *testing.T, e *Engine, p *ports, seed uint64) *gambler {
	g := &gambler{Rand: rand.New(rand.NewPCG(seed, 12)), t: t, e: e, p: p, cfg: hub00(), up: map[netip.Addr]bool{}, all: map[netip.Addr]config.Neighbor{}}
	g.cfg.Neighbors[0].MaximumPrefix = 0
	second, third := g.cfg.Neighbors[0], g.cfg.Neighbors[0]
	second.Address, third.Address = otherServer, spoke
	third.RemoteASN, third.Domain = 65010, ""
	g.cfg.Neighbors = append(g.cfg.Neighbors, second, third)
	g.cfg.Policies.PrefixLists = map[string]policy.PrefixList{"a": {{Seq: 5, Permit: true, Any: true}}, "b": {{Seq: 5, Permit: true, Any: true}}}
	g.cfg.Policies.RouteMaps = map[string]policy.RouteMap{"m": {{Seq: 5, Permit: true}}}
	for i := range g.cfg.Neighbors {
		n := &g.cfg.Neighbors[i]
		n.GracefulRestart = false
		n.Import.PrefixList, n.Export.PrefixList, n.Import.RouteMap = "a", "b", "m"
		g.all[n.Address] = *n
	}
	apply(t, e, g.cfg)
	g.repair()
	for range 20 {
		g.announce()
	}
	return g
}

func (g *gambler) prefix() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(g.IntN(3)), byte(g.IntN(4)), 0}), 8+8*g.IntN(3)).Masked()
}

func (g *gambler) announce() {
	peers := slices.SortedFunc(maps.Keys(g.up), netip.Addr.Compare)
	if len(peers) == 0 {
		return
	}
	from := peers[g.IntN(len(peers))]
	u := speaker.Update{From: speaker.From{Peer: from}}
	for range 1 + g.IntN(5) {
		if p := g.prefix(); g.IntN(5) == 0 {
			u.Withdrawn = append(u.Withdrawn, p)
		} else if !slices.Contains(u.Announced, p) {
			u.Announced = append(u.Announced, p)
		}
	}
	path := []uint32{g.all[from].RemoteASN}
	if from == farNVA {
		path = nil
	}
	for range g.IntN(3) {
		path = append(path, []uint32{65001, 65100, 64999, 3356}[g.IntN(4)])
	}
	hop := []netip.Addr{from, from, from, netip.MustParseAddr("172.31.0.1")}[g.IntN(4)]
	a := route.Attrs{ASPath: route.NewASPath(path...), NextHop: hop}
	if g.IntN(3) == 0 {
		a.Communities = []route.Community{[]route.Community{route.NoExport, route.Blackhole, route.GracefulShutdown}[g.IntN(3)]}
	}
	if from == farNVA {
		a.LocalPref = route.Some(uint32(90 + 10*g.IntN(3)))
	}
	u.Attrs = g.e.opt.Interner.Intern(a)
	g.p.events <- u
	synctest.Wait()
}

// repair brings up every session that should be up.
func (g *gambler) repair() {
	for _, n := range g.cfg.Neighbors {
		if !n.Shutdown && !g.up[n.Address] {
			g.p.establish(n.Address, false, false)
			g.up[n.Address] = true
			for range 4 {
				g.announce()
			}
		}
	}
	synctest.Wait()
}

func (g *gambler) clone() *config.Config {
	c := *g.cfg
	c.Neighbors = slices.Clone(c.Neighbors)
	c.Networks, c.Aggregates, c.Statics = slices.Clone(c.Networks), slices.Clone(c.Aggregates), slices.Clone(c.Statics)
	c.Policies.PrefixLists, c.Policies.RouteMaps = maps.Clone(c.Policies.PrefixLists), maps.Clone(c.Policies.RouteMaps)
	return &c
}

// edit changes the configuration and describes the change.
func (g *gambler) edit() string {
	g.cfg = g.clone()
	c := g.cfg
	if len(c.Neighbors) == 0 || g.IntN(8) == 0 {
		return g.editNeighbors()
	}
	switch g.IntN(22) {
	case 19:
		c.Redistributes = nil
		if g.IntN(2) == 0 {
			c.Redistributes = []config.Redistribute{{Source: "static"}}
		}
		return fmt.Sprintf("redistribute %+v", c.Redistributes)
	case 20:
		c.Kernel.MultipathRelax = !c.Kernel.MultipathRelax
		return fmt.Sprint("multipath-relax ", c.Kernel.MultipathRelax)
	case 0, 1, 2:
		name := []string{"a", "b"}[g.IntN(2)]
		c.Policies.PrefixLists[name] = policy.PrefixList{
			{Seq: 5, Permit: g.IntN(2) == 0, Prefix: g.prefix(), LE: 32 * g.IntN(2)}, {Seq: 10, Permit: g.IntN(6) > 0, Any: true},
		}
		return fmt.Sprintf("prefix-list %s %+v", name, c.Policies.PrefixLists[name])
	case 3, 4:
		pref := uint32(90 + 10*g.IntN(4))
		c.Policies.RouteMaps["m"] = policy.RouteMap{
			{Seq: 5, Permit: true, Match: policy.Match{PrefixList: "a"}, Set: policy.Set{LocalPref: &policy.Number{Value: pref}}},
		}
		return fmt.Sprint("local preference ", pref)
	case 13:
		c.Kernel.MaxPaths = 17 - c.Kernel.MaxPaths
		return fmt.Sprint("max-paths ", c.Kernel.MaxPaths)
	case 16, 17:
		c.Aggregates = nil
		if p := g.prefix(); g.IntN(3) > 0 {
			c.Aggregates = append(c.Aggregates, config.Aggregate{Prefix: p, SummaryOnly: g.IntN(2) == 0})
		}
		return fmt.Sprintf("aggregates %+v", c.Aggregates)
	case 18:
		c.Networks = nil
		for range g.IntN(3) {
			if w := (config.Network{Prefix: g.prefix(), ImportCheck: g.IntN(3) == 0}); !slices.ContainsFunc(c.Networks, func(n config.Network) bool { return n.Prefix == w.Prefix }) {
				c.Networks = append(c.Networks, w)
			}
		}
		return fmt.Sprintf("networks %+v", c.Networks)
	case 5, 6, 7, 8, 9, 10, 11, 12, 14, 15:
		return g.editSettings(&c.Neighbors[g.IntN(len(c.Neighbors))])
	}
	c.Statics = nil
	if g.IntN(3) > 0 {
		c.Statics = append(c.Statics, config.Static{
			Prefix: g.prefix(), Via: []config.Gateway{{Address: netip.MustParseAddr("10.0.0.1")}, {Address: netip.MustParseAddr("169.254.0.9")}}[:1+g.IntN(2)],
			Distance: []uint8{1, 100, 250}[g.IntN(3)],
		},
			config.Static{Prefix: netip.MustParsePrefix("172.31.0.0/16"), Via: []config.Gateway{{Address: netip.MustParseAddr("10.0.0.9")}}})
	}
	return fmt.Sprintf("statics %+v", c.Statics)
}

// editSettings changes one setting of a neighbor.
func (g *gambler) editSettings(n *config.Neighbor) string {
	flip := func(b *bool, name string) string { *b = !*b; return fmt.Sprintf("%s %s %v", n.Address, name, *b) }
	switch g.IntN(10) {
	case 0:
		n.Weight = uint32(g.IntN(3)) * 100
		return fmt.Sprint(n.Address, " weight ", n.Weight)
	case 1, 2:
		n.MaximumPrefixOut = []int{0, 1, 3, 6}[g.IntN(4)]
		return fmt.Sprint(n.Address, " maximum-prefix-out ", n.MaximumPrefixOut)
	case 3:
		return flip(&n.NextHopSelf, "next-hop-self")
	case 4:
		return flip(&n.DefaultOriginate, "default-originate")
	case 5:
		n.AllowASIn = 2 - n.AllowASIn
		return fmt.Sprint(n.Address, " allowas-in ", n.AllowASIn)
	case 6:
		return flip(&n.RemovePrivateAS, "remove-private-as")
	case 7:
		n.Domain = []string{"", "ars-hub00", "other"}[g.IntN(3)]
		return fmt.Sprint(n.Address, " domain ", n.Domain)
	case 8:
		return flip(&n.RouteReflectorClient, "route-reflector-client")
	}
	n.MaximumPrefix, n.MaximumPrefixAction = []int{0, 1, 4}[g.IntN(3)], config.ActionWarn
	return fmt.Sprint(n.Address, " maximum-prefix ", n.MaximumPrefix)
}

// editNeighbors removes, adds or shuts down a neighbor.
func (g *gambler) editNeighbors() string {
	for addr := range g.all {
		i := slices.IndexFunc(g.cfg.Neighbors, func(n config.Neighbor) bool { return n.Address == addr })
		switch {
		case i < 0:
			g.cfg.Neighbors = append(g.cfg.Neighbors, g.all[addr])
			return fmt.Sprint(addr, " added")
		case g.cfg.Neighbors[i].Shutdown:
			g.cfg.Neighbors[i].Shutdown = false
			return fmt.Sprint(addr, " enabled")
		}
	}
	i := g.IntN(len(g.cfg.Neighbors))
	addr := g.cfg.Neighbors[i].Address
	if g.IntN(2) == 0 {
		g.cfg.Neighbors = slices.Delete(g.cfg.Neighbors, i, i+1)
		return fmt.Sprint(addr, " removed")
	}
	g.cfg.Neighbors[i].Shutdown = true
	return fmt.Sprint(addr, " shut down")
}

// tables is a copy of everything sent to sessions and forwarding plane.
type tables struct {
	sent   map[netip.Addr]map[netip.Prefix]*route.Attrs
	routes map[netip.Prefix]*fib.Route
}

func (g *gambler) tables() tables {
	synctest.Wait()
	g.p.mu.Lock()
	defer g.p.mu.Unlock()
	out := tables{map[netip.Addr]map[netip.Prefix]*route.Attrs{}, maps.Clone(g.p.routes)}
	for addr := range g.up {
		out.sent[addr] = maps.Clone(g.p.sent[addr])
	}
	return out
}

// check previews, applies and reports, and returns the report.
func (g *gambler) check(what string) rib.Effect {
	g.t.Helper()
	before := g.tables()
	foretold, _, err := g.e.Preview(g.t.Context(), g.cfg)
	if err != nil {
		g.t.Fatal(err)
	}
	if now := g.tables(); fmt.Sprint(now) != fmt.Sprint(before) {
		g.t.Errorf("%s: the preview changed something", what)
	}
	apply(g.t, g.e, g.cfg)
	for addr := range g.up {
		i := slices.IndexFunc(g.cfg.Neighbors, func(n config.Neighbor) bool { return n.Address == addr })
		if i >= 0 && !g.cfg.Neighbors[i].Shutdown {
			continue
		}
		if i >= 0 {
			g.p.events <- speaker.Down{From: speaker.From{Peer: addr}}
		}
		g.p.mu.Lock()
		delete(g.p.sent, addr)
		g.p.mu.Unlock()
		delete(g.up, addr)
	}
	done, _, known, err := g.e.Outcome(g.t.Context())
	if err != nil || !known {
		g.t.Fatalf("%s: known %v, %v", what, known, err)
	}
	if a, b := effectText(foretold), effectText(done); a != b {
		g.t.Errorf("%s: foretold\n%sdone\n%s", what, a, b)
	}
	after := g.tables()
	if a, b := sentText(done), differenceText(before, after); a != b {
		g.t.Errorf("%s: reported\n%stold\n%s", what, a, b)
	}
	return done
}

// effectText prints a whole effect.
func effectText(e rib.Effect) (s string) {
	for _, g := range e.Groups {
		s += fmt.Sprintln(g.Stage, g.Neighbor, "before", g.Before, "added", g.Added, "removed", g.Removed, "changed", g.Changed)
		for _, r := range g.Routes {
			s += fmt.Sprintln(" ", r.Prefix, r.Difference, r.Reason)
		}
	}
	return s
}

// sentText prints the part of an effect that leaves the engine.
func sentText(e rib.Effect) (s string) {
	var lines []string
	for _, g := range e.Groups {
		for _, r := range g.Routes {
			if g.Stage >= rib.Advertised {
				lines = append(lines, fmt.Sprintln(g.Neighbor, r.Prefix, r.Difference))
			}
		}
	}
	slices.Sort(lines)
	for _, l := range lines {
		s += l
	}
	return s
}

func differenceText(a, b tables) (s string) {
	var lines []string
	add := func(to netip.Addr, p netip.Prefix, before, after bool) {
		d := rib.Changed
		if !before {
			d = rib.Added
		} else if !after {
			d = rib.Removed
		}
		lines = append(lines, fmt.Sprintln(to, p, d))
	}
	for to := range a.sent {
		for p, x := range a.sent[to] {
			if y := b.sent[to][p]; y != x {
				add(to, p, true, y != nil)
			}
		}
	}
	for to := range b.sent {
		for p := range b.sent[to] {
			if a.sent[to][p] == nil {
				add(to, p, false, true)
			}
		}
	}
	for p, x := range a.routes {
		if y := b.routes[p]; x != nil && fmt.Sprint(x) != fmt.Sprint(y) {
			add(netip.Addr{}, p, true, y != nil)
		}
	}
	for p, y := range b.routes {
		if y != nil && a.routes[p] == nil {
			add(netip.Addr{}, p, false, true)
		}
	}
	slices.Sort(lines)
	for _, l := range lines {
		s += l
	}
	return s
}
