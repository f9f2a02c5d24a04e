package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

const onPrem = "10.110.0.0/16"

func (b *bed) explain(prefix string) Explanation {
	b.flush()
	return b.r.Explain(ExplainQuery{Prefix: pfx(prefix)})
}

func (x *Explanation) from(t *testing.T, neighbor string) PathStory {
	t.Helper()
	i := slices.IndexFunc(x.Paths, func(s PathStory) bool { return s.Neighbor == addr(neighbor) })
	if i < 0 {
		t.Fatalf("no path from %s", neighbor)
	}
	return x.Paths[i]
}

func (x *Explanation) to(t *testing.T, neighbor string) Export {
	t.Helper()
	i := slices.IndexFunc(x.Exports, func(e Export) bool { return e.Neighbor == addr(neighbor) })
	if i < 0 {
		t.Fatalf("the explanation does not mention %s", neighbor)
	}
	return x.Exports[i]
}

func lines(steps []policy.Step) string {
	var out []string
	for _, s := range steps {
		out = append(out, s.String())
	}
	return strings.Join(out, "\n")
}

func TestExplainAcceptedRoute(t *testing.T) {
	b := newHub00(t)
	b.announce(nva, "65515 12076", onPrem)
	x := b.explain(onPrem)
	s := x.from(t, nva)
	if !x.Known || x.Undecided || s.Differs || s.Evaluated == nil || s.Evaluated != s.Accepted {
		t.Errorf("%+v", s)
	}
	if got := fmt.Sprint(s.Checks); got != "[{AS path loop own AS 65001 is not in the path true} "+
		"{AS_SET the path has none true} {next hop 169.254.0.2 true}]" {
		t.Errorf("checks %s", got)
	}
	if got := lines(s.Steps); got != "accept: permit" {
		t.Errorf("import:\n%s", got)
	}
	if fmt.Sprint(s.Via) != "[via 169.254.0.2 dev vxlan0]" || s.Lost != nil {
		t.Errorf("via %v, lost %v", s.Via, s.Lost)
	}
	if x.Route == nil || x.NoRoute != "" {
		t.Errorf("route %v: %s", x.Route, x.NoRoute)
	}
	e := x.to(t, rs0)
	if e.Held != "" || e.Differs || e.Sent == nil || e.Sent != e.Evaluated || e.Sent.ASPath.String() != "65001 65001 65001" {
		t.Errorf("export %+v", e)
	}
	want := `prefix-list rs-hub00 seq 15 permit any [10.110.0.0/16]: permit
  match as-path-list azure-asns seq 5 permit _65515_ [65515 12076]: match
route-map to-azure permit 10: permit; as-path "65515 12076" -> "65001 65001"`
	if got := lines(e.Steps); got != want {
		t.Errorf("export:\n%s", got)
	}
}

// The explanation lists the checks in the order in which they are made, up to the one that
// failed.
func TestExplainChecks(t *testing.T) {
	for _, c := range []struct {
		name, from string
		attrs      route.Attrs
		passed     int
		failed     string
	}{
		{"own AS", rs0, route.Attrs{ASPath: asPath("65515 65001")}, 0, "AS path loop: own AS 65001 is in the path"},
		{"empty path", rs0, route.Attrs{}, 1, "first AS: the path is empty"},
		{"first AS", rs0, route.Attrs{ASPath: asPath("12076")}, 1, "first AS: 12076, must be 65515"},
		{"confederation", rs0, route.Attrs{ASPath: route.ASPath{
			{Type: route.ASConfedSequence, ASNs: []uint32{1}}, {Type: route.ASSequence, ASNs: []uint32{65515}},
		}}, 2, "confederation: the path has a segment"},
		{"AS_SET", rs0, route.Attrs{ASPath: asPath("65515 {1,2}")}, 3, "AS_SET: the path has a set"},
		{"next hop", rs0, route.Attrs{ASPath: asPath("65515"), NextHop: addr("10.0.0.4")}, 4, "next hop: 10.0.0.4"},
		{"originator", nva, route.Attrs{ASPath: asPath("1"), OriginatorID: addr("10.0.0.4")}, 3, "originator: 10.0.0.4"},
		{"cluster", nva, route.Attrs{ASPath: asPath("1"), ClusterList: []netip.Addr{addr("10.0.0.4")}}, 3, "cluster list: 10.0.0.4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newHub00(t)
			b.send(c.from, c.attrs, onPrem)
			x := b.explain(onPrem)
			s := x.from(t, c.from)
			last := s.Checks[len(s.Checks)-1]
			if got := last.Name + ": " + last.Value; len(s.Checks) != c.passed+1 || last.Passed || got != c.failed {
				t.Errorf("checks %v, want %d passed and then %q", s.Checks, c.passed, c.failed)
			}
			if slices.ContainsFunc(s.Checks[:len(s.Checks)-1], func(c Check) bool { return !c.Passed }) {
				t.Errorf("two checks failed: %v", s.Checks)
			}
			if s.Steps != nil || s.Evaluated != nil || x.NoRoute != "no path was accepted" {
				t.Errorf("policy was evaluated: %v, %q", s.Steps, x.NoRoute)
			}
		})
	}
}

