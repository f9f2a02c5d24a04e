package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

const floatPrefix = "10.1.0.0/16"

// floating configures a static route for floatPrefix through the second NVA.
func (b *bed) floating(distance uint8, more ...Static) {
	b.r.SetStatics(append([]Static{
		{Prefix: pfx("10.0.210.0/24"), Via: addr("10.0.0.1"), Metric: 20},
		{Prefix: pfx(floatPrefix), Via: addr(nva2), Distance: distance, Metric: 20},
	}, more...))
}

// Of a static route and the best BGP route, the one with the lower distance is installed;
// eBGP has 20, iBGP 200. At equal distances it is the static route.
func TestDistance(t *testing.T) {
	const static, external, internal = "static via 169.254.0.3 dev vxlan0", "bgp via 10.0.0.1 dev eth0 backup 169.254.0.3 dev vxlan0",
		"bgp via 169.254.0.2 dev vxlan0 backup 169.254.0.3 dev vxlan0"
	for _, c := range []struct {
		distance   uint8
		ebgp, ibgp string // what is installed beside such a route
	}{
		{1, static, static}, {20, static, static}, {21, external, static}, {200, external, static}, {201, external, internal}, {254, external, internal},
	} {
		for from, want := range map[string]string{rs0: c.ebgp, nva: c.ibgp} {
			t.Run(fmt.Sprintf("%d/%s", c.distance, from), func(t *testing.T) {
				b := newBackupBed(t)
				b.floating(c.distance)
				b.wantRoute("alone", "fib + 10.1.0.0/16 "+static)
				b.announce(from, "65515", floatPrefix)
				if want == static {
					b.wantRoute("beside BGP", "")
				} else {
					b.wantRoute("beside BGP", "fib + 10.1.0.0/16 "+want)
				}
				b.withdraw(from, floatPrefix)
				if want == static {
					b.wantRoute("alone again", "")
				} else {
					b.wantRoute("alone again", "fib + 10.1.0.0/16 "+static)
				}
			})
		}
	}
}

// The distance is that of the best BGP route, as the decision process has it: zebra and the
// kernel never see the others.
func TestDistanceOfBestRoute(t *testing.T) {
	b := newBackupBed(t)
	b.floating(100)
	b.announce(rs0, "65515", floatPrefix)
	b.wantRoute("eBGP", "fib + 10.1.0.0/16 bgp via 10.0.0.1 dev eth0 backup 169.254.0.3 dev vxlan0")
	b.send(nva, route.Attrs{ASPath: asPath("65515"), LocalPref: route.Some(200)}, floatPrefix)
	b.wantRoute("iBGP is best", "fib + 10.1.0.0/16 static via 169.254.0.3 dev vxlan0")
}

// A learned default route takes the place of a floating static one only where the forwarding
// plane takes it (kernel.allow-default).
func TestFloatingDefault(t *testing.T) {
	b := newBackupBed(t)
	b.r.SetStatics([]Static{
		{Prefix: pfx("10.0.210.0/24"), Via: addr("10.0.0.1"), Metric: 20},
		{Prefix: defaultIPv4, Via: addr(nva2), Distance: 250, Metric: 20},
	})
	b.announce(rs0, "65515", "0.0.0.0/0")
	b.wantRoute("not allowed", "fib + 0.0.0.0/0 static via 169.254.0.3 dev vxlan0")
	b.r.SetForwarding(Forwarding{MaxPaths: 16, AllowDefault: true})
	b.wantRoute("allowed", "fib + 0.0.0.0/0 bgp via 10.0.0.1 dev eth0 backup 169.254.0.3 dev vxlan0")
	b.r.SetForwarding(Forwarding{MaxPaths: 16})
	b.wantRoute("not allowed again", "fib + 0.0.0.0/0 static via 169.254.0.3 dev vxlan0")
}

