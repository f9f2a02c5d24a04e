package web

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/telemetry"
	"github.com/nvad/nvad/pkg/watch"
)

var (
	rs0 = netip.MustParseAddr("10.0.210.4")
	rs1 = netip.MustParseAddr("10.0.210.5")
	far = netip.MustParseAddr("169.254.0.2")

	behind = netip.MustParsePrefix("10.110.0.0/16") // the VNet behind the far hub
)

// nva is a daemon of a site.
type nva struct{ name, socket string }

// page runs nvactl web for a site and returns the address that it prints.
func page(t *testing.T, nvas ...nva) (url string, stop func()) {
	t.Helper()
	var site strings.Builder
	for _, n := range nvas {
		fmt.Fprintf(&site, "[[nva]]\nname = %q\nsocket = %q\n", n.name, n.socket)
	}
	file := filepath.Join(t.TempDir(), "site.toml")
	if err := os.WriteFile(file, []byte(site.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(lab.Build(t, "./cmd/nvactl"), "--site", file, "web", "--listen", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "http://"); ok {
			return "http://" + strings.Fields(address)[0], stop
		}
	}
	t.Fatal("nvactl web printed no address")
	return "", nil
}

// serve runs d until the test ends, or until d is shut down.
func serve(t *testing.T, name string, d *apitest.Daemon) nva {
	t.Helper()
	return nva{name, apitest.Serve(t, d, telemetry.BuildInfo{Version: "v0.1.0"})}
}

// hub returns an NVA whose sessions began at a time that is past now, and not past the one of
// apitest.
func hub(host string) *apitest.Daemon {
	d := apitest.Hub00()
	later := time.Since(apitest.Now)
	d.At.Host, d.At.Since = host, d.At.Since.Add(later)
	for i := range d.Peers {
		p := &d.Peers[i]
		p.Since = p.Since.Add(later)
		p.Reason, p.LastMalformed = "", ""
	}
	for _, list := range d.Tables {
		for i := range list {
			list[i].At = time.Now().Add(-8 * time.Minute)
		}
	}
	for i := range d.Kernel {
		d.Kernel[i].Since = d.Kernel[i].Since.Add(later)
	}
	for i := range d.Kernel {
		d.Kernel[i].State, d.Kernel[i].Reason = fib.Installed, ""
	}
	d.At.FIB.Installed = d.At.FIB.Wanted
	d.Stories = map[netip.Prefix]api.Explanation{behind: story()}
	d.Happened = apitest.Happened(happened(time.Now().Add(-50*time.Minute), time.Now(), 20*time.Second)...)
	return d
}

// farHub returns the NVA at the other end of the tunnel of hub.
func farHub(host string) *apitest.Daemon {
	d := hub(host)
	there := map[netip.Addr]netip.Addr{rs0: netip.MustParseAddr("10.10.210.4"), rs1: netip.MustParseAddr("10.10.210.5"), far: netip.MustParseAddr("169.254.0.1")}
	d.At.RouterID = netip.MustParseAddr("10.10.0.4")
	for i := range d.Peers {
		p := &d.Peers[i]
		p.Address, p.Session.LocalAddress = there[p.Address], d.At.RouterID
		if p.Address == there[far] {
			p.Description, p.Session.LocalAddress = "vm-hub00", far
		}
	}
	for i := range d.Devices {
		v := &d.Devices[i]
		v.Remotes, v.Source, v.Addresses = []netip.Addr{netip.MustParseAddr("10.0.0.4")}, d.At.RouterID, []netip.Prefix{netip.MustParsePrefix("169.254.0.2/24")}
		v.Peers = []api.TunnelPeer{{Remote: v.Remotes[0], Neighbor: there[far], Up: true, By: "bfd"}}
	}
	for _, list := range d.Tables {
		for i := range list {
			if addr, ok := there[list[i].Neighbor]; ok { // tables share their rows
				list[i].Neighbor = addr
			}
		}
	}
	return d
}

// story is why the prefix behind the far hub fares as it does.
func story() api.Explanation {
	a := &route.Attrs{ASPath: route.NewASPath(65515, 12076, 65515), NextHop: far, LocalPref: route.Some(100)}
	sent := &route.Attrs{ASPath: route.NewASPath(65001, 65001, 65001, 65001), NextHop: netip.MustParseAddr("10.0.0.4")}
	return api.Explanation{
		Kernel: []fib.Status{{Prefix: behind, Protocol: "bgp", Metric: 20, State: fib.Installed, Since: time.Now().Add(-8 * time.Minute),
			Hops: []fib.Hop{{Via: far, Device: "vxlan0", Weight: 1}}}},
		Explanation: engine.Explanation{Explanation: rib.Explanation{
			Prefix: behind, Known: true, Route: &fib.Route{Class: fib.BGP, Hops: []fib.NextHop{{Via: far, Link: 3}}},
			Paths: []rib.PathStory{{
				Path:      rib.Path{Prefix: behind, Neighbor: far, Received: a, Accepted: a, Internal: true, Valid: true, Best: true, Forwards: true, At: time.Now().Add(-8 * time.Minute)},
				PeerGroup: "nva", Evaluated: a, Via: []string{"via 169.254.0.2 dev vxlan0"},
				Checks: []rib.Check{{Name: "AS path loop", Value: "own AS 65001 is not in the path", Passed: true}, {Name: "next hop", Value: "169.254.0.2", Passed: true}},
				Steps:  []policy.Step{{Object: "accept", Verdict: policy.Permitted}},
			}},
			Exports: []rib.Export{
				{Neighbor: rs0, PeerGroup: "route-server", Sent: sent, Steps: []policy.Step{{Object: "prefix-list rs-hub00", Rule: "seq 15 permit any", Value: "10.110.0.0/16", Verdict: policy.Permitted}}},
				{Neighbor: far, PeerGroup: "nva", Held: "learned from this neighbor"},
			},
		}},
	}
}

// happened is a history from one time to another with an event each step: routes that change their
// way, and now and then a session that is lost.
func happened(from, to time.Time, step time.Duration) (list []watch.Event) {
	a := &route.Attrs{ASPath: route.NewASPath(65515, 12076, 65515), NextHop: rs0}
	for i, at := 0, from; at.Before(to); i, at = i+1, at.Add(step) {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(100 + i%40), 0, 0}), 16)
		var change watch.Change = watch.Route{Prefix: prefix, Old: watch.Best{Neighbor: rs1, Attrs: a}, New: watch.Best{Neighbor: rs0, Attrs: a}, Reason: "better AS path"}
		switch i % 20 {
		case 0, 1:
			change = watch.Neighbor{Address: rs1, ASN: 65515, From: speaker.Idle, To: speaker.EstablishedState}
		case 12:
			change = watch.Neighbor{Address: rs1, ASN: 65515, From: speaker.EstablishedState, To: speaker.Idle, Reason: "hold timer expired"}
		case 13:
			change = watch.Problem{Began: true, Kind: "warning", Key: "one-instance", Text: "only one of the two instances of Route Server is a neighbor"}
		case 19:
			change = watch.Problem{Kind: "warning", Key: "one-instance", Text: "only one of the two instances of Route Server is a neighbor"}
		case 5, 15:
			change = watch.Forwarding{Prefix: prefix, Class: "bgp", Old: "via 10.0.0.1 dev eth0", New: "via 169.254.0.2 dev vxlan0", State: "installed"}
		}
		list = append(list, watch.Event{At: at, Change: change})
	}
	return list
}

