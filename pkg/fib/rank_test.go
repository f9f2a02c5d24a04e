package fib_test

import (
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/fib/fibtest"
)

var onEth0 = []fib.NextHop{{Link: 2}}

// rankCases lists pairs of another program's route and a wanted route, and whether nvad
// installs the wanted one beside it.
var rankCases = []struct {
	name   string
	other  fib.KernelRoute
	change fib.Change
	want   string // beginning of the state
}{
	{"connected", fib.KernelRoute{Protocol: 2, Metric: 200, Hops: onEth0}, bgp("10.1.0.0/16", far),
		"outranked 10.1.0.0/16 is connected on eth0"},
	{"connected with metric 0", fib.KernelRoute{Protocol: 2, Hops: onEth0}, bgp("10.1.0.0/16", far), "outranked"},
	{"connected, IPv6", fib.KernelRoute{Prefix: p("fd00::/64"), Protocol: 2, Metric: 256, Hops: onEth0},
		bgp("fd00::/64", []fib.NextHop{{Via: addr("fe80::1"), Link: 3}}), "outranked fd00::/64 is connected on eth0"},
	{"connected, but its link is down", fib.KernelRoute{Protocol: 2, Metric: 200, Hops: []fib.NextHop{{Link: 9}}},
		bgp("10.1.0.0/16", far), "installed"},
	{"static", fib.KernelRoute{Protocol: 4, Metric: 100, Hops: gw}, bgp("10.1.0.0/16", far),
		"outranked another program has a route for 10.1.0.0/16: via 10.0.0.1 dev eth0 proto static"},
	{"dhcp", fib.KernelRoute{Protocol: 16, Metric: 100, Hops: gw}, bgp("10.1.0.0/16", far), "outranked"},
	{"ra", fib.KernelRoute{Protocol: 9, Metric: 100, Hops: onEth0}, bgp("10.1.0.0/16", far), "outranked"},
	{"boot, dropping", fib.KernelRoute{Protocol: 3, Metric: 100, Kind: fib.Unreachable}, bgp("10.1.0.0/16", far),
		"outranked another program has a route for 10.1.0.0/16: unreachable proto boot"},
	{"last resort", fib.KernelRoute{Protocol: 3, Metric: 4278198272, Kind: fib.Unreachable}, bgp("10.1.0.0/16", far), "installed"},
	{"bird", fib.KernelRoute{Protocol: 12, Metric: 32, Hops: gw}, bgp("10.1.0.0/16", far), "installed"},
	{"connected and the file", fib.KernelRoute{Protocol: 2, Metric: 200, Hops: onEth0}, static("10.1.0.0/16", far), "outranked"},
	{"static and a floating one of the file", fib.KernelRoute{Protocol: 4, Metric: 100, Hops: gw}, float("10.1.0.0/16", far),
		"outranked another program has a route for 10.1.0.0/16"},
	{"a floating default route", fib.KernelRoute{Protocol: 16, Metric: 100, Hops: gw}, float("0.0.0.0/0", far), "installed"},
	{"static and the file", fib.KernelRoute{Protocol: 4, Metric: 100, Hops: gw}, static("10.1.0.0/16", far), "installed"},
}

// float returns a change to a static route that gives way to BGP.
func float(prefix string, hops []fib.NextHop) fib.Change {
	c := static(prefix, hops)
	c.Route.Distance = 250
	return c
}

// Whatever the metrics, a connected route outranks all of nvad's, and other programs' routes
// outrank those of BGP, except for routes that other routing daemons learned.
func TestRanks(t *testing.T) {
	for _, tt := range rankCases {
		t.Run(tt.name, func(t *testing.T) {
			k := fibtest.New()
			tt.other.Prefix = tt.change.Prefix
			k.Plant(tt.other)
			f := start(t, k, fib.Options{})
			f.Apply([]fib.Change{tt.change}, t0)
			settle(f, t0)
			name := tt.change.Prefix.String()
			if s := states(f)[name]; !strings.HasPrefix(s, tt.want) {
				t.Errorf("beside the other route: %q, want %q", s, tt.want)
			}
			if c := f.Count(); c.Outranked != strings.Count(tt.want[:9], "outranked") || c.Refused != 0 || c.Installed() != 1-c.Outranked {
				t.Errorf("beside it: %+v", c)
			}
			f.SetDisplace(true, false)
			settle(f, t0)
			if s := states(f)[name]; tt.other.Metric > 0 && s != "installed" {
				t.Errorf("with displace: %q", s)
			}
			f.SetDisplace(false, false)
			settle(f, t0)
			if s := states(f)[name]; !strings.HasPrefix(s, tt.want) {
				t.Errorf("without it again: %q, want %q", s, tt.want)
			}
			k.Uproot(tt.other.Prefix, tt.other.Metric)
			f.Observe(fib.Event{Kind: fib.RouteEvent, Deleted: true, Route: tt.other}, t0)
			settle(f, t0)
			if s := states(f)[name]; s != "installed" || f.Count().Outranked != 0 {
				t.Errorf("without it: %q, %+v", s, f.Count())
			}
			k.Plant(tt.other)
			f.Observe(fib.Event{Kind: fib.RouteEvent, Route: tt.other}, t0)
			settle(f, t0)
			if s := states(f)[name]; !strings.HasPrefix(s, tt.want) {
				t.Errorf("it is back: %q, want %q", s, tt.want)
			}
			f.Apply([]fib.Change{gone(name)}, t0)
			settle(f, t0)
			if c := f.Count(); c.Outranked != 0 || c.Wanted != 0 {
				t.Errorf("withdrawn: %+v", c)
			}
		})
	}
}