// A floating static route that is redistributed wins neither the decision nor the place in
// the kernel, whichever of the two routes comes first.
func TestFloatingRedistributed(t *testing.T) {
	for _, staticFirst := range []bool{true, false} {
		b := newBackupBed(t)
		local := Local{Prefix: pfx(floatPrefix), Source: route.SourceStatic, Attrs: b.in.Intern(route.Attrs{Origin: route.OriginIncomplete}), Floats: true}
		if staticFirst {
			b.floating(250)
			b.r.SetLocal([]Local{local})
			b.flush()
			b.wantBest("alone", netip.Addr{})
		}
		b.announce(rs0, "65515", floatPrefix)
		b.flush()
		b.floating(250)
		b.r.SetLocal([]Local{local})
		b.flush()
		b.wantBest("beside BGP", addr(rs0))
		if d := b.r.table.find(pfx(floatPrefix)); d.fib == nil || d.fib.Class != fib.BGP {
			t.Errorf("static first %v: the kernel has %+v", staticFirst, d.fib)
		}
		b.withdraw(rs0, floatPrefix)
		b.wantRoute("BGP is gone", "fib + 10.1.0.0/16 static via 169.254.0.3 dev vxlan0")
		b.wantBest("BGP is gone", netip.Addr{})
	}
}

func (b *bed) wantBest(what string, from netip.Addr) {
	b.t.Helper()
	n := 0
	b.r.Lookup(pfx(floatPrefix), func(p Path) {
		if p.Best {
			n++
			if p.Neighbor != from {
				b.t.Errorf("%s: best is from %s, want %s", what, p.Neighbor, from)
			}
		}
	})
	if n != 1 {
		b.t.Errorf("%s: %d paths are best", what, n)
	}
}

// Next hops are reached through a floating static route while no neighbor's route for its
// prefix is accepted. A route whose next hop is in its own prefix does not change places with
// it for ever.
func TestFloatingCarriesNextHops(t *testing.T) {
	const far = "10.9.0.0/16"
	b := newBackupBed(t)
	b.floating(250, Static{Prefix: pfx("192.0.2.0/24"), Via: addr(nva2), Distance: 250, Metric: 20},
		Static{Prefix: pfx("198.51.100.0/24"), Via: addr("192.0.2.7"), Metric: 20})
	b.flush()
	b.send(rs0, route.Attrs{ASPath: asPath("65515"), NextHop: addr("192.0.2.1")}, far)
	b.wantRoute("reached through the static route", "fib + 10.9.0.0/16 bgp via 169.254.0.3 dev vxlan0")
	b.announce(nva, "64580", "192.0.2.0/24")
	b.flush()
	for prefix, want := range map[string]string{far: "", "192.0.2.0/24": "bgp", "198.51.100.0/24": ""} {
		if d := b.r.table.find(pfx(prefix)); want == "" && d.fib != nil || want != "" && (d.fib == nil || d.fib.Class.String() != want) {
			t.Errorf("beside BGP: %s has %+v, want %q", prefix, d.fib, want)
		}
	}
	b.withdraw(nva, "192.0.2.0/24")
	b.send(rs0, route.Attrs{ASPath: asPath("65515"), NextHop: addr("192.0.2.1")}, "192.0.2.0/24")
	b.flush()
	d := b.r.table.find(pfx("192.0.2.0/24"))
	if d.fib == nil || d.fib.Class != fib.Static || d.best >= 0 {
		t.Errorf("a route that covers its own next hop: best %d, the kernel has %+v", d.best, d.fib)
	}
	b.withdraw(rs0, "192.0.2.0/24")
	b.flush()
	if d := b.r.table.find(pfx(far)); d.fib == nil {
		t.Errorf("the static route is back, but %s is not", far)
	}
}

