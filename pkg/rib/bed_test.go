package rib

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// The neighbors of the bed are those of hub00's NVA in the article.
const (
	rs0 = "10.0.210.4"
	rs1 = "10.0.210.5"
	nva = "169.254.0.2"

	eth0, vxlan0 = 2, 3
)

// bed is a RIB in the place of hub00's NVA, with helpers that make a test read like a story.
type bed struct {
	t   *testing.T
	r   *RIB
	in  *route.Interner
	now time.Time
}

var (
	acceptAll = policy.Chain{Accept: true}
	library   = policy.Library{
		PrefixLists: map[string]policy.PrefixList{
			"none": {{Seq: 5, Any: true}},
			"rs-hub00": {
				{Seq: 5, Prefix: pfx("10.0.0.0/16")},
				{Seq: 10, Prefix: pfx("10.100.0.0/16")},
				{Seq: 15, Permit: true, Any: true},
			},
			"vm-hub10": {
				{Seq: 5, Prefix: pfx("10.0.0.0/16"), GE: 16},
				{Seq: 10, Permit: true, Any: true},
			},
		},
		ASPathLists: map[string]policy.ASPathList{"azure-asns": {{Seq: 5, Permit: true, Regexp: "_65515_"}}},
		RouteMaps: map[string]policy.RouteMap{"to-azure": {{
			Seq: 10, Permit: true,
			Match: policy.Match{ASPathList: "azure-asns"}, Set: policy.Set{ASPathReplace: "any"},
		}}},
	}
	fromAzure = policy.Chain{Accept: true, DenyASNs: policy.Reserved}
	toAzure   = policy.Chain{Accept: true, PrefixList: "rs-hub00", RouteMap: "to-azure"}
	toNVA     = policy.Chain{Accept: true, PrefixList: "vm-hub10"}
)

// newBed returns hub00's NVA with its kernel facts, the static route to RouteServerSubnet and
// no neighbors.
func newBed(t *testing.T) *bed {
	in := route.NewInterner()
	b := &bed{t: t, in: in, now: time.Unix(1_700_000_000, 0), r: New(Options{
		ASN: 65001, RouterID: addr("10.0.0.4"), Metric: 20, Interner: in, Forwarding: Forwarding{MaxPaths: 16},
	})}
	b.r.SetStatics([]Static{{Prefix: pfx("10.0.210.0/24"), Via: addr("10.0.0.1"), Metric: 20}})
	b.facts(true)
	return b
}

// newHub00 returns newBed with the article's three neighbors established.
func newHub00(t *testing.T) *bed {
	b := newBed(t)
	for _, a := range []string{rs0, rs1} {
		b.peer(neighbor(a, 65515, ImportSettings{EnforceFirstAS: true}, SourceSettings{Domain: "ars-hub00"}), fromAzure, toAzure)
		b.up(a)
	}
	b.peer(neighbor(nva, 65001, ExportSettings{NextHopSelf: true}), acceptAll, toNVA)
	b.up(nva)
	b.flush()
	return b
}

