package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// The neighbor's settings that change a path on its way out.
func TestExportedPaths(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings Peer
		learned  string
		want     string
	}{
		{"as it is", Peer{RemoteASN: 3356}, "65515 64580 3356", "65001 65515 64580 3356"},
		{"as-override", Peer{RemoteASN: 64580, ASOverride: true}, "65515 64580 64580", "65001 65515 65001 65001"},
		{"private ASNs removed", Peer{RemoteASN: 3356, RemovePrivateAS: true}, "65515 12076 64580 4200000000", "65001 12076"},
		{"a set becomes empty", Peer{RemoteASN: 3356, RemovePrivateAS: true}, "12076 {64580,64581}", "65001 12076"},
		{"the neighbor's own stays", Peer{RemoteASN: 64580, RemovePrivateAS: true}, "12076 64580 64581", "65001 12076 64580"},
		{"replaced", Peer{RemoteASN: 3356, RemovePrivateAS: true, ReplacePrivateAS: true}, "12076 64580 64581", "65001 12076 65001 65001"},
		{"replaced, then overridden", Peer{RemoteASN: 64580, RemovePrivateAS: true, ReplacePrivateAS: true, ASOverride: true},
			"12076 64580 64581", "65001 12076 65001 65001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			c.settings.Address = addr(branch)
			b.peer(c.settings, acceptAll, acceptAll)
			b.peer(Peer{Address: addr(nva), RemoteASN: 65001, AllowASSets: true}, acceptAll, acceptAll)
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

// RFC 7705: a neighbor is shown another ASN alone, and what holds either of the
// two has been here before, as often as allowas-in lets it.
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
		b.r.SetPeer(Peer{Address: addr(branch), LocalASN: 65002, RemoteASN: 64580, AllowASIn: c.allowed, Import: pass, Export: pass})
		b.peer(Peer{Address: addr(nva), RemoteASN: 65001}, acceptAll, acceptAll)
		b.up(branch)
		b.up(nva)
		b.announce(branch, c.path, "10.1.0.0/16")
		b.announce(nva, "65515", "10.2.0.0/16")
		b.flush()
		d := b.r.table[pfx("10.1.0.0/16")]
		if got := b.r.rejectReason(&d.paths[0]); d.paths[0].accepted == nil && got != c.want || d.paths[0].accepted != nil && c.want != "" {
			t.Errorf("%s, %d allowed: %q, want %q", c.path, c.allowed, got, c.want)
		}
		if a := b.r.Sent(pfx("10.2.0.0/16"), addr(branch)); a == nil || a.ASPath.String() != "65002 65515" {
			t.Errorf("sent %+v", a)
		}
	}
}

// RFC 4271 5.1.4: a learned MED does not leave the AS, one that policy set does,
// also where policy sets what was learned. A change adds to nothing, or the
// sum would tell what was learned.
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
		p := Peer{
			Address: addr(branch), RemoteASN: 64580, LocalASN: 65001, Import: b.program(policy.Clause{Seq: 5, Permit: true}),
			Export: b.program(policy.Clause{Seq: 5, Permit: true, Set: policy.Set{MED: c.med}}),
		}
		b.r.SetPeer(p)
		b.send(nva, route.Attrs{ASPath: asPath("65515"), MED: route.Some(70)}, "10.1.0.0/16")
		b.flush()
		if a := b.r.Sent(pfx("10.1.0.0/16"), addr(branch)); a == nil || a.MED != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, a, c.want)
		}
	}
}

// RFC 8326 4.2: a neighbor about to go down is used only where there is nothing
// else.
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

// RFC 7999 3.2: an eBGP neighbor's wish stays within the AS.
func TestBlackholeIsNotExported(t *testing.T) {
	b := newHub00(t)
	b.send(rs0, route.Attrs{ASPath: asPath("65515"), Communities: []route.Community{route.Blackhole}}, "10.1.0.9/32")
	b.flush()
	want := []route.Community{route.Blackhole, route.NoExport}
	if a := b.r.Sent(pfx("10.1.0.9/32"), addr(nva)); a == nil || !slices.Equal(a.Communities, want) {
		t.Errorf("%+v", a)
	}
}

// RFC 7999: the packets are dropped here.
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

// RFC 1997: to iBGP neighbors only.
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

