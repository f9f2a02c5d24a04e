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
	if u, err := m.underlay(t); err == nil {
		st.Underlay = u.Name
		st.Source = t.source(u)
	}
	if l := m.link(t.Name); l != nil && l.VXLAN != nil {
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
	return st
}

// source returns the address from which the kernel most likely sends outer packets.
func (t *Tunnel) source(underlay Link) netip.Addr {
	if t.Local.IsValid() {
		return t.Local
	}
	for _, p := range underlay.Addresses {
		if a := p.Addr(); a.Is6() == t.v6() && !a.IsLinkLocalUnicast() {
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
	over := overhead4
	if t.v6() {
		over = overhead6
	}
	if u, err := m.underlay(t); err == nil && u.MTU < l.MTU+over {
		s.narrow = fmt.Sprintf("packets of more than %d bytes do not get through: MTU %d needs %d on %s, which has %d",
			u.MTU-over, l.MTU, l.MTU+over, u.Name, u.MTU)
		return
	}
	for _, r := range t.Remotes {
		if mtu, err := m.kernel.PathMTU(r); err == nil && mtu > 0 && mtu < l.MTU+over {
			s.narrow = fmt.Sprintf("packets of more than %d bytes do not get through: MTU %d needs %d on the path to %s, which carries %d",
				mtu-over, l.MTU, l.MTU+over, r, mtu)
			return
		}
	}
}
