package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/watch"
)

// anHour returns the events of an hour at the NVA of hub00.
func anHour() []watch.Event {
	ars0, ars1, far := netip.MustParseAddr("10.0.210.4"), netip.MustParseAddr("10.0.210.5"), netip.MustParseAddr("169.254.0.2")
	prefix := netip.MustParsePrefix("10.100.0.0/16")
	path := func(from netip.Addr, asns ...uint32) watch.Best {
		return watch.Best{Neighbor: from, Attrs: &route.Attrs{NextHop: from, ASPath: route.NewASPath(asns...)}}
	}
	changes := []watch.Change{
		watch.Neighbor{Address: ars0, ASN: 65515, From: speaker.Active, To: speaker.Active, Reason: "no route to host"},
		watch.Neighbor{Address: ars0, ASN: 65515, From: speaker.OpenConfirm, To: speaker.EstablishedState},
		watch.Route{Prefix: prefix, New: path(ars0, 65515, 12076), Reason: "new"},
		watch.Forwarding{Prefix: prefix, Class: "bgp", New: "via 10.0.0.1 dev eth0", State: "installed"},
		watch.Route{Prefix: prefix, Old: path(ars0, 65515, 12076), New: path(ars1, 65515), Reason: "better by AS path length"},
		watch.Route{Prefix: prefix, Old: path(ars1, 65515), New: path(ars1, 65515, 64580), Reason: "changed: AS path 65515 -> 65515 64580"},
		watch.Neighbor{Address: ars1, ASN: 65515, From: speaker.EstablishedState, To: speaker.Idle, Kept: true,
			Reason: "NOTIFICATION received: Cease/Administrative Shutdown \"off\nto the \x1b[31mbeach\""},
		watch.Route{Prefix: prefix, Old: path(ars1, 65515), New: path(far, 65515), Reason: "10.0.210.5 is down"},
		watch.Forwarding{Group: 186000003, Routes: 4000, New: "via 169.254.0.2 dev vxlan0", State: "installed", Reason: "a next hop died or is back"},
		watch.Forwarding{Prefix: prefix, Class: "bgp", Old: "via 10.0.0.1 dev eth0", New: "via 169.254.0.2 dev vxlan0", State: "installed"},
		watch.Tunnel{Name: "vxlan0", VNI: 77, Old: "up", New: "waiting", Reason: "waiting for link eth0"},
		watch.Route{Prefix: prefix, Old: path(far, 65515), Reason: "next hop 169.254.0.2 does not resolve"},
		watch.Forwarding{Prefix: prefix, Class: "bgp", Old: "via 169.254.0.2 dev vxlan0", State: "removed"},
		watch.Forwarding{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Class: "bgp", New: "via 10.0.0.1 dev eth0", State: "refused",
			Reason: "default route; allow-default is not set"},
		watch.Route{Prefix: prefix, New: watch.Best{Source: route.SourceNetwork, Attrs: &route.Attrs{}}, Reason: "new"},
		watch.Tunnel{Name: "vxlan0", VNI: 77, Old: "waiting", New: "up"},
		watch.Neighbor{Address: far, ASN: 65001, From: speaker.Active, To: speaker.Active, Reason: "connection refused"},
		watch.NextHop{Address: far, By: "bfd", Reason: "nothing received for 900ms"},
		watch.NextHop{Address: far, Alive: true, By: "bfd"},
		watch.Repair{Object: "route", Count: 1, Reason: "route 10.100.0.0/16"},
		watch.Repair{Object: "route", Count: 4000, Reason: "route 10.100.0.0/16"},
		watch.Repair{Object: "sysctl", Count: 1, Reason: "net.ipv4.ip_forward = 1, was 0"},
		watch.Operation{What: "drain", By: "user alice (uid 1000)", Detail: "kernel update"},
		watch.Operation{What: "reset", Target: ars0.String(), By: "certificate CN=ops", Detail: "soft in"},
		watch.Operation{What: "reload", By: "signal SIGHUP", Detail: "neighbor 10.0.210.4 hold-time: 90 -> 30", Version: 7},
		watch.Operation{What: "reload", By: "user alice (uid 1000)", Error: "nvad.toml:3: hold-tme: no such key"},
		watch.Problem{Began: true, Kind: "tunnel", Key: "tunnel vxlan0", Text: "tunnel vxlan0 is up, but none of its peers answers"},
		watch.Problem{Kind: "warning", Key: "kernel.allow-default default-not-installed", Text: "10.0.210.4 sends a default route"},
		watch.Life{State: "started", Version: "1.2.3", ASN: 65001, RouterID: netip.MustParseAddr("10.0.0.4")},
		watch.Life{State: "in sync", Version: "1.2.3", ASN: 65001, RouterID: netip.MustParseAddr("10.0.0.4")},
	}
	events := make([]watch.Event, len(changes))
	for i, c := range changes {
		events[i] = watch.Event{At: apitest.Now.Add(time.Duration(i) * 1234 * time.Millisecond), Change: c}
	}
	return events
}

