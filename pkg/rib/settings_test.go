package rib

import (
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// The settings of a neighbor that change a path when it is exported.
func TestExportedPaths(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings Peer
		learned  string
		want     string
	}{
		{"as it is", neighbor(branch, 3356), "65515 64580 3356", "65001 65515 64580 3356"},
		{"as-override", neighbor(branch, 64580, ExportSettings{ASOverride: true}), "65515 64580 64580", "65001 65515 65001 65001"},
		{"private ASNs removed", neighbor(branch, 3356, ExportSettings{RemovePrivateAS: true}), "65515 12076 64580 4200000000", "65001 12076"},
		{"a set becomes empty", neighbor(branch, 3356, ExportSettings{RemovePrivateAS: true}), "12076 {64580,64581}", "65001 12076"},
		{"the neighbor's own stays", neighbor(branch, 64580, ExportSettings{RemovePrivateAS: true}), "12076 64580 64581", "65001 12076 64580"},
		{"replaced", neighbor(branch, 3356, ExportSettings{RemovePrivateAS: true, ReplacePrivateAS: true}), "12076 64580 64581", "65001 12076 65001 65001"},
		{"replaced, then overridden", neighbor(branch, 64580, ExportSettings{RemovePrivateAS: true, ReplacePrivateAS: true, ASOverride: true}),
			"12076 64580 64581", "65001 12076 65001 65001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			b.peer(c.settings, acceptAll, acceptAll)
			b.peer(neighbor(nva, 65001, ImportSettings{AllowASSets: true}), acceptAll, acceptAll)
			b.up(branch)
			b.up(nva)
			b.announce(nva, c.learned, "10.1.0.0/16")
			b.flush()
			if a := b.r.Sent(pfx("10.1.0.0/16"), addr(branch)); a == nil || a.ASPath.String() != c.want {
				t.Errorf("got %+v, want %s", a, c.want)
			}
		})
	}
}

// RFC 7705: with local-as, a neighbor sees the other ASN only. A path that contains either of
// the two is a loop, unless allowas-in permits that many occurrences.
func TestLocalASN(t *testing.T) {
	for _, c := range []struct {
		path    string
		allowed int
		want    string // reason of the rejection
	}{
		{"64580 3356", 0, ""},
		{"64580 65002 3356", 0, "AS path loop: contains own AS 65002"},
		{"64580 65001 3356", 0, "AS path loop: contains own AS 65001"},
		{"64580 65001 3356", 1, ""},
		{"64580 65001 65002 65001", 1, "AS path loop: contains own AS 65001"},
	} {
		b := newBed(t)
		pass := b.program(policy.Clause{Seq: 5, Permit: true})
		b.r.SetPeer(neighbor(branch, 64580, SessionSettings{LocalASN: 65002},
			ImportSettings{AllowASIn: c.allowed, Import: pass}, ExportSettings{Export: pass}))
		b.peer(neighbor(nva, 65001), acceptAll, acceptAll)
		b.up(branch)
		b.up(nva)
		b.announce(branch, c.path, "10.1.0.0/16")
		b.announce(nva, "65515", "10.2.0.0/16")
		b.flush()
		d := b.r.table.find(pfx("10.1.0.0/16"))
		pt := &d.paths[0]
		if got := b.r.peers.of(pt).rejectReason(pt); pt.accepted == nil && got != c.want || pt.accepted != nil && c.want != "" {
			t.Errorf("%s, %d allowed: %q, want %q", c.path, c.allowed, got, c.want)
		}
		if a := b.r.Sent(pfx("10.2.0.0/16"), addr(branch)); a == nil || a.ASPath.String() != "65002 65515" {
			t.Errorf("sent %+v", a)
		}
	}
}

// RFC 4271 5.1.4: a learned MED does not leave the AS. One that policy sets does, even if
// policy sets the learned value. A relative change starts from nothing, because the sum would
// reveal the learned value.
func TestMEDThatPolicySets(t *testing.T) {
	b := newEdge(t)
	for _, c := range []struct {
		name string
		med  *policy.Number
		want route.Optional
	}{
		{"learned", nil, route.Optional{}},
		{"set to what it was", &policy.Number{Value: 70}, route.Some(70)},
		{"changed by nothing", &policy.Number{Op: '+'}, route.Some(0)},
		{"changed", &policy.Number{Op: '+', Value: 20}, route.Some(20)},
	} {
		p := neighbor(branch, 64580, ImportSettings{Import: b.permit(policy.Set{})}, ExportSettings{Export: b.permit(policy.Set{MED: c.med})})
		b.r.SetPeer(p)
		b.send(nva, route.Attrs{ASPath: asPath("65515"), MED: route.Some(70)}, "10.1.0.0/16")
		b.flush()
		if a := b.r.Sent(pfx("10.1.0.0/16"), addr(branch)); a == nil || a.MED != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, a, c.want)
		}
	}
}

