package rib

import (
	"testing"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// branch is an eBGP neighbor whose policies accept everything.
const branch = "10.0.0.9"

// newEdge returns a bed with two neighbors to which everything is advertised.
func newEdge(t *testing.T) *bed {
	b := newBed(t)
	b.peer(neighbor(branch, 64580), acceptAll, acceptAll)
	b.peer(neighbor(nva, 65001, ExportSettings{NextHopSelf: true}), acceptAll, acceptAll)
	b.up(branch)
	b.up(nva)
	b.flush()
	return b
}

// permit compiles a route-map that permits everything and applies the given actions.
func (b *bed) permit(set policy.Set) *policy.Program {
	b.t.Helper()
	return b.program(policy.Clause{Seq: 5, Permit: true, Set: set})
}

// program compiles a route-map of one clause.
func (b *bed) program(clause policy.Clause) *policy.Program {
	b.t.Helper()
	lib := policy.Library{RouteMaps: map[string]policy.RouteMap{"m": {clause}}}
	p, err := policy.Compile(&lib, policy.Chain{Accept: true, RouteMap: "m"}, policy.Session{LocalASN: 65001, Export: true})
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func TestDefaultOriginate(t *testing.T) {
	b := newEdge(t)
	given := neighbor(branch, 64580, ExportSettings{Default: b.program(policy.Clause{Seq: 5, Permit: true})})
	b.peer(given, acceptAll, policy.Chain{})
	b.want("without any default in the table, and past export policy",
		"to 10.0.0.9 + 0.0.0.0/0 path [65001] via 10.0.0.4 med 0")

	b.announce(nva, "65515", "0.0.0.0/0")
	b.want("a learned default goes to the kernel, not to this neighbor",
		"fib + 0.0.0.0/0 bgp via 169.254.0.2 dev vxlan0")
	b.withdraw(nva, "0.0.0.0/0")
	b.want("and goes again", "fib - 0.0.0.0/0")

	med := policy.Number{Value: 50}
	given.Default = b.program(policy.Clause{Seq: 5, Permit: true, Set: policy.Set{MED: &med, ASPathPrepend: []uint32{65001}}})
	b.peer(given, acceptAll, policy.Chain{})
	b.want("the route-map changes it, in one replacement",
		"to 10.0.0.9 + 0.0.0.0/0 path [65001 65001] via 10.0.0.4 med 50")

	given.Default = b.program(policy.Clause{Seq: 5})
	b.peer(given, acceptAll, policy.Chain{})
	b.want("the route-map denies it", "to 10.0.0.9 - 0.0.0.0/0")

	given.Default = nil
	b.peer(given, acceptAll, policy.Chain{})
	b.want("switched off")
	if b.r.table.find(defaultIPv4) != nil {
		t.Error("the table keeps a default route that no neighbor announces")
	}
}

func TestAggregate(t *testing.T) {
	b := newEdge(t)
	sum := func(only bool) []Aggregate {
		return []Aggregate{{Prefix: pfx("10.8.0.0/14"), SummaryOnly: only, Attrs: b.in.Intern(route.Attrs{AtomicAggregate: true})}}
	}
	b.r.SetAggregates(sum(false))
	b.want("nothing to aggregate")
	b.announce(nva, "65515", "10.9.0.0/16")
	b.want("the first part brings it up",
		"fib + 10.9.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"to 10.0.0.9 + 10.8.0.0/14 path [65001] via 10.0.0.4",
		"to 10.0.0.9 + 10.9.0.0/16 path [65001 65515] via 10.0.0.4",
		"to 169.254.0.2 + 10.8.0.0/14 path [] via 169.254.0.1 local-pref 100")
	b.r.SetAggregates(sum(true))
	b.want("a reload makes it summary-only", "to 10.0.0.9 - 10.9.0.0/16")
	b.announce(nva, "65515", "10.10.0.0/16", "10.12.0.0/16")
	b.want("further parts are suppressed, what is outside is not",
		"fib + 10.10.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"fib + 10.12.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"to 10.0.0.9 + 10.12.0.0/16 path [65001 65515] via 10.0.0.4")
	b.r.SetAggregates(sum(false))
	b.want("a reload lets them out again",
		"to 10.0.0.9 + 10.10.0.0/16 path [65001 65515] via 10.0.0.4",
		"to 10.0.0.9 + 10.9.0.0/16 path [65001 65515] via 10.0.0.4")
	b.withdraw(nva, "10.10.0.0/16")
	b.want("one part of two goes", "fib - 10.10.0.0/16", "to 10.0.0.9 - 10.10.0.0/16")
	b.withdraw(nva, "10.9.0.0/16")
	b.want("the last part takes it along",
		"fib - 10.9.0.0/16",
		"to 10.0.0.9 - 10.8.0.0/14",
		"to 10.0.0.9 - 10.9.0.0/16",
		"to 169.254.0.2 - 10.8.0.0/14")
}

// A network statement for the aggregate's prefix takes the place of the aggregate, and leaves
// the aggregate behind when it is removed.
func TestAggregateUnderNetwork(t *testing.T) {
	b := newEdge(t)
	attrs := b.in.Intern(route.Attrs{AtomicAggregate: true})
	own := Local{Prefix: pfx("10.8.0.0/14"), Source: route.SourceNetwork, Attrs: b.in.Intern(route.Attrs{})}
	b.r.SetAggregates([]Aggregate{{Prefix: own.Prefix, Attrs: attrs}})
	b.r.SetLocal([]Local{own})
	b.announce(nva, "65515", "10.9.0.0/16")
	b.flush()
	if a := b.r.Sent(own.Prefix, addr(branch)); a == nil || a.AtomicAggregate {
		t.Errorf("with the network statement: %+v", a)
	}
	b.r.SetLocal(nil)
	b.flush()
	if a := b.r.Sent(own.Prefix, addr(branch)); a == nil || !a.AtomicAggregate {
		t.Errorf("without it: %+v", a)
	}
}

// A route that is originated here is announced to others and never installed, even if a
// neighbor announces the same prefix: that neighbor might send the packets back.
func TestNetworkIsNotInstalled(t *testing.T) {
	b := newEdge(t)
	network := func(p string) Local {
		return Local{Prefix: pfx(p), Source: route.SourceNetwork, Attrs: b.in.Intern(route.Attrs{})}
	}
	b.announce(nva, "65515", "10.1.0.0/16")
	b.flush()
	b.r.SetLocal([]Local{network("10.1.0.0/16"), network("10.2.0.0/16")})
	b.want("the learned route leaves the kernel",
		"fib - 10.1.0.0/16",
		"to 10.0.0.9 + 10.1.0.0/16 path [65001] via 10.0.0.4",
		"to 10.0.0.9 + 10.2.0.0/16 path [65001] via 10.0.0.4",
		"to 169.254.0.2 + 10.1.0.0/16 path [] via 169.254.0.1 local-pref 100",
		"to 169.254.0.2 + 10.2.0.0/16 path [] via 169.254.0.1 local-pref 100")
	b.withdraw(nva, "10.1.0.0/16")
	b.want("its withdrawal changes nothing")
	b.announce(nva, "65515", "10.2.0.0/16")
	b.want("one that comes later is not installed either")
	b.r.SetLocal(nil)
	b.want("but it is, and is announced, when the statement goes",
		"fib + 10.2.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"to 10.0.0.9 + 10.2.0.0/16 path [65001 65515] via 10.0.0.4",
		"to 10.0.0.9 - 10.1.0.0/16",
		"to 169.254.0.2 - 10.1.0.0/16",
		"to 169.254.0.2 - 10.2.0.0/16")
}

// TestLocalIsBest: a route that is originated here wins over a learned one, whatever
// LOCAL_PREF the learned one has.
func TestLocalIsBest(t *testing.T) {
	b := newEdge(t)
	b.send(nva, route.Attrs{ASPath: asPath("65515"), LocalPref: route.Some(300)}, "10.1.0.0/16")
	b.r.SetLocal([]Local{{Prefix: pfx("10.1.0.0/16"), Source: route.SourceNetwork, Attrs: b.in.Intern(route.Attrs{})}})
	b.flush()
	d := b.r.table.find(pfx("10.1.0.0/16"))
	if d.best < 0 || d.paths[d.best].source != route.SourceNetwork || d.step != StepWeight {
		t.Errorf("best %d by %v of %+v", d.best, d.step, d.paths)
	}
}
