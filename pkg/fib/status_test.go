package fib_test

import (
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
)

// At returns the same for one prefix as Status returns for all.
func TestAt(t *testing.T) {
	k := hub()
	k.Plant(fib.KernelRoute{Prefix: p("10.10.0.0/16"), Metric: 5, Protocol: 3, Hops: gw})
	f := start(t, k, fib.Options{})
	f.Protect(hubProtected, false, t0)
	f.Apply([]fib.Change{bgp("10.10.0.0/16", far), backup("10.11.0.0/16", gw, far), bgp("10.12.0.0/16", gw)}, t0)
	settle(f, t0)
	for _, prefix := range []string{"10.10.0.0/16", "10.11.0.0/16", "10.12.0.0/16", "10.13.0.0/16"} {
		var want []string
		for _, e := range f.Status() {
			if e.Prefix == p(prefix) {
				want = append(want, e.State.String()+e.Reason)
			}
		}
		var got []string
		for _, e := range f.At(p(prefix)) {
			got = append(got, e.State.String()+e.Reason)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", prefix, got, want)
		}
	}
	if got := f.Others(p("10.10.0.0/16")); len(got) != 1 || got[0].Metric != 5 {
		t.Errorf("other routes: %v", got)
	}
}

// Tally counts the routes that Status lists.
func TestTally(t *testing.T) {
	k := hub()
	k.Plant(fib.KernelRoute{Prefix: p("10.13.0.0/16"), Metric: 20, Protocol: 12, Hops: gw})
	f := start(t, k, fib.Options{})
	f.Protect(hubProtected, false, t0)
	static := bgp("10.14.0.0/16", gw)
	static.Route.Class = fib.Static
	f.Apply([]fib.Change{
		bgp("10.10.0.0/16", far), backup("10.11.0.0/16", gw, far), bgp("10.12.0.0/16", gw), bgp("10.13.0.0/16", gw), static,
	}, t0)
	for round, untried := range []int{1, 0} {
		want := fib.Tally{Untried: untried}
		for _, e := range f.Status() {
			if !e.Second {
				want.Wanted++
			}
			if e.State == fib.Installed && !e.Second {
				want.Installed++
			}
		}
		if got := f.Tally(); got != want || got.Wanted != 5 {
			t.Errorf("round %d: %+v, want %+v", round, got, want)
		}
		settle(f, t0)
	}
	wantCounted(t, f)
	if c := f.Count(); c.Refused != 1 || c.Conflicts != 1 {
		t.Errorf("%+v", c)
	}
}
