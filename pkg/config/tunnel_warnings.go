package config

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
)

// Packet sizes in Azure. VNets carry packets of 1500 bytes between each other, and so does
// the internet. A segment that leaves room for the tunnel and TCP/IP is never fragmented;
// Azure drops fragments that arrive out of order.
const (
	azureMTU      = 1500
	vxlanIPv4     = 50
	vxlanIPv6     = 70
	wireguardIPv4 = 60
	wireguardIPv6 = 80
	tcpIPv4       = 40

	// What Azure advises for tunnels of any kind: an MTU of 1400, and segments of 1350.
	azureAdvice = 1400
	mssLess     = 50
)

// room returns how large a packet a tunnel can carry in Azure, and what is around it.
func (c *Config) room(t *Tunnel) (most int, around string) {
	if t.Type == TunnelWireGuard {
		if t.WireGuard.Endpoint.Address().Addr().Is4() {
			return azureMTU - wireguardIPv4, "WireGuard"
		}
		return azureMTU - wireguardIPv6, "WireGuard"
	}
	most, around = azureMTU, "VXLAN"
	i := slices.IndexFunc(c.Tunnels, func(o Tunnel) bool { return o.Type == TunnelWireGuard && o.Name == t.Device })
	if i >= 0 {
		most, _ = c.room(&c.Tunnels[i])
		around = "VXLAN in WireGuard"
	}
	if slices.ContainsFunc(t.underlay(), netip.Addr.Is6) {
		return most - vxlanIPv6, around
	}
	return most - vxlanIPv4, around
}

func (w *warner) tunnel(i int) {
	t := &w.cfg.Tunnels[i]
	key := w.src.Elem("tunnel", i, t.Name)
	if t.Group.IsValid() {
		w.warn("multicast", key+".group", "Azure does not carry multicast; list the other ends in remotes instead")
	}
	most, around := w.cfg.room(t)
	if t.MTU > most {
		w.warn("mtu", key+".mtu", "VNets carry packets of %d bytes between each other, and %s leaves %d of these for the tunnel; "+
			"set mtu to %d, as Azure advises", azureMTU, around, most, min(azureAdvice, most))
	}
	switch {
	case t.MSSClamp == MSSOff:
		w.warn("mss", key+".mss-clamp", "hosts behind the tunnel do not know its MTU, so they send TCP segments that do not fit; "+
			"set mss-clamp to %d, as Azure advises", min(azureAdvice-mssLess, most-tcpIPv4))
	case int(t.MSSClamp) > most-tcpIPv4:
		w.warn("mss", key+".mss-clamp", "with %s around them, segments of %d bytes do not fit into Azure's packets of %d bytes, at most %d do; "+
			"set mss-clamp to %d, as Azure advises", around, t.MSSClamp, azureMTU, most-tcpIPv4, min(azureAdvice-mssLess, most-tcpIPv4))
	}
}

// unboundPeers warns of addresses that nvad talks to through a tunnel with several
// remotes if any of the remotes could claim them.
func (w *warner) unboundPeers(i int) {
	t := &w.cfg.Tunnels[i]
	if len(t.Remotes) < 2 {
		return
	}
	for _, a := range w.cfg.Inside(t) {
		if !slices.ContainsFunc(t.Peers, func(p TunnelPeer) bool { return p.Address == a }) {
			key := w.src.Elem("tunnel", i, t.Name)
			w.warn("unbound-peer", key+".peers "+key+".remotes",
				"each of the %d remotes can claim the address %s; name its owner, as in peers = [\"%s=%s\"]", len(t.Remotes), a, t.Remotes[0], a)
		}
	}
}

