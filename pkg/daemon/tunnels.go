package daemon

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/kernel"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/tunnel"
)

// Tunnels implements api.Reader.
func (d *daemon) Tunnels(ctx context.Context) ([]api.Tunnel, error) { return d.ask.tunnels(ctx) }

func (d *daemon) askTunnels(ctx context.Context) ([]api.Tunnel, error) {
	list, err := d.plane.Tunnels(ctx)
	if err != nil {
		return nil, err
	}
	neighbors, err := d.Neighbors(ctx)
	if err != nil {
		return nil, err
	}
	rules, _ := d.plane.NAT(ctx) // if the kernel does not answer, nothing is known to guard the tunnels
	out := make([]api.Tunnel, 0, len(list))
	for _, s := range list {
		t := api.Tunnel{Status: s, Peers: peersOf(s, neighbors, outerRemote)}
		if s.WireGuard == nil {
			t.FDB = forwarding(s.Name)
		} else {
			t.Reason = d.wg.reason(s)
		}
		d.addFarEnds(&t, outerRemote)
		dropped, guarded := nat.Dropped(rules, t.Name)
		t.Dropped, t.Unguarded = dropped, !guarded
		out = append(out, t)
	}
	return out, nil
}

// forwarding reads the forwarding database of a tunnel's device: empty if there is
// no device.
func forwarding(link string) []tunnel.Entry {
	l, err := net.InterfaceByName(link)
	if err != nil {
		return nil
	}
	entries, _ := kernel.Forwarding(kernel.Namespace{}, l.Index) // none on an error
	return inOrder(entries)
}

// inOrder sorts configured entries before learned ones, then by remote.
func inOrder(entries []tunnel.Entry) []tunnel.Entry {
	slices.SortStableFunc(entries, func(a, b tunnel.Entry) int {
		switch {
		case a.Permanent == b.Permanent:
			return a.Remote.Compare(b.Remote)
		case a.Permanent:
			return -1
		}
		return 1
	})
	return entries
}

// peersOf lists the neighbors within the tunnel's subnets, and whether they are
// alive. If the tunnel has several remotes, outer says which one each is behind.
func peersOf(t tunnel.Status, neighbors []api.Neighbor, outer func(string, netip.Addr) netip.Addr) []api.TunnelPeer {
	var out []api.TunnelPeer
	for i := range neighbors {
		n := &neighbors[i]
		if !slices.ContainsFunc(t.Addresses, func(p netip.Prefix) bool { return p.Contains(n.Address) }) {
			continue
		}
		p := api.TunnelPeer{Neighbor: n.Address, Remote: remoteOf(t, n.Address, outer)}
		p.Up, p.By = alive(n)
		out = append(out, p)
	}
	return out
}

// remoteOf returns the remote that an address in a tunnel's subnet is behind.
func remoteOf(t tunnel.Status, inner netip.Addr, outer func(string, netip.Addr) netip.Addr) netip.Addr {
	switch {
	case t.WireGuard != nil:
		return t.Peer.Endpoint.Addr()
	case len(t.Remotes) == 1:
		return t.Remotes[0]
	}
	return outer(t.Name, inner)
}

// addFarEnds adds the gateways of static routes that BFD watches on the tunnel. If
// everybody whom a tunnel leads to is dead, the tunnel is down.
func (d *daemon) addFarEnds(t *api.Tunnel, outer func(string, netip.Addr) netip.Addr) {
	cfg := d.config.get()
	i := slices.IndexFunc(cfg.Tunnels, func(c config.Tunnel) bool { return c.Name == t.Name })
	if i < 0 || !cfg.Tunnels[i].BFD.Enabled {
		return
	}
	sessions, deaths := d.liveness.sessions(), d.liveness.deaths()
	for _, end := range cfg.FarEnds(&cfg.Tunnels[i]) {
		if slices.ContainsFunc(t.Peers, func(p api.TunnelPeer) bool { return p.Neighbor == end.Remote }) {
			continue
		}
		p := farEnd(sessions[end.Remote], deaths[end.Remote])
		p.Neighbor, p.Remote = end.Remote, remoteOf(t.Status, end.Remote, outer)
		t.Peers = append(t.Peers, p)
	}
	takeDown(t, deaths)
}

// farEnd is a far end as BFD sees it; dead is why it counts as dead.
func farEnd(s bfd.Status, dead string) api.TunnelPeer {
	p := api.TunnelPeer{Gateway: true, Up: s.State == bfd.Up, By: "bfd", Reason: dead}
	switch {
	case p.Up:
		p.Reason = ""
	case s.Error != "":
		p.Reason = s.Error
	case dead == "" && s.RemoteState == bfd.AdminDown && s.RemoteDiscriminator != 0:
		p.Reason = "the other end has shut BFD down, the routes stay"
	}
	return p
}

// takeDown marks a tunnel whose device is up as down if all its peers are dead.
func takeDown(t *api.Tunnel, deaths map[netip.Addr]string) {
	there := func(p api.TunnelPeer) bool {
		_, dead := deaths[p.Neighbor]
		return !dead
	}
	if t.State == "up" && len(t.Peers) > 0 && !slices.ContainsFunc(t.Peers, there) {
		t.State, t.Reason = "down", "no far end answers"
	}
}

// alive reports whether a neighbor is alive, and which protocol says so: BFD once it
// has been up, else BGP.
func alive(n *api.Neighbor) (up bool, by string) {
	if b := n.BFD; b != nil && (b.State == bfd.Up || b.Flaps > 0) {
		return b.State == bfd.Up, "bfd"
	}
	return n.State == speaker.EstablishedState, "bgp"
}

// noOuter is for those who do not want to ask the kernel which remote a neighbor is behind.
func noOuter(string, netip.Addr) netip.Addr { return netip.Addr{} }

// outerRemote returns the remote that a neighbor on a tunnel is behind; invalid if
// the device has not learned it.
func outerRemote(link string, neighbor netip.Addr) netip.Addr {
	l, err := net.InterfaceByName(link)
	if err != nil {
		return netip.Addr{}
	}
	remote, _ := kernel.OuterRemote(kernel.Namespace{}, l.Index, neighbor) // invalid on an error
	return remote
}
