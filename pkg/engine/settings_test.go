package engine

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// changes alters one field of a neighbor for which a generic change (a flipped bool,
// another number, another word) would mean nothing. Every field of a type without a
// generic change must be here.
var changes = map[string]func(*config.Neighbor){
	"LocalAddress":          func(n *config.Neighbor) { n.LocalAddress = netip.MustParseAddr("10.0.0.5") },
	"LocalInterface":        func(n *config.Neighbor) { n.LocalInterface = "eth1" },
	"Families":              func(n *config.Neighbor) { n.Families = route.IPv4 | route.IPv6 },
	"BFD":                   func(n *config.Neighbor) { n.BFD.Enabled = true },
	"VNet":                  func(n *config.Neighbor) { n.VNet = []netip.Prefix{pfx("10.11.0.0/16")} },
	"Import":                func(n *config.Neighbor) { n.Import = policy.Chain{} },
	"Export":                func(n *config.Neighbor) { n.Export = policy.Chain{} },
	"PasswordFile":          func(n *config.Neighbor) { n.PasswordFile, n.Password = "key", "what the file holds" },
	"RemoteType":            func(n *config.Neighbor) { n.RemoteASN, n.RemoteType = 0, config.External },
	"RoleStrict":            func(n *config.Neighbor) { n.Role, n.RoleStrict = "peer", true },
	"Role":                  func(n *config.Neighbor) { n.Role = "peer" },
	"DefaultOriginateMap":   func(n *config.Neighbor) { n.DefaultOriginateMap = "tag" },
	"MaximumPrefixAction":   func(n *config.Neighbor) { n.MaximumPrefixAction = config.ActionWarn },
	"MaximumPrefixCount":    func(n *config.Neighbor) { n.MaximumPrefixCount = config.CountAccepted },
	"MaximumPrefixOutCount": func(n *config.Neighbor) { n.MaximumPrefixOutCount = config.CountIncoming },
	"MaximumPrefix":         func(n *config.Neighbor) { n.MaximumPrefix = 100 },
	"MaximumPrefixOut":      func(n *config.Neighbor) { n.MaximumPrefixOut = 2 },
	"AllowASIn":             func(n *config.Neighbor) { n.AllowASIn = 1 },
}

// change alters one field of n, of Settings or of the neighbor itself.
func change(t *testing.T, n *config.Neighbor, field string) {
	if f := changes[field]; f != nil {
		f(n)
		return
	}
	switch v := reflect.ValueOf(n).Elem().FieldByName(field); v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + "-other")
	case reflect.Int:
		v.SetInt(v.Int() + 1)
	case reflect.Int64: // a duration
		v.SetInt(v.Int() + int64(time.Second))
	case reflect.Uint16, reflect.Uint32:
		v.SetUint(v.Uint() + 1)
	default:
		t.Fatalf("%s is of a type for which the test knows no change: add one to its table", field)
	}
}

// settingNames returns the names of all fields that the keys of a neighbor set, except
// its address, and the range, which is no key of it.
func settingNames() (out []string) {
	for _, s := range reflect.VisibleFields(reflect.TypeFor[config.Neighbor]()) {
		if !s.Anonymous && s.Name != "Address" && s.Name != "Range" {
			out = append(out, s.Name)
		}
	}
	return out
}

// manySided is a configuration under which every setting of a neighbor makes a
// difference for at least one neighbor.
func manySided() *config.Config {
	cfg := hub00()
	cfg.Policies.RouteMaps = map[string]policy.RouteMap{
		"tag": {{Seq: 5, Permit: true, Set: policy.Set{CommunitiesAdd: []string{"65001:1"}}}},
		"by-group": {
			{Seq: 5, Permit: true, Match: policy.Match{PeerGroup: "servers"}, Set: policy.Set{CommunitiesAdd: []string{"65001:2"}}},
			{Seq: 10, Permit: true},
		},
	}
	rs, far := &cfg.Neighbors[0], &cfg.Neighbors[1]
	rs.PeerGroup, rs.MaximumPrefix, rs.RemovePrivateAS = "servers", 0, false
	far.Export.RouteMap, far.DefaultOriginate, far.GracefulRestart = "by-group", true, false
	second, third := *rs, *far
	second.Address, second.Domain, second.RemovePrivateAS = otherServer, "another", true
	second.MaximumPrefix, second.MaximumPrefixAction, second.GracefulRestart = 4, config.ActionDiscard, true
	second.RestartTime = 120 * time.Second
	third.Address, third.DefaultOriginate, third.RouteReflectorClient = netip.MustParseAddr("169.254.0.3"), false, true
	cfg.Neighbors = append(cfg.Neighbors, second, third)
	return cfg
}

// announcements lists the routes of the neighbors of manySided.
var announcements = []struct {
	from, prefix string
	path         route.ASPath
}{
	{"10.0.210.4", "10.1.0.0/16", route.NewASPath(65515)},
	{"10.0.210.4", "10.2.0.0/16", route.ASPath{{Type: route.ASSequence, ASNs: []uint32{65515}}, {Type: route.ASSet, ASNs: []uint32{1, 2}}}},
	{"10.0.210.4", "10.3.0.0/16", route.NewASPath(65515, 65001)},
	{"10.0.210.4", "10.4.0.0/16", route.NewASPath(65516, 7)},
	{"10.0.210.4", "10.5.0.0/16", route.NewASPath(65515, 64512, 7)},
	{"10.0.210.5", "10.9.0.0/16", route.NewASPath(65515, 65001)},
	{"10.0.210.5", "10.1.0.0/16", route.NewASPath(65515)},
	{"10.0.210.5", "10.6.0.0/16", route.NewASPath(65515, 6)},
	{"10.0.210.5", "10.7.0.0/16", route.NewASPath(65515, 7)},
	{"10.0.210.5", "10.8.0.0/16", route.NewASPath(65515, 8)},
	{"169.254.0.2", "10.11.0.0/16", route.NewASPath(7, 65515)},
	{"169.254.0.2", "10.12.0.0/16", route.NewASPath(64513, 7)},
	{"169.254.0.3", "10.13.0.0/16", route.NewASPath(65010)},
}