func TestMaximumPrefixOut(t *testing.T) {
	b := newEdge(t)
	limited := Peer{Address: addr(branch), RemoteASN: 64580, MaxAdvertised: 2}
	b.peer(limited, acceptAll, acceptAll)
	b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16")
	b.flush()
	b.wantAdvertised(branch, 2)
	if held := b.held(pfx("10.4.0.0/16"), addr(branch)); held != "held back: maximum-prefix-out 2 reached" {
		t.Errorf("held: %q", held)
	}
	b.withdraw(nva, "10.1.0.0/16")
	b.flush()
	b.wantAdvertised(branch, 2)
	if b.r.Sent(pfx("10.3.0.0/16"), addr(branch)) == nil && b.r.Sent(pfx("10.4.0.0/16"), addr(branch)) == nil {
		t.Error("nothing takes the place of what was withdrawn")
	}
	limited.MaxAdvertised = 1
	b.peer(limited, acceptAll, acceptAll)
	b.flush()
	b.wantAdvertised(branch, 1)
	limited.MaxAdvertised = 0
	b.peer(limited, acceptAll, acceptAll)
	b.flush()
	b.wantAdvertised(branch, 3)
}

func (b *bed) wantAdvertised(to string, n int) {
	b.t.Helper()
	if c := b.r.Counts(addr(to)); c.Advertised != n {
		b.t.Errorf("%d prefixes advertised, want %d", c.Advertised, n)
	}
}

// What is one too many is kept aside, shown, and taken once there is room.
func TestMaximumPrefixDiscard(t *testing.T) {
	b := newBed(t)
	limited := Peer{Address: addr(nva), RemoteASN: 65001, MaxReceived: 2}
	b.peer(limited, acceptAll, acceptAll)
	b.up(nva)
	b.flush()
	b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16")
	b.want("two of three",
		"fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"fib + 10.2.0.0/16 bgp via 169.254.0.2 dev vxlan0")
	b.r.From(pfx("10.3.0.0/16"), addr(nva), func(p Path) {
		if p.Rule != "maximum-prefix 2 reached" {
			t.Errorf("rejected because of %q", p.Rule)
		}
	})
	b.announce(nva, "65515 12076", "10.1.0.0/16", "10.3.0.0/16")
	b.want("an update takes no place of another")
	b.r.Reimport(addr(nva))
	b.want("nor does a new look at all of them")
	b.withdraw(nva, "10.2.0.0/16")
	b.want("room for the third",
		"fib + 10.3.0.0/16 bgp via 169.254.0.2 dev vxlan0",
		"fib - 10.2.0.0/16")
	limited.MaxReceived = 1
	b.peer(limited, acceptAll, acceptAll)
	b.flush()
	if c := b.r.Counts(addr(nva)); c.Received != 2 || c.Accepted != 1 {
		t.Errorf("counts after the limit went down: %+v", c)
	}
	limited.MaxReceived = 0
	b.peer(limited, acceptAll, acceptAll)
	b.flush()
	if c := b.r.Counts(addr(nva)); c.Accepted != 2 {
		t.Errorf("counts without limit: %+v", c)
	}
}

// A neighbor that sends 300,000 prefixes where 10 may come holds no more memory than
// one that sends 20.
func TestMaximumPrefixBoundsMemory(t *testing.T) {
	b := newBed(t)
	b.peer(Peer{Address: addr(nva), RemoteASN: 65001, MaxReceived: 10}, acceptAll, acceptAll)
	b.up(nva)
	b.flush()
	attrs := b.in.Intern(route.Attrs{ASPath: asPath("65515"), NextHop: addr(nva)})
	before := len(b.r.table)
	for i := range 300 {
		u := speaker.Update{From: speaker.From{Peer: addr(nva)}, Attrs: attrs}
		for j := range 1000 {
			n := 1<<24 + i*1000 + j
			u.Announced = append(u.Announced, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), 32))
		}
		b.r.Update(&u, b.now)
		b.flush()
	}
	if c := b.r.Counts(addr(nva)); c.Received != 20 || c.Accepted != 10 || len(b.r.table) != before+20 {
		t.Errorf("counts %+v, %d more destinations; want 10 of 20", c, len(b.r.table)-before)
	}
	if n, missing := b.r.Dropped(addr(nva)); n != 300_000-20 || missing != route.IPv4 || b.r.Fits(addr(nva)) {
		t.Errorf("%d announcements dropped, of %s, fits %v", n, missing, b.r.Fits(addr(nva)))
	}
	b.r.PeerDown(addr(nva), false)
	b.flush()
	if n := len(b.r.table); n != before {
		t.Errorf("%d destinations are left", n-before)
	}
	if n, missing := b.r.Dropped(addr(nva)); n != 0 || missing != 0 {
		t.Errorf("%d announcements of a session that is over", n)
	}
}

