// Package tunnel keeps the kernel's VXLAN devices (RFC 7348) and WireGuard devices as wanted:
// attributes, keys, addresses, MTU, and the forwarding entries or the peer that lead to the
// other end.
//
// A restart of nvad must not interrupt traffic, so the package leaves a device alone that
// already is as wanted, changes in place what the kernel lets it change, and makes a
// device anew only for the rest. If another program's device has the wanted name, it
// takes the device over if the attributes match, and otherwise reports it and leaves it
// alone. It never touches any other link.
//
// nvad's devices carry the alias [Alias]. Everything on them is nvad's, except for link-local
// and temporary addresses and learned entries.
//
// A [Manager] belongs to one goroutine. The package knows no netlink: package kernel
// implements [Kernel], package tunneltest has a kernel in memory.
package tunnel

import (
	"crypto/sha256"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
)

// DefaultPort is VXLAN's UDP port (RFC 7348 section 5).
const DefaultPort = 4789

// reservedPort is a UDP source port that Azure's hosts use themselves: packets from it do not
// arrive.
const reservedPort = 65330

// Bytes that VXLAN adds to an inner packet: inner Ethernet 14, VXLAN 8, UDP 8
// and the outer IP header.
const (
	overhead4 = 50
	overhead6 = 70
)

// Tunnel is a wanted device. For WireGuard only Name, MTU and Addresses count besides
// WireGuard itself.
type Tunnel struct {
	Name       string
	VNI        uint32
	Device     string       // underlay link; "": the link with the address Local
	Local      netip.Addr   // outer source; invalid: the kernel chooses
	Remotes    []netip.Addr // unicast remotes
	Group      netip.Addr   // or a multicast group
	Port       uint16       // 0: DefaultPort
	TTL        uint8        // of the outer header; 0: the kernel's default, 1 for a group
	MTU        int          // 0: the underlay's MTU less the overhead
	Addresses  []netip.Prefix
	NoLearning bool

	WireGuard *WireGuard // nil: VXLAN
}

// v6 reports whether the outer packets are IPv6.
func (t *Tunnel) v6() bool {
	if t.Group.IsValid() {
		return t.Group.Is6()
	}
	if len(t.Remotes) > 0 {
		return t.Remotes[0].Is6()
	}
	return t.Local.Is6()
}

// mtu returns the MTU of the device on this underlay.
func (t *Tunnel) mtu(underlay Link) int {
	switch {
	case t.MTU != 0:
		return t.MTU
	case t.v6():
		return underlay.MTU - overhead6
	}
	return underlay.MTU - overhead4
}

// vxlan returns the wanted attributes on this underlay. low and high are the namespace's range
// of local ports.
func (t *Tunnel) vxlan(underlay Link, low, high uint16) VXLAN {
	v := VXLAN{
		VNI: t.VNI, Local: t.Local, Remote: t.Group, Port: t.Port,
		TTL: t.TTL, Learning: !t.NoLearning,
	}
	if t.Device != "" {
		v.Device = underlay.Index
	}
	if v.Port == 0 {
		v.Port = DefaultPort
	}
	if !t.Group.IsValid() && len(t.Remotes) == 1 {
		v.Remote = t.Remotes[0]
	}
	v.PortLow, v.PortHigh = sourcePorts(low, high)
	return v
}

// sourcePorts returns the range of UDP source ports: 0 0, which leaves the choice to the
// kernel, unless it could choose the reserved port. Then it is the larger of the two
// parts below and above that port.
func sourcePorts(low, high uint16) (uint16, uint16) {
	switch {
	case reservedPort < low || reservedPort > high:
		return 0, 0
	case reservedPort-low >= high-reservedPort:
		return low, reservedPort - 1
	}
	return reservedPort + 1, high
}

// remotes returns the wanted forwarding entries, two for each remote.
//
// One is a default entry, for flooded packets. It names the outer link, because the kernel's
// own entry for the remote does: otherwise it would be a second entry beside that, and
// every flooded packet would leave twice.
//
// The other is for the MAC address that an nvad at the remote has. The kernel then drops frames
// with this source from any other remote, so nobody else can take the address over. If the
// far end is not nvad, its MAC address is learned. This entry names no link: if it did,
// the kernel would not recognise the remote's own frames (vxlan_snoop in drivers/net/vxlan).
func (t *Tunnel) remotes(device int) []Remote {
	if t.Group.IsValid() {
		return []Remote{{Addr: t.Group, Device: device}}
	}
	var list []Remote
	for _, a := range t.Remotes {
		list = append(list, Remote{Addr: a, Device: device}, Remote{MAC: [6]byte(mac(t.VNI, a)), Addr: a})
	}
	return list
}

// tolerates reports whether a forwarding entry may stay although it is not wanted: if it was
// learned, and leads to one of the remotes. One that leads to a stranger must go: as long as it
// is used, it never ages out.
func (t *Tunnel) tolerates(r Remote) bool {
	return r.Learned && !t.NoLearning && (t.Group.IsValid() || slices.Contains(t.Remotes, r.Addr))
}

// mac derives a device's MAC address from its VNI and an address of the underlay. So the
// address is the same when the device is made anew, and the far end's neighbor entry stays
// correct.
func mac(vni uint32, local netip.Addr) net.HardwareAddr {
	b := binary.BigEndian.AppendUint32([]byte("nvad vxlan"), vni)
	sum := sha256.Sum256(append(b, local.AsSlice()...))
	m := net.HardwareAddr(sum[:6])
	m[0] = m[0]&^1 | 2 // unicast, locally administered
	return m
}

// macs returns the MAC addresses that a device may have: one for each address of the underlay
// from which its packets may come. A new device gets the first.
func (t *Tunnel) macs(underlay Link) []net.HardwareAddr {
	if t.Local.IsValid() {
		return []net.HardwareAddr{mac(t.VNI, t.Local)}
	}
	var list []net.HardwareAddr
	for _, p := range underlay.Addresses {
		if a := p.Addr(); a.Is6() == t.v6() && !everyLinkHas(a) {
			list = append(list, mac(t.VNI, a))
		}
	}
	return list
}

// sameFixed reports whether two sets of attributes are equal but for those that the kernel can
// change in place (vxlan_changelink in drivers/net/vxlan).
func sameFixed(a, b VXLAN) bool {
	a.Remote, a.Local, a.TTL, a.Learning = b.Remote, b.Local, b.TTL, b.Learning
	return a == b
}

// owned returns the addresses of a link that nvad manages.
func owned(l Link) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(l.Addresses), func(p netip.Prefix) bool {
		return everyLinkHas(p.Addr())
	})
}

// everyLinkHas reports whether an address is a link-local one of IPv6. Those of IPv4 are
// configured, such as that of a WireGuard tunnel around this one.
func everyLinkHas(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }
