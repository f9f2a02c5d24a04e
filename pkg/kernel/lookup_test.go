package kernel

import (
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
)

func TestLookup(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	link := eth0(t, k)
	for _, r := range []string{
		"10.10.0.0/16 via 10.0.0.1 metric 20 proto 186",
		"10.10.7.0/24 via 10.0.0.2 metric 30 proto 186",
		"10.10.7.0/24 via 10.0.0.3 metric 20 src 10.0.0.4",
		"blackhole 10.20.0.0/16 metric 20 proto 186",
		"blackhole 10.20.0.0/16 metric 30",
		"unreachable 10.30.0.0/16",
		"prohibit 10.40.0.0/16",
		"2001:db8::/32 via fd00::1 metric 20 proto 186",
		"blackhole 2001:db8:20::/48 metric 20 proto 186",
		"unreachable 2001:db8:30::/48",
	} {
		sh(t, "ip -n "+name+" route add "+r)
	}
	noErrors(t, k.FIB.Do([]fib.Op{
		{Kind: fib.PutObject, Object: fib.Object{ID: 101, Protocol: 186, Hop: via("10.0.0.9", link)}},
		{Kind: fib.PutObject, Object: fib.Object{ID: 102, Protocol: 186, Members: []fib.Member{{ID: 101, Weight: 1}}}},
		{Kind: fib.AddRoute, Route: fib.KernelRoute{
			Prefix: netip.MustParsePrefix("10.50.0.0/16"), Metric: 20, Protocol: 186, Object: 102}},
	}))
	for addr, want := range map[string]fib.Lookup{
		"10.10.0.4":      {Fate: fib.FateForwarded, Via: ip("10.0.0.1"), Link: link, Source: ip("10.0.0.4"), Prefix: pfx("10.10.0.0/16"), Protocol: 186, Metric: 20},
		"10.10.7.1":      {Fate: fib.FateForwarded, Via: ip("10.0.0.3"), Link: link, Source: ip("10.0.0.4"), Prefix: pfx("10.10.7.0/24"), Protocol: 3, Metric: 20},
		"10.50.0.1":      {Fate: fib.FateForwarded, Via: ip("10.0.0.9"), Link: link, Source: ip("10.0.0.4"), Prefix: pfx("10.50.0.0/16"), Protocol: 186, Metric: 20},
		"10.0.0.7":       {Fate: fib.FateForwarded, Link: link, Source: ip("10.0.0.4"), Prefix: pfx("10.0.0.0/24"), Protocol: 2},
		"10.0.0.255":     {Fate: fib.FateBroadcast, Link: link, Source: ip("10.0.0.4"), Prefix: pfx("10.0.0.255/32"), Protocol: 2},
		"10.0.0.4":       {Fate: fib.FateLocal, Link: 1, Source: ip("10.0.0.4"), Prefix: pfx("10.0.0.4/32"), Protocol: 2},
		"10.20.0.1":      {Fate: fib.FateDropped, Prefix: pfx("10.20.0.0/16"), Protocol: 186, Metric: 20},
		"10.30.0.1":      {Fate: fib.FateUnreachable, Prefix: pfx("10.30.0.0/16"), Protocol: 3},
		"10.40.0.1":      {Fate: fib.FateProhibited, Prefix: pfx("10.40.0.0/16"), Protocol: 3},
		"10.60.0.1":      {Fate: fib.FateNoRoute},
		"2001:db8::1":    {Fate: fib.FateForwarded, Via: ip("fd00::1"), Link: link, Source: ip("fd00::4"), Prefix: pfx("2001:db8::/32"), Protocol: 186, Metric: 20},
		"2001:db8:20::1": {Fate: fib.FateDropped, Prefix: pfx("2001:db8:20::/48"), Protocol: 186, Metric: 20},
		"2001:db8:30::1": {Fate: fib.FateUnreachable, Prefix: pfx("2001:db8:30::/48"), Protocol: 3, Metric: 1024},
		"2001:dead::1":   {Fate: fib.FateNoRoute},
	} {
		t.Run(addr, func(t *testing.T) {
			got, err := Lookup(ns, ip(addr))
			if err != nil {
				t.Fatal(err)
			}
			if got.Fate == fib.FateDropped || got.Fate == fib.FateUnreachable {
				got.Via, got.Link, got.Source = netip.Addr{}, 0, netip.Addr{} // for IPv6 the kernel names the loopback device
			}
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestOuterRemote(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	for _, cmd := range []string{
		"link add vxlan0 type vxlan id 77 dev eth0 dstport 4789", "link set vxlan0 up", "addr add 169.254.0.1/24 dev vxlan0",
		"neigh add 169.254.0.2 lladdr 02:00:00:00:00:02 dev vxlan0", "neigh add 169.254.0.3 lladdr 02:00:00:00:00:03 dev vxlan0",
	} {
		sh(t, "ip -n "+name+" "+cmd)
	}
	for _, e := range []string{"00:00:00:00:00:00 dst 10.10.0.4", "00:00:00:00:00:00 dst 10.10.0.5", "02:00:00:00:00:02 dst 10.10.0.5"} {
		sh(t, "bridge -n "+name+" fdb append "+e[:17]+" dev vxlan0 "+e[18:])
	}
	links, err := k.Tunnels.Links()
	if err != nil {
		t.Fatal(err)
	}
	index := links[len(links)-1].Index
	for gateway, want := range map[string]netip.Addr{"169.254.0.2": ip("10.10.0.5"), "169.254.0.3": {}, "169.254.0.9": {}} {
		if got, err := OuterRemote(ns, index, ip(gateway)); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", gateway, got, err, want)
		}
	}
}

func ip(s string) netip.Addr    { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }
