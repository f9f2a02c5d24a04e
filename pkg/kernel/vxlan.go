package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/tunnel"
)

// Do implements tunnel.Kernel.
func (t *Tunnels) Do(op tunnel.Op) error {
	link := &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: op.Name, Index: op.Index}}
	switch op.Kind {
	case tunnel.Create:
		return t.handle.LinkAdd(newVXLAN(op))
	case tunnel.Delete:
		return unless(t.handle.LinkDel(link), unix.ENODEV)
	case tunnel.SetVXLAN:
		return t.change(op)
	case tunnel.SetAlias:
		return t.handle.LinkSetAlias(link, tunnel.Alias)
	case tunnel.SetMTU:
		return t.handle.LinkSetMTU(link, op.MTU)
	case tunnel.SetMAC:
		return t.handle.LinkSetHardwareAddr(link, op.MAC)
	case tunnel.SetUp:
		return t.handle.LinkSetUp(link)
	case tunnel.AddAddress:
		return unless(t.handle.AddrAdd(link, address(op.Address)), unix.EEXIST)
	case tunnel.DeleteAddress:
		return unless(t.handle.AddrDel(link, address(op.Address)), unix.EADDRNOTAVAIL)
	case tunnel.AddRemote:
		// A MAC address is behind one remote: appending to an entry that a stranger
		// left would make it permanent and keep the stranger.
		how := uint16(unix.NLM_F_REPLACE)
		if op.Remote.MAC == [6]byte{} {
			how = unix.NLM_F_APPEND
		}
		return unless(t.forward(op, unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|how), unix.EEXIST)
	case tunnel.DeleteRemote:
		return unless(t.forward(op, unix.RTM_DELNEIGH, 0), unix.ENOENT)
	case tunnel.Announce:
		return t.announce(link, op)
	}
	return fmt.Errorf("unknown operation %d", op.Kind)
}

// unless returns err, or nil if it is one that means that all is well.
func unless(err, fine error) error {
	if errors.Is(err, fine) {
		return nil
	}
	return err
}

// maxForwarding bounds the forwarding entries of a device, most of which are learned
// from what a remote sends: without, every new source address costs memory.
const maxForwarding = 8192

func newVXLAN(op tunnel.Op) *netlink.Vxlan {
	v := op.VXLAN
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Index, attrs.MTU, attrs.HardwareAddr = op.Name, op.Index, op.MTU, op.MAC
	return &netlink.Vxlan{
		LinkAttrs: attrs,
		VxlanId:   int(v.VNI), VtepDevIndex: v.Device, Port: int(v.Port),
		SrcAddr: v.Local.AsSlice(), Group: v.Remote.AsSlice(), TTL: int(v.TTL), Learning: v.Learning, Limit: maxForwarding,
		PortLow: int(v.PortLow), PortHigh: int(v.PortHigh), UDPCSum: true,
	}
}

// change sets the attributes that the kernel lets a live device have changed.
// netlink's LinkModify would send the fixed ones along, which is refused.
func (t *Tunnels) change(op tunnel.Op) error {
	v := op.VXLAN
	errs := t.s.batch(1, func(b []byte, _ int, seq uint32) []byte {
		b, start := header(b, unix.RTM_NEWLINK, unix.NLM_F_ACK, seq)
		msg := make([]byte, unix.SizeofIfInfomsg)
		order.PutUint32(msg[4:], uint32(op.Index))
		b = append(b, msg...)
		b, info := nest(b, unix.IFLA_LINKINFO)
		b = attr(b, unix.IFLA_INFO_KIND, []byte("vxlan"))
		b, data := nest(b, unix.IFLA_INFO_DATA)
		b = changed(b, v.Remote, unix.IFLA_VXLAN_GROUP, unix.IFLA_VXLAN_GROUP6)
		b = changed(b, v.Local, unix.IFLA_VXLAN_LOCAL, unix.IFLA_VXLAN_LOCAL6)
		b = attr(b, unix.IFLA_VXLAN_TTL, []byte{v.TTL})
		learning := byte(0)
		if v.Learning {
			learning = 1
		}
		b = attr(b, unix.IFLA_VXLAN_LEARNING, []byte{learning})
		finishNest(b, data)
		finishNest(b, info)
		finish(b, start)
		return b
	})
	return errs[0]
}

// changed appends an address; an invalid one becomes that of no address.
func changed(b []byte, a netip.Addr, kind4, kind6 uint16) []byte {
	switch {
	case a.Is6():
		return attr(b, kind6, a.AsSlice())
	case a.IsValid():
		return attr(b, kind4, a.AsSlice())
	}
	return attr(b, kind4, make([]byte, 4))
}

func address(p netip.Prefix) *netlink.Addr {
	bits := p.Addr().BitLen()
	a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), bits)}}
	if p.Addr().Is6() {
		// A tunnel has two ends: nothing is won by waiting a second for a
		// duplicate before the address may be used.
		a.Flags = unix.IFA_F_NODAD
	}
	return a
}

// PortRange implements tunnel.Kernel.
func (t *Tunnels) PortRange() (low, high uint16, err error) {
	value, err := Sysctls{t.ns}.Get("net.ipv4.ip_local_port_range")
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(value, &low, &high); err != nil {
		return 0, 0, fmt.Errorf("ip_local_port_range %q: %w", value, err)
	}
	return low, high, nil
}
