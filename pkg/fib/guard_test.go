package fib_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/fib/fibtest"
)

// hub returns the kernel of vm-hub00 before nvad starts: DHCP's routes and the connected one.
func hub() *fibtest.Kernel {
	k := fibtest.New()
	k.Plant(fib.KernelRoute{Prefix: p("0.0.0.0/0"), Metric: 100, Protocol: 16, Hops: gw})
	k.Plant(fib.KernelRoute{Prefix: p("10.0.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: 2}}})
	k.Plant(fib.KernelRoute{Prefix: p("169.254.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: 3}}})
	k.Plant(fib.KernelRoute{Prefix: p("169.254.169.254/32"), Metric: 100, Protocol: 16, Hops: gw})
	return k
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

var hubProtected = []fib.Protected{
	{Addr: addr("168.63.129.16"), Why: "platform address"},
	{Addr: addr("169.254.169.254"), Why: "metadata service"},
	{Addr: addr("10.10.0.4"), Why: "remote of vxlan0", NotBy: []string{"vxlan0"}},
	{Addr: addr("10.0.210.4"), Why: "neighbor", Neighbor: true},
	{Addr: addr("169.254.0.2"), Why: "neighbor", Neighbor: true},
}

func TestGuard(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change fib.Change
		refuse string // part of the reason; if empty, the route is installed
	}{
		{"covers both Route Server instances", bgp("10.0.0.0/16", gw), ""},
		{"covers the remote by the same way", bgp("10.10.0.0/16", gw), ""},
		{"remote into its own tunnel", bgp("10.10.0.0/16", far), "10.10.0.4 would be reached through vxlan0"},
		{"remote alone into its tunnel", bgp("10.10.0.4/32", far), "10.10.0.4 would be reached through vxlan0"},
		{"half of the hops into the tunnel", bgp("10.10.0.0/24", both), "through vxlan0"},
		{"beside the remote", bgp("10.11.0.0/16", far), ""},
		{"remote dropped", blackhole("10.10.0.0/16"), "would be dropped"},
		{"platform address away", bgp("168.63.0.0/16", far), "instead of via 10.0.0.1 dev eth0"},
		{"platform address the same way", bgp("168.63.0.0/16", gw), ""},
		{"less specific than the DHCP route", bgp("169.254.0.0/16", far), ""},
		{"default", bgp("0.0.0.0/0", gw), "allow-default"},
		{"static default", static("0.0.0.0/0", gw), ""},
		{"IPv6 default", bgp("::/0", []fib.NextHop{{Via: addr("fe80::1"), Link: 2}}), "allow-default"},
		{"Route Server into the tunnel", bgp("10.0.210.0/24", far), "10.0.210.4 would leave via 169.254.0.2"},
		{"neighbor by another way", bgp("169.254.0.2/32", gw), "169.254.0.2 would leave via 10.0.0.1"},
		{"neighbor through itself", bgp("169.254.0.0/25", far), "through itself"},
		{"backup into the tunnel", backup("10.10.0.0/16", gw, far), "through vxlan0"},
		{"operator pins the address", static("168.63.129.16/32", far), ""},
		{"operator leads a neighbor elsewhere", static("10.0.210.0/26", far), ""},
		{"operator drops a neighbor", fib.Change{Prefix: p("10.0.210.0/26"), Route: &fib.Route{Kind: fib.Blackhole, Class: fib.Static, Metric: 20}}, "would be dropped"},
		{"operator leads the remote into its tunnel", static("10.10.0.0/24", far), "through vxlan0"},
		{"operator leads a neighbor through itself", static("10.0.210.0/26", []fib.NextHop{{Via: addr("10.0.210.4"), Link: 2}}), "through itself"},
		{"operator's wide static", static("168.63.0.0/16", far), "platform address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, hub(), fib.Options{})
			f.Protect(hubProtected, false, t0)
			f.Apply([]fib.Change{tt.change}, t0)
			settle(f, t0)
			want := "installed"
			if tt.refuse != "" {
				want = "refused"
			}
			got := states(f)[tt.change.Prefix.String()]
			if !strings.HasPrefix(got, want) || !strings.Contains(got, tt.refuse) {
				t.Errorf("%s is %q, want %s for %q", tt.change.Prefix, got, want, tt.refuse)
			}
		})
	}
}

// A static route into the tunnel is installed as long as another route pins the remote beside
// it, in whatever order the two arrive.
func TestPinnedRemote(t *testing.T) {
	wide, pin := static("10.10.0.0/16", far), static("10.10.0.4/32", gw)
	for _, changes := range [][]fib.Change{{wide, pin}, {pin, wide}} {
		f := start(t, hub(), fib.Options{})
		f.Protect(hubProtected, false, t0)
		f.Apply(changes, t0)
		settle(f, t0)
		if got := states(f); got["10.10.0.0/16"] != "installed" || got["10.10.0.4/32"] != "installed" {
			t.Errorf("with the remote pinned: %v", got)
		}
		f.Apply([]fib.Change{{Prefix: pin.Prefix}}, t0)
		settle(f, t0)
		if got := states(f)["10.10.0.0/16"]; !strings.HasPrefix(got, "refused") {
			t.Errorf("without the pin it is %s", got)
		}
	}
}

// The result does not depend on which route came first, and it follows the facts.
func TestGuardFollowsFacts(t *testing.T) {
	k := hub()
	f := start(t, k, fib.Options{})
	route := bgp("168.63.0.0/16", far)
	f.Apply([]fib.Change{route, bgp("0.0.0.0/0", far)}, t0)
	settle(f, t0)
	if s := states(f)["168.63.0.0/16"]; s != "installed" {
		t.Fatalf("unprotected: %s", s)
	}
	f.Protect(hubProtected, false, t0)
	settle(f, t0)
	if s := states(f)["168.63.0.0/16"]; !strings.HasPrefix(s, "refused") || strings.Contains(k.String(), "168.63.") {
		t.Errorf("protected: %s\n%s", s, k)
	}

	pin := fib.KernelRoute{Prefix: p("168.63.129.16/32"), Metric: 100, Protocol: 16, Hops: gw}
	f.Observe(fib.Event{Kind: fib.RouteEvent, Route: pin}, t0)
	settle(f, t0)
	if s := states(f)["168.63.0.0/16"]; s != "installed" {
		t.Errorf("with DHCP's own route: %s", s)
	}
	f.Observe(fib.Event{Kind: fib.RouteEvent, Route: pin, Deleted: true}, t0)
	settle(f, t0)
	if s := states(f)["168.63.0.0/16"]; !strings.HasPrefix(s, "refused") {
		t.Errorf("without it again: %s", s)
	}
	f.Apply([]fib.Change{static("168.63.129.16/32", gw)}, t0)
	settle(f, t0)
	if s := states(f)["168.63.0.0/16"]; s != "installed" {
		t.Errorf("with a static route: %s", s)
	}
	if s := states(f)["0.0.0.0/0"]; !strings.HasPrefix(s, "refused") {
		t.Errorf("default: %s", s)
	}
	f.Protect(nil, true, t0)
	settle(f, t0)
	if s := states(f)["0.0.0.0/0"]; s != "installed" {
		t.Errorf("default allowed: %s", s)
	}
}