// RFC 8326 4.2: the routes of a neighbor that is about to go down are used only if there are
// no others.
func TestGracefulShutdown(t *testing.T) {
	b := newHub00(t)
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.announce(nva, "65515 12076", "10.1.0.0/16")
	b.want("the shorter path wins",
		"fib + 10.1.0.0/16 bgp via 10.0.0.1 dev eth0 backup 169.254.0.2 dev vxlan0",
		"to 169.254.0.2 + 10.1.0.0/16 path [65515] via 169.254.0.1 local-pref 100 soo")
	b.send(rs0, route.Attrs{ASPath: asPath("65515"), Communities: []route.Community{route.GracefulShutdown}}, "10.1.0.0/16")
	b.want("until its neighbor says that it goes down",
		"fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0 backup 10.0.0.1 dev eth0",
		"to 10.0.210.4 + 10.1.0.0/16 path [65001 65001 65001] via 10.0.0.4",
		"to 10.0.210.5 + 10.1.0.0/16 path [65001 65001 65001] via 10.0.0.4",
		"to 169.254.0.2 - 10.1.0.0/16")
}

// RFC 7999 3.2: a route with an eBGP neighbor's BLACKHOLE community stays within the AS.
func TestBlackholeIsNotExported(t *testing.T) {
	b := newHub00(t)
	b.send(rs0, route.Attrs{ASPath: asPath("65515"), Communities: []route.Community{route.Blackhole}}, "10.1.0.9/32")
	b.flush()
	want := []route.Community{route.Blackhole, route.NoExport}
	if a := b.r.Sent(pfx("10.1.0.9/32"), addr(nva)); a == nil || !slices.Equal(a.Communities, want) {
		t.Errorf("%+v", a)
	}
}

// RFC 7999: packets to the prefix are dropped here.
func TestBlackholeCommunity(t *testing.T) {
	b := newHub00(t)
	b.send(nva, route.Attrs{ASPath: asPath("65515"), Communities: []route.Community{route.Blackhole}}, "10.1.0.9/32")
	b.want("announced",
		"fib + 10.1.0.9/32 bgp blackhole",
		"to 10.0.210.4 + 10.1.0.9/32 path [65001 65001] via 10.0.0.4",
		"to 10.0.210.5 + 10.1.0.9/32 path [65001 65001] via 10.0.0.4")
	b.announce(nva, "65515", "10.1.0.9/32")
	b.want("without the community", "fib + 10.1.0.9/32 bgp via 169.254.0.2 dev vxlan0",
		"to 10.0.210.4 + 10.1.0.9/32 path [65001 65001] via 10.0.0.4",
		"to 10.0.210.5 + 10.1.0.9/32 path [65001 65001] via 10.0.0.4")
}

// RFC 1997: such a route goes to iBGP neighbors only.
func TestNoExportSubconfed(t *testing.T) {
	b := newHub00(t)
	tagged := route.Attrs{ASPath: asPath("65515"), Communities: []route.Community{route.NoExportSubconfed}}
	b.send(nva, tagged, "10.1.0.0/16")
	b.want("not to an eBGP neighbor", "fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0")
	if held := b.held(pfx("10.1.0.0/16"), addr(rs0)); held != "community no-export" {
		t.Errorf("held: %q", held)
	}
	b.send(rs0, tagged, "10.2.0.0/16")
	b.want("to an iBGP neighbor", "fib + 10.2.0.0/16 bgp via 10.0.0.1 dev eth0",
		"to 169.254.0.2 + 10.2.0.0/16 path [65515] via 169.254.0.1 local-pref 100 soo")
}

// A neighbor's domain and group affect what others are sent of its routes, also after a
// reload.
func TestSourceSettingsReload(t *testing.T) {
	b := newHub00(t)
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.flush()
	b.peer(neighbor(rs0, 65515, ImportSettings{EnforceFirstAS: true}, SourceSettings{Domain: "elsewhere"}), fromAzure, acceptAll)
	b.want("another mark for the far NVA, and no longer the other instance's domain",
		"to 10.0.210.5 + 10.1.0.0/16 path [65001 65001] via 10.0.0.4",
		"to 169.254.0.2 + 10.1.0.0/16 path [65515] via 169.254.0.1 local-pref 100 soo")
}

