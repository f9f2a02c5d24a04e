package kernel

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/tunnel"
)

// Tunnels is the links of a namespace. It implements tunnel.Kernel for one
// goroutine.
type Tunnels struct {
	ns     Namespace
	handle *netlink.Handle
	s      *socket
}

// openTunnels opens the links of a namespace.
func openTunnels(ns Namespace) (*Tunnels, error) {
	s, err := dial(ns)
	if err != nil {
		return nil, err
	}
	var handle *netlink.Handle
	if ns.fd == 0 {
		handle, err = netlink.NewHandle(unix.NETLINK_ROUTE)
	} else {
		handle, err = netlink.NewHandleAt(netns.NsHandle(ns.fd), unix.NETLINK_ROUTE)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("rtnetlink handle: %w", err)
	}
	return &Tunnels{ns: ns, handle: handle, s: s}, nil
}

// Close closes the sockets; the kernel's state stays.
func (t *Tunnels) Close() error {
	t.handle.Close()
	return t.s.close()
}

// Links implements tunnel.Kernel.
func (t *Tunnels) Links() ([]tunnel.Link, error) {
	found, err := t.handle.LinkList()
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	addrs, err := t.handle.AddrList(nil, unix.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	of := make(map[int][]netip.Prefix)
	for _, a := range addrs {
		if p, ok := permanent(a); ok {
			of[a.LinkIndex] = append(of[a.LinkIndex], p)
		}
	}
	links := make([]tunnel.Link, 0, len(found))
	for _, f := range found {
		l := linkOf(f)
		l.Addresses = of[l.Index]
		if l.VXLAN != nil {
			if l.FDB, err = t.remotes(l.Index); err != nil {
				return nil, fmt.Errorf("read forwarding entries of %s: %w", l.Name, err)
			}
		}
		links = append(links, l)
	}
	return links, nil
}

// PathMTU implements tunnel.Kernel.
func (t *Tunnels) PathMTU(remote netip.Addr) (int, error) {
	w, err := t.s.ask(remote, 0)
	if err != nil {
		return 0, fmt.Errorf("path to %s: %w", remote, err)
	}
	return w.MTU, nil
}

// permanent returns an address with its prefix length, but not a temporary one
// of IPv6 (RFC 8981), which comes and goes by itself.
func permanent(a netlink.Addr) (netip.Prefix, bool) {
	addr, ok := netip.AddrFromSlice(a.IP)
	bits, _ := a.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits), ok && !(addr.Unmap().Is6() && a.Flags&unix.IFA_F_TEMPORARY != 0)
}

func linkOf(f netlink.Link) tunnel.Link {
	a := f.Attrs()
	l := tunnel.Link{
		Index: a.Index, Name: a.Name, MTU: a.MTU, MAC: a.HardwareAddr, Alias: a.Alias,
		Up:      a.RawFlags&unix.IFF_UP != 0,
		Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0,
	}
	if s := a.Statistics; s != nil {
		l.Stats = tunnel.Stats{
			RxPackets: s.RxPackets, TxPackets: s.TxPackets, RxBytes: s.RxBytes, TxBytes: s.TxBytes,
			RxErrors: s.RxErrors, TxErrors: s.TxErrors, RxDropped: s.RxDropped, TxDropped: s.TxDropped,
		}
	}
	if v, ok := f.(*netlink.Vxlan); ok {
		l.VXLAN = vxlanOf(v)
	}
	return l
}

func vxlanOf(v *netlink.Vxlan) *tunnel.VXLAN {
	x := &tunnel.VXLAN{
		VNI: uint32(v.VxlanId), Device: v.VtepDevIndex, Port: uint16(v.Port),
		PortLow: uint16(v.PortLow), PortHigh: uint16(v.PortHigh), TTL: uint8(v.TTL), Learning: v.Learning,
	}
	if a, ok := netip.AddrFromSlice(v.SrcAddr); ok && !a.IsUnspecified() {
		x.Local = a
	}
	if a, ok := netip.AddrFromSlice(v.Group); ok && !a.IsUnspecified() {
		x.Remote = a
	}
	return x
}
