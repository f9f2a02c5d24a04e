package lab_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestRouteServer checks, one by one, the documented behaviour that scenarios depend on.
func TestRouteServer(t *testing.T) {
	l := lab.Up(t, lab.Options{Scenario: "one-hub", Manager: true, NVAs: map[string]lab.NVA{
		"vm-hub00": birdNVA(t, nva1, 65001,
			announcement{"10.200.0.0/16", "bgp_med = 77; bgp_local_pref = 500; bgp_community.add((65001,200));"},
			announcement{"10.201.0.0/16", "bgp_path.prepend(65515);"},
			announcement{"10.202.0.0/16", "bgp_community.add((65535,65282));"},
			announcement{"10.203.0.0/16", "bgp_next_hop = 10.0.0.5;"},
			announcement{"10.204.0.0/16", ""},
			announcement{"10.205.0.0/16", ""},
			announcement{"10.0.0.0/16", ""},
			announcement{"10.0.5.0/24", ""},
			announcement{"10.0.210.0/24", ""},
			announcement{"10.100.0.0/16", ""},
			announcement{"10.0.0.0/8", ""},
		),
		"vm-hub00-2": birdNVA(t, nva2, 65002,
			announcement{"10.204.0.0/16", ""},
			announcement{"10.205.0.0/16", "bgp_path.prepend(65002);"},
			announcement{"10.206.0.0/16", ""},
		),
	}})
	l.AwaitSessions(t, 20*time.Second)
	lab.Eventually(t, 10*time.Second, func() error {
		if hops, _ := effective(t, l, "vm-hub100", "10.206.0.0/16"); hops == "" {
			return fmt.Errorf("routes have not arrived behind the circuit")
		}
		if hops, _ := effective(t, l, "vm-hub00", "10.204.0.0/16"); hops != "10.0.0.4 10.0.0.6" {
			routes, _ := l.RouteServer("hub00", 0).Received(t.Context(), nva1)
			return fmt.Errorf("next hops of 10.204.0.0/16 are %q\n%s", hops, lab.RouteTable(routes))
		}
		for i := range 2 { // one instance is enough for the routes above
			for nva, want := range map[netip.Addr]int{nva1: 11, nva2: 3} {
				if routes, err := l.RouteServer("hub00", i).Received(t.Context(), nva); err != nil || len(routes) != want {
					return fmt.Errorf("instance %d has %d routes of %s, want %d: %w", i, len(routes), nva, want, err)
				}
			}
		}
		return nil
	})
	t.Run("advertises", func(t *testing.T) { testAdvertises(t, l) })
	t.Run("passes on", func(t *testing.T) { testPassesOn(t, l) })
	t.Run("receives", func(t *testing.T) { testReceives(t, l) })
	t.Run("programs", func(t *testing.T) { testPrograms(t, l) })
	t.Run("no-advertise", func(t *testing.T) { testNoAdvertise(t, l) })
	t.Run("capabilities", func(t *testing.T) { testCapabilities(t, l) })
	t.Run("model", func(t *testing.T) { testModel(t, l, []string{"10.2.146.76", "10.2.146.77"}, "vm-hub00", "vm-hub00-b") })
}

// testAdvertises: the next hop is the instance's own address, paths begin with 65515, and
// there is no MED. The instance advertises its own VNet, gateway-learned routes and other
// NVAs' routes.
func testAdvertises(t *testing.T, l *lab.Lab) {
	for i, addr := range []string{"10.0.210.4", "10.0.210.5"} {
		routes, err := l.RouteServer("hub00", i).Advertised(t.Context(), nva1)
		if err != nil {
			t.Fatal(err)
		}
		for prefix, path := range map[string]string{
			"10.0.0.0/16":   "65515",
			"10.100.0.0/16": "65515 12076",
			"10.206.0.0/16": "65515 65002",
		} {
			r, ok := find(routes, prefix)
			if !ok {
				t.Errorf("instance %d does not advertise %s", i, prefix)
				continue
			}
			if r.Path() != path || r.NextHop.String() != addr || r.MED != nil || r.LocalPref != nil || r.Origin != "IGP" {
				t.Errorf("instance %d advertises %+v, want path %s next hop %s", i, r, path, addr)
			}
		}
	}
}

// testPassesOn: one NVA's AS path and communities reach the other NVA unchanged.
func testPassesOn(t *testing.T, l *lab.Lab) {
	for i := range 2 {
		routes, err := l.RouteServer("hub00", i).Advertised(t.Context(), nva2)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := find(routes, "10.200.0.0/16")
		if !ok || r.Path() != "65515 65001" || !slices.Equal(r.Communities, []string{"65001:200"}) {
			t.Errorf("instance %d advertises %+v", i, r)
		}
	}
}

// testReceives: the record has everything that was on the wire, even routes that are not
// accepted: a path that contains 65515, and the RouteServerSubnet.
func testReceives(t *testing.T, l *lab.Lab) {
	routes, err := l.RouteServer("hub00", 0).Received(t.Context(), nva1)
	if err != nil {
		t.Fatal(err)
	}
	for prefix, accepted := range map[string]bool{
		"10.200.0.0/16": true,
		"10.201.0.0/16": false,
		"10.0.210.0/24": false,
		"10.0.5.0/24":   true,
	} {
		if r, ok := find(routes, prefix); !ok || r.Accepted != accepted {
			t.Errorf("%s: received %v accepted %v, want received and accepted %v", prefix, ok, r.Accepted, accepted)
		}
	}
	r, _ := find(routes, "10.200.0.0/16")
	if r.MED == nil || *r.MED != 77 || r.LocalPref == nil || *r.LocalPref != 500 {
		t.Errorf("MED and LOCAL_PREF are not on record: %+v", r)
	}
	if !slices.Equal(r.Communities, []string{"65001:200"}) || r.Path() != "65001" {
		t.Errorf("communities or path are not on record: %+v", r)
	}
	if plain, _ := find(routes, "10.204.0.0/16"); plain.MED != nil || plain.LocalPref != nil {
		t.Errorf("attributes on record that were not sent: %+v", plain)
	}
}