// reloading is an engine whose neighbors have announced their routes.
type reloading struct {
	t   *testing.T
	e   *Engine
	p   *ports
	cfg *config.Config
}

// afterAnnouncements runs story once all neighbors of cfg have announced their routes.
func afterAnnouncements(t *testing.T, cfg *config.Config, story func(*reloading)) {
	synctest.Test(t, func(t *testing.T) {
		e, p, stop := start(t, cfg, false)
		defer stop()
		e.SetFacts(reachable())
		apply(t, e, cfg)
		w := &reloading{t, e, p, cfg}
		for _, n := range cfg.Neighbors {
			w.establish(n.Address)
		}
		for _, n := range cfg.Neighbors {
			w.announce(n.Address)
		}
		story(w)
	})
}

func (w *reloading) isShutdown(a netip.Addr) bool {
	return slices.ContainsFunc(w.cfg.Neighbors, func(n config.Neighbor) bool { return n.Address == a && n.Shutdown })
}

func (w *reloading) establish(a netip.Addr) {
	if !w.isShutdown(a) {
		w.p.establish(a, false, false)
	}
}

// announce lets a neighbor announce all its routes.
func (w *reloading) announce(a netip.Addr) {
	for _, x := range announcements {
		if x.from != a.String() || w.isShutdown(a) {
			continue
		}
		attrs := w.e.opt.Interner.Intern(route.Attrs{ASPath: x.path, NextHop: a, LocalPref: route.Some(100)})
		w.p.events <- speaker.Update{From: speaker.From{Peer: a}, Attrs: attrs, Announced: []netip.Prefix{pfx(x.prefix)}}
	}
	synctest.Wait()
}

// tables prints the routes of the kernel and of the neighbors.
func (w *reloading) tables() map[string]string {
	synctest.Wait()
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	out := map[string]string{}
	for prefix, r := range w.p.routes {
		out["kernel "+prefix.String()] = fmt.Sprint(*r)
	}
	for to, list := range w.p.sent {
		for prefix, a := range list {
			out[fmt.Sprint(to, " ", prefix)] = fmt.Sprint(*a)
		}
	}
	return out
}

// reload applies cfg, and resets the sessions that it resets.
func (w *reloading) reload(cfg *config.Config) (reset []netip.Addr) {
	before := slices.Clone(w.p.wanted)
	apply(w.t, w.e, cfg)
	w.cfg = cfg
	for i, s := range w.p.wanted {
		if s == before[i] {
			continue
		}
		reset = append(reset, s.Address)
		w.p.events <- speaker.Down{From: speaker.From{Peer: s.Address}, Reason: "Cease"}
		synctest.Wait()
		w.p.mu.Lock()
		delete(w.p.sent, s.Address)
		w.p.mu.Unlock()
		w.establish(s.Address)
		w.announce(s.Address)
	}
	return reset
}

// freshTables returns the tables after a start with cfg.
func freshTables(t *testing.T, cfg *config.Config) (out map[string]string) {
	afterAnnouncements(t, cfg, func(w *reloading) { out = w.tables() })
	return out
}

// TestEverySettingTakesEffect changes each key of a neighbor alone, at each of four
// neighbors. A reload must cost what the key declares and no more, lead to the same
// tables as a start with the new file, and show an effect at one of the neighbors at
// least. So a setting that a reload forgets fails here, even one that is added later.
func TestEverySettingTakesEffect(t *testing.T) {
	base := freshTables(t, manySided())
	for _, field := range settingNames() {
		t.Run(field, func(t *testing.T) {
			declared, shows := false, false
			for i := range manySided().Neighbors {
				cfg := manySided()
				change(t, &cfg.Neighbors[i], field)
				costs := config.Diff(manySided(), cfg)
				if len(costs) == 0 {
					continue // "force" and "replace" say something only beside another field
				}
				declared = true
				impact := config.ByImpact(costs)[0].Impact
				fresh := freshTables(t, cfg)
				afterAnnouncements(t, manySided(), func(w *reloading) {
					reset := w.reload(cfg)
					if got := w.tables(); !maps.Equal(got, fresh) {
						t.Errorf("neighbor %s: after the reload\n%s", cfg.Neighbors[i].Address, differing(got, fresh))
					}
					if len(reset) > 0 && (impact != config.SessionReset || len(reset) > 1) {
						t.Errorf("declared as %q, but it resets the sessions of %v", impact, reset)
					}
					shows = shows || impact == config.SessionReset && len(reset) > 0 ||
						impact == config.SoftRefresh && !maps.Equal(fresh, base) || impact == config.Live
					if impact == config.Live && !maps.Equal(fresh, base) {
						t.Errorf("declared as live, but it changes routes:\n%s", differing(fresh, base))
					}
				})
			}
			if !declared || !shows {
				t.Errorf("it has a key: %v; its effect shows: %v", declared, shows)
			}
		})
	}
}

// differing lists the differences between two sets of tables.
func differing(got, want map[string]string) (out string) {
	for k, v := range got {
		if want[k] != v {
			out += fmt.Sprintf("got %s %s\n", k, v)
		}
	}
	for k, v := range want {
		if got[k] != v {
			out += fmt.Sprintf("want %s %s\n", k, v)
		}
	}
	return out
}
