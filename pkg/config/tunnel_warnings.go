package config

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
)

// Sizes of packets in Azure. VNets carry 1500 bytes to each other; a segment
// that leaves room for VXLAN and for TCP/IP is never cut into fragments, of
// which Azure drops those out of order.
const (
	azureMTU  = 1500
	vxlanIPv4 = 50
	vxlanIPv6 = 70
	tcpIPv4   = 40
)

func (w *warner) tunnel(i int) {
	t := &w.cfg.Tunnels[i]
	key := w.src.Elem("tunnel", i, t.Name)
	if t.Group.IsValid() {
		w.warn("multicast", key+".group", "Azure carries no multicast; name the remotes instead")
	}
	most := azureMTU - vxlanIPv4
	if slices.ContainsFunc(t.underlay(), netip.Addr.Is6) {
		most = azureMTU - vxlanIPv6
	}
	if t.MTU > most {
		w.warn("mtu", key+".mtu", "VNets carry packets of %d bytes to each other, of which VXLAN leaves %d for the tunnel; set mtu to 1400, as Azure advises", azureMTU, most)
	}
	switch {
	case t.MSSClamp == MSSOff:
		w.warn("mss", key+".mss-clamp", "hosts behind the tunnel do not know its MTU, so that their TCP sends segments that do not fit; set mss-clamp to 1350, as Azure advises")
	case int(t.MSSClamp) > most-tcpIPv4:
		w.warn("mss", key+".mss-clamp", "segments of %d bytes do not fit into Azure's packets of %d bytes with VXLAN around them, at most %d do; set mss-clamp to 1350, as Azure advises", t.MSSClamp, azureMTU, most-tcpIPv4)
	}
}

// unboundPeers reports the addresses that nvad talks to through a tunnel of several
// remotes, any of which could take them.
func (w *warner) unboundPeers(i int) {
	t := &w.cfg.Tunnels[i]
	if len(t.Remotes) < 2 {
		return
	}
	for _, a := range w.cfg.within(t) {
		if !slices.ContainsFunc(t.Peers, func(p TunnelPeer) bool { return p.Address == a }) {
			key := w.src.Elem("tunnel", i, t.Name)
			w.warn("unbound-peer", key+".peers "+key+".remotes",
				"any of the %d remotes can take the address %s: say whose it is, as in peers = [\"%s=%s\"]", len(t.Remotes), a, t.Remotes[0], a)
		}
	}
}

// sharedSubnets reports an address or a subnet that an earlier tunnel has too: the
// kernel looks for a neighbor there behind one of the two only. Link-local IPv6
// addresses belong to their device.
func (w *warner) sharedSubnets(i int) {
	t := &w.cfg.Tunnels[i]
	key := w.src.Elem("tunnel", i, t.Name) + ".address"
	for _, o := range w.cfg.Tunnels[:i] {
		for _, p := range t.Addresses {
			for _, q := range o.Addresses {
				switch {
				case p.Addr().Is6() && p.Addr().IsLinkLocalUnicast():
				case p.Addr() == q.Addr():
					w.warn("same-address", key, "%s is the address of tunnel %s too: the kernel reaches neighbors of this subnet through one of the tunnels only, "+
						"and the others stay down; give each tunnel a subnet of its own", p.Addr(), o.Name)
				case p.Masked() == q.Masked():
					w.warn("same-subnet", key, "%s is the subnet of tunnel %s too: the kernel reaches its neighbors through one of the tunnels only, "+
						"and the others stay down; give each tunnel a subnet of its own", p.Masked(), o.Name)
				}
			}
		}
	}
}

// outsideTunnel reports a neighbor that is meant to be at the other end of a tunnel,
// as far as the file tells, but has an address that does not lead there.
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
			w.warn("outside-tunnel", key, "%s is in no subnet of tunnel %s, whose address %s is this neighbor's local-address: "+
				"packets to it do not enter the tunnel; give both ends an address of one subnet", n.Address, t.Name, n.LocalAddress)
			return
		case slices.Contains(t.Remotes, n.Address) && !w.setsNextHop(n):
			w.warn("outside-tunnel", key, "%s is the remote of tunnel %s, not its address inside: the session and the next hops bypass the tunnel, "+
				"so packets leave without VXLAN; use the other end's address inside the tunnel", n.Address, t.Name)
			return
		case t.hasLinkLocal():
			linkLocal = t
		}
	}
	if linkLocal != nil && n.Address.Is4() && n.Address.IsLinkLocalUnicast() {
		w.warn("outside-tunnel", key, "%s is in no tunnel's subnet, and VNets do not carry 169.254.0.0/16: packets to it go nowhere; "+
			"tunnel %s has %s: correct the address, or the length of the prefix", n.Address, linkLocal.Name, linkLocal.Addresses[0])
	}
}

// hasLinkLocal reports whether the tunnel uses 169.254.0.0/16, as overlays in Azure do.
func (t *Tunnel) hasLinkLocal() bool {
	return slices.ContainsFunc(t.Addresses, func(p netip.Prefix) bool { return p.Addr().Is4() && p.Addr().IsLinkLocalUnicast() })
}

// setsNextHop reports whether the import route-map of n may give routes a next hop.
func (w *warner) setsNextHop(n *Neighbor) bool {
	return slices.ContainsFunc(w.cfg.Policies.RouteMaps[n.Import.RouteMap], func(c policy.Clause) bool {
		return c.Set.NextHop != "" || c.Set.NextHopIPv6.IsValid() || c.Call != ""
	})
}

// within is the neighbors and far ends that lie in a subnet of t, each once.
func (c *Config) within(t *Tunnel) (list []netip.Addr) {
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
