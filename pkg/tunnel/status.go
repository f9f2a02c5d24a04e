package tunnel

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Status describes a wanted tunnel.
type Status struct {
	Tunnel
	State     string // "up", "down", "waiting" or "failed"
	Reason    string // of the last two
	Err       error  // of the last two
	Underlay  string // link that it runs over; "" if that does not exist
	Source    netip.Addr
	Actual    int // MTU that the device has
	MAC       net.HardwareAddr
	Addresses []netip.Prefix // that the device has
	Stats     Stats
	Warning   string // why large packets do not get through; empty: nothing is known to stop them

	// Of WireGuard: its peer as it is, why that counts as dead, and whether this process encrypts.
	Peer      PeerState
	Silent    string
	Userspace bool
}

// Status returns the wanted tunnels as of the last read of the links.
func (m *Manager) Status() []Status {
	var list []Status
	for i := range m.wanted {
		list = append(list, m.status(&m.wanted[i]))
	}
	return list
}

func (m *Manager) status(t *Tunnel) Status {
	st := Status{Tunnel: *t, State: "waiting", Source: t.Local}
	if u, err := m.underlay(t); err == nil && t.WireGuard == nil {
		st.Underlay = u.Name
		st.Source = t.source(u)
	}
	if l := m.link(t.Name); l != nil && (l.VXLAN != nil || l.WireGuard != nil) {
		st.Actual, st.MAC, st.Addresses, st.Stats = l.MTU, l.MAC, l.Addresses, l.Stats
		st.State = "down"
		if l.Up && l.Carrier {
			st.State = "up"
		}
	}
	st.Warning = m.state[t.Name].narrow
	switch s := m.state[t.Name]; {
	case s.Failure != nil:
		st.State, st.Err = "failed", s.Failure.Err
	case s.Wait != nil:
		st.State, st.Err = "waiting", s.Wait
	}
	if st.Err != nil {
		st.Reason = st.Err.Error()
	}
	if t.WireGuard != nil {
		m.statusWireGuard(t, &st)
	}
	return st
}

// source returns the address from which the kernel most likely sends outer packets.
func (t *Tunnel) source(underlay Link) netip.Addr {
	if t.Local.IsValid() {
		return t.Local
	}
	return address(underlay, t.v6())
}

// address returns the first address of a family that other machines reach the link by.
func address(l Link, v6 bool) netip.Addr {
	for _, p := range l.Addresses {
		if a := p.Addr(); a.Is6() == v6 && !everyLinkHas(a) {
			return a
		}
	}
	return netip.Addr{}
}

// Entry is one entry of a device's forwarding database. It says behind which remote a MAC
// address is.
type Entry struct {
	MAC       net.HardwareAddr // all zeros: every unknown address
	Remote    netip.Addr       // or the multicast group
	Permanent bool             // configured, not learned from received packets
	Age       time.Duration    // since it was last used or confirmed
	Addresses []netip.Addr     // of MAC, by the neighbor tables of the device
}

// checkPaths compares the MTU of a tunnel with what the paths to its remotes carry, and
// records a warning if that is too little: large packets would be lost, or fragmented, and
// Azure drops fragments.
func (m *Manager) checkPaths(t *Tunnel, s *state) {
	s.narrow = ""
	l := m.link(t.Name)
	if l == nil {
		return
	}
	over, under, ends := m.outside(t)
	if under != nil && under.MTU < l.MTU+over {
		s.narrow = fmt.Sprintf("packets of more than %d bytes do not get through: MTU %d needs %d on %s, which has %d",
			under.MTU-over, l.MTU, l.MTU+over, under.Name, under.MTU)
		return
	}
	for _, r := range ends {
		if p, err := m.kernel.Path(r); err == nil && p.MTU > 0 && p.MTU < l.MTU+over {
			s.narrow = fmt.Sprintf("packets of more than %d bytes do not get through: MTU %d needs %d on the path to %s, which carries %d",
				p.MTU-over, l.MTU, l.MTU+over, r, p.MTU)
			return
		}
	}
}

// outside returns how many bytes a tunnel adds to a packet, the link that carries its outer
// packets, nil if it is not known, and where they go.
func (m *Manager) outside(t *Tunnel) (over int, under *Link, ends []netip.Addr) {
	if w := t.WireGuard; w != nil {
		end := w.Peer.Endpoint.Addr()
		if !end.IsValid() {
			return 0, nil, nil
		}
		return wireguardOverhead(end), m.outer(t), []netip.Addr{end}
	}
	if u, err := m.underlay(t); err == nil {
		under = &u
	}
	if t.v6() {
		return overhead6, under, t.Remotes
	}
	return overhead4, under, t.Remotes
}
