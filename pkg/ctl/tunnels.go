package ctl

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) tunnelsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tunnels [NAME]",
		Short: "Show the tunnels, or one in detail",
		Long: `Show every configured VXLAN and WireGuard tunnel and its state. With NAME, show
one tunnel in detail, with its packet counts and its forwarding database, or its
keys and its last handshake. Private keys are never shown.`,
		Example: `  nvactl tunnels
  nvactl tunnels vxlan0
  nvactl tunnels vxlan0 -o json | jq .peers`,
		ValidArgsFunction: a.completeTunnels,
		Annotations:       forSites,
		RunE: a.orSite(a.siteTunnels, func(ctx context.Context, c *client, args []string) error {
			req := &nvadv1.ListTunnelsRequest{}
			if len(args) == 1 {
				req.Name = args[0]
			}
			r, err := c.read.ListTunnels(ctx, req)
			if len(args) == 0 || err != nil {
				return answerList(a, r.GetTunnels(), err, noTunnels, a.printTunnels)
			}
			return answer(a, r.GetTunnels()[0], nil, a.printTunnel)
		}),
	}
	cmd.AddCommand(a.rotateCommand())
	return cmd
}

const noTunnels = "No tunnels are configured."

func (a *app) printTunnels(list []*nvadv1.Tunnel) {
	t := a.newTable(
		column{head: "Name"},
		column{head: "VNI", right: true},
		column{head: "State"},
		column{head: "Local", max: 39, min: 15},
		column{head: "Remote", max: 39, min: 15},
		column{head: "MTU", right: true},
		column{head: "Address", fit: wrapped})
	for _, n := range list {
		vni := decimal(n.GetVni())
		if n.GetWireguard() != nil {
			vni = "wg"
		}
		t.rowWithNote(tunnelNote(n), n.GetName(), vni, n.GetState(), n.GetLocal(),
			cmp.Or(n.GetGroup(), strings.Join(remotes(n), "\n")), mtu(n.GetMtu()), strings.Join(n.GetAddresses(), "\n"))
	}
	t.end()
}

func (a *app) printTunnel(n *nvadv1.Tunnel) {
	p := a.newPage()
	p.heading("Tunnel %s, %s", n.GetName(), network(n.GetWireguard() != nil, n.GetVni()))
	p.field("State", joined(": ", n.GetState(), n.GetReason()))
	p.field("Address", strings.Join(n.GetAddresses(), ", "))
	p.field("MAC", n.GetMac())
	p.field("MTU", mtu(n.GetMtu()))
	p.field("Underlay", underlay(n))
	a.wireguardFields(p, n.GetWireguard())
	p.field("Group", n.GetGroup())
	p.field("Remotes", strings.Join(n.GetRemotes(), ", "))
	p.field("Learned", strings.Join(learned(n), ", "))
	for _, peer := range n.GetPeers() {
		p.field("Peer", peerSentence(peer))
	}
	p.field("Warning", n.GetMtuWarning())
	p.field("Guard", guard(n))
	p.field("Received", traffic(n.GetRxPackets(), n.GetRxBytes()))
	p.field("Sent", traffic(n.GetTxPackets(), n.GetTxBytes()))
	p.print()
	if len(n.GetFdb()) > 0 {
		a.printFDB(n)
	}
}

// network returns "VNI 77", or "WireGuard".
func network(encrypted bool, vni uint32) string {
	if encrypted {
		return "WireGuard"
	}
	return fmt.Sprintf("VNI %d", vni)
}

// remotes returns where the other ends of a tunnel are.
func remotes(n *nvadv1.Tunnel) []string {
	if end := n.GetWireguard().GetEndpoint(); end != "" {
		host, _, err := net.SplitHostPort(end)
		if err == nil {
			return []string{host}
		}
	}
	return slices.Clone(n.GetRemotes())
}

// underlay returns "10.0.0.4 dev eth0, UDP port 4789", as far as it is known.
func underlay(n *nvadv1.Tunnel) string {
	return joined(", ", joined(" ", n.GetLocal(), prefixed("dev ", n.GetDevice())), fmt.Sprintf("UDP port %d", n.GetPort()))
}

