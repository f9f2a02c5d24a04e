package rib

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
)

// twoNICs returns a RIB with 10.0.1.0/24 on e1, which has the default route, and 10.0.2.0/24
// on e2.
func twoNICs(t *testing.T, resolveDefault bool, more ...fib.KernelRoute) *bed {
	b := newBed(t)
	b.r.opt.ResolveDefault = resolveDefault
	b.r.SetStatics(nil)
	b.flush()
	b.r.SetFacts(fib.Facts{
		Links: []fib.Link{
			{Index: 1, Name: "lo", Up: true},
			{Index: 2, Name: "e1", Up: true, Addresses: []netip.Prefix{pfx("10.0.1.1/24")}},
			{Index: 3, Name: "e2", Up: true, Addresses: []netip.Prefix{pfx("10.0.2.1/24")}},
		},
		Routes: append([]fib.KernelRoute{
			{Prefix: pfx("0.0.0.0/0"), Protocol: 16, Metric: 100, Hops: []fib.NextHop{{Via: addr("10.0.1.9"), Link: 2}}},
			{Prefix: pfx("10.0.1.0/24"), Protocol: 2, Metric: 100, Hops: []fib.NextHop{{Link: 2}}},
			{Prefix: pfx("10.0.2.0/24"), Protocol: 2, Metric: 100, Hops: []fib.NextHop{{Link: 3}}},
		}, more...),
	})
	return b
}

// stands configures static routes, given as "PREFIX GATEWAY", and returns for each prefix the
// next hop of the route in use, or why there is none.
func (b *bed) stands(list ...string) map[string]string {
	b.t.Helper()
	var statics []Static
	for i, s := range list {
		prefix, gateway, _ := strings.Cut(s, " ")
		one := Static{Prefix: pfx(prefix), Metric: uint32(20 + i)}
		if one.Blackhole = gateway == "blackhole"; !one.Blackhole {
			one.Via = addr(gateway)
		}
		statics = append(statics, one)
	}
	b.r.SetStatics(statics)
	out := map[string]string{}
	for prefix := range b.r.under.statics {
		text := b.r.under.whyNotStatic(prefix)
		if s := b.r.under.standing(prefix); s != nil {
			if text = s.route.Kind.String(); s.route.Kind == fib.Unicast {
				text = s.route.Hops[0].String()
			}
		}
		out[prefix.String()] = text
	}
	return out
}

const viaE2 = "via 10.0.2.2 dev #3"

var droppedSubnet = fib.KernelRoute{Prefix: pfx("10.61.0.0/25"), Protocol: 4, Kind: fib.Unreachable}

