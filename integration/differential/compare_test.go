package differential

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// fact identifies one thing in which the two daemons may differ.
type fact struct {
	where  string // a neighbor, "table" or "kernel"
	prefix string
	what   string // attribute
}

// facts are all compared values of one daemon.
type facts map[fact]string

// there is the fact that a route exists at all.
const there = "there"

// observe collects the results of a daemon.
func (s *side) observe(t *testing.T) facts {
	t.Helper()
	out := facts{}
	teacher := map[string]string{}
	for _, p := range s.table(t) {
		prefix := p.prefix.String()
		if p.best {
			teacher[prefix] = p.peer
		}
		out[fact{"table", prefix, "from " + p.peer}] = fmt.Sprintf(
			"valid %t, best %t, beside the best %t, weight %d", p.valid, p.best, p.multipath && !p.best, p.weight)
	}
	for f, value := range s.heard() {
		// FRR sends a neighbor its own routes back
		if f.where != s.nameOf(teacher[f.prefix]) {
			out[f] = value
		}
	}
	for prefix, hops := range s.kernel(t, "bgp") {
		out[fact{"kernel", prefix, "next hops"}] = hops
	}
	return out
}

// heard returns the routes that the daemon has advertised to its neighbors.
func (s *side) heard() facts {
	out := facts{}
	for i, session := range s.sessions {
		where := s.neighbors[i].Name
		for prefix, attrs := range session.Table() {
			out[fact{where, prefix.String(), there}] = "yes"
			for name, value := range attrs {
				if name == "as-path" {
					value = strings.ReplaceAll(value, " / ", " ") // two sequences, one after the other, mean the same as one
				}
				out[fact{where, prefix.String(), name}] = value
			}
		}
	}
	return out
}

// nameOf returns the name of the neighbor with that address, or an empty string if there is
// none.
func (s *side) nameOf(address string) string {
	for _, n := range s.neighbors {
		if n.Address.String() == address {
			return n.Name
		}
	}
	return ""
}

// difference is a fact in which the two daemons differ. An empty value means that the fact is
// absent.
type difference struct {
	fact
	frr, nvad string
}

func (d difference) String() string {
	text := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	return fmt.Sprintf("%-12s %-18s %-18s FRR %s | nvad %s", d.where, d.prefix, d.what, text(d.frr), text(d.nvad))
}

// compare returns the differences, sorted. If only one daemon has a route, the route's
// attributes are not listed separately.
func compare(frr, nvad facts) []difference {
	all := maps.Clone(frr)
	maps.Copy(all, nvad)
	var out []difference
	for f := range all {
		if frr[f] == nvad[f] {
			continue
		}
		route := fact{f.where, f.prefix, there}
		if f.what != there && frr[route] != nvad[route] {
			continue
		}
		out = append(out, difference{f, frr[f], nvad[f]})
	}
	slices.SortFunc(out, func(a, b difference) int {
		return strings.Compare(a.order(), b.order())
	})
	return out
}

// order puts the table first, because the rest follows from it.
func (d difference) order() string {
	rank := map[string]string{"table": "0", "kernel": "2"}[d.where]
	if rank == "" {
		rank = "1"
	}
	return rank + " " + d.prefix + " " + d.where + " " + d.what
}

// kind groups differences of the same kind, of which a few examples are enough.
func (d difference) kind() string {
	if d.where == "table" {
		return d.where
	}
	if d.what == there && d.frr == "" {
		return "only nvad"
	}
	return d.what
}
