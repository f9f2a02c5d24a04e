package rib

import (
	"testing"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// marking is a pair of policies that belong together: import adds a tag, and export to the
// branch denies the routes with the tag or, if open is set, those without it.
type marking struct {
	tag  uint32
	open bool
}

func (m marking) programs(b *bed) (in, out *policy.Program) {
	b.t.Helper()
	in = b.program(policy.Clause{Seq: 5, Permit: true, Set: policy.Set{Tag: &m.tag}})
	lib := policy.Library{RouteMaps: map[string]policy.RouteMap{"m": {
		{Seq: 5, Permit: m.open, Match: policy.Match{Tag: &m.tag}, Set: policy.Set{MED: &policy.Number{Value: m.tag}}},
		{Seq: 10, Permit: !m.open},
	}}}
	out, err := policy.Compile(&lib, policy.Chain{Accept: true, RouteMap: "m"}, policy.Session{LocalASN: 65001, Export: true})
	if err != nil {
		b.t.Fatal(err)
	}
	return in, out
}

// reload puts the policies into force. It begins with the neighbor that the routes are
// advertised to, so that this neighbor's walk of the table is the first.
func (b *bed) reload(m marking) {
	b.t.Helper()
	in, out := m.programs(b)
	_, shut := marking{tag: m.tag}.programs(b)
	b.r.SetPeer(neighbor(branch, 64580, ImportSettings{Import: in}, ExportSettings{Export: out}))
	b.r.SetPeer(neighbor(nva, 65001, ImportSettings{Import: in}, ExportSettings{Export: shut}))
}

// Each policy denies routes by a tag of its own. No mixture of an old and a new policy may let
// a route out, and a route that both accept may not be withdrawn even for a moment. It makes
// no difference that another neighbor announces the same prefix.
func TestReloadMixesNoPolicies(t *testing.T) {
	for _, open := range []bool{false, true} {
		b := newEdge(t)
		deny := b.program(policy.Clause{Seq: 5})
		b.r.SetPeer(neighbor(rs0, 65515, ImportSettings{Import: deny}, ExportSettings{Export: deny}))
		b.up(rs0)
		b.reload(marking{tag: 1, open: open})
		b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16")
		if got := len(b.flush()); got != map[bool]int{false: 5, true: 10}[open] { // changes for the kernel and for the neighbors
			t.Fatalf("%d effects at first", got)
		}
		for tag := uint32(2); tag < 6; tag++ {
			b.reload(marking{tag: tag, open: open})
			b.announce(rs0, "65515 12076", "10.3.0.0/16") // queues the prefix for a decision before the walks reach it
			told := map[string]int{}
			for busy := true; busy; {
				busy = b.r.Flush(2)
				for _, a := range b.r.Take().Out {
					for _, c := range a.Changes {
						told[c.Prefix.String()]++
						if c.Attrs == nil || !open || c.Attrs.MED != route.Some(tag) {
							t.Errorf("tag %d: %s", tag, outLine(a.Peer, c))
						}
					}
				}
			}
			for prefix, n := range told {
				if n != 1 {
					t.Errorf("tag %d: %s was advertised %d times", tag, prefix, n)
				}
			}
			if open && len(told) != 5 {
				t.Errorf("tag %d: %d prefixes advertised", tag, len(told))
			}
		}
	}
}

// If a reload denies the best path and accepts another one, the other takes its place at once.
func TestReloadChangesBestPath(t *testing.T) {
	b := newEdge(t)
	accept, deny := b.program(policy.Clause{Seq: 5, Permit: true}), b.program(policy.Clause{Seq: 5})
	set := func(first, second *policy.Program) {
		b.r.SetPeer(neighbor(rs0, 65515, ImportSettings{Import: first}, ExportSettings{Export: deny}))
		b.r.SetPeer(neighbor(rs1, 65515, ImportSettings{Import: second}, ExportSettings{Export: deny}))
	}
	set(accept, deny)
	b.up(rs0)
	b.up(rs1)
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.announce(rs1, "65515 12076", "10.1.0.0/16")
	b.flush()
	set(deny, accept)
	b.want("one replacement each",
		"to 10.0.0.9 + 10.1.0.0/16 path [65001 65515 12076] via 10.0.0.4",
		"to 169.254.0.2 + 10.1.0.0/16 path [65515 12076] via 169.254.0.1 local-pref 100")
}

// Aggregates count their parts under the policy that is reloaded together with them.
func TestReloadAggregateOfDeniedParts(t *testing.T) {
	b := newEdge(t)
	b.announce(nva, "65515", "10.1.1.0/24")
	b.flush()
	deny := b.program(policy.Clause{Seq: 5})
	b.r.SetPeer(neighbor(nva, 65001, ImportSettings{Import: deny}, ExportSettings{Export: deny}))
	b.r.SetAggregates([]Aggregate{{Prefix: pfx("10.1.0.0/16"), Attrs: b.in.Intern(route.Attrs{})}})
	b.want("the aggregate never stands", "fib - 10.1.1.0/24", "to 10.0.0.9 - 10.1.1.0/24")
}

// A new weight for a neighbor decides between paths that have not changed themselves.
func TestReloadWeight(t *testing.T) {
	b := newEdge(t)
	for _, a := range []string{rs0, rs1} {
		b.peer(neighbor(a, 65515), acceptAll, policy.Chain{})
		b.up(a)
	}
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.announce(rs1, "65515 12076", "10.1.0.0/16")
	b.flush()
	b.peer(neighbor(rs1, 65515, SourceSettings{Weight: 100}), acceptAll, policy.Chain{})
	b.want("the heavier one",
		"to 10.0.0.9 + 10.1.0.0/16 path [65001 65515 12076] via 10.0.0.4",
		"to 169.254.0.2 + 10.1.0.0/16 path [65515 12076] via 169.254.0.1 local-pref 100")
}
