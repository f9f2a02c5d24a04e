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

// clockTick is the unit of times that the kernel tells processes (USER_HZ).
const clockTick = 10 * time.Millisecond

// Forwarding reads the forwarding database of a VXLAN device.
func Forwarding(ns Namespace, link int) ([]tunnel.Entry, error) {
	s, err := dial(ns)
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

// neighbor is an entry of a neighbor table.
type neighbor struct {
	mac   string
	dst   netip.Addr
	state uint16
	used  time.Duration // ago
}

// neighbors reads the entries with a hardware address that a link has in the
// neighbor table of a family: that of AF_BRIDGE is the forwarding database.
func (s *socket) neighbors(family byte, link int) (list []neighbor, err error) {
	encode := func(b []byte, seq uint32) []byte {
		b, start := header(b, unix.RTM_GETNEIGH, unix.NLM_F_DUMP, seq)
		b = append(b, family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		finish(b, start)
		return b
	}
	err = s.dump(encode, func(m message) {
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
	case unix.NDA_CACHEINFO: // struct nda_cacheinfo: confirmed, used, updated, refcnt
		if len(v) >= 8 {
			n.used = time.Duration(order.Uint32(v[4:])) * clockTick
		}
	}
}
