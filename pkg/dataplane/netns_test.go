package dataplane_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/kernel"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/tunnel"
)

// host is a network namespace that looks like hub00: eth0 10.0.0.4/24 with its
// far end, gw0, in the same namespace.
type host struct {
	t    testing.TB
	name string
	ns   kernel.Namespace
	dir  string
	nat  nat.Rules // the rules that start asks for
	nics []nic.NIC // the NICs that start asks for
}

func newHost(t testing.TB) *host {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("NVAD_REQUIRE_ROOT") == "1" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	h := &host{t: t, name: fmt.Sprintf("nvad-%d-%d", os.Getpid(), time.Now().UnixNano()%1e9), dir: t.TempDir()}
	run(t, "ip", "netns", "add", h.name)
	t.Cleanup(func() { run(t, "ip", "netns", "del", h.name) })
	file, err := os.Open("/run/netns/" + h.name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	h.ns = kernel.NamespaceFD(int(file.Fd()))
	h.run("link", "set", "lo", "up")
	h.run("link", "add", "eth0", "type", "veth", "peer", "name", "gw0")
	h.run("link", "set", "eth0", "up")
	h.run("link", "set", "gw0", "up")
	h.run("addr", "add", "10.0.0.4/24", "dev", "eth0")
	h.run("route", "add", "default", "via", "10.0.0.1", "proto", "dhcp", "metric", "100")
	return h
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// run runs ip(8) in the namespace.
func (h *host) run(args ...string) string {
	h.t.Helper()
	return run(h.t, "ip", append([]string{"-n", h.name}, args...)...)
}

// plane is a running data plane with the latest facts.
type plane struct {
	*dataplane.Dataplane
	facts chan fib.Facts
	stop  func()
}

// start runs a data plane with hub00's tunnel on the host.
func (h *host) start(change func(*dataplane.Options)) *plane {
	h.t.Helper()
	k, err := kernel.Open(h.ns)
	if err != nil {
		h.t.Fatal(err)
	}
	p := &plane{facts: make(chan fib.Facts, 100)}
	opt := dataplane.Options{
		FIB: k.FIB, Tunnels: k.Tunnels, NAT: k.NFT, NICs: k.NICs, Sysctls: k.Sysctls, Events: k,
		StateFile: filepath.Join(h.dir, "fib"), Namespace: k.ID,
		OnFacts: func(f fib.Facts) { p.facts <- f },
		Log:     slog.New(slog.NewTextHandler(h.t.Output(), nil)),
	}
	if change != nil {
		change(&opt)
	}
	if p.Dataplane, err = dataplane.New(opt); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
		k.Close()
	}
	h.t.Cleanup(p.stop)
	w := wanted()
	w.NAT, w.NICs = h.nat, h.nics
	p.SetWanted(w)
	<-p.Ready()
	return p
}

func wanted() dataplane.Wanted {
	return dataplane.Wanted{
		Tunnels: []tunnel.Tunnel{{
			Name: "vxlan0", VNI: 77, Device: "eth0",
			Remotes:   []netip.Addr{netip.MustParseAddr("10.10.0.4")},
			Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")},
		}},
		Sysctls: map[string]string{"net.ipv4.ip_forward": "1"},
		Protected: []fib.Protected{
			{Addr: netip.MustParseAddr("168.63.129.16"), Why: "platform address"},
			{Addr: netip.MustParseAddr("10.10.0.4"), Why: "remote of tunnel vxlan0", NotBy: []string{"vxlan0"}},
		},
	}
}

// link returns the index of a link.
func (h *host) link(name string) int {
	h.t.Helper()
	var index int
	if _, err := fmt.Sscanf(h.run("-o", "link", "show", name), "%d:", &index); err != nil {
		h.t.Fatal(err)
	}
	return index
}

// change returns a change that wants a BGP route through the gateway or through the tunnel.
func (h *host) change(prefix, via, dev string) fib.Change {
	p := netip.MustParsePrefix(prefix)
	hop := fib.NextHop{Via: netip.MustParseAddr(via), Link: h.link(dev)}
	return fib.Change{Prefix: p, Route: &fib.Route{Metric: 20, Hops: []fib.NextHop{hop}}}
}

// hub00 returns the routes of the two-hubs scenario.
func (h *host) hub00() []fib.Change {
	static := h.change("10.0.210.0/24", "10.0.0.1", "eth0")
	static.Route.Class = fib.Static
	return []fib.Change{
		static,
		h.change("10.0.0.0/16", "10.0.0.1", "eth0"),
		h.change("10.100.0.0/16", "10.0.0.1", "eth0"),
		h.change("10.110.0.0/16", "169.254.0.2", "vxlan0"),
	}
}

const hub00Routes = `default via 10.0.0.1 dev eth0 proto dhcp metric 100
10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.4
10.0.0.0/16 via 10.0.0.1 dev eth0 proto bgp metric 20
10.0.210.0/24 via 10.0.0.1 dev eth0 proto 200 metric 20
10.100.0.0/16 via 10.0.0.1 dev eth0 proto bgp metric 20
10.110.0.0/16 via 169.254.0.2 dev vxlan0 proto bgp metric 20
169.254.0.0/24 dev vxlan0 proto kernel scope link src 169.254.0.1
`

// routes returns `ip route` without the numbers of next-hop objects.
func (h *host) routes() string {
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(h.run("route")), "\n") {
		f := strings.Fields(line)
		for i, w := range f {
			if w == "nhid" {
				f = append(f[:i], f[i+2:]...)
				break
			}
		}
		lines = append(lines, strings.Join(f, " "))
	}
	return strings.Join(lines, "\n") + "\n"
}

