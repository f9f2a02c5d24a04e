package kernel

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// OuterRemote returns where a VXLAN device sends frames for a neighbor on it.
// It is invalid while the device has not learned that: then they go to all of
// its remotes.
func OuterRemote(ns Namespace, link int, neighbor netip.Addr) (netip.Addr, error) {
	s, err := dial(ns)
	if err != nil {
		return netip.Addr{}, err
	}
	defer s.close()
	var mac string
	err = s.neighbors(family(neighbor), link, func(lladdr string, dst netip.Addr) {
		if dst == neighbor {
			mac = lladdr
		}
	})
	var remote netip.Addr
	if err == nil && mac != "" {
		err = s.neighbors(unix.AF_BRIDGE, link, func(lladdr string, dst netip.Addr) {
			if lladdr == mac {
				remote = dst
			}
		})
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("read neighbors of link %d: %w", link, err)
	}
	return remote, nil
}

// neighbors calls fn for each entry that a link has in the neighbor table of a
// family: that of AF_BRIDGE is the forwarding database.
func (s *socket) neighbors(family byte, link int, fn func(lladdr string, dst netip.Addr)) error {
	encode := func(b []byte, seq uint32) []byte {
		b, start := header(b, unix.RTM_GETNEIGH, unix.NLM_F_DUMP, seq)
		b = append(b, family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		finish(b, start)
		return b
	}
	return s.dump(encode, func(m message) {
		if m.kind != unix.RTM_NEWNEIGH || len(m.body) < unix.SizeofNdMsg || int(order.Uint32(m.body[4:])) != link {
			return
		}
		var lladdr string
		var dst netip.Addr
		attrs(m.body[unix.SizeofNdMsg:], func(kind uint16, v []byte) {
			switch kind {
			case unix.NDA_LLADDR:
				lladdr = string(v)
			case unix.NDA_DST:
				dst, _ = netip.AddrFromSlice(v)
			}
		})
		fn(lladdr, dst)
	}, func() {})
}
