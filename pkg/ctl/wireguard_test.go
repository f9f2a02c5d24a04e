package ctl

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/tunnel"
)

// wireguardTunnels are tunnels of WireGuard in each state.
func wireguardTunnels() []api.Tunnel {
	own := tunnel.NewPrivate([32]byte{8})
	peer := tunnel.Peer{
		Public: tunnel.NewPrivate([32]byte{16}).Public(), Endpoint: netip.MustParseAddrPort("203.0.113.9:51820"), Keepalive: 25 * time.Second,
	}
	up := api.Tunnel{Status: tunnel.Status{
		Tunnel: tunnel.Tunnel{Name: "wg0", Port: 51820, WireGuard: &tunnel.WireGuard{Private: own, Port: 51820, Peer: peer}},
		State:  "up", Underlay: "eth0", Source: netip.MustParseAddr("10.0.0.4"), Actual: 1440,
		Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.1.1/30")},
		Stats:     tunnel.Stats{RxPackets: 12, TxPackets: 13, RxBytes: 1408, TxBytes: 1512},
		Peer:      tunnel.PeerState{Peer: peer, LastHandshake: ago(0, 1, 30), RxBytes: 2204, TxBytes: 2310},
	}, Peers: []api.TunnelPeer{{Remote: peer.Endpoint.Addr(), Neighbor: netip.MustParseAddr("169.254.1.2"), Up: true, By: "bgp"}}}

	silent := up
	silent.Name, silent.Port, silent.State, silent.Reason, silent.Peers = "wg1", 51821, "down", "no handshake with the peer for more than 3m15s", nil
	pinned := *up.WireGuard
	pinned.Pinned, pinned.Peer.Preshared = true, tunnel.NewShared([32]byte{1})
	silent.WireGuard, silent.Addresses = &pinned, []netip.Prefix{netip.MustParsePrefix("169.254.1.5/30")}
	silent.Peer.LastHandshake = ago(0, 4, 0)

	unknown := up
	caller := *up.WireGuard
	caller.Peer.Endpoint = netip.AddrPort{}
	unknown.Name, unknown.Port, unknown.WireGuard, unknown.Userspace, unknown.Underlay, unknown.Source = "wg2", 51822, &caller, true, "", netip.Addr{}
	unknown.State, unknown.Reason, unknown.Actual, unknown.Peers = "down", "no handshake with the peer yet", 1420, nil
	unknown.Peer, unknown.Addresses = tunnel.PeerState{Peer: caller.Peer}, []netip.Prefix{netip.MustParsePrefix("169.254.1.9/30")}
	return []api.Tunnel{up, silent, unknown}
}
