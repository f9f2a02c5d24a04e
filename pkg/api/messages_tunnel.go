package api

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/tunnel"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func tunnelMessage(t Tunnel) *nvadv1.Tunnel {
	return &nvadv1.Tunnel{
		Name:      t.Name,
		Vni:       t.VNI,
		State:     t.State,
		Reason:    t.Reason,
		Local:     text(t.Source),
		Remotes:   convert(t.Remotes, text[netip.Addr]),
		Group:     text(t.Group),
		Device:    t.Underlay,
		Port:      port(t.Status),
		Mtu:       uint32(t.Actual),
		Mac:       t.MAC.String(),
		Addresses: convert(slices.DeleteFunc(slices.Clone(t.Addresses), everyDeviceHas), text[netip.Prefix]),
		RxPackets: t.Stats.RxPackets,
		TxPackets: t.Stats.TxPackets,
		RxBytes:   t.Stats.RxBytes,
		TxBytes:   t.Stats.TxBytes,
		Fdb:       convert(t.FDB, fdbMessage),
		Peers: convert(t.Peers, func(p TunnelPeer) *nvadv1.TunnelPeer {
			return &nvadv1.TunnelPeer{Remote: text(p.Remote), Neighbor: text(p.Neighbor), Up: p.Up, By: p.By, Gateway: p.Gateway, Reason: p.Reason}
		}),
		MtuWarning: t.Warning,
		Dropped: convert(t.Dropped, func(d nat.DropCount) *nvadv1.TunnelDrop {
			return &nvadv1.TunnelDrop{Reason: d.Reason, Packets: d.Packets, Bytes: d.Bytes}
		}),
		Unguarded: t.Unguarded,
		Wireguard: wireguardMessage(t.Status),
	}
}

// wireguardMessage returns what is particular to WireGuard; nil for VXLAN.
func wireguardMessage(t tunnel.Status) *nvadv1.WireGuard {
	w, p := t.WireGuard, t.Peer
	if w == nil {
		return nil
	}
	m := &nvadv1.WireGuard{
		PeerPublicKey: w.Peer.Public.String(), PresharedKey: !w.Peer.Preshared.IsZero(), Pinned: w.Pinned, KeepaliveSeconds: seconds(w.Peer.Keepalive),
		LastHandshake: stamp(p.LastHandshake), RxBytes: p.RxBytes, TxBytes: p.TxBytes, Userspace: t.Userspace,
	}
	if !w.Private.IsZero() {
		m.PublicKey = w.Private.Public().String()
	}
	if p.Endpoint.IsValid() {
		m.Endpoint = p.Endpoint.String()
	}
	return m
}

// port returns the UDP port of a tunnel: where its packets go, or for WireGuard, where this end
// listens.
func port(t tunnel.Status) uint32 {
	if t.WireGuard != nil {
		return uint32(t.Port)
	}
	return uint32(cmp.Or(t.Port, tunnel.DefaultPort))
}

// everyDeviceHas reports whether p is an IPv6 link-local address. Every device has
// one, so that it says nothing about a tunnel or about who is behind it.
func everyDeviceHas(p netip.Prefix) bool { return p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() }

func fdbMessage(e tunnel.Entry) *nvadv1.FDBEntry {
	m := &nvadv1.FDBEntry{Mac: e.MAC.String(), Remote: text(e.Remote), Permanent: e.Permanent, AgeSeconds: seconds(e.Age)}
	for _, a := range e.Addresses {
		if !everyDeviceHas(netip.PrefixFrom(a, a.BitLen())) {
			m.Addresses = append(m.Addresses, a.String())
		}
	}
	return m
}
