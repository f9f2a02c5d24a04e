package nat_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/nat"
)

// A WireGuard tunnel is guarded as VXLAN is, except for what its keys prove: who sent a packet. VXLAN
// that runs in it may come out of it.
func TestWireGuardGuards(t *testing.T) {
	far := netip.MustParseAddr("169.254.0.2")
	got := tableOf(t, nat.Rules{Overlays: []nat.Overlay{
		{Device: "wg0", WireGuard: true, Port: 51820, Pinned: netip.MustParseAddr("10.10.0.4"), Subnets: prefixes("169.254.0.1/30")},
		{Device: "wg1", WireGuard: true, Port: 51821},
		{Device: "wg2", WireGuard: true},
		{Device: "vxlan0", Under: "wg0", VNI: 77, Port: 4789, Remotes: []netip.Addr{far}, Subnets: prefixes("192.168.0.1/24")},
	}})
	platform := "  saddr 168.63.129.16/32 drop\n  saddr 169.254.169.254/32 drop\n  fib saddr type local drop\n"
	want := `underlay hook input raw
  iifname "wg0" udp dport 51820-51821 drop
  iifname "wg1" udp dport 4789 drop
  iifname "wg1" udp dport 51820-51821 drop
  iifname "wg2" udp dport 4789 drop
  iifname "wg2" udp dport 51820-51821 drop
  iifname "vxlan0" udp dport 4789 drop
  iifname "vxlan0" udp dport 51820-51821 drop
  udp dport 51820 jump underlay-1
  udp dport 4789 vxlan vni 77 jump underlay-4
  udp dport 4789 drop
overlay hook prerouting raw
  iifname "lo" accept
  iifname "wg0" jump overlay-1
  iifname "wg1" jump overlay-2
  iifname "wg2" jump overlay-3
  iifname "vxlan0" jump overlay-4
  saddr 168.63.129.16/32 accept
  saddr 169.254.169.254/32 accept
  saddr 169.254.0.0/30 drop
  saddr 192.168.0.0/24 drop
overlay-forged
  saddr 169.254.0.2/32 udp dport 4789 drop
underlay-1
  saddr 10.10.0.4/32 accept
  drop
overlay-1
` + platform + `  saddr 169.254.0.0/30 accept
  saddr 169.254.0.0/16 drop
overlay-2
  udp jump overlay-forged
` + platform + `  saddr 169.254.0.0/16 drop
overlay-3
  udp jump overlay-forged
` + platform + `  saddr 169.254.0.0/16 drop
underlay-4
  @th,224,16 != 0x0800 @th,224,16 != 0x86dd @th,224,16 != 0x0806 drop
  saddr 169.254.0.2/32 accept
  drop
overlay-4
  udp jump overlay-forged
` + platform + `  saddr 192.168.0.0/24 accept
  saddr 169.254.0.0/16 drop
`
	if got != want {
		t.Errorf("table is\n%s\nwant\n%s", got, want)
	}
}

// The guards of many tunnels grow with their number, not with its square: packets pass them one
// after the other.
func TestGuardsOfManyTunnels(t *testing.T) {
	const many = 100
	var r nat.Rules
	for i := range many {
		r.Overlays = append(r.Overlays, nat.Overlay{
			Device: fmt.Sprintf("wg%d", i), WireGuard: true, Port: uint16(51820 + i), Subnets: prefixes(fmt.Sprintf("169.254.%d.1/30", i)),
		})
	}
	r.Overlays[7].Under = "wg3"
	got := tableOf(t, r)
	if n := strings.Count(got, "\n"); n > 10*many {
		t.Errorf("%d tunnels have %d rules", many, n)
	}
	for _, want := range []string{
		"iifname \"wg0\" udp dport 51820-51919 drop\n", "iifname \"wg3\" udp dport 51820-51826 drop\n  iifname \"wg3\" udp dport 51828-51919 drop\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s", want)
		}
	}
}
