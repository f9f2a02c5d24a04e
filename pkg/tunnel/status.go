package tunnel

import (
	"net"
	"net/netip"
	"time"
)

// Status is one wanted tunnel as it is shown.
type Status struct {
	Tunnel
	State     string // "up", "down", "waiting" or "failed"
	Reason    string // of the last two
	Err       error  // of the last two
	Underlay  string // link that it runs over; "" if it is not there
	Source    netip.Addr
	Actual    int // MTU that the device has
	MAC       net.HardwareAddr
	Addresses []netip.Prefix // that the device has
	Stats     Stats
	Warning   string // why large packets do not get through; empty: nothing is known to stop them
}

// Status returns the wanted tunnels as the links were last read.
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

// source is the address that outer packets most likely come from.
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

// Entry is an entry of a device's forwarding database: behind which remote a MAC
// address is.
type Entry struct {
	MAC       net.HardwareAddr // all zeros: every one that is not known
	Remote    netip.Addr       // or the multicast group
	Permanent bool             // put there, not learned from what arrived
	Age       time.Duration    // since it was last used or heard of
	Addresses []netip.Addr     // that the neighbor tables have for MAC on the device
}
