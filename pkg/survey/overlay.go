package survey

// Complete fills in what the journal does not say of an earlier state, and what seldom changes: names,
// addresses, and which neighbor is behind which tunnel. It takes them from a present state.
func (n *NVA) Complete(present *NVA) {
	n.Host, n.VNets = present.Host, present.VNets
	if n.ASN == 0 {
		n.ASN, n.RouterID = present.ASN, present.RouterID
	}
	for _, l := range present.Links {
		n.Links = append(n.Links, Link{Name: l.Name, Up: true, MTU: l.MTU, Addresses: l.Addresses})
	}
	up := map[string]bool{}
	for i := range n.Neighbors {
		v := &n.Neighbors[i]
		up[v.Address] = v.Up
		for _, now := range present.Neighbors {
			if now.Address == v.Address {
				v.Description, v.PeerGroup, v.Domain, v.LocalASN = now.Description, now.PeerGroup, now.Domain, now.LocalASN
				v.LocalAddress, v.ListenRange, v.Tunnel = now.LocalAddress, now.ListenRange, now.Tunnel
			}
		}
	}
	for i := range n.Tunnels {
		v := &n.Tunnels[i]
		for _, now := range present.Tunnels {
			if now.Name == v.Name {
				v.Kind, v.Local, v.Remotes, v.Device, v.Port, v.Addresses, v.MTU = now.Kind, now.Local, now.Remotes, now.Device, now.Port, now.Addresses, now.MTU
				for _, p := range now.Peers {
					v.Peers = append(v.Peers, Peer{Remote: p.Remote, Neighbor: p.Neighbor, Up: up[p.Neighbor], By: p.By})
				}
			}
		}
	}
}
