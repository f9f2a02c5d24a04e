package dataplane

import (
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
)

// The inbox keeps one change for each prefix, the latest, so its size is bounded by the number
// of prefixes.
func TestInboxFoldsChanges(t *testing.T) {
	const prefixes = 1000
	var in input
	var last [prefixes]*fib.Route
	for i := range 10 * minFold {
		at := i * 7 % prefixes
		last[at] = &fib.Route{Metric: uint32(i)}
		in.addChanges([]fib.Change{{Prefix: numbered(at), Route: last[at]}})
		if len(in.changes) > 2*minFold {
			t.Fatalf("%d changes of %d prefixes wait", len(in.changes), prefixes)
		}
	}
	have := map[netip.Prefix]*fib.Route{}
	for _, c := range in.changes {
		have[c.Prefix] = c.Route
	}
	for i, want := range last {
		if have[numbered(i)] != want {
			t.Errorf("%s does not have its latest change", numbered(i))
		}
	}
}

func numbered(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
}
