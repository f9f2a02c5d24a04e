package engine

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/speaker"
)

// withAddresses are facts in which eth0 has these addresses.
func withAddresses(list ...string) fib.Facts {
	f := reachable()
	f.Links = slices.Clone(f.Links)
	for _, a := range list {
		f.Links[0].Addresses = append(f.Links[0].Addresses, netip.MustParsePrefix(a))
	}
	return f
}

func TestSourceOfInterface(t *testing.T) {
	remote := netip.MustParseAddr("10.0.210.4")
	s := sources{}
	for _, c := range []struct {
		why, remote string
		has         []string
		want        string
	}{
		{"none yet", "10.0.210.4", nil, "invalid IP"},
		{"other family, loopback, link-local", "10.0.210.4", []string{"fd00::4/64", "127.0.0.2/8", "169.254.9.9/16"}, "invalid IP"},
		{"the first", "10.0.210.4", []string{"10.0.0.4/24", "10.0.1.4/24"}, "10.0.0.4"},
		{"kept although another is first", "10.0.210.4", []string{"10.0.1.4/24", "10.0.0.4/24"}, "10.0.0.4"},
		{"kept while there is none", "10.0.210.4", nil, "10.0.0.4"},
		{"another", "10.0.210.4", []string{"10.0.1.4/24"}, "10.0.1.4"},
		{"in the neighbor's subnet", "10.0.2.9", []string{"10.0.1.4/24", "10.0.2.4/24"}, "10.0.2.4"},
		{"link-local in the neighbor's subnet", "169.254.9.1", []string{"169.254.9.9/24"}, "169.254.9.9"},
		{"IPv6", "fd00:1::1", []string{"10.0.1.4/24", "fe80::4/64", "fd00::4/64"}, "fd00::4"},
	} {
		from := sourceAt{"eth0", netip.MustParseAddr(c.remote)}
		if s[from] = s.of(withAddresses(c.has...).Links, from); s[from].String() != c.want {
			t.Errorf("%s: %s, want %s", c.why, s[from], c.want)
		}
	}
	if a := s.of(withAddresses("10.0.0.4/24").Links, sourceAt{"eth9", remote}); a.IsValid() {
		t.Errorf("an interface that is not there has %s", a)
	}
}

// A session whose local-address is an interface starts once that has an address, and moves
// when it has another one. A range is listened on at the address too.
func TestLocalInterface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := ranged(scaleSet)
		cfg.Neighbors[0].LocalInterface, cfg.Ranges[0].LocalInterface = "eth0", "eth0"
		e, p, stop := start(t, cfg, false)
		defer stop()
		apply(t, e, cfg)
		e.SetFacts(withAddresses())
		local := func() (session speaker.Neighbor, ranges []speaker.Range) {
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.wanted[0], p.ranges
		}
		if s, ranges := local(); !s.Disabled || len(ranges) > 0 {
			t.Errorf("without an address: %+v, ranges %+v", s, ranges)
		}
		list, err := e.Neighbors(t.Context())
		if err != nil || list[0].Reason != "interface eth0 has no IPv4 address (local-address)" {
			t.Errorf("%q, %v", list[0].Reason, err)
		}
		for _, a := range []string{"10.0.0.4", "10.0.0.5"} {
			e.SetFacts(withAddresses(a + "/24"))
			want := netip.MustParseAddr(a)
			s, ranges := local()
			if s.Disabled || s.LocalAddress != want || len(ranges) != 1 || ranges[0].LocalAddress != want {
				t.Errorf("%+v, ranges %+v, want %s", s, ranges, a)
			}
			if list, _ := e.Neighbors(t.Context()); list[0].Session.LocalAddress != want || list[0].Reason != "" {
				t.Errorf("shown: %s %q", list[0].Session.LocalAddress, list[0].Reason)
			}
		}
		other := ranged(scaleSet)
		other.Neighbors[0].LocalInterface = "vxlan0"
		if _, resets, err := e.Preview(t.Context(), other); err != nil || len(resets) > 0 {
			t.Errorf("a session that is down is reset: %v, %v", resets, err)
		}
		p.establish(routeServer, false, false)
		same := ranged(scaleSet)
		same.Neighbors[0].LocalAddress, same.Neighbors[0].Weight = netip.MustParseAddr("10.0.0.5"), 1
		same.Ranges[0].LocalInterface = "eth0"
		if _, resets, err := e.Preview(t.Context(), same); err != nil || len(resets) > 0 {
			t.Errorf("the address that the interface has resets %v, %v", resets, err)
		}
		same.Neighbors[0].LocalAddress = netip.MustParseAddr("10.0.0.9")
		if _, resets, err := e.Preview(t.Context(), same); err != nil || !slices.Equal(resets, []netip.Addr{routeServer}) {
			t.Errorf("another address resets %v, %v", resets, err)
		}
	})
}