// testPrograms: every NIC uses the NVA's next hop, including the NVA's own. Paths of equal
// length share traffic, and a shorter one wins. System routes win over equal and longer
// prefixes but not over a supernet. ExpressRoute wins over NVAs.
func testPrograms(t *testing.T, l *lab.Lab) {
	for prefix, want := range map[string]string{
		"10.200.0.0/16": "10.0.0.4",
		"10.201.0.0/16": "",
		"10.202.0.0/16": "10.0.0.4",
		"10.203.0.0/16": "10.0.0.5",
		"10.204.0.0/16": "10.0.0.4 10.0.0.6",
		"10.205.0.0/16": "10.0.0.4",
		"10.0.0.0/16":   "",
		"10.0.5.0/24":   "",
		"10.0.210.0/24": "",
		"10.100.0.0/16": "10.2.146.76 10.2.146.77",
		"10.0.0.0/8":    "10.0.0.4",
	} {
		for _, vm := range []string{"vm-hub00", "vm-hub00-b"} {
			if hops, _ := effective(t, l, vm, prefix); hops != want {
				t.Errorf("%s: next hops of %s are %q, want %q", vm, prefix, hops, want)
			}
		}
	}
	for dst, want := range map[string]string{
		"10.200.0.1": "via 10.0.0.4 ",
		"10.203.0.1": "via 10.0.0.5 ",
		"10.100.0.4": "via 10.2.146.7",
	} {
		if out := l.Exec(t, "net-hub00", "ip", "route", "get", dst); !strings.Contains(out, want) {
			t.Errorf("the VNet's router sends %s %q, want %q", dst, out, want)
		}
	}
}

// testNoAdvertise: a no-advertise route is in the VNet, but neither another NVA nor the
// gateway gets it.
func testNoAdvertise(t *testing.T, l *lab.Lab) {
	rs := l.RouteServer("hub00", 0)
	for _, neighbor := range []netip.Addr{nva2, netip.MustParseAddr("10.0.200.4")} {
		routes, err := rs.Advertised(t.Context(), neighbor)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := find(routes, "10.202.0.0/16"); ok {
			t.Errorf("a no-advertise route is advertised to %s", neighbor)
		}
		if _, ok := find(routes, "10.200.0.0/16"); !ok {
			t.Errorf("an ordinary route is not advertised to %s", neighbor)
		}
	}
	if _, ok := effective(t, l, "vm-hub100", "10.202.0.0/16"); ok {
		t.Error("a no-advertise route passed the gateway")
	}
}

// testCapabilities: both address families, route refresh and 4-octet AS
// numbers, but no graceful restart.
func testCapabilities(t *testing.T, l *lab.Lab) {
	out := birdc(t, l, "vm-hub00", "show", "protocols", "all", "rs0")
	_, theirs, ok := strings.Cut(out, "Neighbor capabilities")
	if !ok {
		t.Fatalf("no capabilities in\n%s", out)
	}
	theirs, _, _ = strings.Cut(theirs, "Session:")
	for _, want := range []string{"AF announced: ipv4 ipv6", "Route refresh", "4-octet AS numbers"} {
		if !strings.Contains(theirs, want) {
			t.Errorf("%q is missing in\n%s", want, theirs)
		}
	}
	for _, unwanted := range []string{"restart", "ADD-PATH", "Enhanced"} {
		if strings.Contains(theirs, unwanted) {
			t.Errorf("%q is announced:\n%s", unwanted, theirs)
		}
	}
}

func TestBranchToBranchOff(t *testing.T) {
	l := lab.Up(t, lab.Options{Scenario: "one-hub", NoBranchToBranch: true, NVAs: map[string]lab.NVA{
		"vm-hub00": birdNVA(t, nva1, 65001, announcement{"10.200.0.0/16", ""}),
	}})
	l.AwaitSessions(t, 20*time.Second)
	lab.Eventually(t, 10*time.Second, func() error {
		for prefix, want := range map[string]string{"10.200.0.0/16": "10.0.0.4", "10.100.0.0/16": "10.2.146.76 10.2.146.77"} {
			if hops, _ := effective(t, l, "vm-hub00", prefix); hops != want {
				return fmt.Errorf("next hops of %s in the VNet are %q", prefix, hops)
			}
		}
		return nil
	})
	advertised, err := l.RouteServer("hub00", 0).Advertised(t.Context(), nva1)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := find(advertised, "10.100.0.0/16"); ok {
		t.Error("the NVA gets a gateway-learned route")
	}
	toGateway, err := l.RouteServer("hub00", 0).Advertised(t.Context(), netip.MustParseAddr("10.0.200.4"))
	if err != nil {
		t.Fatal(err)
	}
	if len(toGateway) > 0 {
		t.Errorf("the gateway gets %v", toGateway)
	}
}

// TestRouteServerDials checks the option that makes the instances open sessions too. The NVA
// in this test only accepts them.
func TestRouteServerDials(t *testing.T) {
	nva := birdNVA(t, nva1, 65001)
	passive(t, nva.Config)
	l := lab.Up(t, lab.Options{Scenario: "one-hub", RouteServerDials: true, NVAs: map[string]lab.NVA{"hub00": nva}})
	l.AwaitSessions(t, 30*time.Second)
}
