package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/watch"
)

// at returns a time of the night before apitest.Now, which is noon.
func at(t *testing.T, clock string) time.Time {
	t.Helper()
	when, err := time.Parse("15:04:05", clock)
	if err != nil {
		t.Fatal(err)
	}
	day := apitest.Now.Truncate(24 * time.Hour)
	if when.Hour() >= 12 {
		day = day.AddDate(0, 0, -1)
	}
	return day.Add(when.Sub(when.Truncate(24*time.Hour)) + 123*time.Millisecond)
}

// aNight returns the journal of a night: an instance of Route Server goes at 03:12 and is
// back half a minute later, an operator reloads, the disk is full for a while.
func aNight(t *testing.T) []journal.Record {
	t.Helper()
	prefix, spoke := netip.MustParsePrefix("10.100.0.0/16"), netip.MustParsePrefix("10.110.0.0/16")
	path := func(from netip.Addr, a route.Attrs) watch.Best {
		a.NextHop = from
		return watch.Best{Neighbor: from, Attrs: &a}
	}
	ars := route.Attrs{ASPath: route.NewASPath(65515, 12076), MED: route.Some(100), Communities: []route.Community{65515 << 16}}
	over := route.Attrs{ASPath: route.NewASPath(65515, 12076, 12076), LocalPref: route.Some(100),
		LargeCommunities: []route.LargeCommunity{{Global: 65001, Local1: 1, Local2: 2}}}
	session := func(a netip.Addr, asn uint32, from, to speaker.State, why string) watch.Neighbor {
		return watch.Neighbor{Address: a, ASN: asn, From: from, To: to, Reason: why}
	}
	installed := func(p netip.Prefix, old, now string) watch.Forwarding {
		return watch.Forwarding{Prefix: p, Class: "bgp", Old: old, New: now, State: "installed"}
	}
	const viaNIC, viaTunnel = "via 10.0.0.1 dev eth0", "via 169.254.0.2 dev vxlan0"
	var out []journal.Record
	add := func(clock string, changes ...watch.Change) {
		for i, c := range changes {
			out = append(out, apitest.Happened(watch.Event{At: at(t, clock).Add(time.Duration(i) * 7 * time.Millisecond), Change: c})...)
		}
	}
	add("14:03:11", watch.Life{State: "started", Version: "0.1.0", ASN: 65001, RouterID: netip.MustParseAddr("10.0.0.4")},
		session(rs0, 65515, speaker.OpenConfirm, speaker.EstablishedState, ""), session(far, 65001, speaker.OpenConfirm, speaker.EstablishedState, ""),
		watch.Route{Prefix: prefix, New: path(rs0, ars), Reason: "new"}, watch.Route{Prefix: spoke, New: path(far, over), Reason: "new"},
		installed(prefix, "", viaNIC), installed(spoke, "", viaTunnel), watch.Life{State: "in sync"})
	add("03:12:05", watch.NextHop{Address: rs0, By: "session", Reason: "hold timer expired"},
		session(rs0, 65515, speaker.EstablishedState, speaker.Idle, "hold timer expired"),
		watch.Route{Prefix: prefix, Old: path(rs0, ars), New: path(far, over), Reason: "10.0.210.4 is down"}, installed(prefix, viaNIC, viaTunnel))
	add("03:12:07", watch.Problem{Began: true, Kind: "neighbor", Key: "neighbor 10.0.210.4", Text: "neighbor 10.0.210.4 (ars0) is down: hold timer expired"},
		session(rs0, 65515, speaker.Active, speaker.Active, "no route to host"))
	add("03:12:36", session(rs0, 65515, speaker.OpenConfirm, speaker.EstablishedState, ""), watch.NextHop{Address: rs0, Alive: true, By: "session"},
		watch.Route{Prefix: prefix, Old: path(far, over), New: path(rs0, ars), Reason: "better by AS path length"}, installed(prefix, viaTunnel, viaNIC),
		watch.Problem{Kind: "neighbor", Key: "neighbor 10.0.210.4", Text: "neighbor 10.0.210.4 (ars0) is down: no route to host"})
	add("06:00:00", watch.Operation{What: "reload", By: "user alice (uid 1000)", Detail: "prefix-list rs-hub00 changed", Version: 7},
		watch.Route{Prefix: spoke, Old: path(far, over), Reason: "the import policy rejects it: prefix-list spokes seq 5 deny 10.110.0.0/16"},
		watch.Forwarding{Prefix: spoke, Class: "bgp", Old: viaTunnel, State: "removed"})
	out = append(out, api.GapRecord(at(t, "07:00:00"), 12, "the disk is full", false), api.GapRecord(at(t, "07:00:01"), 0, "", true))
	add("08:15:00", watch.Repair{Object: "route", Count: 1, Reason: "route 10.100.0.0/16"}, installed(prefix, "", viaNIC),
		watch.Operation{What: "drain", By: "user root (uid 0)", Detail: "kernel update"})
	return out
}

