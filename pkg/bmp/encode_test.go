package bmp

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

var (
	rs0   = netip.MustParseAddr("10.0.210.4")
	nva   = netip.MustParseAddr("fd00::2")
	then  = time.Unix(1_700_000_000, 0)
	sets  = route.NewInterner()
	short = sets.Intern(route.Attrs{ASPath: route.NewASPath(65515), NextHop: rs0})
	long  = sets.Intern(route.Attrs{ASPath: route.NewASPath(65515, 12076, 4200000001), NextHop: rs0})
	six   = sets.Intern(route.Attrs{ASPath: route.NewASPath(65001), NextHop: nva})
)

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// established is a session of AS 65001 with a neighbor of another AS.
func established(address netip.Addr, asn uint32) speaker.Established {
	open := func(asn uint32) []byte {
		return wire.NewOpen(&speaker.Neighbor{LocalASN: asn, Families: route.IPv4}, netip.MustParseAddr("10.0.0.4"), wire.Restart{})
	}
	local := netip.MustParseAddr("10.0.0.4")
	if address.Is6() {
		local = netip.MustParseAddr("fd00::1")
	}
	return speaker.Established{
		From: speaker.From{Peer: address}, LocalAddress: local, LocalPort: 179, RemotePort: 40000,
		OpenSent: open(65001), OpenReceived: open(asn), RemoteASN: asn, RemoteID: netip.MustParseAddr("10.9.9.9"),
	}
}

// heard is a route of rs0 that is news in both views.
func heard(prefix string, received, accepted *route.Attrs) rib.Heard {
	return rib.Heard{
		Prefix: pfx(prefix), Neighbor: rs0, Received: received, Accepted: accepted, At: uint32(then.Unix()), Pre: true, Post: true,
	}
}