// watched runs nvactl watch, publishes events, ends the daemon, and returns the output.
func watched(t *testing.T, d *apitest.Daemon, kind watch.Kind, events []watch.Event, args ...string) result {
	t.Helper()
	socket := serve(t, d)
	done := make(chan result, 1)
	go func() { done <- nvactl(t, socket, append([]string{"watch"}, args...)...) }()
	for !d.Hub.Wants(kind) {
		time.Sleep(time.Millisecond)
	}
	d.Hub.Publish(events...)
	d.Hub.Close()
	return <-done
}

// TestWatch: each change takes one line, whatever texts a neighbor sends.
func TestWatch(t *testing.T) {
	r := watched(t, hub00(), watch.Routes, anHour())
	if r.code != 0 || r.err != "nvactl: nvad has ended\n" {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	golden(t, "watch.txt", r.out)

	r = watched(t, hub00(), watch.FIB, anHour(), "routes", "fib", "--prefix", "10.0.0.0/8", "-o", "json")
	if n := strings.Count(r.out, "\n"); n != 9 {
		t.Errorf("%d lines of JSON", n)
	}
	for line := range strings.Lines(r.out) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	golden(t, "watch.json", r.out)
}

// TestWatchLoses: a slow reader learns how many changes it lost.
func TestWatchLoses(t *testing.T) {
	events := make([]watch.Event, 0, 40_000)
	for len(events) < cap(events) {
		events = append(events, anHour()[:1]...)
	}
	r := watched(t, hub00(), watch.FIB, events)
	if r.code != 0 || !strings.Contains(r.err, "nvactl: 32768 changes are lost, read too slowly\n") {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
}

// TestWatchInterrupted: Ctrl-C is no error.
func TestWatchInterrupted(t *testing.T) {
	d := hub00()
	socket := serve(t, d)
	var out, errs bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	env := Env{Out: &out, Err: &errs, Getenv: func(string) string { return "" }, Now: time.Now, Width: defaultWidth}
	go func() { done <- Run(ctx, env, []string{"watch", "--socket", socket}) }()
	for !d.Hub.Wants(watch.Routes) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if code := <-done; code != 0 || errs.String() != "" {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

// TestWatchRefused: watch refuses unknown words.
func TestWatchRefused(t *testing.T) {
	socket := serve(t, hub00())
	for args, want := range map[string]string{
		"watch everything":            `nvactl: invalid argument "everything": want neighbors, routes, fib, tunnels, next-hops, repairs, operations, problems or daemon (see nvactl watch --help)`,
		"watch --neighbor hub":        `nvactl: "hub" is not an address of a neighbor`,
		"watch --prefix 10.0.0.1/300": `nvactl: "10.0.0.1/300" is not a prefix`,
	} {
		if r := nvactl(t, socket, strings.Fields(args)...); r.code != 1 || !strings.HasPrefix(r.err, want) {
			t.Errorf("%s: exit code %d: %s", args, r.code, r.err)
		}
	}
}
