package config

import (
	"fmt"
	"net/netip"
)

// IsRouteServer reports whether n is taken for an instance of an Azure Route
// Server: AS 65515, more than one hop away.
func (c *Config) IsRouteServer(n *Neighbor) bool {
	return n.RemoteASN == routeServerASN && n.OwnASN(c) != routeServerASN && n.EBGPMultihop > 1 && n.Address.Is4()
}

// ServerSubnets is what RouteServerSubnet may be, for an instance at a: a subnet
// of Azure's /27 at least, at whose begin the instances are.
func ServerSubnets(a netip.Addr) (out []netip.Prefix) {
	smallest, err := a.Prefix(serverSubnetBits)
	if err != nil {
		return nil
	}
	for bits := serverSubnetBits; bits >= 24; bits-- {
		if p := netip.PrefixFrom(smallest.Addr(), bits); p == p.Masked() {
			out = append(out, p)
		}
	}
	return out
}

// HasStatic reports whether a static route of the file, not a default one,
// covers a.
func (c *Config) HasStatic(a netip.Addr) bool {
	for _, s := range c.Statics {
		if s.Prefix.Bits() > 0 && s.Prefix.Contains(a) {
			return true
		}
	}
	return false
}

// HasTunnel reports whether a tunnel of the file is called name.
func (c *Config) HasTunnel(name string) bool {
	for _, t := range c.Tunnels {
		if t.Name == name {
			return true
		}
	}
	return false
}

// azureReserved is the 16-bit ASNs that Azure keeps for itself or that IANA
// reserves: a Route Server refuses them from an NVA.
var azureReserved = [][2]uint32{
	{8074, 8075}, {12076, 12076}, {23456, 23456}, {64496, 64511},
	{65515, 65515}, {65517, 65520}, {65535, 65551},
}

// azureASN reports an own ASN with which a Route Server does not peer. A
// neighbor of AS 65515 is taken for one.
func (v *checker) azureASN(key string, n *Neighbor) {
	own := n.OwnASN(v.cfg)
	if n.RemoteASN != routeServerASN || own == 0 {
		return
	}
	var msg string
	for _, r := range azureReserved {
		if own >= r[0] && own <= r[1] {
			msg = fmt.Sprintf("Azure Route Server (AS %d) does not peer with AS %d, which is reserved", routeServerASN, own)
		}
	}
	if msg == "" && own > maxUint16 {
		msg = fmt.Sprintf("Azure Route Server (AS %d) peers with 16-bit ASNs only, got %d", routeServerASN, own)
	}
	switch {
	case msg == "":
	case n.LocalASN == 0:
		v.fail("asn", "%s", msg)
	default:
		v.fault(key, n, []string{"local-asn"}, "%s", msg)
	}
}
