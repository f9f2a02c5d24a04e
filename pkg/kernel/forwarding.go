package kernel

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/tunnel"
)

// clockTick is the unit of the times that the kernel reports to processes (USER_HZ).
const clockTick = 10 * time.Millisecond

// ndmsg returns a struct ndmsg.
func ndmsg(family byte, index int, state uint16, flags byte) []byte {
	b := order.AppendUint32([]byte{family, 0, 0, 0}, uint32(index))
	b = order.AppendUint16(b, state)
	return append(b, flags, 0)
}

// encodeRemote returns the body of RTM_NEWNEIGH and RTM_DELNEIGH for a forwarding entry of
// a VXLAN device. The all-zeros MAC address stands for every unknown destination. The
// kernel distinguishes entries by their outer link too.
func encodeRemote(op tunnel.Op) []byte {
	b := ndmsg(unix.AF_BRIDGE, op.Index, unix.NUD_PERMANENT|unix.NUD_NOARP, unix.NTF_SELF)
	b = attr(b, unix.NDA_LLADDR, op.Remote.MAC[:])
	b = attr(b, unix.NDA_DST, op.Remote.Addr.AsSlice())
	if op.Remote.Device != 0 {
		b = attr32(b, unix.NDA_IFINDEX, uint32(op.Remote.Device))
	}
	return b
}

// remotes reads the forwarding entries of a VXLAN device that lead to a remote.
func (t *Tunnels) remotes(index int) ([]tunnel.Remote, error) {
	var list []tunnel.Remote
	entries, err := t.s.neighbors(unix.AF_BRIDGE, index)
	for _, e := range entries {
		if e.dst.IsValid() && len(e.mac) == 6 {
			list = append(list, tunnel.Remote{
				MAC: [6]byte([]byte(e.mac)), Addr: e.dst, Device: e.device, Learned: e.state&(unix.NUD_PERMANENT|unix.NUD_NOARP) == 0,
			})
		}
	}
	return list, err
}

// Forwarding reads the forwarding database of a VXLAN device, and which addresses the
// neighbor tables have for its MAC addresses.
func Forwarding(ns Namespace, link int) ([]tunnel.Entry, error) {
	s, err := dial(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer s.close()
	entries, err := s.neighbors(unix.AF_BRIDGE, link)
	if err != nil {
		return nil, fmt.Errorf("read forwarding entries of link %d: %w", link, err)
	}
	addresses := make(map[string][]netip.Addr)
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		known, err := s.neighbors(family, link)
		if err != nil {
			return nil, fmt.Errorf("read neighbors of link %d: %w", link, err)
		}
		for _, n := range known {
			addresses[n.mac] = append(addresses[n.mac], n.dst)
		}
	}
	var list []tunnel.Entry
	for _, e := range entries {
		if e.dst.IsValid() {
			list = append(list, tunnel.Entry{
				MAC: net.HardwareAddr(e.mac), Remote: e.dst, Permanent: e.state&unix.NUD_PERMANENT != 0,
				Age: e.used, Addresses: slices.SortedFunc(slices.Values(addresses[e.mac]), netip.Addr.Compare),
			})
		}
	}
	return list, nil
}

// OuterRemote returns the remote to which a VXLAN device sends frames for a neighbor on
// it. It is invalid until the device has learned that: until then it sends to all remotes.
func OuterRemote(ns Namespace, link int, neighbor netip.Addr) (netip.Addr, error) {
	entries, err := Forwarding(ns, link)
	for _, e := range entries {
		if slices.Contains(e.Addresses, neighbor) {
			return e.Remote, nil
		}
	}
	return netip.Addr{}, err
}

// neighbor is an entry of a neighbor table, or of a forwarding database.
type neighbor struct {
	mac    string
	dst    netip.Addr
	device int // outer link of a forwarding entry; 0: by route
	state  uint16
	used   time.Duration // ago
}

// neighbors reads a link's entries with a MAC address in the neighbor table of a family.
// That of AF_BRIDGE is the forwarding database.
func (s *socket) neighbors(family byte, link int) (list []neighbor, err error) {
	filter := 0
	if family == unix.AF_BRIDGE { // the only family for which the kernel filters by this field
		filter = link
	}
	err = s.dump(unix.RTM_GETNEIGH, ndmsg(family, filter, 0, 0), func(m message) {
		if m.kind != unix.RTM_NEWNEIGH || len(m.body) < unix.SizeofNdMsg || int(order.Uint32(m.body[4:])) != link {
			return
		}
		n := neighbor{state: order.Uint16(m.body[8:])}
		attrs(m.body[unix.SizeofNdMsg:], n.attribute)
		if n.mac != "" {
			list = append(list, n)
		}
	}, func() { list = nil })
	return list, err
}

func (n *neighbor) attribute(kind uint16, v []byte) {
	switch kind {
	case unix.NDA_LLADDR:
		n.mac = string(v)
	case unix.NDA_DST:
		n.dst, _ = netip.AddrFromSlice(v)
	case unix.NDA_IFINDEX:
		n.device = int(u32(v))
	case unix.NDA_CACHEINFO: // struct nda_cacheinfo: confirmed, used, updated, refcnt
		if len(v) >= 8 {
			n.used = time.Duration(order.Uint32(v[4:])) * clockTick
		}
	}
}
