package kernel

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/tunnel"
)

// Tunnels reads the links of a namespace and changes VXLAN devices. It implements
// tunnel.Kernel for one goroutine.
type Tunnels struct {
	ns Namespace
	s  *socket
}

// Links implements tunnel.Kernel.
func (t *Tunnels) Links() ([]tunnel.Link, error) {
	links, err := t.s.links()
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	addresses, err := t.s.addresses()
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	for i := range links {
		l := &links[i]
		l.Addresses = addresses[l.Index]
		if l.VXLAN == nil {
			continue
		}
		if l.FDB, err = t.remotes(l.Index); err != nil {
			return nil, fmt.Errorf("read forwarding entries of %s: %w", l.Name, err)
		}
	}
	return links, nil
}

// Traffic returns the counters of the named links; those that do not exist are left out.
// It opens its own socket, so that a metrics scrape waits for nobody.
func Traffic(ns Namespace, names []string) (map[string]tunnel.Stats, error) {
	s, err := dial(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer s.close()
	links, err := s.links()
	out := make(map[string]tunnel.Stats, len(names))
	for _, l := range links {
		if slices.Contains(names, l.Name) {
			out[l.Name] = l.Stats
		}
	}
	return out, err
}

// links reads all links, without their addresses and forwarding entries.
func (s *socket) links() (list []tunnel.Link, err error) {
	err = s.dump(unix.RTM_GETLINK, ifinfo(0, 0), func(m message) {
		if l, ok := decodeLink(m.body); ok && m.kind == unix.RTM_NEWLINK {
			list = append(list, l)
		}
	}, func() { list = nil })
	return list, err
}

// ifinfo returns a struct ifinfomsg. The link gets those of flags that are set.
func ifinfo(index int, flags uint32) []byte {
	b := order.AppendUint32(make([]byte, 4), uint32(index))
	b = order.AppendUint32(b, flags)
	return order.AppendUint32(b, flags) // ifi_change
}

// decodeLink reads an RTM_NEWLINK.
func decodeLink(body []byte) (l tunnel.Link, ok bool) {
	if len(body) < unix.SizeofIfInfomsg {
		return l, false
	}
	flags := order.Uint32(body[8:])
	l.Index = int(order.Uint32(body[4:]))
	l.Up, l.Carrier = flags&unix.IFF_UP != 0, flags&unix.IFF_LOWER_UP != 0
	attrs(body[unix.SizeofIfInfomsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.IFLA_IFNAME:
			l.Name = unix.ByteSliceToString(v)
		case unix.IFLA_IFALIAS:
			l.Alias = unix.ByteSliceToString(v)
		case unix.IFLA_MTU:
			l.MTU = int(u32(v))
		case unix.IFLA_ADDRESS:
			l.MAC = slices.Clone(v)
		case unix.IFLA_STATS64:
			l.Stats = decodeStats(v)
		case unix.IFLA_LINKINFO:
			l.VXLAN = decodeVXLAN(v)
		}
	})
	return l, true
}

// decodeStats reads a struct rtnl_link_stats64.
func decodeStats(v []byte) (s tunnel.Stats) {
	for _, n := range []*uint64{
		&s.RxPackets, &s.TxPackets, &s.RxBytes, &s.TxBytes, &s.RxErrors, &s.TxErrors, &s.RxDropped, &s.TxDropped,
	} {
		if len(v) < 8 {
			break
		}
		*n, v = order.Uint64(v), v[8:]
	}
	return s
}

// addresses reads the addresses of all links, by link index.
func (s *socket) addresses() (map[int][]netip.Prefix, error) {
	of := make(map[int][]netip.Prefix)
	err := s.dump(unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg), func(m message) {
		if index, p, ok := decodeAddress(m.body); ok && m.kind == unix.RTM_NEWADDR {
			of[index] = append(of[index], p)
		}
	}, func() { clear(of) })
	return of, err
}

// decodeAddress reads an RTM_NEWADDR. ok is false for a temporary address of IPv6 (RFC
// 8981), which comes and goes by itself.
func decodeAddress(body []byte) (index int, p netip.Prefix, ok bool) {
	if len(body) < unix.SizeofIfAddrmsg {
		return 0, p, false
	}
	bits, flags := int(body[1]), uint32(body[2])
	var local, address netip.Addr
	attrs(body[unix.SizeofIfAddrmsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(v)
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(v)
		case unix.IFA_FLAGS:
			flags = u32(v)
		}
	})
	switch {
	case !local.IsValid():
		local = address
	case address.IsValid() && local != address:
		bits = local.BitLen() // the prefix length is that of the peer's address
	}
	temporary := local.Is6() && flags&unix.IFA_F_TEMPORARY != 0
	return int(order.Uint32(body[4:])), netip.PrefixFrom(local, bits), local.IsValid() && !temporary
}
