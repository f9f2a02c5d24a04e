package dataplane_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/tunnel"
)

// entryOf returns a function that reads the state and the reason of the route that nvad wants
// for a prefix.
func entryOf(t *testing.T, p *plane, prefix string) func() string {
	return func() string {
		own, _, err := p.Route(t.Context(), netip.MustParsePrefix(prefix))
		if err != nil {
			t.Fatal(err)
		}
		if len(own) != 1 {
			return "none"
		}
		return strings.TrimSpace(own[0].State.String() + " " + own[0].Reason)
	}
}

// Routes that a DHCP client, networkd or an operator adds outrank BGP's, whatever their
// metrics. nvad leaves them alone. It installs the BGP route once they are removed and
// withdraws it once they are back, without waiting for a scan.
func TestKernelRoutesStandAboveBGP(t *testing.T) {
	h := newHost(t)
	h.run("link", "add", "e2", "type", "veth", "peer", "name", "e2far")
	h.run("link", "set", "e2", "up")
	h.run("link", "set", "e2far", "up")
	h.run("addr", "add", "10.0.2.1/24", "dev", "e2", "metric", "200")
	h.run("addr", "add", "fd02::1/64", "dev", "e2", "nodad")
	h.run("route", "add", "10.3.0.0/16", "via", "10.0.2.9", "proto", "static", "metric", "100")
	h.run("route", "add", "10.4.0.0/16", "via", "10.0.2.9", "proto", "dhcp", "metric", "100")
	h.run("route", "add", "10.5.0.0/16", "via", "10.0.2.9", "metric", "100")
	p := h.start(func(o *dataplane.Options) { o.Scan = time.Hour })
	p.UpdateRoutes([]fib.Change{
		h.change("10.0.2.0/24", "10.0.0.1", "eth0"), h.change("fd02::/64", "fe80::1", "eth0"),
		h.change("10.3.0.0/16", "10.0.0.1", "eth0"), h.change("10.4.0.0/16", "10.0.0.1", "eth0"), h.change("10.5.0.0/16", "10.0.0.1", "eth0"),
	})
	p.InSync()
	other := func(prefix, proto string) string {
		return "outranked another program has a route for " + prefix + ": via 10.0.2.9 dev e2 proto " + proto
	}
	for _, tt := range []struct {
		prefix, state string
		del, add      []string
	}{
		{"10.3.0.0/16", other("10.3.0.0/16", "static"), []string{"route", "del", "10.3.0.0/16", "proto", "static"},
			[]string{"route", "add", "10.3.0.0/16", "via", "10.0.2.9", "proto", "static", "metric", "100"}},
		{"10.4.0.0/16", other("10.4.0.0/16", "dhcp"), []string{"route", "del", "10.4.0.0/16", "proto", "dhcp"},
			[]string{"route", "add", "10.4.0.0/16", "via", "10.0.2.9", "proto", "dhcp", "metric", "100"}},
		{"10.5.0.0/16", other("10.5.0.0/16", "boot"), []string{"route", "del", "10.5.0.0/16", "proto", "boot"},
			[]string{"route", "add", "10.5.0.0/16", "via", "10.0.2.9", "metric", "100"}},
		{"fd02::/64", "outranked fd02::/64 is connected on e2", []string{"addr", "del", "fd02::1/64", "dev", "e2"},
			[]string{"addr", "add", "fd02::1/64", "dev", "e2", "nodad"}},
		{"10.0.2.0/24", "outranked 10.0.2.0/24 is connected on e2", []string{"link", "set", "e2", "down"},
			[]string{"link", "set", "e2", "up"}},
		{"10.0.2.0/24", "outranked 10.0.2.0/24 is connected on e2", []string{"addr", "del", "10.0.2.1/24", "dev", "e2"},
			[]string{"addr", "add", "10.0.2.1/24", "dev", "e2", "metric", "200"}},
	} {
		state := entryOf(t, p, tt.prefix)
		within(t, healTime, tt.state, state)
		h.run(tt.del...)
		within(t, healTime, "installed", state)
		h.run(tt.add...)
		within(t, healTime, tt.state, state)
	}
	if got := h.run("route", "get", "10.0.2.9"); !strings.Contains(got, "dev e2") {
		t.Errorf("the subnet is cut off: %s", got)
	}
	w := wanted()
	w.Displace = true
	p.SetWanted(w)
	within(t, healTime, "installed", entryOf(t, p, "10.0.2.0/24"))
	p.SetWanted(wanted())
	within(t, healTime, "outranked 10.0.2.0/24 is connected on e2", entryOf(t, p, "10.0.2.0/24"))
}

// If somebody deletes the connected routes of nvad's tunnel, nvad restores them, because the
// kernel adds them only together with the address.
func TestTunnelKeepsItsConnectedRoutes(t *testing.T) {
	h := newHost(t)
	p := h.start(func(o *dataplane.Options) { o.Scan = time.Hour })
	w := wanted()
	w.Tunnels[0].Addresses = append(w.Tunnels[0].Addresses, netip.MustParsePrefix("fd77::1/64"))
	p.SetWanted(w)
	four := func() string { return strings.TrimSpace(h.run("route", "show", "dev", "vxlan0")) }
	six := func() string { return strings.TrimSpace(h.run("-6", "route", "show", "fd77::/64")) }
	const want4 = "169.254.0.0/24 proto kernel scope link src 169.254.0.1"
	const want6 = "fd77::/64 dev vxlan0 proto kernel metric 256 pref medium"
	within(t, healTime, want4, four)
	within(t, healTime, want6, six)
	p.UpdateRoutes(h.hub00())
	p.InSync()
	within(t, healTime, "installed", entryOf(t, p, "10.110.0.0/16"))
	for range 3 {
		h.run("route", "del", "169.254.0.0/24")
		h.run("-6", "route", "del", "fd77::/64")
		within(t, healTime, hub00Routes, h.routes)
		within(t, healTime, want6, six)
	}
	if c := p.Counters(); c.Repairs < 6 {
		t.Errorf("counters %+v", c)
	}
	w.Tunnels[0].Addresses = w.Tunnels[0].Addresses[:1]
	p.SetWanted(w)
	within(t, healTime, "", six)
	h.run("route", "del", "169.254.0.0/24")
	within(t, healTime, hub00Routes, h.routes)
}

// unreadable is a kernel whose links can't be read for the first few attempts.
type unreadable struct {
	tunnel.Kernel
	left int
}

func (d *unreadable) Links() ([]tunnel.Link, error) {
	if d.left--; d.left >= 0 {
		return nil, errors.New("interrupted")
	}
	return d.Kernel.Links()
}

// Links that can't be read after a restart are not links that are gone. The data plane
// publishes no facts until it has read the links: otherwise the engine would consider every
// next hop dead and sweep a working table.
func TestNoFactsWithoutLinks(t *testing.T) {
	f := newFakes()
	f.fib.Plant(fib.KernelRoute{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: 1}}})
	f.run(t, func(o *dataplane.Options) { o.Tunnels = &unreadable{f.tunnels, 3} }, func(t *testing.T, d *dataplane.Dataplane) {
		d.SetWanted(dataplane.Wanted{Tunnels: []tunnel.Tunnel{}})
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if facts := f.told(); len(facts) != 0 {
			t.Errorf("facts were published before the links were read: %+v", facts)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		facts := f.told()
		if len(facts) == 0 {
			t.Fatal("told nothing")
		}
		for _, x := range facts {
			if len(x.Links) == 0 || len(x.Routes) == 0 {
				t.Errorf("told %+v", x)
			}
		}
	})
}
