package rib

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// changes runs the RIB until nothing is pending and returns the changes of best paths as
// lines.
func (b *bed) changes() []string {
	for b.r.Flush(3) {
	}
	var out []string
	for _, c := range b.r.Take().Best {
		from := func(c Choice) string {
			switch {
			case c.Attrs == nil:
				return "none"
			case !c.Neighbor.IsValid():
				return c.Source.String()
			}
			return c.Neighbor.String()
		}
		out = append(out, fmt.Sprintf("%s %s -> %s: %s", c.Prefix, from(c.Old), from(c.New), c.Reason))
	}
	slices.Sort(out)
	return out
}

// TestObserve follows a prefix through everything that can happen to its best path.
func TestObserve(t *testing.T) {
	b := newHub00(t)
	const p = "10.100.0.0/16"
	b.announce(rs0, "65515 3", "10.99.0.0/16")
	b.announce(rs1, "65515 3", "10.98.0.0/16")
	b.flush()
	b.r.Observe(true)
	step := func(what string, do func(), want ...string) {
		t.Helper()
		do()
		if got := b.changes(); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
	step("first", func() { b.announce(rs0, "65515 3 4", p) }, p+" none -> 10.0.210.4: new")
	step("worse", func() { b.announce(rs1, "65515 3 4 5", p) })
	step("the same again", func() { b.announce(rs0, "65515 3 4", p) })
	step("other attributes", func() { b.announce(rs0, "65515 7 8", p) },
		p+" 10.0.210.4 -> 10.0.210.4: changed: AS path 65515 3 4 -> 65515 7 8")
	long := "65515" + strings.Repeat(" 9", shortPath)
	step("a long path", func() { b.announce(rs0, long, p) }, p+" 10.0.210.4 -> 10.0.210.5: better by AS path length")
	step("and another one", func() { b.withdraw(rs1, p); b.announce(rs0, long+" 10", p) }, p+" 10.0.210.5 -> 10.0.210.4: 10.0.210.5 withdrew it")
	step("the reason does not quote it", func() { b.announce(rs0, long+" 11", p) }, p+" 10.0.210.4 -> 10.0.210.4: changed: AS path")
	step("short again", func() { b.announce(rs0, "65515 7 8", p) }, p+" 10.0.210.4 -> 10.0.210.4: changed: AS path")
	step("worse again", func() { b.announce(rs1, "65515 3 4 5", p) })
	step("better", func() { b.announce(rs1, "65515 3", p) }, p+" 10.0.210.4 -> 10.0.210.5: better by AS path length")
	step("withdrawn", func() { b.withdraw(rs1, p) }, p+" 10.0.210.5 -> 10.0.210.4: 10.0.210.5 withdrew it")
	step("replaced and withdrawn in one turn", func() { b.announce(rs0, "65515 3", p); b.withdraw(rs0, p) },
		p+" 10.0.210.4 -> none: 10.0.210.4 withdrew it")
	step("rejected", func() { b.announce(rs0, "65515 3", p); b.changes(); b.announce(rs0, "65515 65001", p) },
		p+" 10.0.210.4 -> none: rejected: AS path loop: contains own AS 65001")
	step("tunnel route", func() { b.announce(nva, "65515", p) }, p+" none -> 169.254.0.2: new")
	step("next hop gone", func() { b.facts(false) }, p+" 169.254.0.2 -> none: next hop 169.254.0.2 does not resolve")
	step("next hop back", func() { b.facts(true) }, p+" none -> 169.254.0.2: new")
	step("session down", func() { b.r.PeerDown(addr(nva), false) }, p+" 169.254.0.2 -> none: 169.254.0.2 is down")
	step("originated", func() {
		b.r.SetLocal([]Local{{Prefix: pfx(p), Source: route.SourceNetwork, Attrs: b.in.Intern(route.Attrs{})}})
	}, p+" none -> network: new")
	step("no more", func() { b.r.SetLocal(nil) }, p+" network -> none: not originated any more")
	step("policy", func() {
		b.peer(neighbor(rs0, 65515), policy.Chain{Accept: true, PrefixList: "none"}, toAzure)
	}, "10.99.0.0/16 10.0.210.4 -> none: rejected: prefix-list none seq 5 deny any")
	step("not configured", func() { b.r.RemovePeer(addr(rs1)) }, "10.98.0.0/16 10.0.210.5 -> none: 10.0.210.5 is not configured any more")
	b.r.Observe(false)
	step("nobody watches", func() { b.announce(nva, "65515 3", p) })
	if b.r.seen.watched || b.r.seen.before.m != nil {
		t.Error("changes are kept although nobody observes")
	}
}