func (b *bed) facts(tunnelUp bool) {
	f := fib.Facts{
		Links: []fib.Link{
			{Index: eth0, Name: "eth0", Up: true, MTU: 1500, Addresses: []netip.Prefix{pfx("10.0.0.4/24")}},
			{Index: vxlan0, Name: "vxlan0", Up: tunnelUp, MTU: 1450, Addresses: []netip.Prefix{pfx("169.254.0.1/24")}},
		},
		Routes: []fib.KernelRoute{
			{Prefix: pfx("0.0.0.0/0"), Protocol: 16, Metric: 100, Hops: []fib.NextHop{{Via: addr("10.0.0.1"), Link: eth0}}},
			{Prefix: pfx("10.0.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: eth0}}},
		},
	}
	if tunnelUp {
		f.Routes = append(f.Routes, fib.KernelRoute{Prefix: pfx("169.254.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: vxlan0}}})
	}
	b.r.SetFacts(f)
}

// neighbor returns the settings of a neighbor: the groups given, and 65001 as this router's
// ASN.
func neighbor(address string, asn uint32, groups ...any) Peer {
	p := Peer{Address: addr(address), SessionSettings: SessionSettings{LocalASN: 65001, RemoteASN: asn}}
	for _, g := range groups {
		switch g := g.(type) {
		case SessionSettings:
			p.LocalASN, p.Role = cmp.Or(g.LocalASN, p.LocalASN), g.Role
		case ImportSettings:
			p.ImportSettings = g
		case SourceSettings:
			p.SourceSettings = g
		case ExportSettings:
			p.ExportSettings = g
		}
	}
	return p
}

// peer configures a neighbor with compiled policies.
func (b *bed) peer(p Peer, in, out policy.Chain) {
	b.t.Helper()
	s := policy.Session{LocalASN: p.LocalASN, PeerASN: p.RemoteASN, Neighbor: p.Address, PeerGroup: p.Group}
	var err error
	if p.Import, err = policy.Compile(&library, in, s); err != nil {
		b.t.Fatal(err)
	}
	s.Export = true
	if p.Export, err = policy.Compile(&library, out, s); err != nil {
		b.t.Fatal(err)
	}
	b.r.SetPeer(p)
}

func (b *bed) up(a string) {
	local := addr("10.0.0.4")
	if addr(a) == addr(nva) {
		local = addr("169.254.0.1")
	}
	b.r.PeerUp(addr(a), Session{LocalAddress: local, RemoteID: addr(a), Families: route.IPv4}, nil)
}

// announce sends prefixes with the given AS path and the neighbor as next hop.
func (b *bed) announce(from, path string, prefixes ...string) {
	b.send(from, route.Attrs{ASPath: asPath(path)}, prefixes...)
}

func (b *bed) send(from string, a route.Attrs, prefixes ...string) {
	if !a.NextHop.IsValid() {
		a.NextHop = addr(from)
	}
	u := &speaker.Update{From: speaker.From{Peer: addr(from)}, Attrs: b.in.Intern(a)}
	for _, p := range prefixes {
		u.Announced = append(u.Announced, pfx(p))
	}
	b.r.Update(u, b.now)
}

func (b *bed) withdraw(from string, prefixes ...string) {
	u := &speaker.Update{From: speaker.From{Peer: addr(from)}}
	for _, p := range prefixes {
		u.Withdrawn = append(u.Withdrawn, pfx(p))
	}
	b.r.Update(u, b.now)
}

// flush runs the RIB until nothing is pending and returns the effects as sorted lines.
func (b *bed) flush() []string {
	for b.r.Flush(3) {
	}
	e := b.r.Take()
	var out []string
	for _, c := range e.FIB {
		out = append(out, fibLine(c))
	}
	for _, a := range e.Out {
		for _, c := range a.Changes {
			out = append(out, outLine(a.Peer, c))
		}
	}
	slices.Sort(out)
	return out
}

func fibLine(c fib.Change) string {
	if c.Route == nil {
		return fmt.Sprintf("fib - %s", c.Prefix)
	}
	s := fmt.Sprintf("fib + %s %s", c.Prefix, [...]string{"bgp", "static"}[c.Route.Class])
	if c.Route.Kind == fib.Blackhole {
		s += " blackhole"
	}
	for _, h := range c.Route.Hops {
		s += fmt.Sprintf(" via %s dev %s", h.Via, linkNames[h.Link])
	}
	for _, h := range c.Route.Backup {
		s += fmt.Sprintf(" backup %s dev %s", h.Via, linkNames[h.Link])
	}
	return s
}

var linkNames = map[int]string{eth0: "eth0", vxlan0: "vxlan0"}

func outLine(peer netip.Addr, c speaker.Change) string {
	if c.Attrs == nil {
		return fmt.Sprintf("to %s - %s", peer, c.Prefix)
	}
	a := c.Attrs
	s := fmt.Sprintf("to %s + %s path [%s] via %s", peer, c.Prefix, a.ASPath, a.NextHop)
	if a.LocalPref.Set {
		s += fmt.Sprintf(" local-pref %d", a.LocalPref.Value)
	}
	if a.MED.Set {
		s += fmt.Sprintf(" med %d", a.MED.Value)
	}
	for _, c := range a.ExtCommunities {
		if c.IsSiteOfOrigin() {
			s += " soo"
		}
	}
	return s
}

func (b *bed) want(what string, lines ...string) {
	b.t.Helper()
	got := b.flush()
	if !slices.Equal(got, lines) {
		b.t.Errorf("%s:\n got:\n  %s\n want:\n  %s", what, strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
	}
}

func addr(s string) netip.Addr  { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// asPath parses a path like "65515 12076 {1,2}".
func asPath(s string) route.ASPath {
	var out route.ASPath
	for f := range strings.FieldsSeq(s) {
		kind, list := route.ASSequence, f
		if strings.HasPrefix(f, "{") {
			kind, list = route.ASSet, strings.Trim(f, "{}")
		}
		var asns []uint32
		for n := range strings.SplitSeq(list, ",") {
			var v uint32
			fmt.Sscan(n, &v)
			asns = append(asns, v)
		}
		if n := len(out); n > 0 && kind == route.ASSequence && out[n-1].Type == kind {
			out[n-1].ASNs = append(out[n-1].ASNs, asns...)
			continue
		}
		out = append(out, route.Segment{Type: kind, ASNs: asns})
	}
	return out
}

func pfxFrom(a [4]byte) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4(a), 24) }

// held returns why prefix is not advertised to neighbor, or an empty string if it is.
func (b *bed) held(prefix netip.Prefix, neighbor netip.Addr) string {
	d, p := b.r.table.find(prefix), b.r.peers.byAddr[neighbor]
	if d == nil || p == nil {
		return "not in the table"
	}
	x := b.r.limited(d, p)
	if x.hold == sent {
		return ""
	}
	return p.holdReason(d, x.hold, x.rule)
}
