package fib_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/fib/fibtest"
)

// transitions returns the transitions that f reports, as sorted lines.
func transitions(f *fib.FIB) []string {
	way := func(w fib.Way) string {
		switch {
		case !w.Present:
			return "none"
		case w.Kind != fib.Unicast:
			return w.Kind.String()
		}
		return fmt.Sprint(w.Hops)
	}
	var out []string
	for _, t := range f.Transitions() {
		what := t.Prefix.String() + " " + t.Class.String()
		if t.Group != 0 {
			what = fmt.Sprintf("group of %d", t.Routes)
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s -> %s %s %s", what, way(t.Old), way(t.New), t.State, t.Reason)))
	}
	slices.Sort(out)
	return out
}

// TestReport follows routes through everything that can happen to them in the kernel.
func TestReport(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%t", plain), func(t *testing.T) {
			k := fibtest.New()
			f := start(t, k, fib.Options{Plain: plain})
			f.Report(true)
			step := func(what string, do func(), want ...string) {
				t.Helper()
				do()
				settle(f, t0)
				if got := transitions(f); !slices.Equal(got, want) {
					t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
				}
			}
			const a, b = "10.100.0.0/16", "10.101.0.0/16"
			viaGW, viaFar := "[via 10.0.0.1 dev eth0]", "[via 169.254.0.2 dev vxlan0]"
			step("new", func() { f.Apply([]fib.Change{bgp(a, gw), bgp(b, gw)}, t0) },
				a+" bgp none -> "+viaGW+" installed", b+" bgp none -> "+viaGW+" installed")
			step("the same again", func() { f.Apply([]fib.Change{bgp(a, gw)}, t0) })
			step("one moves", func() { f.Apply([]fib.Change{bgp(a, far)}, t0) }, a+" bgp "+viaGW+" -> "+viaFar+" installed")
			step("all of a group move", func() { f.Apply([]fib.Change{bgp(a, gw)}, t0) }, a+" bgp "+viaFar+" -> "+viaGW+" installed")
			step("there and back", func() { f.Apply([]fib.Change{bgp(a, far)}, t0); f.Apply([]fib.Change{bgp(a, gw)}, t0) })
			step("another kind", func() {
				f.Apply([]fib.Change{{Prefix: p(b), Route: &fib.Route{Kind: fib.Blackhole, Metric: 20}}}, t0)
			}, b+" bgp "+viaGW+" -> blackhole installed")
			step("gone", func() { f.Apply([]fib.Change{gone(b)}, t0) }, b+" bgp blackhole -> none installed")
			step("refused by the guard", func() { f.Apply([]fib.Change{bgp("0.0.0.0/0", gw)}, t0) },
				"0.0.0.0/0 bgp none -> "+viaGW+" refused default route; allow-default is not set")
			step("refused by the kernel", func() {
				k.FailNext("add 10.101.0.0/16 metric 20", errors.New("no buffers"))
				f.Apply([]fib.Change{bgp(b, gw)}, t0)
			}, b+" bgp none -> "+viaGW+" failed no buffers")
			step("not wanted any more, and never installed", func() { f.Apply([]fib.Change{gone("0.0.0.0/0"), gone(b)}, t0) },
				"0.0.0.0/0 bgp none -> none installed it was not installed", b+" bgp none -> none installed")
			step("a second one through the gateway", func() { f.Apply([]fib.Change{bgp(b, gw)}, t0) }, b+" bgp none -> "+viaGW+" installed")
			step("moves, but fails", func() {
				k.FailNext("replace 10.100.0.0/16 metric 20", errors.New("no buffers"))
				f.Apply([]fib.Change{bgp(a, far)}, t0)
			}, a+" bgp "+viaGW+" -> "+viaFar+" failed no buffers")
			step("and back", func() { f.Apply([]fib.Change{bgp(a, gw)}, t0) }, a+" bgp "+viaGW+" -> "+viaGW+" installed")
			f.Report(false)
			step("nobody watches", func() { f.Apply([]fib.Change{gone(a)}, t0) })
		})
	}
}