func TestExplainRejectedByPolicy(t *testing.T) {
	b := newHub00(t)
	b.announce(rs0, "65515 23456", onPrem)
	x := b.explain(onPrem)
	s := x.from(t, rs0)
	if got := lines(s.Steps); got != "deny-asns reserved AS 23456 [65515 23456]: deny" {
		t.Errorf("import: %s", got)
	}
	if s.Evaluated != nil || s.Differs || s.Rule != "deny-asns reserved: AS 23456" {
		t.Errorf("%+v", s)
	}
	if e := x.to(t, nva); e.Held != "no valid path" || e.Steps != nil {
		t.Errorf("export %+v", e)
	}
}

// Each step of the decision process can end a comparison, and the explanation names the values
// that it compared.
func TestExplainComparison(t *testing.T) {
	base := func(edit func(*route.Attrs)) route.Attrs {
		a := route.Attrs{ASPath: asPath("65515 12076"), NextHop: addr(rs0)}
		edit(&a)
		return a
	}
	none := func(*route.Attrs) {}
	for _, c := range []struct {
		win, lose string
		better    func(*route.Attrs)
		worse     func(*route.Attrs)
		want      string
	}{
		{"169.254.0.3", rs0, func(a *route.Attrs) { a.LocalPref = route.Some(200) }, none, "local preference 200 100"},
		{rs1, rs0, func(a *route.Attrs) { a.ASPath = asPath("65515") }, none, "AS path length 1 2"},
		{rs1, rs0, none, func(a *route.Attrs) { a.Origin = route.OriginIncomplete }, "origin igp incomplete"},
		{rs1, rs0, none, func(a *route.Attrs) { a.MED = route.Some(1) }, "MED 0 (AS 65515) 1 (AS 65515)"},
		{rs1, "169.254.0.3", none, none, "eBGP over iBGP eBGP iBGP"},
		{"169.254.0.9", "169.254.0.3", none, func(a *route.Attrs) { a.NextHop = addr("10.9.0.1") }, "metric to next hop 0 100"},
		{rs0, rs1, none, none, "router ID 10.0.210.4 10.0.210.5"},
		{"169.254.0.9", "169.254.0.3", func(a *route.Attrs) { a.OriginatorID = addr("1.1.1.1") },
			func(a *route.Attrs) {
				a.OriginatorID, a.ClusterList = addr("1.1.1.1"), []netip.Addr{addr("2.2.2.2")}
			}, "cluster list length 0 1"},
		{"169.254.0.3", "169.254.0.9", func(a *route.Attrs) { a.OriginatorID = addr("1.1.1.1") },
			func(a *route.Attrs) { a.OriginatorID = addr("1.1.1.1") }, "neighbor address 169.254.0.3 169.254.0.9"},
	} {
		t.Run(c.want, func(t *testing.T) {
			b := decisionBed(t)
			b.farHop()
			b.send(c.lose, base(c.worse), onPrem)
			b.send(c.win, base(c.better), onPrem)
			x := b.explain(onPrem)
			l := x.from(t, c.lose).Lost
			if l == nil || !l.RunnerUp || l.Best != addr(c.win) || x.Paths[0].Neighbor != addr(c.win) || x.Paths[0].Lost != nil {
				t.Fatalf("%+v", l)
			}
			last := l.Rows[len(l.Rows)-1]
			if got := fmt.Sprint(last.Step, " ", last.Best, " ", last.Other); got != c.want || last.Step != l.Step {
				t.Errorf("decided by %q, want %q", got, c.want)
			}
			for _, row := range l.Rows[:len(l.Rows)-1] {
				if row.Best != row.Other && row.Step != StepMED {
					t.Errorf("%v differs before the deciding step", row)
				}
			}
		})
	}
}

// farHop adds a connected route with a metric.
func (b *bed) farHop() {
	b.facts(true)
	b.r.under.table.Insert(pfx("10.9.0.0/24"), via{hops: []fib.NextHop{{Link: eth0}}, metric: 100})
}