// sharedSubnets warns of an address or a subnet that an earlier tunnel has, too: the
// kernel looks for a neighbor there behind only one of the two. Link-local IPv6
// addresses may repeat, since each belongs to its device.
func (w *warner) sharedSubnets(i int) {
	t := &w.cfg.Tunnels[i]
	key := w.src.Elem("tunnel", i, t.Name) + ".address"
	for _, o := range w.cfg.Tunnels[:i] {
		for _, p := range t.Addresses {
			for _, q := range o.Addresses {
				switch {
				case p.Addr().Is6() && p.Addr().IsLinkLocalUnicast():
				case p.Addr() == q.Addr():
					w.warn("same-address", key, "%s is also the address of tunnel %s: the kernel reaches neighbors in this subnet through only one of the tunnels, "+
						"and the others stay down; give each tunnel a subnet of its own", p.Addr(), o.Name)
				case p.Masked() == q.Masked():
					w.warn("same-subnet", key, "%s is also the subnet of tunnel %s: the kernel reaches its neighbors through only one of the tunnels, "+
						"and the others stay down; give each tunnel a subnet of its own", p.Masked(), o.Name)
				}
			}
		}
	}
}

// outsideTunnel warns of a neighbor that seems to be at the other end of a tunnel, but
// whose address does not lead into it.
func (w *warner) outsideTunnel(i int) {
	n := &w.cfg.Neighbors[i]
	if n.EBGPMultihop > 1 || w.cfg.HasStatic(n.Address) {
		return
	}
	key := w.src.Elem("neighbor", i, n.Address) + ".address"
	inside := func(t *Tunnel) bool {
		return slices.ContainsFunc(t.Addresses, func(p netip.Prefix) bool { return p.Contains(n.Address) })
	}
	var linkLocal *Tunnel
	for j := range w.cfg.Tunnels {
		t := &w.cfg.Tunnels[j]
		own := slices.ContainsFunc(t.Addresses, func(p netip.Prefix) bool { return p.Addr() == n.LocalAddress })
		switch {
		case inside(t):
			return
		case own:
			w.warn("outside-tunnel", key, "%s is in no subnet of tunnel %s, although the tunnel's address %s is this neighbor's local-address: "+
				"packets to it do not enter the tunnel; give both ends an address in the same subnet", n.Address, t.Name, n.LocalAddress)
			return
		case (slices.Contains(t.Remotes, n.Address) || t.WireGuard.Endpoint.Address().Addr() == n.Address) && !w.setsNextHop(n):
			_, around := w.cfg.room(t)
			w.warn("outside-tunnel", key, "%s is the remote of tunnel %s, not an address inside it: the session and the next hops bypass the tunnel, "+
				"so packets leave without %s; use the other end's address inside the tunnel", n.Address, t.Name, around)
			return
		case t.hasLinkLocal():
			linkLocal = t
		}
	}
	if linkLocal != nil && n.Address.Is4() && n.Address.IsLinkLocalUnicast() {
		w.warn("outside-tunnel", key, "%s is in no tunnel's subnet, and VNets do not carry 169.254.0.0/16, so packets to it are lost; "+
			"tunnel %s has %s: correct the address or the prefix length", n.Address, linkLocal.Name, linkLocal.Addresses[0])
	}
}

// hasLinkLocal reports whether the tunnel uses 169.254.0.0/16, as overlays in Azure
// usually do.
func (t *Tunnel) hasLinkLocal() bool {
	return slices.ContainsFunc(t.Addresses, func(p netip.Prefix) bool { return p.Addr().Is4() && p.Addr().IsLinkLocalUnicast() })
}

// setsNextHop reports whether the import route-map of n may set a next hop.
func (w *warner) setsNextHop(n *Neighbor) bool {
	return slices.ContainsFunc(w.cfg.Policies.RouteMaps[n.Import.RouteMap], func(c policy.Clause) bool {
		return c.Set.NextHop != "" || c.Set.NextHopIPv6.IsValid() || c.Call != ""
	})
}

// Inside returns the neighbors and far ends in a subnet of t, each once.
func (c *Config) Inside(t *Tunnel) (list []netip.Addr) {
	for _, n := range c.Neighbors {
		if slices.ContainsFunc(t.Addresses, func(p netip.Prefix) bool { return p.Contains(n.Address) }) {
			list = append(list, n.Address)
		}
	}
	for _, end := range c.FarEnds(t) {
		if !slices.Contains(list, end.Remote) {
			list = append(list, end.Remote)
		}
	}
	return list
}
