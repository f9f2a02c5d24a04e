package twohubs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/router"
)

func TestTwoHubs(t *testing.T) {
	for _, p := range slices.Concat(pairs, newer) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			l := p.up(t, lab.Options{})
			converge(t, l)
			testArticle(t, l, p)
			t.Run("tunnel down", func(t *testing.T) { testTunnelDown(t, l, p) })
		})
	}
}

// testArticle checks everything that the article shows.
func testArticle(t *testing.T, l *lab.Lab, p pair) {
	t.Run("no loss", func(t *testing.T) { testNoLoss(t, l) })
	t.Run("kernel routes", func(t *testing.T) {
		testKernelRoutes(t, l, near, p.near)
		testKernelRoutes(t, l, far, p.far)
	})
	if p.near == lab.Nvad {
		t.Run("derived", func(t *testing.T) { testDerived(t, l) })
	}
	t.Run("traceroute", func(t *testing.T) { testTraceroute(t, l) })
	t.Run("advertised", func(t *testing.T) {
		testAdvertised(t, l, near, far)
		testAdvertised(t, l, far, near)
	})
	t.Run("effective routes", func(t *testing.T) { testEffectiveRoutes(t, l) })
	t.Run("VNet routers", func(t *testing.T) { testVNetRouters(t, l) })
	t.Run("capture", func(t *testing.T) { testCapture(t, l) })
}

func testNoLoss(t *testing.T, l *lab.Lab) {
	for vm, to := range map[string]string{"vm-hub100": vm110, "vm-hub110": vm100} {
		out := l.Exec(t, vm, "ping", "-q", "-c", "50", "-i", "0.02", "-W", "1", to)
		if !strings.Contains(out, " 0% packet loss") {
			t.Errorf("%s to %s:\n%s", vm, to, out)
		}
	}
}

// testKernelRoutes compares an NVA's routes with the article's `ip route`.
func testKernelRoutes(t *testing.T, l *lab.Lab, s side, kind lab.Kind) {
	proto := "bgp"
	if kind.IsBIRD() {
		proto = "bird"
	}
	wanted := []kernelRoute{
		{s.own, s.gateway, "eth0", proto, 20},
		{s.behind, s.gateway, "eth0", proto, 20},
		{s.beyond, s.tunnel, "vxlan0", proto, 20},
		{"default", s.gateway, "eth0", "dhcp", 100},
		{"168.63.129.16", s.gateway, "eth0", "dhcp", 100},
		{"169.254.169.254", s.gateway, "eth0", "dhcp", 100},
	}
	lab.Eventually(t, 5*time.Second, func() error {
		routes := kernelRoutes(t, l, s.nva)
		for _, want := range wanted {
			if !slices.Contains(routes, want) {
				return fmt.Errorf("%s lacks %+v, has %+v", s.nva, want, routes)
			}
		}
		for _, rs := range s.routeServer {
			if r := longest(routes, rs); r.Gateway != s.gateway || r.Proto == "bgp" || r.Dst == s.own || r.Dst == "default" {
				return fmt.Errorf("%s has no static route to Route Server %s, has %+v", s.nva, rs, routes)
			}
		}
		return nil
	})
}

// testTraceroute: the near NVA and the far VM answer, and nothing else does. The far NVA
// answers from its tunnel address, which no VNet carries.
func testTraceroute(t *testing.T, l *lab.Lab) {
	for vm, want := range map[string][]string{
		"vm-hub100": {"*", "10.0.0.4", "*", "*", vm110},
		"vm-hub110": {"*", "10.10.0.4", "*", "*", vm100},
	} {
		lab.Eventually(t, 20*time.Second, func() error {
			out, err := l.Output(vm, "traceroute", "-n", "-q", "1", "-w", "0.5", want[len(want)-1])
			if err != nil {
				return err
			}
			var hops []string
			for _, line := range lines(out)[1:] {
				hops = append(hops, strings.Fields(line)[1])
			}
			if !slices.Equal(hops, want) {
				return fmt.Errorf("%s: hops are %v, want %v", vm, hops, want)
			}
			return nil
		})
	}
}

// testAdvertised checks what both Route Server instances of s get from their NVA: the network
// behind the other hub's circuit, with a path that contains only the NVA's own AS number and
// is one longer than before. They never get what they announced themselves or what the
// article's lists deny.
func testAdvertised(t *testing.T, l *lab.Lab, s, other side) {
	original := advertised(t, l, other, 0, s.beyond)
	path := strings.TrimSpace(strings.Repeat("65001 ", len(original.ASPath)+1))
	for i := range 2 {
		rs := l.RouteServer(s.vnet, i)
		received, err := rs.Received(t.Context(), s.address)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := find(received, s.beyond)
		if !ok || len(received) != 1 {
			t.Fatalf("%s received %v, want %s only", rs.Name, received, s.beyond)
		}
		if r.Path() != path || r.NextHop != s.address || r.MED != nil || r.LocalPref != nil || !r.Accepted {
			t.Errorf("%s received %+v, want path %s, next hop %s, no MED, no LOCAL_PREF", rs.Name, r, path, s.address)
		}
		seen, err := rs.Seen(t.Context(), s.address)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(seen, []netip.Prefix{netip.MustParsePrefix(s.beyond)}) {
			t.Errorf("%s was at some time sent %v, want %s only", rs.Name, seen, s.beyond)
		}
	}
}