// The runner-up is the path that was eliminated last, whichever step eliminated it. If another
// path beat it by MED, the explanation names that path.
func TestExplainRunnerUp(t *testing.T) {
	b := decisionBed(t)
	hop := addr(rs0)
	b.send(rs0, route.Attrs{ASPath: asPath("65515 1"), NextHop: hop}, onPrem)
	b.send(rs1, route.Attrs{ASPath: asPath("65515 1 2"), NextHop: hop}, onPrem)
	b.send("169.254.0.3", route.Attrs{ASPath: asPath("7 1"), MED: route.Some(5), NextHop: hop}, onPrem)
	b.send("169.254.0.9", route.Attrs{ASPath: asPath("7 1"), MED: route.Some(9), NextHop: hop}, onPrem)
	x := b.explain(onPrem)
	for neighbor, want := range map[string]Comparison{
		rs1:           {Step: StepPathLength, Best: hop},
		"169.254.0.9": {Step: StepMED, Best: hop, Beaten: addr("169.254.0.3")},
		"169.254.0.3": {Step: StepExternal, Best: hop, RunnerUp: true},
	} {
		got := *x.from(t, neighbor).Lost
		got.Rows = nil
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, want %+v", neighbor, got, want)
		}
	}
}

func TestExplainHeldBack(t *testing.T) {
	b := newHub00(t)
	set := func(a route.Attrs, from string) Explanation {
		if a.ASPath == nil {
			a.ASPath = asPath("65515")
		}
		b.send(from, a, onPrem)
		return b.explain(onPrem)
	}
	plain := set(route.Attrs{}, rs0)
	private := set(route.Attrs{Communities: []route.Community{route.NoAdvertise}}, rs0)
	b.withdraw(rs0, onPrem)
	inside := set(route.Attrs{Communities: []route.Community{route.NoExport}}, nva)
	other := set(route.Attrs{ASPath: asPath("12076")}, nva)
	b.r.PeerDown(addr(rs1), false)
	down := b.explain(onPrem)
	for _, c := range []struct {
		what string
		x    Explanation
		to   string
		want string
	}{
		{"its own", plain, rs0, "learned from this neighbor"},
		{"its domain's", plain, rs1, `learned from domain "ars-hub00"`},
		{"no-advertise", private, nva, "community no-advertise"},
		{"no-export", inside, rs0, "community no-export"},
		{"policy", other, rs0, "route-map to-azure: no clause matched (implicit deny)"},
		{"no session", down, rs1, "the session is not established"},
	} {
		e := c.x.to(t, c.to)
		if e.Held != c.want || e.Sent != nil || e.Evaluated != nil || e.Differs {
			t.Errorf("%s: %+v, want %q", c.what, e, c.want)
		}
		if asked := e.Steps != nil; asked != (c.what == "policy") {
			t.Errorf("%s: policy was evaluated: %v", c.what, asked)
		}
	}
}

// Right after a reload the tables still contain what the old policy made of the route. The
// explanation says so until the walk has evaluated it again.
func TestExplainPendingPolicy(t *testing.T) {
	b := newHub00(t)
	b.announce(nva, "65515 12076", onPrem)
	b.flush()
	b.peer(neighbor(nva, 65001, ExportSettings{NextHopSelf: true}), policy.Chain{Accept: true, PrefixList: "none"}, toNVA)
	b.peer(neighbor(rs0, 65515, ImportSettings{EnforceFirstAS: true}, SourceSettings{Domain: "ars-hub00"}), fromAzure, acceptAll)
	x := b.r.Explain(ExplainQuery{Prefix: pfx(onPrem)})
	if s := x.from(t, nva); !s.Differs || s.Accepted == nil || s.Evaluated != nil ||
		s.Rule != "prefix-list none seq 5 deny any" {
		t.Errorf("import %+v", s)
	}
	if e := x.to(t, rs0); !e.Differs || e.Sent == nil || e.Evaluated.ASPath.String() != "65001 65515 12076" {
		t.Errorf("export %+v", e)
	}
	x = b.explain(onPrem)
	if s := x.from(t, nva); s.Differs || s.Accepted != nil {
		t.Errorf("after the walk: %+v", s)
	}
}

