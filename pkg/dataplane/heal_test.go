package dataplane_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/fib"
)

// damages lists what another program may do to nvad's state.
var damages = []struct {
	name string
	only string // "objects" or "plain": the only mode in which the damage applies
	kept string // the mode in which the kernel loses nothing
	do   func(*host)
}{
	{"route flush", "", "", func(h *host) {
		// To flush routes, iproute2 sends each dumped route back to the kernel. A dump has the
		// gateway beside the nhid, and the kernel refuses the two together. With this mode
		// off, dumps have no gateway.
		h.sysctl("net.ipv4.nexthop_compat_mode=0")
		h.run("route", "flush", "proto", "bgp")
		h.sysctl("net.ipv4.nexthop_compat_mode=1")
	}},
	{"one route", "", "", func(h *host) { h.run("route", "del", "10.100.0.0/16") }},
	{"next-hop flush", "objects", "", func(h *host) { h.run("nexthop", "flush") }},
	{"group changed", "objects", "", func(h *host) { h.spoilGroup() }},
	{"tunnel deleted", "", "", func(h *host) { h.run("link", "del", "vxlan0") }},
	{"tunnel down", "", "", func(h *host) { h.run("link", "set", "vxlan0", "down") }},
	{"tunnel mtu", "", "", func(h *host) { h.run("link", "set", "vxlan0", "mtu", "1400") }},
	{"address removed", "", "", func(h *host) { h.run("addr", "del", "169.254.0.1/24", "dev", "vxlan0") }},
	{"remote removed", "", "", func(h *host) {
		run(h.t, "bridge", "-n", h.name, "fdb", "del", "00:00:00:00:00:00", "dev", "vxlan0", "dst", "10.10.0.4", "via", "eth0")
	}},
	{"forwarding off", "", "", func(h *host) { h.sysctl("net.ipv4.ip_forward=0") }},
	{"uplink down and up", "", "", func(h *host) {
		h.run("link", "set", "eth0", "down")
		h.run("link", "set", "eth0", "up")
		h.run("route", "add", "default", "via", "10.0.0.1", "proto", "dhcp", "metric", "100")
	}},
	{"uplink address replaced", "", "objects", func(h *host) {
		h.run("addr", "del", "10.0.0.4/24", "dev", "eth0")
		h.run("addr", "add", "10.0.0.4/24", "dev", "eth0")
		h.run("route", "add", "default", "via", "10.0.0.1", "proto", "dhcp", "metric", "100")
	}},
	{"carrier lost and back", "", "plain", func(h *host) {
		h.run("link", "set", "gw0", "down")
		time.Sleep(100 * time.Millisecond)
		h.run("link", "set", "gw0", "up")
	}},
}

// Events alone are enough to restore within a second what another program removed, with
// next-hop objects and without them.
func TestHeals(t *testing.T) {
	for mode, plain := range map[string]bool{"objects": false, "plain": true} {
		for _, d := range damages {
			if d.only == "" || d.only == mode {
				t.Run(d.name+", "+mode, func(t *testing.T) { testHeals(t, plain, d.kept != mode, d.do) })
			}
		}
	}
}

func testHeals(t *testing.T, plain, repairs bool, do func(*host)) {
	h := newHost(t)
	p := h.start(func(o *dataplane.Options) { o.Scan, o.Plain = time.Hour, plain })
	p.UpdateRoutes(h.hub00())
	p.InSync()
	within(t, healTime, hub00Routes, h.routes)
	h.run("route", "add", "10.99.0.0/16", "via", "10.0.0.1", "proto", "static", "metric", "7")
	h.run("route", "del", "10.99.0.0/16")
	was, start := p.Counters(), time.Now()
	do(h)
	within(t, healTime, healthy, h.health)
	t.Logf("healed in %v", time.Since(start).Round(time.Millisecond))
	within(t, healTime, strconv.FormatBool(repairs), func() string {
		c := p.Counters()
		return strconv.FormatBool(c.Repairs+c.TunnelRepairs+c.SysctlRepairs > was.Repairs+was.TunnelRepairs+was.SysctlRepairs)
	})
}

// Without events, the full comparison finds the damage. This test withholds the events.
func TestScanHeals(t *testing.T) {
	h := newHost(t)
	p := h.start(func(o *dataplane.Options) {
		o.Scan = 200 * time.Millisecond
		o.Events = deaf{}
	})
	p.UpdateRoutes(h.hub00())
	within(t, healTime, hub00Routes, h.routes)
	h.run("nexthop", "flush")
	h.run("link", "del", "vxlan0")
	h.sysctl("net.ipv4.ip_forward=0")
	within(t, 2*healTime, healthy, h.health)
}

type deaf struct{}

func (deaf) Watch(ctx context.Context, _ func([]fib.Event)) error {
	<-ctx.Done()
	return ctx.Err()
}

const healthy = hub00Routes + "vxlan id 77 remote 10.10.0.4 dev eth0 srcport 0 0 dstport 4789 mtu 1450 up\n" +
	"00:00:00:00:00:00 dst 10.10.0.4 via eth0 self permanent\nnet.ipv4.ip_forward = 1\n"