// within waits until get returns want and fails the test after limit.
func within(t *testing.T, limit time.Duration, want string, get func() string) {
	t.Helper()
	start := time.Now()
	for got := get(); got != want; got = get() {
		if time.Since(start) > limit {
			t.Fatalf("after %v\n%s\nwant\n%s", limit, got, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestHub00(t *testing.T) {
	h := newHost(t)
	p := h.start(nil)
	p.UpdateRoutes(h.hub00())
	within(t, time.Second, hub00Routes, h.routes)
	if out := h.run("-d", "link", "show", "vxlan0"); !strings.Contains(out,
		"vxlan id 77 remote 10.10.0.4 dev eth0 srcport 0 0 dstport 4789") || !strings.Contains(out, "mtu 1450") ||
		!strings.Contains(out, "alias nvad") || !strings.Contains(out, "<BROADCAST,MULTICAST,UP,LOWER_UP>") {
		t.Errorf("device is\n%s", out)
	}
	p.UpdateRoutes([]fib.Change{h.change("10.10.0.0/16", "169.254.0.2", "vxlan0"), h.change("168.63.0.0/16", "169.254.0.2", "vxlan0")})
	within(t, time.Second, "refused refused", func() string {
		entries, err := entriesOf(t, p.Dataplane)
		if err != nil {
			t.Fatal(err)
		}
		var states []string
		for _, e := range entries {
			if s := e.Prefix.String(); s == "10.10.0.0/16" || s == "168.63.0.0/16" {
				t.Log(e.Prefix, e.State, e.Reason)
				states = append(states, e.State.String())
			}
		}
		return strings.Join(states, " ")
	})
	within(t, time.Second, hub00Routes, h.routes)
	t.Log(h.run("-d", "route"))
}

// tryIP runs ip(8), which may fail.
func (h *host) tryIP(args ...string) string {
	out, _ := exec.Command("ip", append([]string{"-n", h.name}, args...)...).CombinedOutput()
	return string(out)
}

func (h *host) tryBridge() string {
	out, _ := exec.Command("bridge", "-n", h.name, "fdb", "show", "dev", "vxlan0").CombinedOutput()
	return string(out)
}

// sysctl runs sysctl(8) in the namespace.
func (h *host) sysctl(arg string) string {
	h.t.Helper()
	return run(h.t, "ip", "netns", "exec", h.name, "sysctl", arg)
}

// count returns how many routes match a selector of ip(8).
func (h *host) count(selector string) string {
	out := strings.TrimSpace(h.run(append([]string{"route", "show"}, strings.Fields(selector)...)...))
	return fmt.Sprint(len(strings.Split(out, "\n")))
}

// all returns every part of the kernel's state that a restart could change.
func (h *host) all() string {
	return h.run("-d", "route") + h.run("nexthop") + h.run("-d", "link", "show", "vxlan0") + h.run("addr", "show", "vxlan0") +
		h.tryBridge()
}

// spoilGroup points one of nvad's groups at another next hop.
func (h *host) spoilGroup() {
	var id string
	for _, line := range strings.Split(h.run("nexthop"), "\n") {
		if f := strings.Fields(line); len(f) > 3 && f[2] == "group" {
			id = f[1]
		}
	}
	h.run("nexthop", "add", "id", "7", "via", "10.0.0.8", "dev", "eth0")
	h.run("nexthop", "replace", "id", id, "group", "7", "type", "resilient", "proto", "bgp")
}
