package rib

import (
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

// The next hop of the other family is an address on the session's link. It may appear after
// the session is up (SLAAC, DHCPv6), change, and go.
func TestOwnAddressOfOtherFamily(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(rs0, 65515), acceptAll, acceptAll)
	b.r.PeerUp(addr(rs0), Session{LocalAddress: addr("10.0.0.4"), RemoteID: addr(rs0), Families: route.IPv4 | route.IPv6}, nil)
	b.peer(neighbor(nva, 65001), acceptAll, acceptAll)
	b.r.PeerUp(addr(nva), Session{LocalAddress: addr("169.254.0.1"), RemoteID: addr(nva), Families: route.IPv4 | route.IPv6}, nil)
	b.send(nva, route.Attrs{ASPath: asPath("64580"), NextHop: addr("fd00::2")}, "2001:db8::/32")
	b.announce(nva, "64580", "10.1.0.0/16")
	v6 := func(own ...string) {
		eth := []netip.Prefix{pfx("10.0.0.4/24")}
		for _, a := range own {
			eth = append(eth, pfx(a))
		}
		b.r.SetFacts(fib.Facts{
			Links: []fib.Link{
				{Index: eth0, Name: "eth0", Up: true, Addresses: eth},
				{Index: vxlan0, Name: "vxlan0", Up: true, Addresses: []netip.Prefix{pfx("169.254.0.1/24"), pfx("fd00::1/64")}},
			},
			Routes: []fib.KernelRoute{
				{Prefix: pfx("169.254.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: vxlan0}}},
				{Prefix: pfx("fd00::/64"), Protocol: 2, Hops: []fib.NextHop{{Link: vxlan0}}},
			},
		})
	}
	v6()
	b.flush()
	v6("2001:db8:1::4/64")
	b.want("the address has come", "to 10.0.210.4 + 2001:db8::/32 path [65001 64580] via 2001:db8:1::4")
	v6("2001:db8:1::4/64")
	b.want("nothing has changed")
	v6("2001:db8:1::5/64")
	b.want("it has changed", "to 10.0.210.4 + 2001:db8::/32 path [65001 64580] via 2001:db8:1::5")
	v6()
	b.want("it has gone", "to 10.0.210.4 - 2001:db8::/32")
}

// A static route wins over another program's route for the same prefix. If it is removed or
// can't be installed, next hops resolve through the other one.
func TestStaticBesideForeignRoute(t *testing.T) {
	b := newHub00(t)
	facts := func(links ...fib.Link) {
		b.r.SetFacts(fib.Facts{
			Links: append(links, fib.Link{Index: eth0, Name: "eth0", Up: true, Addresses: []netip.Prefix{pfx("10.0.0.4/24")}}),
			Routes: []fib.KernelRoute{
				{Prefix: pfx("10.0.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: eth0}}},
				{Prefix: pfx("10.0.210.0/24"), Protocol: 16, Metric: 100, Hops: []fib.NextHop{{Via: addr("10.0.0.1"), Link: eth0}}},
			},
		})
	}
	facts()
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.flush()
	b.r.SetStatics(nil)
	b.want("the static route goes, the gateway is the same", "fib - 10.0.210.0/24")
	b.r.SetStatics([]Static{{Prefix: pfx("10.0.210.0/24"), Device: "eth1", Metric: 20}})
	b.want("a static route that cannot stand is in nobody's way")
}