// down says that a session of d is lost.
func down(d *apitest.Daemon, addr netip.Addr, reason string) {
	for i := range d.Peers {
		if p := &d.Peers[i]; p.Address == addr {
			p.State, p.Since, p.Reason, p.Flaps = speaker.Idle, time.Now().Add(-95*time.Second), reason, 2
			p.Counts = rib.Counts{}
			d.At.Established--
			d.At.Problems = append(d.At.Problems, api.Problem{Kind: "neighbor", Name: addr.String(), Text: "neighbor " + addr.String() + " is not established: " + reason, Since: p.Since})
		}
	}
}

// badDay serves two hubs, one of which has lost an instance of its Route Server.
func badDay(t *testing.T) string {
	t.Helper()
	near, other := hub("vm-hub00"), farHub("vm-hub10")
	down(near, rs1, "hold timer expired (sent Hold Timer Expired)")
	url, _ := page(t, serve(t, "vm-hub00", near), serve(t, "vm-hub10", other))
	return url
}

// many are n routes from one neighbor.
func many(n int) []engine.Path {
	list := make([]engine.Path, n)
	for i := range list {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		list[i] = engine.Path{Path: rib.Path{Prefix: prefix, Neighbor: rs0, Valid: true, Best: true, Forwards: true, At: time.Now()},
			Attrs: &route.Attrs{ASPath: route.NewASPath(65515, 12076, uint32(64512+i%100)), NextHop: rs0}, NextHops: []string{fmt.Sprintf("via 10.0.0.%d dev eth0", 1+i%3)}}
	}
	return list
}
