package survey

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/drawing"
)

// end is one end of a tunnel: what an NVA knows of it, towards one remote.
type end struct {
	member *Member
	tunnel *Tunnel
	remote string
}

// tunnels returns the tunnels of all NVAs. The two ends of a tunnel within the site are one.
func (p *painter) tunnels() (out []drawing.Tunnel) {
	drawn := map[string]bool{}
	for i := range p.members {
		m := &p.members[i]
		for k := range m.State.Tunnels {
			t := &m.State.Tunnels[k]
			remotes := t.Remotes
			if len(remotes) == 0 {
				remotes = []string{""}
			}
			for _, remote := range remotes {
				here := end{m, t, remote}
				there, known := p.opposite(here)
				if drawn[here.key()] {
					continue
				}
				if known {
					drawn[there.key()] = true
				}
				out = append(out, p.tunnel(here, there, known))
			}
		}
	}
	return out
}

func (e end) key() string {
	if e.tunnel == nil {
		return ""
	}
	return e.member.Name + "\x00" + e.tunnel.Name + "\x00" + e.remote
}

// opposite returns the NVA of the site that has the remote's address, and its end of the tunnel,
// if it has one.
func (p *painter) opposite(here end) (there end, known bool) {
	for i := range p.members {
		m := &p.members[i]
		if m == here.member || !m.State.has(here.remote) {
			continue
		}
		there = end{member: m}
		for k := range m.State.Tunnels {
			t := &m.State.Tunnels[k]
			j := slices.IndexFunc(t.Remotes, here.member.State.has)
			if j >= 0 && t.Kind == here.tunnel.Kind && t.VNI == here.tunnel.VNI {
				return end{m, t, t.Remotes[j]}, true
			}
		}
		return there, true
	}
	return end{}, false
}

// has reports whether an address of the underlay is this NVA's.
func (n *NVA) has(address string) bool {
	if address == "" {
		return false
	}
	return slices.ContainsFunc(n.Tunnels, func(t Tunnel) bool { return t.Local == address }) ||
		slices.ContainsFunc(n.Links, func(l Link) bool {
			return slices.ContainsFunc(l.Addresses, func(a string) bool { return strings.HasPrefix(a, address+"/") })
		})
}

func (p *painter) tunnel(here, there end, known bool) drawing.Tunnel {
	t := drawing.Tunnel{From: here.member.Name}
	t.Part = drawing.Part{Kind: "tunnel", NVA: here.member.Name, Name: here.tunnel.Name, Title: here.tunnel.Name + network(here.tunnel)}
	t.State, t.Word = tunnelState(here)
	t.Rows = sessionsIn(here)
	if !known {
		t.Remote = &drawing.Part{Kind: "remote", NVA: here.member.Name, Name: here.remote, Title: here.remote, Detail: "far end of " + here.tunnel.Name}
		if here.remote == "" {
			t.Remote.Title = "address not known"
		}
		t.Detail = joined(", ", prefixed("over ", here.tunnel.Device), prefixed("MTU ", number(here.tunnel.MTU)), here.tunnel.Reason)
		return t
	}
	t.To = there.member.Name
	mtu := prefixed("MTU ", number(here.tunnel.MTU))
	if there.tunnel == nil {
		t.Detail = joined(", ", t.From+" to "+t.To, t.To+" has no such tunnel")
		t.State, t.Word = drawing.Down, "one end only"
		return t
	}
	if state, word := tunnelState(there); t.State == drawing.Up && state != drawing.Up {
		t.State, t.Word = state, word+" at "+t.To
	}
	if there.tunnel.MTU != here.tunnel.MTU && there.tunnel.MTU != 0 && here.tunnel.MTU != 0 {
		mtu = fmt.Sprintf("MTU %d and %d", here.tunnel.MTU, there.tunnel.MTU)
	}
	t.Detail = joined(", ", t.From+" to "+t.To, mtu, here.tunnel.Reason)
	t.Rows = append(t.Rows, sessionsIn(there)...)
	return t
}

// network returns what tells tunnels of a kind apart.
func network(t *Tunnel) string {
	if t.Kind == "wireguard" {
		return ", WireGuard"
	}
	return fmt.Sprintf(", VXLAN %d", t.VNI)
}

func tunnelState(e end) (drawing.State, string) {
	switch {
	case e.member.Error != "":
		return drawing.Unknown, "not known"
	case e.tunnel.Up:
		return drawing.Up, "up"
	case e.tunnel.State == "waiting":
		return drawing.Waiting, "waiting"
	}
	return drawing.Down, e.tunnel.State
}

// sessionsIn returns the sessions through this end of a tunnel.
func sessionsIn(e end) (parts []drawing.Part) {
	for i := range e.member.State.Neighbors {
		n := &e.member.State.Neighbors[i]
		if n.Tunnel != e.tunnel.Name || !slices.ContainsFunc(e.tunnel.Peers, func(p Peer) bool {
			return p.Neighbor == n.Address && (p.Remote == e.remote || p.Remote == "")
		}) {
			continue
		}
		part := session(e.member, n)
		part.Title = e.member.Name + " to " + n.Address
		parts = append(parts, part)
	}
	return parts
}
