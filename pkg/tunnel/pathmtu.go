package tunnel

import "fmt"

// checkPaths looks at what the paths to the remotes of a tunnel carry, and notes in
// words what is too little for the device's packets: they would be lost, or cut
// into fragments, which Azure drops.
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
