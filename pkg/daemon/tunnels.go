package daemon

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/kernel"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/tunnel"
)

// Tunnels implements api.Reader.
func (d *daemon) Tunnels(ctx context.Context) ([]engine.TunnelView, error) { return d.ask.tunnels(ctx) }

func (d *daemon) askTunnels(ctx context.Context) ([]engine.TunnelView, error) {
	list, err := d.plane.Tunnels(ctx)
	if err != nil {
		return nil, err
	}
	neighbors, err := d.Neighbors(ctx)
	if err != nil {
		return nil, err
	}
	rules, _ := d.plane.NAT(ctx) // without an answer nothing is known to guard
	out := make([]engine.TunnelView, 0, len(list))
	for _, t := range list {
		v := tunnelView(t)
		v.FDB = fdbViews(forwarding(t.Name))
		v.Peers = peersOf(t, neighbors, outerRemote)
		d.addFarEnds(&v)
		dropped, guarded := nat.Dropped(rules, t.Name)
		v.Dropped, v.Unguarded = dropped, !guarded
		out = append(out, v)
	}
	return out, nil
}

func tunnelView(t tunnel.Status) engine.TunnelView {
	v := engine.TunnelView{
		Name: t.Name, VNI: t.VNI, Remotes: t.Remotes, Group: t.Group, Device: t.Underlay, Local: t.Source,
		Port: t.Port, MTU: t.Actual, MAC: t.MAC.String(), State: t.State, Reason: t.Reason,
		Warning:   t.Warning,
		RxPackets: t.Stats.RxPackets, TxPackets: t.Stats.TxPackets, RxBytes: t.Stats.RxBytes, TxBytes: t.Stats.TxBytes,
	}
	if v.Port == 0 {
		v.Port = tunnel.DefaultPort
	}
	for _, p := range t.Addresses {
		if a := p.Addr(); a.Is4() || !a.IsLinkLocalUnicast() { // every device has one of these
			v.Addresses = append(v.Addresses, p)
		}
	}
	return v
}

// forwarding reads what the device of a tunnel has been given and has learned; it
// has nothing where there is no device.
func forwarding(link string) []tunnel.Entry {
	l, err := net.InterfaceByName(link)
	if err != nil {
		return nil
	}
	entries, err := kernel.Forwarding(kernel.Namespace{}, l.Index)
	if err != nil {
		return nil
	}
	return entries
}

// fdbViews lists what was given before what was learned. A link-local address, which
// every device has, says of nobody who it is.
func fdbViews(entries []tunnel.Entry) []engine.FDBView {
	var out []engine.FDBView
	for _, e := range entries {
		v := engine.FDBView{MAC: e.MAC.String(), Remote: e.Remote, Permanent: e.Permanent, Age: e.Age}
		for _, a := range e.Addresses {
			if !a.IsLinkLocalUnicast() || a.Is4() {
				v.Addresses = append(v.Addresses, a)
			}
		}
		out = append(out, v)
	}
	slices.SortStableFunc(out, func(a, b engine.FDBView) int {
		switch {
		case a.Permanent == b.Permanent:
			return a.Remote.Compare(b.Remote)
		case a.Permanent:
			return -1
		}
		return 1
	})
	return out
}

// peersOf are the neighbors that a tunnel leads to, those within its subnets, and
// whether they are alive. Which remote each is behind is asked of outer where there
// are several.
func peersOf(t tunnel.Status, neighbors []engine.NeighborView, outer func(string, netip.Addr) netip.Addr) []engine.TunnelPeerView {
	var out []engine.TunnelPeerView
	for _, n := range neighbors {
		if !slices.ContainsFunc(t.Addresses, func(p netip.Prefix) bool { return p.Contains(n.Address) }) {
			continue
		}
		p := engine.TunnelPeerView{Neighbor: n.Address}
		p.Up, p.By = alive(n)
		p.Remote = remoteOf(t.Name, t.Remotes, n.Address, outer)
		out = append(out, p)
	}
	return out
}

// remoteOf is the remote of a tunnel that an address on it is behind.
func remoteOf(name string, remotes []netip.Addr, inner netip.Addr, outer func(string, netip.Addr) netip.Addr) netip.Addr {
	if len(remotes) == 1 {
		return remotes[0]
	}
	return outer(name, inner)
}

// addFarEnds adds the far ends that are no neighbors to v. A tunnel all of whose
// far ends are dead is down.
func (d *daemon) addFarEnds(v *engine.TunnelView) {
	cfg := d.config.get()
	i := slices.IndexFunc(cfg.Tunnels, func(t config.Tunnel) bool { return t.Name == v.Name })
	if i < 0 || !cfg.Tunnels[i].BFD.Enabled {
		return
	}
	sessions, deaths := d.liveness.sessions(), d.liveness.deaths()
	for _, end := range cfg.FarEnds(&cfg.Tunnels[i]) {
		if slices.ContainsFunc(v.Peers, func(p engine.TunnelPeerView) bool { return p.Neighbor == end.Remote }) {
			continue
		}
		p := farEndView(sessions[end.Remote], deaths[end.Remote])
		p.Neighbor, p.Remote = end.Remote, remoteOf(v.Name, v.Remotes, end.Remote, outerRemote)
		v.Peers = append(v.Peers, p)
	}
	takeDown(v, deaths)
}

// farEndView is what BFD says of a far end; dead is why it counts as dead.
func farEndView(s bfd.Status, dead string) engine.TunnelPeerView {
	p := engine.TunnelPeerView{Gateway: true, Up: s.State == bfd.Up, By: "bfd", Reason: dead}
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

// takeDown has a tunnel that seems up be down if nobody that it leads to is there.
func takeDown(v *engine.TunnelView, deaths map[netip.Addr]string) {
	there := func(p engine.TunnelPeerView) bool {
		_, dead := deaths[p.Neighbor]
		return !dead
	}
	if v.State == "up" && len(v.Peers) > 0 && !slices.ContainsFunc(v.Peers, there) {
		v.State, v.Reason = "down", "no far end answers"
	}
}

// alive says whether a neighbor is, and what tells: BFD if it has ever been up.
func alive(n engine.NeighborView) (up bool, by string) {
	if b := n.BFD; b != nil && (b.State == bfd.Up.String() || b.Flaps > 0) {
		return b.State == bfd.Up.String(), "bfd"
	}
	return n.State == speaker.EstablishedState, "bgp"
}

// outerRemote is the remote of a tunnel that a neighbor on it is behind; invalid if
// the device has not learned that.
func outerRemote(link string, neighbor netip.Addr) netip.Addr {
	l, err := net.InterfaceByName(link)
	if err != nil {
		return netip.Addr{}
	}
	remote, err := kernel.OuterRemote(kernel.Namespace{}, l.Index, neighbor)
	if err != nil {
		return netip.Addr{}
	}
	return remote
}