// What was dropped fits once the limit is raised and what was kept aside is taken,
// not before.
func TestDroppedFits(t *testing.T) {
	b := newBed(t)
	limited := Peer{Address: addr(nva), RemoteASN: 65001, MaxReceived: 2}
	b.peer(limited, acceptAll, acceptAll)
	b.up(nva)
	b.flush()
	all := []string{"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16", "10.6.0.0/16"}
	b.announce(nva, "65515", all...)
	b.flush()
	for _, c := range []struct {
		limit int
		fits  bool
	}{{3, false}, {4, false}, {5, true}, {0, true}} {
		limited.MaxReceived = c.limit
		b.peer(limited, acceptAll, acceptAll)
		if b.r.Fits(addr(nva)) && c.limit == 3 {
			t.Error("fits before what is kept aside was taken")
		}
		b.flush()
		if n, missing := b.r.Dropped(addr(nva)); n != 2 || missing != route.IPv4 || b.r.Fits(addr(nva)) != c.fits {
			t.Errorf("limit %d: %d dropped, missing %s, fits %v", c.limit, n, missing, b.r.Fits(addr(nva)))
		}
	}
	b.r.Requested(addr(nva), route.IPv4)
	b.announce(nva, "65515", all...)
	b.flush()
	if n, missing := b.r.Dropped(addr(nva)); n != 2 || missing != 0 || b.r.Counts(addr(nva)).Accepted != 6 {
		t.Errorf("%d dropped, missing %s, counts %+v", n, missing, b.r.Counts(addr(nva)))
	}
}

// A prefix that is kept takes a new announcement also while the table moves to a
// smaller map.
func TestLimitWhileTableMoves(t *testing.T) {
	b := newBed(t)
	b.peer(Peer{Address: addr(nva), RemoteASN: 65001, MaxReceived: 1}, acceptAll, acceptAll)
	b.up(nva)
	b.flush()
	b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16")
	b.flush()
	b.r.request(b.r.peers[0], moves)
	b.r.tableBegins(moves)
	b.announce(nva, "65515 7", "10.1.0.0/16", "10.2.0.0/16")
	if n, _ := b.r.Dropped(addr(nva)); n != 1 {
		t.Errorf("%d announcements dropped, want that of 10.3.0.0/16 alone", n)
	}
}

// Room that comes while the table is searched for what fits is found, also where the
// search has been already.
func TestRoomDuringSearch(t *testing.T) {
	b := newBed(t)
	b.peer(Peer{Address: addr(nva), RemoteASN: 65001, MaxReceived: 20}, acceptAll, acceptAll)
	b.up(nva)
	b.flush()
	var all []string
	for i := range 40 {
		all = append(all, fmt.Sprintf("10.%d.0.0/16", i))
	}
	kept, out := all[:20], all[20:]
	b.announce(nva, "65515", kept...)
	b.flush()
	b.announce(nva, "65515", out...)
	b.flush()
	b.withdraw(nva, kept[0])
	for range 10 { // past some of those left out
		b.r.Flush(3)
	}
	b.withdraw(nva, kept[1:16]...)
	b.flush()
	if c := b.r.Counts(addr(nva)); c.Received != 24 || c.Accepted != 20 {
		t.Errorf("counts %+v", c)
	}
}

// A neighbor's domain and group reach what others are told of its routes.
func TestSourceSettingsReload(t *testing.T) {
	b := newHub00(t)
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.flush()
	b.peer(Peer{Address: addr(rs0), RemoteASN: 65515, Domain: "elsewhere", EnforceFirstAS: true}, fromAzure, acceptAll)
	b.want("another mark for the far NVA, and no longer the other instance's domain",
		"to 10.0.210.5 + 10.1.0.0/16 path [65001 65001] via 10.0.0.4",
		"to 169.254.0.2 + 10.1.0.0/16 path [65515] via 169.254.0.1 local-pref 100 soo")
}

// kernel.max-paths and kernel.resolve-default take effect at once.
func TestSetForwarding(t *testing.T) {
	b := newBed(t)
	for _, a := range []string{nva, "169.254.0.3"} {
		b.peer(Peer{Address: addr(a), RemoteASN: 65001}, acceptAll, acceptAll)
		b.up(a)
		b.announce(a, "65515", "10.1.0.0/16")
	}
	b.want("static and ECMP", "fib + 10.0.210.0/24 static via 10.0.0.1 dev eth0",
		"fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0 via 169.254.0.3 dev vxlan0")
	b.r.SetForwarding(1, false)
	b.want("one path", "fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0 backup 169.254.0.3 dev vxlan0")
	b.send(nva, route.Attrs{ASPath: asPath("65515"), NextHop: addr("192.0.2.1")}, "10.2.0.0/16")
	b.want("only the default route leads to the next hop")
	b.r.SetForwarding(1, true)
	b.want("it counts now", "fib + 10.2.0.0/16 bgp via 10.0.0.1 dev eth0")
}