// Gateways of one static route share its traffic, and each leaves and returns by itself.
func TestStaticSeveralGateways(t *testing.T) {
	b := newBackupBed(t)
	one := func(via, device string, metric uint32) Static {
		return Static{Prefix: pfx(floatPrefix), Via: addr(via), Device: device, Distance: 1, Metric: metric}
	}
	b.r.SetStatics([]Static{
		{Prefix: pfx("10.0.210.0/24"), Via: addr("10.0.0.1"), Metric: 20},
		one(nva2, "", 20), one("10.0.0.1", "eth0", 20), one(nva, "", 20), one("10.0.0.9", "", 30), one("203.0.113.1", "", 20),
	})
	all := "fib + 10.1.0.0/16 static via 10.0.0.1 dev eth0 via 169.254.0.2 dev vxlan0 via 169.254.0.3 dev vxlan0 backup 10.0.0.9 dev eth0"
	b.wantRoute("all that are reached", all)
	b.r.SetDead([]netip.Addr{addr(nva)})
	b.wantRoute("BFD lost one", "fib + 10.1.0.0/16 static via 10.0.0.1 dev eth0 via 169.254.0.3 dev vxlan0 backup 10.0.0.9 dev eth0")
	b.r.SetDead(nil)
	b.wantRoute("and found it", all)
	b.facts(false)
	b.wantRoute("a link is down", "fib + 10.1.0.0/16 static via 10.0.0.1 dev eth0 backup 10.0.0.9 dev eth0")
	b.facts(true)
	b.wantRoute("and up", all)
	b.r.SetForwarding(Forwarding{MaxPaths: 2})
	b.wantRoute("max-paths", "fib + 10.1.0.0/16 static via 10.0.0.1 dev eth0 via 169.254.0.2 dev vxlan0 backup 10.0.0.9 dev eth0")
	b.r.SetDead([]netip.Addr{addr("10.0.0.1"), addr(nva), addr(nva2)})
	b.wantRoute("only the worse route is left", "fib + 10.1.0.0/16 static via 10.0.0.9 dev eth0")

	b.r.SetDead(nil)
	b.r.SetForwarding(Forwarding{MaxPaths: 16})
	b.flush()
	b.send(rs0, route.Attrs{ASPath: asPath("65515"), NextHop: addr("10.1.0.9")}, "10.9.0.0/16")
	b.wantRoute("a next hop through all of them", "fib + 10.9.0.0/16 bgp via 10.0.0.1 dev eth0 via 169.254.0.2 dev vxlan0 via 169.254.0.3 dev vxlan0")
}

// The explanation says of each static route whether it is in use, and why or why not.
func TestExplainStatics(t *testing.T) {
	b := newBackupBed(t)
	b.floating(250, Static{Prefix: pfx(floatPrefix), Via: addr("203.0.113.1"), Distance: 1, Metric: 20},
		Static{Prefix: pfx(floatPrefix), Device: "vxlan0", Distance: 251, Metric: 20})
	b.r.SetLocal([]Local{{Prefix: pfx(floatPrefix), Source: route.SourceStatic, Attrs: b.in.Intern(route.Attrs{}), Floats: true}})
	want := func(what string, lines ...string) {
		t.Helper()
		b.flush()
		var got []string
		for _, s := range b.r.Explain(ExplainQuery{Prefix: pfx(floatPrefix)}).Statics {
			got = append(got, fmt.Sprint(s.Distance, " ", s.InUse, " ", s.Why))
		}
		if !slices.Equal(got, lines) {
			t.Errorf("%s:\n got %q\nwant %q", what, got, lines)
		}
	}
	const unreached, worse = "1 false gateway 203.0.113.1 is not reached", "251 false the static route with distance 250 and metric 20 is preferred"
	want("alone", unreached, "250 true ", worse)
	b.announce(rs0, "65515", floatPrefix)
	want("beside BGP", unreached, "250 false BGP's route from 10.0.210.4 has distance 20", worse)
	for _, p := range b.r.Explain(ExplainQuery{Prefix: pfx(floatPrefix)}).Paths {
		if p.Source == route.SourceStatic && (p.Valid || p.Unresolved != "it is originated because of a static route, which gives way to BGP") {
			t.Errorf("the redistributed route: valid %v, %q", p.Valid, p.Unresolved)
		}
	}
	b.r.SetLocal(nil)
	b.floating(20)
	want("preferred to BGP", "20 true BGP's route from 10.0.210.4 has distance 20")
}
