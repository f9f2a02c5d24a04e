package differential

import (
	"net/netip"

	"github.com/nvad/nvad/integration/differential/gen"
	"github.com/nvad/nvad/integration/differential/wire"
	"github.com/nvad/nvad/pkg/policy"
)

// small is a case of two eBGP neighbors, a feeder and a sink, and an iBGP sink,
// with one route that edit may change.
func small(edit func(c *gen.Case, r *wire.Attrs)) *gen.Case {
	address := netip.MustParseAddr
	attrs := &wire.Attrs{
		Path: []wire.Segment{{Type: wire.Sequence, ASNs: []uint32{64580, 65010}}}, NextHop: address("10.255.1.2"),
	}
	c := &gen.Case{Library: policy.Library{RouteMaps: map[string]policy.RouteMap{}}}
	for i, asn := range []uint32{64580, 64999, gen.LocalASN} {
		c.Neighbors = append(c.Neighbors, gen.Neighbor{
			Name: []string{"feeder", "sink-ebgp", "sink-ibgp"}[i], ASN: asn,
			Address: netip.AddrFrom4([4]byte{10, 255, byte(i + 1), 2}), Self: netip.AddrFrom4([4]byte{10, 255, byte(i + 1), 1}),
			Import: policy.Chain{Accept: true}, Export: policy.Chain{Accept: true},
		})
	}
	c.Neighbors[0].Routes = []wire.Route{{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Attrs: attrs}}
	edit(c, attrs)
	return c
}