// A static default route counts as little as any other.
func TestStaticDefault(t *testing.T) {
	b := newBed(t)
	b.peer(Peer{Address: addr(nva), RemoteASN: 65001}, acceptAll, acceptAll)
	b.up(nva)
	b.r.SetStatics([]Static{{Prefix: pfx("0.0.0.0/0"), Via: addr("10.0.0.1"), Metric: 20}})
	b.flush()
	b.send(nva, route.Attrs{ASPath: asPath("65515"), NextHop: addr("192.0.2.1")}, "10.2.0.0/16")
	b.want("only the default route leads to the next hop")
	b.r.SetForwarding(1, true)
	b.want("it counts now", "fib + 10.2.0.0/16 bgp via 10.0.0.1 dev eth0")
}

// What the limit kept out is taken by a session that has room for it, though it is
// told nothing new.
func TestRoomAfterRestart(t *testing.T) {
	b := newBed(t)
	b.peer(Peer{Address: addr(nva), RemoteASN: 65001, MaxReceived: 2}, acceptAll, acceptAll)
	b.up(nva)
	b.announce(nva, "65515", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16")
	b.flush()
	for range 2 { // the first time nothing but the third is told again
		b.r.PeerDown(addr(nva), true)
		b.up(nva)
		b.announce(nva, "65515", "10.3.0.0/16")
		b.flush()
	}
	if c := b.r.Counts(addr(nva)); c.Received != 1 || c.Accepted != 1 {
		t.Errorf("counts %+v", c)
	}
}

// What one change of the underlay moved is not forgotten over the next one.
func TestUnderlayChangesTwice(t *testing.T) {
	b := newBed(t)
	b.peer(Peer{Address: addr(nva), RemoteASN: 65001}, acceptAll, acceptAll)
	b.up(nva)
	b.announce(nva, "65515", "10.1.0.0/16")
	b.flush()
	b.facts(false)
	b.r.SetStatics([]Static{{Prefix: pfx("10.0.210.0/24"), Via: addr("10.0.0.1"), Metric: 20}})
	b.want("tunnel down, and a reload at once", "fib - 10.1.0.0/16")
}

// RFC 4271 5.1.5: an iBGP neighbor is sent a LOCAL_PREF in any case, and its
// export policy changes what is sent.
func TestLocalPrefThatPolicyChanges(t *testing.T) {
	b := newBed(t)
	b.peer(Peer{Address: addr(rs0), RemoteASN: 65515}, acceptAll, acceptAll)
	b.r.SetPeer(Peer{
		Address: addr(nva), RemoteASN: 65001, LocalASN: 65001, NextHopSelf: true, Import: b.program(policy.Clause{Seq: 5, Permit: true}),
		Export: b.program(policy.Clause{Seq: 5, Permit: true, Set: policy.Set{LocalPref: &policy.Number{Op: '+', Value: 10}}}),
	})
	b.up(rs0)
	b.up(nva)
	b.send(rs0, route.Attrs{ASPath: asPath("65515")}, "10.1.0.0/16")
	b.flush()
	if a := b.r.Sent(pfx("10.1.0.0/16"), addr(nva)); a == nil || a.LocalPref != route.Some(110) {
		t.Errorf("%+v", a)
	}
}

// A Site-of-Origin that a neighbor or policy set is the user's own where no
// neighbor has a domain, and passed on like any other community.
func TestSiteOfOriginWithoutDomains(t *testing.T) {
	for domain, want := range map[string]int{"": 1, "ars-hub00": 0} {
		b := newBed(t)
		b.peer(Peer{Address: addr(rs0), RemoteASN: 65515, Domain: domain}, acceptAll, acceptAll)
		b.peer(Peer{Address: addr(nva), RemoteASN: 65001, NextHopSelf: true}, acceptAll, acceptAll)
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

// A policy may take away the weight that the neighbor's routes have.
func TestWeightSetToNothing(t *testing.T) {
	b := newEdge(t)
	b.r.SetPeer(Peer{
		Address: addr(nva), RemoteASN: 65001, LocalASN: 65001, Weight: 200,
		Import: b.program(policy.Clause{Seq: 5, Permit: true, Set: policy.Set{Weight: new(uint32)}}),
		Export: b.program(policy.Clause{Seq: 5, Permit: true}),
	})
	b.send(nva, route.Attrs{ASPath: asPath("65515")}, "10.1.0.0/16")
	b.flush()
	d := b.r.table[pfx("10.1.0.0/16")]
	if d == nil || len(d.paths) != 1 || d.paths[0].extra == nil || d.paths[0].extra.weight != 0 {
		t.Errorf("%+v", d)
	}
}
