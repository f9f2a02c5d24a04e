package rib

import (
	"net/netip"
	"testing"
)

// A static route whose gateway is dead gives way to the next one, which was its
// backup before, and then to BGP.
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
		t.Errorf("metric %d stands", s.Metric)
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
