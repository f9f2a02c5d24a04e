package rib

import (
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// This test follows routes through hub00's NVA. A route from Route Server goes to the kernel
// and to the far NVA. A route from the far NVA goes to the kernel, through the tunnel, and to
// both Route Server instances, with every ASN replaced.
func TestTwoHubs(t *testing.T) {
	b := newBed(t)
	b.want("static route", "fib + 10.0.210.0/24 static via 10.0.0.1 dev eth0")
	b = newHub00(t)

	b.announce(rs0, "65515", "10.0.0.0/16")
	b.announce(rs0, "65515 12076", "10.100.0.0/16")
	b.want("one instance",
		"fib + 10.0.0.0/16 bgp via 10.0.0.1 dev eth0",
		"fib + 10.100.0.0/16 bgp via 10.0.0.1 dev eth0",
		"to 169.254.0.2 + 10.100.0.0/16 path [65515 12076] via 169.254.0.1 local-pref 100 soo")

	b.announce(rs1, "65515", "10.0.0.0/16")
	b.announce(rs1, "65515 12076", "10.100.0.0/16")
	b.want("the other instance folds into the same gateway")

	b.announce(nva, "65515 12076", "10.110.0.0/16")
	b.want("from the far hub",
		"fib + 10.110.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"to 10.0.210.4 + 10.110.0.0/16 path [65001 65001 65001] via 10.0.0.4",
		"to 10.0.210.5 + 10.110.0.0/16 path [65001 65001 65001] via 10.0.0.4")

	b.withdraw(rs0, "10.100.0.0/16")
	b.want("one instance withdraws: the other carries on")
	b.withdraw(rs1, "10.100.0.0/16")
	b.want("both withdrew",
		"fib - 10.100.0.0/16",
		"to 169.254.0.2 - 10.100.0.0/16")

	b.r.PeerDown(addr(nva), false)
	b.want("far NVA lost",
		"fib - 10.110.0.0/16",
		"to 10.0.210.4 - 10.110.0.0/16",
		"to 10.0.210.5 - 10.110.0.0/16")
}

func TestOnPremisesPathPasses(t *testing.T) {
	b := newHub00(t)
	b.announce(rs0, "65515 12076 64580", "192.168.100.0/24")
	b.want("private ASNs are not bogons towards Azure",
		"fib + 192.168.100.0/24 bgp via 10.0.0.1 dev eth0",
		"to 169.254.0.2 + 192.168.100.0/24 path [65515 12076 64580] via 169.254.0.1 local-pref 100 soo")
	b.announce(nva, "65515 12076 64580", "192.168.200.0/24")
	b.want("and reach the far hub's Route Server",
		"fib + 192.168.200.0/24 bgp via 169.254.0.2 dev vxlan0",
		"to 10.0.210.4 + 192.168.200.0/24 path [65001 65001 65001 65001] via 10.0.0.4",
		"to 10.0.210.5 + 192.168.200.0/24 path [65001 65001 65001 65001] via 10.0.0.4")
}

// A route from a Route Server never goes back to it: neither to its other instance nor by way
// of the hub's second NVA, whatever the prefix lists permit.
func TestLoopDomain(t *testing.T) {
	open := policy.Chain{Accept: true}
	b := newBed(t)
	for _, a := range []string{rs0, rs1} {
		b.peer(neighbor(a, 65515, SourceSettings{Domain: "ars-hub00"}), open, open)
		b.up(a)
	}
	b.peer(neighbor(nva, 65001), open, open)
	b.up(nva)
	b.flush()

	b.announce(rs0, "65515 12076", "10.40.0.0/16")
	b.want("not to the other instance",
		"fib + 10.40.0.0/16 bgp via 10.0.0.1 dev eth0",
		"to 169.254.0.2 + 10.40.0.0/16 path [65515 12076] via 10.0.210.4 local-pref 100 soo")

	b.send(nva, route.Attrs{
		ASPath:         asPath("65515 12076"),
		ExtCommunities: []route.ExtCommunity{siteOfOrigin(65001, "ars-hub00")},
	}, "10.41.0.0/16")
	b.want("marked by the hub's other NVA", "fib + 10.41.0.0/16 bgp via 169.254.0.2 dev vxlan0")

	b.send(nva, route.Attrs{
		ASPath:         asPath("65515 12076"),
		ExtCommunities: []route.ExtCommunity{siteOfOrigin(65001, "ars-hub10")},
	}, "10.42.0.0/16")
	b.want("another hub's mark passes and is stripped",
		"fib + 10.42.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"to 10.0.210.4 + 10.42.0.0/16 path [65001 65515 12076] via 10.0.0.4",
		"to 10.0.210.5 + 10.42.0.0/16 path [65001 65515 12076] via 10.0.0.4")
}

// If another NVA of this hub has marked a route as learned from our Route Server, the route
// does not go back there, even if import policy removes its communities.
func TestLoopDomainWhateverImportDoes(t *testing.T) {
	b := newHub00(t)
	in := b.permit(policy.Set{ExtCommunities: []string{"rt 65001:1"}})
	b.r.SetPeer(neighbor(nva, 65001, ImportSettings{Import: in}, ExportSettings{Export: b.permit(policy.Set{})}))
	b.send(nva, route.Attrs{
		ASPath: asPath("65515 12076"), ExtCommunities: []route.ExtCommunity{siteOfOrigin(65001, "ars-hub00")},
	}, "10.41.0.0/16")
	b.want("it stays here", "fib + 10.41.0.0/16 bgp via 169.254.0.2 dev vxlan0")
}

// Multicast and link-local prefixes are ignored (RFC 4271 6.3). With fe80::/10 a neighbor
// would attract the traffic on this host's links.
func TestNoUnicastPrefix(t *testing.T) {
	b := newHub00(t)
	b.r.PeerUp(addr(nva), Session{LocalAddress: addr("169.254.0.1"), RemoteID: addr(nva), Families: route.IPv4 | route.IPv6}, nil)
	b.announce(nva, "64580", "224.0.0.0/4", "239.1.0.0/16", "fe80::/10", "ff02::/16")
	b.want("nothing is done with them")
	if c := b.r.Counts(addr(nva)); c.Received != 4 || c.Accepted != 0 {
		t.Errorf("%+v", c)
	}
	b.r.From(pfx("fe80::/10"), addr(nva), func(p Path) {
		if p.Rule != "not a unicast prefix" {
			t.Errorf("reason %q", p.Rule)
		}
	})
}

// nvactl status counts the routes that nvactl routes lists, and so no static ones.
func TestPrefixes(t *testing.T) {
	b := newHub00(t)
	b.announce(rs0, "65515", "10.1.0.0/16", "10.2.0.0/16")
	b.announce(rs1, "65515", "10.1.0.0/16")
	b.r.SetLocal([]Local{{Prefix: pfx("10.2.0.0/16"), Source: route.SourceNetwork, Attrs: b.in.Intern(route.Attrs{})}})
	if prefixes, paths := b.r.Prefixes(); prefixes != 2 || paths != 4 {
		t.Errorf("%d prefixes, %d paths; want 2 and 4", prefixes, paths)
	}
	b.announce(rs1, "65515 65001", "10.3.0.0/16") // a loop: rejected
	if prefixes, paths := b.r.Prefixes(); prefixes != 2 || paths != 4 || b.r.Received() != 5 {
		t.Errorf("%d prefixes, %d paths of %d; want 2 and 4 of 5", prefixes, paths, b.r.Received())
	}
	b.r.SetLocal(nil)
	b.withdraw(rs1, "10.3.0.0/16")
	b.withdraw(rs0, "10.2.0.0/16")
	b.withdraw(rs1, "10.1.0.0/16")
	b.flush()
	b.r.RemovePeer(addr(rs0))
	b.flush()
	if prefixes, paths := b.r.Prefixes(); prefixes != 0 || paths != 0 {
		t.Errorf("%d prefixes, %d paths left", prefixes, paths)
	}
}

// The covering route of an address is the longest prefix with an accepted path.
func TestCovering(t *testing.T) {
	b := newHub00(t)
	b.announce(rs0, "65515", "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16")
	b.announce(rs0, "65515 65001", "10.1.2.0/24") // a loop: rejected
	for addr, want := range map[string]string{
		"10.1.2.3": "10.1.0.0/16", "10.2.0.1": "10.0.0.0/8", "192.0.2.1": "0.0.0.0/0", "2001:db8::1": "invalid Prefix",
	} {
		got, ok := b.r.Covering(netip.MustParseAddr(addr))
		if got.String() != want || ok != got.IsValid() {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestExportAttributes(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(rs0, 65515), acceptAll, acceptAll)
	b.peer(neighbor(nva, 65001, ExportSettings{NextHopSelf: true}), acceptAll, acceptAll)
	b.up(rs0)
	b.up(nva)
	b.flush()
	b.send(nva, route.Attrs{
		ASPath: asPath("65515"), MED: route.Some(70), LocalPref: route.Some(300), NextHop: addr("169.254.0.9"),
	}, "10.1.0.0/16")
	b.want("a learned MED and LOCAL_PREF do not leave the AS",
		"fib + 10.1.0.0/16 bgp via 169.254.0.9 dev vxlan0",
		"to 10.0.210.4 + 10.1.0.0/16 path [65001 65515] via 10.0.0.4")
	b.send(rs0, route.Attrs{ASPath: asPath("65515"), MED: route.Some(70)}, "10.2.0.0/16")
	b.want("MED stays within the AS",
		"fib + 10.2.0.0/16 bgp via 10.0.0.1 dev eth0",
		"to 169.254.0.2 + 10.2.0.0/16 path [65515] via 169.254.0.1 local-pref 100 med 70")
	for c, to := range map[route.Community]string{route.NoAdvertise: "", route.NoExport: nva} {
		b.send(rs0, route.Attrs{ASPath: asPath("65515"), Communities: []route.Community{c}}, "10.3.0.0/16")
		b.flush()
		if got := b.r.Sent(pfx("10.3.0.0/16"), addr(nva)) != nil; got != (to == nva) {
			t.Errorf("%s: sent to the iBGP neighbor: %v", c, got)
		}
	}
	b.send(nva, route.Attrs{ASPath: asPath("65515"), Communities: []route.Community{route.NoExport}}, "10.4.0.0/16")
	b.want("no-export stays inside", "fib + 10.4.0.0/16 bgp via 169.254.0.2 dev vxlan0")
}

func TestDefaultDeny(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(rs0, 65515), policy.Chain{}, policy.Chain{})
	b.peer(neighbor(nva, 65001), acceptAll, acceptAll)
	b.up(rs0)
	b.up(nva)
	b.flush()
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.announce(nva, "", "10.2.0.0/16")
	b.want("RFC 8212: no policy, nothing in and nothing out", "fib + 10.2.0.0/16 bgp via 169.254.0.2 dev vxlan0")
	if c := b.r.Counts(addr(rs0)); c.Received != 1 || c.Accepted != 0 {
		t.Errorf("counts %+v, want one received and none accepted", c)
	}
}

func TestImportChecks(t *testing.T) {
	for _, c := range []struct {
		name, from, path, nexthop, reason string
	}{
		{"own AS", rs0, "65515 65001 12076", "", "AS path loop: contains own AS 65001"},
		{"empty path", rs0, "", "", "empty AS path from an eBGP neighbor"},
		{"first AS", rs0, "12076", "", "first AS of the path is not 65515 (enforce-first-as)"},
		{"AS_SET", rs0, "65515 {1,2}", "", "AS path has an AS_SET (RFC 9774)"},
		{"own next hop", rs0, "65515", "10.0.0.4", "next hop 10.0.0.4 is not usable"},
		{"loopback next hop", rs0, "65515", "127.0.0.1", "next hop 127.0.0.1 is not usable"},
		{"reserved ASN", rs0, "65515 23456", "", "deny-asns reserved: AS 23456"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newHub00(t)
			a := route.Attrs{ASPath: asPath(c.path)}
			if c.nexthop != "" {
				a.NextHop = addr(c.nexthop)
			}
			b.send(c.from, a, "10.1.0.0/16")
			b.want("rejected routes go nowhere")
			var got string
			b.r.From(pfx("10.1.0.0/16"), addr(c.from), func(p Path) { got = p.Rule })
			if got != c.reason {
				t.Errorf("reason %q, want %q", got, c.reason)
			}
		})
	}
}
