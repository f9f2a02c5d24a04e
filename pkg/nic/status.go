package nic

import "net/netip"

// Status is one wanted NIC as it is shown.
type Status struct {
	NIC                    // Gateway is the derived one, once it is known
	State     string       // "ready", "waiting" or "failed"
	Reason    string       // of the last two
	Addresses []netip.Addr // that answer by this NIC
}

// Status returns the wanted NICs as they were after the last [Manager.Sync].
func (m *Manager) Status() []Status {
	var list []Status
	for _, n := range m.wanted {
		s := m.state[n.Device]
		st := Status{NIC: n, State: "waiting"}
		if s.plan.route.Via.IsValid() {
			st.Gateway = s.plan.route.Via
		}
		switch {
		case s.Failure != nil:
			st.State, st.Reason = "failed", s.Failure.Err.Error()
		case s.Wait != nil:
			st.Reason = s.Wait.Error()
		case s.Built:
			st.State = "ready"
			for _, r := range s.plan.rules {
				st.Addresses = append(st.Addresses, r.From)
			}
		}
		list = append(list, st)
	}
	return list
}