// recursiveStatics are static routes whose gateways other routes lead to, and what becomes of each.
var recursiveStatics = []struct {
	name           string
	resolveDefault bool
	foreign        []fib.KernelRoute
	statics        []string
	want           map[string]string
}{
	{name: "via another",
		statics: []string{"10.62.0.0/16 10.61.0.9", "10.61.0.0/24 10.0.2.2", "10.63.0.0/16 10.62.7.7"},
		want:    map[string]string{"10.61.0.0/24": viaE2, "10.62.0.0/16": viaE2, "10.63.0.0/16": viaE2}},
	{name: "via another that does not stand",
		statics: []string{"10.62.0.0/16 10.61.0.9", "10.61.0.0/24 10.99.2.2"},
		want: map[string]string{"10.61.0.0/24": "static route: gateway 10.99.2.2 is not reached",
			"10.62.0.0/16": "static route: gateway 10.61.0.9 is not reached"}},
	{name: "via another program's route",
		foreign: []fib.KernelRoute{{Prefix: pfx("10.61.0.0/24"), Protocol: 4, Hops: []fib.NextHop{{Via: addr("10.0.2.2"), Link: 3}}}},
		statics: []string{"10.62.0.0/16 10.61.0.9"},
		want:    map[string]string{"10.62.0.0/16": viaE2}},
	{name: "gateways within their own prefix, on a connected subnet",
		statics: []string{"0.0.0.0/0 10.0.2.2", "10.0.0.0/8 10.0.2.2", "10.0.2.2/32 10.0.2.2"},
		want:    map[string]string{"0.0.0.0/0": viaE2, "10.0.0.0/8": viaE2, "10.0.2.2/32": "static route: gateway 10.0.2.2 is reached through no other route"}},
	{name: "a gateway within its own prefix alone",
		statics: []string{"10.60.0.0/14 10.61.0.9"},
		want:    map[string]string{"10.60.0.0/14": "static route: gateway 10.61.0.9 is reached through no other route"}},
	{name: "not by the default route",
		statics: []string{"10.60.0.0/16 10.61.0.9"},
		want:    map[string]string{"10.60.0.0/16": "static route: gateway 10.61.0.9 is not reached"}},
	{name: "by the default route", resolveDefault: true,
		statics: []string{"10.60.0.0/16 10.61.0.9"},
		want:    map[string]string{"10.60.0.0/16": "via 10.0.1.9 dev #2"}},
	{name: "a circle, and what needs it", resolveDefault: true,
		statics: []string{"10.61.0.0/24 10.62.0.9", "10.62.0.0/16 10.61.0.9", "10.63.0.0/16 10.61.0.7"},
		want: map[string]string{
			"10.61.0.0/24": "static routes need each other: 10.61.0.0/24 via 10.62.0.9, 10.62.0.0/16 via 10.61.0.9",
			"10.62.0.0/16": "static routes need each other: 10.61.0.0/24 via 10.62.0.9, 10.62.0.0/16 via 10.61.0.9",
			"10.63.0.0/16": "via 10.0.1.9 dev #2"}},
	{name: "a circle with a second way",
		statics: []string{"10.61.0.0/24 10.62.0.9", "10.62.0.0/16 10.61.0.9", "10.62.0.0/16 10.0.2.2"},
		want: map[string]string{
			"10.61.0.0/24": "static routes need each other: 10.61.0.0/24 via 10.62.0.9, 10.62.0.0/16 via 10.61.0.9",
			"10.62.0.0/16": viaE2}},
	{name: "a gateway that is dropped", foreign: []fib.KernelRoute{droppedSubnet},
		statics: []string{"10.61.0.0/24 10.0.2.2", "10.62.0.0/16 10.61.0.9", "10.63.0.0/16 10.61.0.200"},
		want:    map[string]string{"10.61.0.0/24": viaE2, "10.62.0.0/16": "static route: gateway 10.61.0.9 is not reached", "10.63.0.0/16": viaE2}},
	{name: "a gateway that the file drops",
		statics: []string{"10.61.0.0/24 blackhole", "10.62.0.0/16 10.61.0.9"},
		want:    map[string]string{"10.61.0.0/24": "blackhole", "10.62.0.0/16": "static route: gateway 10.61.0.9 is not reached"}},
	{name: "a connected prefix", // the route is kept out of the kernel
		statics: []string{"10.0.2.0/24 10.0.1.7", "10.62.0.0/16 10.0.2.2"},
		want:    map[string]string{"10.0.2.0/24": "via 10.0.1.7 dev #2", "10.62.0.0/16": viaE2}},
}

func TestRecursiveStatics(t *testing.T) {
	for _, tt := range recursiveStatics {
		t.Run(tt.name, func(t *testing.T) {
			b := twoNICs(t, tt.resolveDefault, tt.foreign...)
			for range 3 { // the map's order is random
				got := b.stands(tt.statics...)
				for prefix, want := range tt.want {
					if got[prefix] != want {
						t.Errorf("%s: %s, want %s", prefix, got[prefix], want)
					}
				}
			}
		})
	}
}