// TestExplainNextHopByBGP names the BGP route through which FRR would reach a next hop.
func TestExplainNextHopByBGP(t *testing.T) {
	b := newHub00(t)
	b.send(nva, route.Attrs{ASPath: asPath("1"), NextHop: addr("10.50.0.9")}, "10.1.0.0/16")
	b.flush()
	unresolved := func() string {
		x := b.explain("10.1.0.0/16")
		return x.from(t, nva).Unresolved
	}
	if got := unresolved(); !strings.HasPrefix(got, "no connected") {
		t.Errorf("without a BGP route: %q", got)
	}
	b.announce(nva, "65515", "0.0.0.0/0", "10.48.0.0/12", "10.50.0.0/16")
	b.flush()
	if got := unresolved(); !strings.HasPrefix(got, "only the BGP route 10.50.0.0/16 leads to it") {
		t.Errorf("with one: %q", got)
	}
	if b.explain("10.1.0.0/16").Route != nil {
		t.Error("the route is installed")
	}
	b.withdraw(nva, "10.48.0.0/12", "10.50.0.0/16")
	b.flush()
	if got := unresolved(); !strings.HasPrefix(got, "no connected") {
		t.Errorf("with a default route alone: %q", got)
	}
}

func TestExplainNoRoute(t *testing.T) {
	b := newHub00(t)
	b.send(nva, route.Attrs{ASPath: asPath("1"), NextHop: addr("192.0.2.1")}, "10.1.0.0/16")
	b.announce(nva, "65515", "10.2.0.0/16")
	b.r.SetLocal([]Local{{Prefix: pfx("10.3.0.0/16"), Source: route.SourceNetwork, Attrs: b.in.Intern(route.Attrs{})}})
	b.facts(false)
	x := b.explain("10.1.0.0/16")
	if got := x.from(t, nva).Unresolved; !strings.HasPrefix(got, "no connected, static or foreign route leads to it") {
		t.Errorf("unresolved: %q", got)
	}
	for prefix, want := range map[string]string{
		"10.1.0.0/16":   "the next hop of no accepted path is reached",
		"10.2.0.0/16":   "the next hop of no accepted path is reached",
		"10.3.0.0/16":   "originated here: no route for it is put in the kernel, and packets follow more or less specific ones",
		"10.4.0.0/16":   "no neighbor has announced it",
		"10.0.210.0/24": "",
	} {
		if x := b.explain(prefix); x.NoRoute != want || (x.Route == nil) != (want != "") {
			t.Errorf("%s: %q, want %q", prefix, x.NoRoute, want)
		}
	}
	x = b.explain("10.3.7.0/24")
	if x.Known || x.Covering != pfx("10.3.0.0/16") || x.Paths != nil || x.Exports != nil {
		t.Errorf("absent prefix: %+v", x)
	}
}

func TestExplainSelects(t *testing.T) {
	b := newHub00(t)
	b.announce(rs0, "65515", onPrem)
	b.announce(rs1, "65515", onPrem)
	b.flush()
	x := b.r.Explain(ExplainQuery{Prefix: pfx(onPrem), Neighbor: addr(rs1), ExportTo: addr(nva)})
	if len(x.Paths) != 1 || x.Paths[0].Lost == nil || len(x.Exports) != 1 || x.Exports[0].Neighbor != addr(nva) {
		t.Errorf("%+v", x)
	}
}

// If a default route is originated for a neighbor, the explanation names the policy that it
// passed, even if the table has no default route.
func TestExplainOriginatedDefault(t *testing.T) {
	b := newHub00(t)
	program, err := policy.Compile(&library, policy.Chain{PrefixList: "vm-hub10"}, policy.Session{Export: true})
	if err != nil {
		t.Fatal(err)
	}
	b.peer(neighbor(nva, 65001, ExportSettings{Default: program}), acceptAll, policy.Chain{PrefixList: "none"})
	x := b.explain("0.0.0.0/0")
	if e := x.to(t, nva); !x.Known || !e.Originated || e.Sent == nil || e.Differs || e.Rule != "prefix-list vm-hub10 seq 10 permit any" {
		t.Errorf("%+v", e)
	}
	if e := x.to(t, rs0); e.Originated || e.Held != "no valid path" {
		t.Errorf("%+v", e)
	}
}

func TestExplainLimit(t *testing.T) {
	b := newHub00(t)
	b.peer(neighbor(nva, 65001, ExportSettings{MaxAdvertised: 1}), acceptAll, acceptAll)
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.flush()
	b.announce(rs0, "65515", "10.2.0.0/16")
	x := b.explain("10.2.0.0/16")
	if e := x.to(t, nva); e.Held != "held back: maximum-prefix-out 1 reached" || e.Evaluated != nil || e.Differs || e.Steps == nil {
		t.Errorf("%+v", e)
	}
}