// A default route from BGP stands beside DHCP's, unless it shall be alone: then it waits until
// DHCP's is gone, as in FRR.
func TestDefaultAlone(t *testing.T) {
	for _, prefix := range []string{"0.0.0.0/0", "::/0"} {
		hop := far
		if prefix == "::/0" {
			hop = []fib.NextHop{{Via: addr("fd00::1"), Link: 2}}
		}
		k := fibtest.New()
		dhcp := fib.KernelRoute{Prefix: p(prefix), Protocol: 16, Metric: 100, Hops: []fib.NextHop{{Link: 2}}}
		k.Plant(dhcp)
		f := start(t, k, fib.Options{})
		f.Protect(nil, true, t0)
		f.Apply([]fib.Change{bgp(prefix, hop)}, t0)
		want := func(what, state string) {
			t.Helper()
			settle(f, t0)
			if s := states(f)[prefix]; !strings.HasPrefix(s, state) {
				t.Errorf("%s: %q, want %q", what, s, state)
			}
		}
		want("beside", "installed")
		f.SetDisplace(false, true)
		want("alone", "outranked another program has a route for "+prefix)
		f.SetDisplace(true, true)
		want("displace", "installed")
		f.SetDisplace(false, true)
		k.Uproot(dhcp.Prefix, dhcp.Metric)
		f.Observe(fib.Event{Kind: fib.RouteEvent, Deleted: true, Route: dhcp}, t0)
		want("DHCP's is gone", "installed")
		f.SetDisplace(false, false)
		k.Plant(dhcp)
		f.Observe(fib.Event{Kind: fib.RouteEvent, Route: dhcp}, t0)
		want("beside again", "installed")
	}
}

// If a link goes down, its connected route no longer outranks nvad's route; once the link is
// up, it does again.
func TestRankFollowsLinks(t *testing.T) {
	k := fibtest.New()
	k.Plant(fib.KernelRoute{Prefix: p("10.1.0.0/16"), Protocol: 2, Metric: 200, Hops: []fib.NextHop{{Link: 2}}})
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", far)}, t0)
	want := func(what, state string) {
		t.Helper()
		settle(f, t0)
		if s := states(f)["10.1.0.0/16"]; !strings.HasPrefix(s, state) {
			t.Errorf("%s: %q, want %q", what, s, state)
		}
	}
	want("up", "outranked")
	f.LinkDown(2)
	want("down", "installed")
	f.SetLinks([]fib.Link{eth0, vxlan0}, t0)
	want("up again", "outranked")
}

// If an earlier run left a route beside a connected route, it is removed at once, and not only
// once nvad is in sync.
func TestRankOverLeftover(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", far), bgp("10.2.0.0/16", far)}, t0)
	settle(f, t0)
	k.Plant(fib.KernelRoute{Prefix: p("10.1.0.0/16"), Protocol: 2, Metric: 200, Hops: []fib.NextHop{{Link: 2}}})
	f = fib.New(fib.Options{Kernel: k})
	if err := f.Resync(t0); err != nil {
		t.Fatal(err)
	}
	f.SetLinks([]fib.Link{eth0, vxlan0}, t0)
	f.Apply([]fib.Change{bgp("10.1.0.0/16", far)}, t0)
	settle(f, t0)
	wantKernel(t, k, `
10.1.0.0/16 metric 200 proto 2 dev #2
10.2.0.0/16 metric 20 proto 186 via 169.254.0.2 dev #3
2 objects
`)
}

// BGP routes are no facts, whoever left them: no next hop resolves through them.
func TestForeignWithoutBGP(t *testing.T) {
	k := fibtest.New()
	for prefix, proto := range map[string]int{"10.1.0.0/16": 186, "10.2.0.0/16": 251, "10.3.0.0/16": 200, "10.4.0.0/16": 4} {
		k.Plant(fib.KernelRoute{Prefix: p(prefix), Protocol: proto, Metric: 50, Hops: gw})
	}
	f := start(t, k, fib.Options{Protocols: fib.Protocols{BGP: 251, Static: 200}})
	routes, _ := f.Foreign()
	if len(routes) != 1 || routes[0].Protocol != 4 {
		t.Errorf("%+v", routes)
	}
	f.Protect([]fib.Protected{{Addr: addr("10.1.0.9"), Why: "platform address"}}, false, t0)
	f.Apply([]fib.Change{bgp("10.1.0.0/24", far)}, t0)
	settle(f, t0)
	if s := states(f)["10.1.0.0/24"]; s != "installed" {
		t.Errorf("the guard resolves the next hop through a leftover: %q", s)
	}
}