// advertised returns what an instance of s announces to its NVA for a prefix.
func advertised(t *testing.T, l *lab.Lab, s side, instance int, prefix string) router.Route {
	t.Helper()
	routes, err := l.RouteServer(s.vnet, instance).Advertised(t.Context(), s.address)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := find(routes, prefix)
	if !ok {
		t.Fatalf("instance %d of %s does not announce %s", instance, s.vnet, prefix)
	}
	return r
}

// The article's effective route tables.
var effectiveTables = map[string]string{
	"vm-hub100": `
Default                 | Active | 10.100.0.0/16 | Virtual network         | -
Virtual network gateway | Active | 10.0.0.0/16   | Virtual network gateway | 10.2.146.76
Virtual network gateway | Active | 10.0.0.0/16   | Virtual network gateway | 10.2.146.77
Virtual network gateway | Active | 10.110.0.0/16 | Virtual network gateway | 10.2.146.76
Virtual network gateway | Active | 10.110.0.0/16 | Virtual network gateway | 10.2.146.77`,
	"vm-hub00": `
Default                 | Active | 10.0.0.0/16   | Virtual network         | -
Default                 | Active | 10.10.0.0/16  | VNet peering            | -
Virtual network gateway | Active | 10.100.0.0/16 | Virtual network gateway | 10.2.146.77
Virtual network gateway | Active | 10.100.0.0/16 | Virtual network gateway | 10.2.146.76
Virtual network gateway | Active | 10.110.0.0/16 | Virtual network gateway | 10.0.0.4`,
	"vm-hub10": `
Default                 | Active | 10.10.0.0/16  | Virtual network         | -
Default                 | Active | 10.0.0.0/16   | VNet peering            | -
Virtual network gateway | Active | 10.110.0.0/16 | Virtual network gateway | 10.2.146.62
Virtual network gateway | Active | 10.100.0.0/16 | Virtual network gateway | 10.10.0.4`,
}

func testEffectiveRoutes(t *testing.T, l *lab.Lab) {
	for vm, table := range effectiveTables {
		routes, err := l.EffectiveRoutes(t.Context(), vm)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range routes {
			if len(r.NextHops) == 0 {
				got = append(got, fmt.Sprintf("%s|%s|%s|%s|-", r.Source, r.State, r.Prefix, r.NextHopType))
			}
			for _, hop := range r.NextHops {
				got = append(got, fmt.Sprintf("%s|%s|%s|%s|%s", r.Source, r.State, r.Prefix, r.NextHopType, hop))
			}
		}
		var want []string
		for _, row := range lines(table) {
			cells := strings.Split(row, "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			want = append(want, strings.Join(cells, "|"))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("effective routes of %s are\n%s\nwant\n%s", vm, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// testVNetRouters: apart from the routes of its NICs and of the peering, a VNet's router has
// exactly its effective routes.
func testVNetRouters(t *testing.T, l *lab.Lab) {
	for _, v := range l.Topology.VNets {
		effective, err := l.EffectiveRoutes(t.Context(), v.VMs[0].Name)
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, r := range effective {
			known[r.Prefix.String()] = true
		}
		for _, r := range kernelRoutes(t, l, "net-"+v.Name) {
			nic := !strings.Contains(r.Dst, "/") && v.Prefix.Contains(netip.MustParseAddr(r.Dst))
			peering := strings.HasPrefix(r.Dst, "100.64.")
			if !nic && !peering && !known[r.Dst] {
				t.Errorf("the router of %s has %+v, which is no effective route", v.Name, r)
			}
		}
	}
}

// testTunnelDown takes the near tunnel down, which stops the flow. nvad would repair it at
// once, so it is paused meanwhile and repairs the tunnel when it continues. FRR does not
// repair it, and its timers decide when its session is back.
func testTunnelDown(t *testing.T, l *lab.Lab, p pair) {
	signal := func(sig syscall.Signal) {
		if p.near != lab.Nvad {
			return
		}
		if err := l.SignalNVA("hub00", sig); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	l.Exec(t, near.nva, "ip", "link", "set", "vxlan0", "down")
	if ping(l, "vm-hub100", vm110) == nil {
		t.Error("the flow passes without the tunnel")
	}
	signal(syscall.SIGCONT)
	if p.near == lab.Nvad {
		awaitReturn(t, l, convergeTime)
	}
}
