package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/tunnel"
)

// Do implements tunnel.Kernel.
func (t *Tunnels) Do(op tunnel.Op) error {
	link := ifinfo(op.Index, 0)
	switch op.Kind {
	case tunnel.Create:
		return t.s.do(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, encodeVXLAN(link, op))
	case tunnel.Delete:
		return unless(t.s.do(unix.RTM_DELLINK, 0, link), unix.ENODEV)
	case tunnel.SetVXLAN:
		return t.s.do(unix.RTM_NEWLINK, 0, encodeVXLAN(link, op))
	case tunnel.SetAlias:
		return t.s.do(unix.RTM_SETLINK, 0, attr(link, unix.IFLA_IFALIAS, []byte(tunnel.Alias)))
	case tunnel.SetMTU:
		return t.s.do(unix.RTM_SETLINK, 0, attr32(link, unix.IFLA_MTU, uint32(op.MTU)))
	case tunnel.SetMAC:
		return t.s.do(unix.RTM_SETLINK, 0, attr(link, unix.IFLA_ADDRESS, op.MAC))
	case tunnel.SetUp:
		return t.s.do(unix.RTM_SETLINK, 0, ifinfo(op.Index, unix.IFF_UP))
	case tunnel.AddAddress:
		return unless(t.s.do(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, encodeAddress(op)), unix.EEXIST)
	case tunnel.DeleteAddress:
		return unless(t.s.do(unix.RTM_DELADDR, 0, encodeAddress(op)), unix.EADDRNOTAVAIL)
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
		return t.announce(op)
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
func (t *Tunnels) announce(op tunnel.Op) error {
	if len(op.MAC) != 6 {
		return fmt.Errorf("no Ethernet address to announce %s with", op.Address.Addr())
	}
	notify := "net/ipv4/conf/" + op.Name + "/arp_notify"
	if op.Address.Addr().Is6() {
		notify = "net/ipv6/conf/" + op.Name + "/ndisc_notify"
	}
	set := attr(ifinfo(op.Index, 0), unix.IFLA_ADDRESS, op.MAC)
	return errors.Join(Sysctls{t.ns}.Set(notify, "1"), t.s.do(unix.RTM_SETLINK, 0, set))
}

// maxForwarding bounds the forwarding entries of a device. Most of them are learned from
// what a remote sends: without a bound, every new source address would cost memory.
const maxForwarding = 8192

// encodeVXLAN appends the attributes of a VXLAN device: all of them to create one, and for
// SetVXLAN those that the kernel changes on a live device. It rejects the others, even
// with their present values.
func encodeVXLAN(b []byte, op tunnel.Op) []byte {
	v, fresh := op.VXLAN, op.Kind == tunnel.Create
	if fresh {
		b = attr(b, unix.IFLA_IFNAME, []byte(op.Name+"\x00"))
		b = attr32(b, unix.IFLA_MTU, uint32(op.MTU))
		b = attr(b, unix.IFLA_ADDRESS, op.MAC)
	}
	b, info := nest(b, unix.IFLA_LINKINFO)
	b = attr(b, unix.IFLA_INFO_KIND, []byte("vxlan"))
	b, data := nest(b, unix.IFLA_INFO_DATA)
	b = end(b, v.Remote, fresh, unix.IFLA_VXLAN_GROUP, unix.IFLA_VXLAN_GROUP6)
	b = end(b, v.Local, fresh, unix.IFLA_VXLAN_LOCAL, unix.IFLA_VXLAN_LOCAL6)
	b = attr(b, unix.IFLA_VXLAN_TTL, []byte{v.TTL})
	b = attr(b, unix.IFLA_VXLAN_LEARNING, flag8(v.Learning))
	if fresh {
		b = attr32(b, unix.IFLA_VXLAN_ID, v.VNI)
		if v.Device != 0 {
			b = attr32(b, unix.IFLA_VXLAN_LINK, uint32(v.Device))
		}
		b = attr(b, unix.IFLA_VXLAN_UDP_CSUM, flag8(true))
		b = attr32(b, unix.IFLA_VXLAN_LIMIT, maxForwarding)
		b = attr(b, unix.IFLA_VXLAN_PORT, binary.BigEndian.AppendUint16(nil, v.Port))
		if v.PortLow|v.PortHigh != 0 {
			ports := binary.BigEndian.AppendUint16(nil, v.PortLow)
			b = attr(b, unix.IFLA_VXLAN_PORT_RANGE, binary.BigEndian.AppendUint16(ports, v.PortHigh))
		}
	}
	finishNest(b, data)
	finishNest(b, info)
	return b
}

// end appends the local or remote address of a tunnel. Where there is none, a live device
// must be given the unspecified address, and a new device none.
func end(b []byte, a netip.Addr, fresh bool, kind4, kind6 uint16) []byte {
	switch {
	case a.Is6():
		return attr(b, kind6, a.AsSlice())
	case a.IsValid():
		return attr(b, kind4, a.AsSlice())
	case fresh:
		return b
	}
	return attr(b, kind4, make([]byte, 4))
}

// decodeVXLAN reads IFLA_LINKINFO; nil if the link is no VXLAN device.
func decodeVXLAN(info []byte) *tunnel.VXLAN {
	kind, x := "", &tunnel.VXLAN{}
	attrs(info, func(k uint16, v []byte) {
		switch k {
		case unix.IFLA_INFO_KIND:
			kind = unix.ByteSliceToString(v)
		case unix.IFLA_INFO_DATA:
			attrs(v, func(k uint16, v []byte) { vxlanAttribute(x, k, v) })
		}
	})
	if kind != "vxlan" {
		return nil
	}
	return x
}

func vxlanAttribute(x *tunnel.VXLAN, kind uint16, v []byte) {
	if len(v) == 0 {
		return
	}
	switch kind {
	case unix.IFLA_VXLAN_ID:
		x.VNI = u32(v)
	case unix.IFLA_VXLAN_LINK:
		x.Device = int(u32(v))
	case unix.IFLA_VXLAN_LOCAL, unix.IFLA_VXLAN_LOCAL6:
		x.Local = address(v)
	case unix.IFLA_VXLAN_GROUP, unix.IFLA_VXLAN_GROUP6:
		x.Remote = address(v)
	case unix.IFLA_VXLAN_TTL:
		x.TTL = v[0]
	case unix.IFLA_VXLAN_LEARNING:
		x.Learning = v[0] != 0
	case unix.IFLA_VXLAN_PORT:
		if len(v) == 2 {
			x.Port = binary.BigEndian.Uint16(v)
		}
	case unix.IFLA_VXLAN_PORT_RANGE:
		if len(v) == 4 {
			x.PortLow, x.PortHigh = binary.BigEndian.Uint16(v), binary.BigEndian.Uint16(v[2:])
		}
	}
}

// encodeAddress returns the body of RTM_NEWADDR and RTM_DELADDR.
func encodeAddress(op tunnel.Op) []byte {
	p := op.Address
	a := p.Addr()
	flags := byte(0)
	if a.Is6() {
		// A tunnel has two ends: nvad does not wait a second for a duplicate before
		// the address may be used.
		flags = unix.IFA_F_NODAD
	}
	b := order.AppendUint32([]byte{family(a), byte(p.Bits()), flags, unix.RT_SCOPE_UNIVERSE}, uint32(op.Index))
	b = attr(b, unix.IFA_LOCAL, a.AsSlice())
	b = attr(b, unix.IFA_ADDRESS, a.AsSlice())
	if a.Is4() && p.Bits() < 31 {
		last := binary.BigEndian.Uint32(a.AsSlice()) | ^uint32(0)>>p.Bits()
		b = attr(b, unix.IFA_BROADCAST, binary.BigEndian.AppendUint32(nil, last))
	}
	return b
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

// PathMTU implements tunnel.Kernel.
func (t *Tunnels) PathMTU(remote netip.Addr) (int, error) {
	w, err := t.s.ask(remote, 0)
	if err != nil {
		return 0, fmt.Errorf("path to %s: %w", remote, err)
	}
	return w.MTU, nil
}