// wireguardFields shows the keys and the peer of a WireGuard tunnel.
func (a *app) wireguardFields(p *page, w *nvadv1.WireGuard) {
	if w == nil {
		return
	}
	p.field("Encryption", when(w.GetUserspace(), "by nvad itself, because the kernel has no WireGuard")+when(!w.GetUserspace(), "by the kernel"))
	p.field("Public key", w.GetPublicKey())
	p.field("Peer's key", w.GetPeerPublicKey()+when(w.GetPresharedKey(), ", with a preshared key"))
	p.field("Endpoint", cmp.Or(w.GetEndpoint(), "not known, the peer calls first")+when(w.GetPinned(), ", pinned"))
	p.field("Keepalive", when(w.GetKeepaliveSeconds() > 0, fmt.Sprintf("%d s", w.GetKeepaliveSeconds())))
	p.field("Handshake", strings.TrimPrefix(a.handshake(w), "handshake "))
	p.field("Encrypted", fmt.Sprintf("%d bytes received, %d sent", w.GetRxBytes(), w.GetTxBytes()))
}

// handshake returns "handshake 00:01:30 ago"; empty for VXLAN.
func (a *app) handshake(w *nvadv1.WireGuard) string {
	switch {
	case w == nil:
		return ""
	case w.GetLastHandshake() == nil:
		return "no handshake yet"
	}
	return "handshake " + a.age(w.GetLastHandshake()) + " ago"
}

func (a *app) printFDB(n *nvadv1.Tunnel) {
	line(a.Out, "\nForwarding database")
	roles := make(map[string]string)
	for _, p := range n.GetPeers() {
		roles[p.GetNeighbor()] = role(p)
	}
	t := a.newTable(
		column{head: "  MAC"},
		column{head: "Remote", max: 39},
		column{head: "Kind"},
		column{head: "Age", right: true},
		column{head: "Peer", fit: wrapped})
	for _, e := range n.GetFdb() {
		kind, age := "learned", fmt.Sprintf("%d s", e.GetAgeSeconds())
		if e.GetPermanent() {
			kind, age = "permanent", ""
		}
		t.row("  "+e.GetMac(), e.GetRemote(), kind, age, whose(e, roles))
	}
	t.end()
}

// whose returns the peer to which an entry leads: its addresses on the tunnel, and
// whether it is a neighbor or a gateway.
func whose(e *nvadv1.FDBEntry, roles map[string]string) string {
	var names []string
	for _, addr := range e.GetAddresses() {
		names = append(names, joined(" ", roles[addr], addr))
	}
	if len(names) == 0 && strings.Trim(e.GetMac(), "0:") == "" {
		return "all unknown destinations"
	}
	return strings.Join(names, "\n")
}

// learned returns the remotes that the device has learned.
func learned(n *nvadv1.Tunnel) []string {
	var list []string
	for _, e := range n.GetFdb() {
		if !e.GetPermanent() && !slices.Contains(list, e.GetRemote()) {
			list = append(list, e.GetRemote())
		}
	}
	return list
}

// tunnelNote lists the problems of a tunnel: why it is not up, which peers are not,
// and what is wrong with its MTU.
func tunnelNote(n *nvadv1.Tunnel) string {
	notes := []string{n.GetReason()}
	for _, p := range n.GetPeers() {
		notes = append(notes, when(!p.GetUp(), "peer "+peerSentence(p)))
	}
	notes = append(notes, n.GetMtuWarning(), when(n.GetUnguarded() || len(n.GetDropped()) > 0, guard(n)))
	return joined("; ", notes...)
}

// guard reports the packets dropped by the rules that keep strangers out of a tunnel.
func guard(n *nvadv1.Tunnel) string {
	if n.GetUnguarded() {
		return "unguarded: the rules that keep strangers out are not in the kernel (the log says why)"
	}
	var parts []string
	for _, d := range n.GetDropped() {
		parts = append(parts, fmt.Sprintf("%d (%s)", d.GetPackets(), d.GetReason()))
	}
	return cmp.Or(prefixed("packets dropped: ", strings.Join(parts, ", ")), "nothing dropped")
}

// peerSentence returns "10.10.0.4 up (bfd of neighbor 169.254.0.2)", followed by the
// reason if it is down.
func peerSentence(p *nvadv1.TunnelPeer) string {
	s := fmt.Sprintf("%s %s (%s of %s %s)", cmp.Or(p.GetRemote(), "unknown remote"), upDownWord(p.GetUp()), p.GetBy(), role(p), p.GetNeighbor())
	return joined(": ", s, p.GetReason())
}

// role returns the role of a peer of a tunnel.
func role(p *nvadv1.TunnelPeer) string {
	if p.GetGateway() {
		return "gateway"
	}
	return "neighbor"
}

// mtu returns an MTU, empty if the device does not exist.
func mtu(n uint32) string { return when(n > 0, decimal(n)) }

func traffic(packets, bytes uint64) string {
	return fmt.Sprintf("%d packets, %d bytes", packets, bytes)
}