// wantLines compares lines; those that end with " ..." only up to there.
func wantLines(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	same := slices.EqualFunc(got, want, func(g, w string) bool {
		begin, part := strings.CutSuffix(w, " ...")
		return g == w || part && strings.HasPrefix(g, begin)
	})
	if !same {
		t.Errorf("%s:\n got\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// story has an encoder send items, and returns what it sent.
func story(t *testing.T, policy Policy, f func(e *encoder)) []string {
	t.Helper()
	var out bytes.Buffer
	e := newEncoder(policy, &out)
	f(e)
	got := lines(t, out.Bytes())
	if int(e.count) != len(got) || e.err != nil {
		t.Errorf("%d messages of %d counted, %v", len(got), e.count, e.err)
	}
	return got
}

func TestRoutes(t *testing.T) {
	up := established(rs0, 65515)
	withSession := func(policy Policy, list ...rib.Heard) []string {
		return story(t, policy, func(e *encoder) {
			e.item(&item{up: &up, at: then})
			e.item(&item{routes: list})
		})[1:]
	}
	list := []rib.Heard{
		heard("10.1.0.0/16", long, short), heard("10.2.0.0/16", long, nil), heard("10.3.0.0/16", long, short),
		heard("fd00:1::/32", six, six), heard("10.4.0.0/16", nil, nil),
	}
	pre := []string{
		"pre 10.0.210.4 at 1700000000: + 10.1.0.0/16 10.2.0.0/16 10.3.0.0/16 path 65515 12076 4200000001 via 10.0.210.4",
		"pre 10.0.210.4 at 1700000000: + fd00:1::/32 via fd00::2 path 65001",
		"pre 10.0.210.4 at 1700000000: - 10.4.0.0/16",
	}
	post := []string{
		"post 10.0.210.4 at 1700000000: + 10.1.0.0/16 path 65515 via 10.0.210.4",
		"post 10.0.210.4 at 1700000000: - 10.2.0.0/16",
		"post 10.0.210.4 at 1700000000: + 10.3.0.0/16 path 65515 via 10.0.210.4",
		"post 10.0.210.4 at 1700000000: + fd00:1::/32 via fd00::2 path 65001",
		"post 10.0.210.4 at 1700000000: - 10.4.0.0/16",
	}
	wantLines(t, "before policy", withSession(Pre, list...), pre...)
	wantLines(t, "after policy", withSession(Post, list...), post...)
	wantLines(t, "both", withSession(Both, list...), slices.Concat(pre, post)...)

	onlyPost := heard("10.1.0.0/16", long, nil)
	onlyPost.Pre = false
	wantLines(t, "policy changed", withSession(Both, onlyPost), "post 10.0.210.4 at 1700000000: - 10.1.0.0/16")

	// In order within a neighbor, whatever is in between.
	other := heard("10.1.0.0/16", short, short)
	other.Neighbor = nva
	wantLines(t, "two neighbors, one of them down",
		withSession(Pre, heard("10.1.0.0/16", long, nil), other, heard("10.1.0.0/16", nil, nil), other, heard("10.1.0.0/16", short, nil)),
		"pre 10.0.210.4 at 1700000000: + 10.1.0.0/16 path 65515 12076 4200000001 via 10.0.210.4",
		"pre 10.0.210.4 at 1700000000: - 10.1.0.0/16",
		"pre 10.0.210.4 at 1700000000: + 10.1.0.0/16 path 65515 via 10.0.210.4")
}

// More prefixes than fit share as many UPDATEs as they need.
func TestManyRoutes(t *testing.T) {
	up := established(rs0, 65515)
	var list []rib.Heard
	for i := range 3000 {
		h := heard("10.0.0.0/24", long, nil)
		h.Prefix, h.Post = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24), false
		list = append(list, h)
	}
	got := story(t, Both, func(e *encoder) {
		e.item(&item{up: &up, at: then})
		e.item(&item{routes: list})
	})[1:]
	n := 0
	for _, line := range got {
		n += strings.Count(line, "/24")
	}
	if n != len(list) || len(got) > 4 {
		t.Errorf("%d prefixes in %d messages", n, len(got))
	}
}

// Attributes that no UPDATE can carry cost the station their routes, and nothing else.
func TestUnencodable(t *testing.T) {
	up := established(rs0, 65515)
	huge := *short
	for i := range 20_000 {
		huge.Communities = append(huge.Communities, route.Community(i))
	}
	mixed := &route.Attrs{ASPath: route.NewASPath(65515), NextHop: rs0}
	got := story(t, Pre, func(e *encoder) {
		e.item(&item{up: &up, at: then})
		e.item(&item{routes: []rib.Heard{
			heard("10.1.0.0/16", &huge, nil), heard("fd00:1::/32", mixed, nil), heard("10.2.0.0/16", short, nil),
		}})
	})[1:]
	wantLines(t, "unencodable", got,
		"pre 10.0.210.4 at 1700000000: - 10.1.0.0/16",
		"pre 10.0.210.4 at 1700000000: - fd00:1::/32",
		"pre 10.0.210.4 at 1700000000: + 10.2.0.0/16 path 65515 via 10.0.210.4")
}

func TestSessions(t *testing.T) {
	up, other := established(rs0, 65515), established(nva, 65001)
	cease := speaker.Cease(speaker.CeaseDeconfigured)
	received := speaker.Notification{Code: speaker.CodeCease, Subcode: speaker.CeaseShutdown}
	downs := []speaker.Down{
		{Notification: &cease},
		{Notification: &received, Message: wire.NewMessage(wire.TypeNotification, []byte("\x06\x02\x04bye!"))},
		{Local: true, FSMEvent: speaker.SendHoldTimerExpires},
		{Local: true},
		{},
	}
	got := story(t, Both, func(e *encoder) {
		e.send(func(b []byte) []byte { return appendInitiation(b, "hub00a", "nvad v1") })
		e.item(&item{up: &other, at: then})
		for _, d := range downs {
			d.Peer = rs0
			e.item(&item{up: &up, at: then})
			e.item(&item{down: &d, at: then})
			e.item(&item{routes: []rib.Heard{heard("10.1.0.0/16", short, short)}}) // of a session that is over
			e.item(&item{peer: rs0, family: route.IPv4})
			e.item(&item{down: &d, at: then})
		}
		e.item(&item{peer: nva, family: route.IPv6})
	})
	want := []string{`initiation "nvad v1" "hub00a"`,
		"up fd00::2 AS 65001 id 10.9.9.9 local fd00::1 ports 179 40000 sent AS 65001 received AS 65001 at 1700000000"}
	for _, down := range []string{`1 notification 6/3 ""`, `3 notification 6/2 "\x04bye!"`, "2 data 001d", "2 data 0000", "4 data "} {
		want = append(want, "up 10.0.210.4 AS 65515 id 10.9.9.9 local 10.0.0.4 ports 179 40000 sent AS 65001 received AS 65515 at 1700000000",
			"down 10.0.210.4 reason "+down)
	}
	wantLines(t, "sessions", got, append(want, "pre fd00::2 ...", "post fd00::2 ...")...)
	for _, line := range got[len(want):] {
		if !strings.HasSuffix(line, ": end of ipv6-unicast") {
			t.Error(line)
		}
	}
}

func TestStatistics(t *testing.T) {
	up := established(rs0, 65515)
	s := Statistics{Neighbor: rs0, LocRIB: 9, Tallies: [2]rib.Tally{
		{Family: route.IPv4, Accepted: 5, Advertised: 4, Rejected: []rib.Rejected{
			{Reason: "policy", Paths: 2, Total: 12}, {Reason: "as-loop", Paths: 1, Total: 1<<32 + 3}, {Reason: "first-as", Paths: 1, Total: 1},
		}},
		{Family: route.IPv6, Accepted: 1, Rejected: []rib.Rejected{{Reason: "policy", Total: 30}}},
	}}
	s.Malformed.ByAction[speaker.TreatAsWithdraw] = 6
	got := story(t, Pre, func(e *encoder) {
		e.item(&item{up: &up, at: then})
		e.statistics([]Statistics{s, {Neighbor: nva}})
	})[1:]
	wantLines(t, "statistics", got,
		"statistics 10.0.210.4 0=42 3=0 4=3 5=0 11=6 7=10 8=9 15=4 9(1/1)=9 17(1/1)=4 9(2/1)=1 17(2/1)=0")
}

type failing struct{ n int }

func (f *failing) Write(p []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, errors.New("broken")
	}
	return len(p), nil
}

// Once a write has failed, nothing more is encoded.
func TestFailedWrite(t *testing.T) {
	up := established(rs0, 65515)
	e := newEncoder(Both, &failing{1})
	e.item(&item{up: &up})
	for range 3 {
		e.item(&item{routes: []rib.Heard{heard("10.1.0.0/16", short, long)}})
	}
	if e.err == nil || e.count > 2 {
		t.Errorf("%v, %d messages", e.err, e.count)
	}
}

func BenchmarkRoutes(b *testing.B) {
	up := established(rs0, 65515)
	e := newEncoder(Both, &failing{1 << 62})
	e.item(&item{up: &up})
	var list []rib.Heard
	for i := range 1000 {
		h := heard("10.0.0.0/24", &route.Attrs{ASPath: route.NewASPath(65515, uint32(i/5)), NextHop: rs0}, nil)
		if i%5 > 0 {
			h.Received = list[i-1].Received
		}
		h.Accepted = h.Received
		list = append(list, h)
	}
	b.ReportAllocs()
	for b.Loop() {
		e.item(&item{routes: list})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/route")
}