func night(t *testing.T) string {
	t.Helper()
	d := hub00()
	d.Happened = aNight(t)
	return serve(t, d)
}

// TestEvents: what happened in the night, in lines of 80 columns and as JSON; so do the
// states of that time.
func TestEvents(t *testing.T) {
	socket := night(t)
	for name, args := range map[string]string{
		"events":            "events",
		"events-last":       "events --last 3",
		"events-0312":       "events --since 03:12 --until 03:13",
		"events-kinds":      "events --since yesterday --kind operations,repairs,daemon",
		"events-neighbor":   "events --neighbor 169.254.0.2",
		"events-none":       "events --prefix 192.0.2.0/24 --until 03:00",
		"routes-at":         "routes --at 03:12:10",
		"routes-at-prefix":  "routes 10.100.0.0/16 --at 03:12",
		"routes-at-none":    "routes 192.0.2.0/24 --at 03:12",
		"routes-at-start":   "routes 192.0.2.0/24 --at 2024-05-16T14:03:11.150Z",
		"neighbors-at":      "neighbors --at 03:12:10",
		"explain-history":   "explain 10.100.0.0/16 --history",
		"explain-removed":   "explain 10.110.0.0/16 --history --since 05:00",
		"explain-untouched": "explain 192.0.2.0/24 --history",
	} {
		r := nvactl(t, socket, strings.Fields(args)...)
		if r.code != 0 || r.err != "" {
			t.Errorf("%s: exit code %d: %s", args, r.code, r.err)
		}
		golden(t, name+".txt", r.out)
		r = nvactl(t, socket, append(strings.Fields(args), "-o", "json")...)
		if r.code != 0 || !json.Valid([]byte(r.out)) {
			t.Errorf("%s -o json: exit code %d: %s%s", args, r.code, r.err, r.out)
		}
		if strings.Contains(name, "-at") || strings.Contains(name, "history") || name == "events-last" {
			golden(t, name+".json", r.out)
		}
	}
}

// TestEventsTogether: a lost session that moves thousands of routes takes a line for the best
// paths and one for the kernel, so that what happened before and after can be seen.
func TestEventsTogether(t *testing.T) {
	d := hub00()
	d.Happened = aNight(t)
	path := func(from netip.Addr) watch.Best {
		return watch.Best{Neighbor: from, Attrs: &route.Attrs{NextHop: from}}
	}
	for i := range 4000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		now := at(t, "09:00:00").Add(time.Duration(i) * time.Millisecond)
		d.Happened = append(d.Happened, apitest.Happened(
			watch.Event{At: now, Change: watch.Route{Prefix: p, Old: path(rs0), New: path(rs1), Reason: "10.0.210.4 is down"}},
			watch.Event{At: now, Change: watch.Forwarding{Prefix: p, Class: "bgp", Old: "via 10.0.0.1 dev eth0", New: "via 10.0.0.2 dev eth0", State: "installed"}},
		)...)
	}
	d.Happened = append(d.Happened, apitest.Happened(watch.Event{At: at(t, "09:10:00"), Change: watch.Operation{What: "undrain", By: "user root (uid 0)"}})...)
	r := nvactl(t, serve(t, d), "events")
	if r.code != 0 || strings.Count(r.out, "\n") > 60 {
		t.Errorf("exit code %d, %d lines: %s", r.code, strings.Count(r.out, "\n"), r.err)
	}
	golden(t, "events-together.txt", r.out)
}

