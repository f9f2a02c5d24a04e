package config

import (
	"net/netip"
	"slices"
)

// unboundPeers reports the addresses that nvad talks to through a tunnel of several
// remotes, any of which could take them.
func (w *warner) unboundPeers(i int) {
	t := &w.cfg.Tunnels[i]
	if len(t.Remotes) < 2 {
		return
	}
	for _, a := range w.cfg.within(t) {
		if !slices.ContainsFunc(t.Peers, func(p TunnelPeer) bool { return p.Address == a }) {
			key := w.src.elem("tunnel", i, t.Name)
			w.warn("unbound-peer", key+".peers "+key+".remotes",
				"any of the %d remotes can take the address %s: say whose it is, as in peers = [\"%s=%s\"]", len(t.Remotes), a, t.Remotes[0], a)
		}
	}
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
