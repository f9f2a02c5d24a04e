package apitest

import (
	"fmt"
	"net/netip"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/rib"
)

// hub00Effect is an effect of every kind: both instances of Route Server lose all
// they were sent, the kernel has more than ten differences.
func hub00Effect() *api.Effect {
	pfx := netip.MustParsePrefix
	lost := func(neighbor netip.Addr) rib.EffectGroup {
		return rib.EffectGroup{Stage: rib.Advertised, Neighbor: neighbor, Before: 2, Removed: 2, Added: 1, Routes: []rib.RouteEffect{
			{Prefix: pfx("10.0.0.0/8"), Difference: rib.Added},
			{Prefix: pfx("10.1.0.0/16"), Difference: rib.Removed, Reason: "covered by a summary-only aggregate"},
			{Prefix: pfx("10.2.0.0/16"), Difference: rib.Removed, Reason: "covered by a summary-only aggregate"},
		}}
	}
	kernel := rib.EffectGroup{Stage: rib.Installed, Before: 120, Removed: 1, Changed: 11}
	for i := range 12 {
		r := rib.RouteEffect{Prefix: pfx(fmt.Sprintf("10.10.%d.0/24", i)), Difference: rib.Changed, Reason: "via 10.0.0.1 dev eth0 -> via 169.254.0.2 dev vxlan0"}
		if i == 3 {
			r.Difference, r.Reason = rib.Removed, "no path is left"
		}
		kernel.Routes = append(kernel.Routes, r)
	}
	return &api.Effect{
		Effect: rib.Effect{Groups: []rib.EffectGroup{
			{Stage: rib.Accepted, Neighbor: far, Before: 20, Added: 1, Routes: []rib.RouteEffect{{Prefix: pfx("10.100.0.0/16"), Difference: rib.Added, Reason: "accepted"}}},
			{Stage: rib.Preferred, Changed: 1, Routes: []rib.RouteEffect{
				{Prefix: pfx("10.100.0.0/16"), Difference: rib.Changed, Reason: "10.0.210.4 -> 169.254.0.2: better by local preference"},
			}},
			lost(rs0), lost(rs1),
			{Stage: rib.Advertised, Neighbor: far, Before: 20, Removed: 1, Routes: []rib.RouteEffect{
				{Prefix: pfx("10.100.0.0/16"), Difference: rib.Removed, Reason: "prefix-list vm-hub10 seq 5 deny 10.100.0.0/16"},
			}},
			kernel,
		}},
		Resets: []netip.Addr{rs0, rs1},
	}
}