// kernel.max-paths and kernel.resolve-default take effect at once.
func TestSetForwarding(t *testing.T) {
	b := newBed(t)
	for _, a := range []string{nva, "169.254.0.3"} {
		b.peer(neighbor(a, 65001), acceptAll, acceptAll)
		b.up(a)
		b.announce(a, "65515", "10.1.0.0/16")
	}
	b.want("static and ECMP", "fib + 10.0.210.0/24 static via 10.0.0.1 dev eth0",
		"fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0 via 169.254.0.3 dev vxlan0")
	b.r.SetForwarding(Forwarding{MaxPaths: 1})
	b.want("one path", "fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0 backup 169.254.0.3 dev vxlan0")
	b.send(nva, route.Attrs{ASPath: asPath("65515"), NextHop: addr("192.0.2.1")}, "10.2.0.0/16")
	b.want("only the default route leads to the next hop")
	b.r.SetForwarding(Forwarding{MaxPaths: 1, ResolveDefault: true})
	b.want("it counts now", "fib + 10.2.0.0/16 bgp via 10.0.0.1 dev eth0")
}

// Next hops do not resolve through a static default route either, unless
// kernel.resolve-default is set.
func TestStaticDefault(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(nva, 65001), acceptAll, acceptAll)
	b.up(nva)
	b.r.SetStatics([]Static{{Prefix: pfx("0.0.0.0/0"), Via: addr("10.0.0.1"), Metric: 20}})
	b.flush()
	b.send(nva, route.Attrs{ASPath: asPath("65515"), NextHop: addr("192.0.2.1")}, "10.2.0.0/16")
	b.want("only the default route leads to the next hop")
	b.r.SetForwarding(Forwarding{MaxPaths: 1, ResolveDefault: true})
	b.want("it counts now", "fib + 10.2.0.0/16 bgp via 10.0.0.1 dev eth0")
}

// If the underlay changes twice, the effects of the first change are not lost.
func TestUnderlayChangesTwice(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(nva, 65001), acceptAll, acceptAll)
	b.up(nva)
	b.announce(nva, "65515", "10.1.0.0/16")
	b.flush()
	b.facts(false)
	b.r.SetStatics([]Static{{Prefix: pfx("10.0.210.0/24"), Via: addr("10.0.0.1"), Metric: 20}})
	b.want("tunnel down, and a reload at once", "fib - 10.1.0.0/16")
}

// RFC 4271 5.1.5: an iBGP neighbor is always sent a LOCAL_PREF, and the export policy can
// change it.
func TestLocalPrefThatPolicyChanges(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(rs0, 65515), acceptAll, acceptAll)
	out := b.permit(policy.Set{LocalPref: &policy.Number{Op: '+', Value: 10}})
	b.r.SetPeer(neighbor(nva, 65001, ImportSettings{Import: b.permit(policy.Set{})}, ExportSettings{NextHopSelf: true, Export: out}))
	b.up(rs0)
	b.up(nva)
	b.send(rs0, route.Attrs{ASPath: asPath("65515")}, "10.1.0.0/16")
	b.flush()
	if a := b.r.Sent(pfx("10.1.0.0/16"), addr(nva)); a == nil || a.LocalPref != route.Some(110) {
		t.Errorf("%+v", a)
	}
}

// If no neighbor has a domain, a Site-of-Origin that a neighbor or a policy set is the user's
// own and is passed on like any other community.
func TestSiteOfOriginWithoutDomains(t *testing.T) {
	for domain, want := range map[string]int{"": 1, "ars-hub00": 0} {
		b := newBed(t)
		b.peer(neighbor(rs0, 65515, SourceSettings{Domain: domain}), acceptAll, acceptAll)
		b.peer(neighbor(nva, 65001, ExportSettings{NextHopSelf: true}), acceptAll, acceptAll)
		b.up(rs0)
		b.up(nva)
		b.send(nva, route.Attrs{
			ASPath: asPath("64580"), NextHop: addr("169.254.0.9"), ExtCommunities: []route.ExtCommunity{route.SiteOfOrigin(65001, 7)},
		}, "10.1.0.0/16")
		b.flush()
		if a := b.r.Sent(pfx("10.1.0.0/16"), addr(rs0)); a == nil || len(a.ExtCommunities) != want {
			t.Errorf("domain %q: %+v", domain, a)
		}
	}
}

// A policy may remove the weight that the neighbor's routes have.
func TestWeightSetToNothing(t *testing.T) {
	b := newEdge(t)
	b.r.SetPeer(neighbor(nva, 65001, SourceSettings{Weight: 200},
		ImportSettings{Import: b.permit(policy.Set{Weight: new(uint32)})}, ExportSettings{Export: b.permit(policy.Set{})}))
	b.send(nva, route.Attrs{ASPath: asPath("65515")}, "10.1.0.0/16")
	b.flush()
	d := b.r.table.find(pfx("10.1.0.0/16"))
	if d == nil || len(d.paths) != 1 || d.paths[0].extra == nil || d.paths[0].extra.weight != 0 {
		t.Errorf("%+v", d)
	}
}