// TestEventsRefused: wrong times and flags that exclude each other are refused with what is
// accepted.
func TestEventsRefused(t *testing.T) {
	socket, without := night(t), serve(t, hub00())
	for _, tt := range []struct {
		socket, want string
		args         []string
	}{
		{socket, `invalid argument "noon" for "--since" flag: "noon" is not a time (want one like 03:12, "yesterday 03:12"`, []string{"events", "--since", "noon"}},
		{socket, `2024-05-18 00:00:00 has not come yet`, []string{"events", "--since", "2024-05-18"}},
		{socket, "--until 2024-05-17 03:00:00 is before --since 2024-05-17 04:00:00", []string{"events", "--since", "04:00", "--until", "03:00"}},
		{socket, `--kind: "sessions" is none of neighbors, routes,`, []string{"events", "--kind", "sessions"}},
		{socket, "use either --follow or --until", []string{"events", "--follow", "--until", "03:00"}},
		{socket, "use either --kind or --mrt", []string{"events", "--mrt", "-", "--kind", "routes"}},
		{socket, "use either --at or an address", []string{"routes", "10.100.0.1", "--at", "03:12"}},
		{socket, "use either --at or --community and --as-path", []string{"routes", "--as-path", "_65515_", "--at", "03:12"}},
		{socket, "--since goes with --history", []string{"explain", "10.100.0.0/16", "--since", "03:12"}},
		{socket, "use either --history or --neighbor", []string{"explain", "10.100.0.0/16", "--history", "--neighbor", "10.0.210.4"}},
		{socket, "the journal knows no neighbor 192.0.2.1 at that time", []string{"neighbors", "192.0.2.1", "--at", "03:12"}},
		{socket, "is not known", []string{"neighbors", "--at", "2024-05-01"}},
		{without, "nvad keeps no journal", []string{"events"}},
		{without, "nvad keeps no journal", []string{"routes", "--at", "03:12"}},
		{without, "nvad keeps no journal", []string{"explain", "10.100.0.0/16", "--history"}},
	} {
		if r := nvactl(t, tt.socket, tt.args...); r.code != 1 || r.out != "" || !strings.Contains(r.err, tt.want) {
			t.Errorf("%q: exit code %d, %q, want %q", tt.args, r.code, r.err, tt.want)
		}
	}
}

// locked is a buffer that a command writes while a test reads it.
type locked struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

// TestEventsFollow: an event that comes from the journal and from the watch is shown once,
// and one that happens twice is shown twice.
func TestEventsFollow(t *testing.T) {
	d := hub00()
	d.Happened = aNight(t)
	both := watch.Event{At: apitest.Now, Change: watch.Operation{What: "undrain", By: "user root (uid 0)"}}
	d.Happened = append(d.Happened, apitest.Happened(both)...)
	socket := serve(t, d)
	out, done := &locked{}, make(chan int, 1)
	env := Env{Out: out, Err: out, Getenv: func(string) string { return "" }, Now: func() time.Time { return apitest.Now }, Width: defaultWidth}
	go func() {
		done <- Run(context.Background(), env, []string{"events", "--socket", socket, "--follow"})
	}()
	for !d.Hub.Wants(watch.Routes) {
		time.Sleep(time.Millisecond)
	}
	again := both
	again.At = apitest.Now.Add(time.Second)
	d.Hub.Publish(both, again, both)
	d.Hub.Close()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
	golden(t, "events-follow.txt", out.String())
}

// TestMRT: bgpdump reads what the export writes.
func TestMRT(t *testing.T) {
	if _, err := exec.LookPath("bgpdump"); err != nil {
		if os.Getenv("NVAD_REQUIRE_ROOT") != "" || os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("bgpdump is missing")
	}
	file := filepath.Join(t.TempDir(), "night.mrt")
	r := nvactl(t, night(t), "events", "--mrt", file)
	if r.code != 0 || !strings.HasPrefix(r.out, file+": 11 records\n") || !strings.Contains(r.err, "lacks events in 1 place") {
		t.Errorf("exit code %d: %s%s", r.code, r.out, r.err)
	}
	for name, flag := range map[string]string{"mrt-lines.txt": "-m", "mrt-whole.txt": "-H"} {
		cmd := exec.Command("bgpdump", flag, file)
		cmd.Env = append(os.Environ(), "TZ=UTC")
		var warned bytes.Buffer
		cmd.Stderr = &warned
		text, err := cmd.Output()
		if err != nil || strings.Contains(warned.String(), "[warn") || strings.Contains(warned.String(), "[error") {
			t.Errorf("%v: %s", err, warned.String())
		}
		golden(t, name, string(text))
	}
}

// TestEventsPage: the page of the documentation shows what the commands print.
func TestEventsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"events-0312", "events-kinds", "neighbors-at", "explain-history"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
		if err != nil || !strings.Contains(string(page), "\n"+string(text)+"```\n") {
			t.Errorf("%s, %v: not on the page:\n%s", name, err, text)
		}
	}
}