// Whatever static routes are drawn, each that is installed leads through a link to an address
// on that link. Whether it is installed does not depend on the order of the routes.
func TestRecursiveStaticsRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		b := twoNICs(t, false)
		var list []Static
		for range 3 + rng.IntN(12) {
			at := func() netip.Addr {
				return netip.AddrFrom4([4]byte{10, byte(rng.IntN(4)), byte(rng.IntN(4)), byte(1 + rng.IntN(9))})
			}
			list = append(list, Static{Prefix: netip.PrefixFrom(at(), 8+rng.IntN(25)).Masked(), Via: at(), Metric: uint32(len(list))})
		}
		b.r.SetStatics(list)
		first := b.r.Standing()
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		b.r.SetStatics(list)
		again := b.r.Standing()
		if len(first) != len(again) {
			t.Fatalf("%d are installed, in another order %d: %+v", len(first), len(again), list)
		}
		for prefix := range b.r.under.statics {
			s := b.r.under.standing(prefix)
			if s == nil {
				continue
			}
			for _, h := range s.route.Hops {
				if on := map[int]string{2: "10.0.1.0/24", 3: "10.0.2.0/24"}[h.Link]; !pfx(on).Contains(h.Via) {
					t.Fatalf("%s via %s: %s is not on its link", prefix, s.Via, h)
				}
			}
		}
	}
}

// If another program's route drops a next hop, it is unreachable, whatever less specific route
// covers it.
func TestNextHopDropped(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(rs0, 65515), acceptAll, acceptAll)
	b.up(rs0)
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.wantRoute("reached", "fib + 10.1.0.0/16 bgp via 10.0.0.1 dev eth0")
	facts := fib.Facts{Routes: append([]fib.KernelRoute{{Prefix: pfx("10.0.210.4/32"), Protocol: 4, Kind: fib.Unreachable}}, b.r.under.routes...)}
	for _, l := range b.r.under.links {
		facts.Links = append(facts.Links, l)
	}
	b.r.SetFacts(facts)
	b.wantRoute("dropped", "fib - 10.1.0.0/16")
	b.facts(true)
	b.wantRoute("reached again", "fib + 10.1.0.0/16 bgp via 10.0.0.1 dev eth0")
}

// If the gateway of a static route is dead, the next static route, which was its backup, takes
// its place, and after that BGP does.
func TestStaticDead(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(rs0, 65515), acceptAll, acceptAll)
	b.up(rs0)
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.flush()
	b.r.SetStatics([]Static{
		{Prefix: pfx("10.0.210.0/24"), Via: addr("10.0.0.1"), Metric: 20},
		{Prefix: pfx("10.1.0.0/16"), Via: addr(nva2), Metric: 200},
		{Prefix: pfx("10.1.0.0/16"), Via: addr(nva), Metric: 20},
	})
	dead := func(list ...string) {
		gateways := []netip.Addr{}
		for _, a := range list {
			gateways = append(gateways, addr(a))
		}
		b.r.SetDead(gateways)
	}
	first := "fib + 10.1.0.0/16 static via 169.254.0.2 dev vxlan0 backup 169.254.0.3 dev vxlan0"
	b.wantRoute("both are reached", first)
	dead("10.99.0.1")
	b.wantRoute("another is dead", "")
	dead(nva)
	b.wantRoute("the first is dead", "fib + 10.1.0.0/16 static via 169.254.0.3 dev vxlan0")
	if s := b.r.under.standing(pfx("10.1.0.0/16")); s.Metric != 200 {
		t.Errorf("the route with metric %d is in use", s.Metric)
	}
	dead(nva, nva2)
	b.wantRoute("both are dead", "fib + 10.1.0.0/16 bgp via 10.0.0.1 dev eth0")
	dead(nva2)
	b.wantRoute("the first is back", "fib + 10.1.0.0/16 static via 169.254.0.2 dev vxlan0")
	dead()
	b.wantRoute("both are back", first)
	dead(nva, nva2)
	b.withdraw(rs0, "10.1.0.0/16")
	b.wantRoute("nothing is left", "fib - 10.1.0.0/16")
	if why := b.r.under.whyNotStatic(pfx("10.1.0.0/16")); why != "static route: gateway 169.254.0.2 does not answer BFD" {
		t.Error(why)
	}
}
