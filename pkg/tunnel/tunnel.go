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

// reservedPort is the UDP source port that Azure's hosts keep for themselves:
// packets from it do not arrive.
const reservedPort = 65330

// Bytes that VXLAN adds to an inner packet: inner Ethernet 14, VXLAN 8, UDP 8
// and the outer IP header.
const (
	overhead4 = 50
	overhead6 = 70
)

// Tunnel is one wanted device.
type Tunnel struct {
	Name       string
	VNI        uint32
	Device     string       // underlay link; "": by the address Local
	Local      netip.Addr   // outer source; invalid: the kernel chooses
	Remotes    []netip.Addr // unicast remotes
	Group      netip.Addr   // or a multicast group
	Port       uint16       // 0: DefaultPort
	TTL        uint8        // of the outer header; 0: the kernel's default, 1 for a group
	MTU        int          // 0: that of the underlay less the overhead
	Addresses  []netip.Prefix
	NoLearning bool
}

// v6 reports whether the underlay is IPv6.
func (t *Tunnel) v6() bool {
	if t.Group.IsValid() {
		return t.Group.Is6()
	}
	if len(t.Remotes) > 0 {
		return t.Remotes[0].Is6()
	}
	return t.Local.Is6()
}

// mtu is that of the device on this underlay.
func (t *Tunnel) mtu(underlay Link) int {
	switch {
	case t.MTU != 0:
		return t.MTU
	case t.v6():
		return underlay.MTU - overhead6
	}
	return underlay.MTU - overhead4
}

// vxlan is the wanted attributes on this underlay, given the namespace's range
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

// sourcePorts returns 0 0, the kernel's own choice, unless that may be the
// reserved port; then the larger part of the range beside it.
func sourcePorts(low, high uint16) (uint16, uint16) {
	switch {
	case reservedPort < low || reservedPort > high:
		return 0, 0
	case reservedPort-low >= high-reservedPort:
		return low, reservedPort - 1
	}
	return reservedPort + 1, high
}

// remotes are the wanted forwarding entries. The default ones name the device as
// the kernel's own entry for the remote does: one without would be a second entry,
// and every flooded packet would leave twice.
//
// Each remote has an entry for the MAC address that nvad would have there: the kernel
// drops frames with that source from any other remote, so nobody takes the entry
// over. A far end that is not nvad has another MAC address, which is learned. These
// entries name no device: with one, the kernel would take the remote's own frames
// for another's (vxlan_snoop in drivers/net/vxlan).
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

// tolerates reports whether a forwarding entry may stay that is not wanted: one that
// was learned, and not from a stranger. A poisoned entry that is in use never ages.
func (t *Tunnel) tolerates(r Remote) bool {
	return r.Learned && !t.NoLearning && (t.Group.IsValid() || slices.Contains(t.Remotes, r.Addr))
}

// mac derives the device's address from its VNI and an address of the underlay,
// so that it stays the same when the device is made anew and the far side's
// neighbour entry stays right.
func mac(vni uint32, local netip.Addr) net.HardwareAddr {
	b := binary.BigEndian.AppendUint32([]byte("nvad vxlan"), vni)
	sum := sha256.Sum256(append(b, local.AsSlice()...))
	m := net.HardwareAddr(sum[:6])
	m[0] = m[0]&^1 | 2 // unicast, locally administered
	return m
}

// macs are the addresses that a device may have: one for each address of the
// underlay that its packets may come from. The first is that of a new device.
func (t *Tunnel) macs(underlay Link) []net.HardwareAddr {
	if t.Local.IsValid() {
		return []net.HardwareAddr{mac(t.VNI, t.Local)}
	}
	var list []net.HardwareAddr
	for _, p := range underlay.Addresses {
		if a := p.Addr(); a.Is6() == t.v6() && !a.IsLinkLocalUnicast() {
			list = append(list, mac(t.VNI, a))
		}
	}
	return list
}

// sameFixed reports whether two sets of attributes agree in what the kernel can't
// change in place (vxlan_changelink in drivers/net/vxlan).
func sameFixed(a, b VXLAN) bool {
	a.Remote, a.Local, a.TTL, a.Learning = b.Remote, b.Local, b.TTL, b.Learning
	return a == b
}

// owned are the addresses of a link that nvad manages.
func owned(l Link) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(l.Addresses), func(p netip.Prefix) bool {
		return p.Addr().Is6() && p.Addr().IsLinkLocalUnicast()
	})
}
