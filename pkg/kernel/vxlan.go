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
	return t.ns.do(func() error { return t.do(op) })
}

func (t *Tunnels) do(op tunnel.Op) error {
	link := &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: op.Name, Index: op.Index}}
	switch op.Kind {
	case tunnel.Create:
		return netlink.LinkAdd(newVXLAN(op))
	case tunnel.CreateWireGuard:
		return t.createWireGuard(op)
	case tunnel.SetWireGuard:
		return t.setWireGuard(op)
	case tunnel.Delete:
		t.user.Stop(op.Name)
		return unless(netlink.LinkDel(link), unix.ENODEV)
	case tunnel.SetVXLAN:
		return t.s.do(unix.RTM_NEWLINK, 0, encodeVXLAN(op))
	case tunnel.SetAlias:
		return netlink.LinkSetAlias(link, tunnel.Alias)
	case tunnel.SetMTU:
		t.user.SetMTU(op.Name, op.MTU)
		return netlink.LinkSetMTU(link, op.MTU)
	case tunnel.SetMAC:
		return netlink.LinkSetHardwareAddr(link, op.MAC)
	case tunnel.SetUp:
		return netlink.LinkSetUp(link)
	case tunnel.AddAddress:
		return unless(netlink.AddrAdd(link, newAddress(op.Address)), unix.EEXIST)
	case tunnel.DeleteAddress:
		return unless(netlink.AddrDel(link, newAddress(op.Address)), unix.EADDRNOTAVAIL)
	case tunnel.AddRemote:
		// A MAC address is behind one remote only. If a stranger left an entry for it,
		// appending would keep the stranger and make the entry permanent.
		how := uint16(unix.NLM_F_REPLACE)
		if op.Remote.MAC == [6]byte{} {
			how = unix.NLM_F_APPEND
		}
		return unless(t.s.do(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|how, encodeRemote(op)), unix.EEXIST)
	case tunnel.DeleteRemote:
		return unless(t.s.do(unix.RTM_DELNEIGH, 0, encodeRemote(op)), unix.ENOENT)
	case tunnel.Announce:
		return t.announce(link, op)
	}
	return fmt.Errorf("unknown operation %d", op.Kind)
}

// unless returns err, or nil if it is fine: the object already is as asked for.
func unless(err, fine error) error {
	if errors.Is(err, fine) {
		return nil
	}
	return err
}

// announce makes the kernel announce an address of a link with its MAC address, by
// gratuitous ARP or an unsolicited neighbor advertisement: neighbors may still have the
// MAC address of an earlier device. The kernel does so for a link with arp_notify or
// ndisc_notify when its MAC address is set, even to the present value (inetdev_event in
// net/ipv4/devinet.c, ndisc_netdev_event in net/ipv6/ndisc.c). To send these packets
// itself, nvad would need CAP_NET_RAW.
//
// The kernel advertises only IPv6 addresses that are in use. Those of nvad are at once:
// they skip duplicate address detection.
func (t *Tunnels) announce(link netlink.Link, op tunnel.Op) error {
	if len(op.MAC) != 6 {
		return fmt.Errorf("no Ethernet address to announce %s with", op.Address.Addr())
	}
	notify := "net/ipv4/conf/" + op.Name + "/arp_notify"
	if op.Address.Addr().Is6() {
		notify = "net/ipv6/conf/" + op.Name + "/ndisc_notify"
	}
	return errors.Join(Sysctls{t.ns}.Set(notify, "1"), netlink.LinkSetHardwareAddr(link, op.MAC))
}

// maxForwarding bounds the forwarding entries of a device. Most of them are learned from
// what a remote sends: without a bound, every new source address would cost memory.
const maxForwarding = 8192

func newVXLAN(op tunnel.Op) *netlink.Vxlan {
	v, attrs := op.VXLAN, netlink.NewLinkAttrs()
	attrs.Name, attrs.Index, attrs.MTU, attrs.HardwareAddr = op.Name, op.Index, op.MTU, op.MAC
	return &netlink.Vxlan{
		LinkAttrs: attrs, VxlanId: int(v.VNI), VtepDevIndex: v.Device, SrcAddr: v.Local.AsSlice(), Group: v.Remote.AsSlice(),
		Port: int(v.Port), PortLow: int(v.PortLow), PortHigh: int(v.PortHigh),
		TTL: int(v.TTL), Learning: v.Learning, Limit: maxForwarding, UDPCSum: true,
	}
}

// encodeVXLAN returns the body of an RTM_NEWLINK that sets the attributes which the kernel
// changes on a live device. It rejects the others, even with their present values: that
// rules out netlink.LinkModify, which sends all of them.
func encodeVXLAN(op tunnel.Op) []byte {
	v := op.VXLAN
	b := make([]byte, unix.SizeofIfInfomsg)
	order.PutUint32(b[4:], uint32(op.Index))
	b, info := nest(b, unix.IFLA_LINKINFO)
	b = attr(b, unix.IFLA_INFO_KIND, []byte("vxlan"))
	b, data := nest(b, unix.IFLA_INFO_DATA)
	b = end(b, v.Remote, unix.IFLA_VXLAN_GROUP, unix.IFLA_VXLAN_GROUP6)
	b = end(b, v.Local, unix.IFLA_VXLAN_LOCAL, unix.IFLA_VXLAN_LOCAL6)
	b = attr(b, unix.IFLA_VXLAN_TTL, []byte{v.TTL})
	learning := byte(0)
	if v.Learning {
		learning = 1
	}
	b = attr(b, unix.IFLA_VXLAN_LEARNING, []byte{learning})
	finishNest(b, data)
	finishNest(b, info)
	return b
}

// end appends the local or remote address of a tunnel. To remove one, the kernel must be
// given the unspecified address.
func end(b []byte, a netip.Addr, kind4, kind6 uint16) []byte {
	switch {
	case a.Is6():
		return attr(b, kind6, a.AsSlice())
	case a.IsValid():
		return attr(b, kind4, a.AsSlice())
	}
	return attr(b, kind4, make([]byte, 4))
}

func newAddress(p netip.Prefix) *netlink.Addr {
	ip := p.Addr()
	a := &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(p.Bits(), ip.BitLen())}}
	if ip.Is6() {
		// A tunnel has two ends: nvad does not wait a second for a duplicate before
		// the address may be used.
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

// Path implements tunnel.Kernel.
func (t *Tunnels) Path(remote netip.Addr) (tunnel.Path, error) {
	w, err := t.s.ask(remote, 0)
	if err != nil {
		return tunnel.Path{}, fmt.Errorf("path to %s: %w", remote, err)
	}
	return tunnel.Path{Link: w.Link, MTU: w.MTU}, nil
}