// health returns, as text, everything that the data plane maintains.
func (h *host) health() string {
	link := h.tryIP("-d", "link", "show", "vxlan0")
	s := h.routes()
	for _, want := range []string{"vxlan id 77 remote 10.10.0.4 dev eth0 srcport 0 0 dstport 4789 ", "mtu 1450 ", ",UP"} {
		if strings.Contains(link, want) {
			s += strings.ToLower(strings.TrimPrefix(want, ","))
		}
	}
	s += "\n"
	for _, line := range strings.Split(h.tryBridge(), "\n") {
		if strings.HasPrefix(line, "00:00") {
			s += strings.TrimSpace(line) + "\n"
		}
	}
	return s + h.sysctl("net.ipv4.ip_forward")
}

// A restart changes nothing: the device, its hardware address and the objects stay the same.
func TestRestartAdopts(t *testing.T) {
	for _, plain := range []bool{false, true} {
		h := newHost(t)
		options := func(o *dataplane.Options) { o.Plain = plain }
		p := h.start(options)
		p.UpdateRoutes(h.hub00())
		p.UpdateRoutes([]fib.Change{h.change("10.77.0.0/16", "10.0.0.1", "eth0")})
		p.InSync()
		within(t, healTime, "4", func() string { return h.count("proto bgp") })
		before := h.all()
		p.stop()

		p = h.start(options)
		p.UpdateRoutes(h.hub00())
		time.Sleep(100 * time.Millisecond)
		if got := h.all(); got != before {
			t.Errorf("plain %t: the restart changed\n%s\nto\n%s", plain, before, got)
		}
		p.InSync()
		within(t, healTime, hub00Routes, h.routes)
		if c := p.Counters(); c.Written != 0 || c.Deleted != 1 || c.Repairs+c.TunnelRepairs != 0 {
			t.Errorf("plain %t: counters %+v", plain, c)
		}
	}
}

func TestForeignStays(t *testing.T) {
	h := newHost(t)
	h.run("route", "add", "10.100.0.0/16", "via", "10.0.0.9", "proto", "bird", "metric", "20")
	h.run("route", "add", "10.55.0.0/16", "via", "10.0.0.9", "proto", "bgp", "metric", "20")
	h.run("nexthop", "add", "id", "7", "via", "10.0.0.8", "dev", "eth0")
	h.run("link", "add", "vxlan9", "type", "vxlan", "id", "9", "remote", "10.0.0.9", "dev", "eth0", "dstport", "4790")
	p := h.start(nil)
	p.UpdateRoutes(h.hub00())
	p.InSync()
	state := func(prefix string) func() string {
		return func() string {
			entries, err := entriesOf(t, p.Dataplane)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Prefix.String() == prefix {
					return e.State.String()
				}
			}
			return ""
		}
	}
	within(t, healTime, "conflict", state("10.100.0.0/16"))
	within(t, healTime, "leftover", state("10.55.0.0/16"))
	h.run("route", "del", "10.100.0.0/16")
	within(t, healTime, "installed", state("10.100.0.0/16"))
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := `default via 10.0.0.1 dev eth0 proto dhcp metric 100
10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.4
10.55.0.0/16 via 10.0.0.9 dev eth0 proto bgp metric 20
`
	if got := h.routes(); got != want {
		t.Errorf("after flush\n%s", got)
	}
	if got := strings.TrimSpace(h.run("nexthop")); got != "id 7 via 10.0.0.8 dev eth0 scope link" {
		t.Errorf("next hops after flush\n%s", got)
	}
	if got := h.run("-o", "link", "show", "type", "vxlan"); !strings.Contains(got, "vxlan9") || strings.Contains(got, "vxlan0") {
		t.Errorf("devices after flush\n%s", got)
	}
}

// The underlay device may appear long after nvad has started.
func TestDeviceAppears(t *testing.T) {
	h := newHost(t)
	h.run("link", "set", "eth0", "name", "later")
	p := h.start(nil)
	tunnels, err := p.Tunnels(t.Context())
	if err != nil || len(tunnels) != 1 || tunnels[0].State != "waiting" || tunnels[0].Reason != "waiting for link eth0" {
		t.Errorf("tunnels %+v, %v", tunnels, err)
	}
	h.run("link", "set", "later", "name", "eth0")
	p.UpdateRoutes(nil)
	within(t, healTime, "true", func() string {
		if strings.Contains(h.tryIP("-d", "link", "show", "vxlan0"), "vxlan id 77") {
			return "true"
		}
		return ""
	})
}

// Facts contain links and other programs' routes, and follow their changes.
func TestFacts(t *testing.T) {
	h := newHost(t)
	p := h.start(nil)
	p.UpdateRoutes(h.hub00())
	within(t, healTime, hub00Routes, h.routes)
	h.run("route", "add", "10.50.0.0/16", "via", "10.0.0.1", "proto", "static", "metric", "5")
	deadline := time.After(healTime)
	for {
		select {
		case <-deadline:
			t.Fatal("facts lack the new route")
		case f := <-p.facts:
			var s []string
			for _, r := range f.Routes {
				s = append(s, r.Prefix.String())
			}
			want := "0.0.0.0/0 10.0.0.0/24 10.50.0.0/16 169.254.0.0/24"
			if got := strings.Join(only4(s), " "); got == want {
				return
			}
		}
	}
}

func only4(list []string) []string {
	var out []string
	for _, s := range list {
		if !strings.Contains(s, ":") {
			out = append(out, s)
		}
	}
	return out
}
