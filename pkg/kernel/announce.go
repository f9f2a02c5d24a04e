package kernel

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

var (
	broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	allNodes  = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
)

// announce tells the neighbours on a link the hardware address that goes with
// addr: they may hold that of an earlier device.
func announce(index int, mac net.HardwareAddr, addr netip.Addr) error {
	if len(mac) != 6 {
		return fmt.Errorf("no Ethernet address to announce %s with", addr)
	}
	frame, to := gratuitousARP(mac, addr), broadcast
	proto := uint16(unix.ETH_P_ARP)
	if addr.Is6() {
		frame, to, proto = unsolicitedNA(mac, addr), allNodes, unix.ETH_P_IPV6
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("packet socket: %w", err)
	}
	defer unix.Close(fd)
	sa := &unix.SockaddrLinklayer{Protocol: proto<<8 | proto>>8, Ifindex: index, Halen: 6}
	copy(sa.Addr[:], to)
	return unix.Sendto(fd, frame, 0, sa)
}

// gratuitousARP is a request for one's own address (RFC 5227 section 2.3).
func gratuitousARP(mac net.HardwareAddr, addr netip.Addr) []byte {
	b := []byte{0, 1, 8, 0, 6, 4, 0, 1} // Ethernet, IPv4, lengths, request
	b = append(b, mac...)
	b = append(b, addr.AsSlice()...)
	b = append(b, make([]byte, 6)...)
	return append(b, addr.AsSlice()...)
}

// unsolicitedNA is a neighbour advertisement to all nodes that overrides what
// they hold (RFC 4861 sections 4.4 and 7.2.6).
func unsolicitedNA(mac net.HardwareAddr, addr netip.Addr) []byte {
	dst := netip.IPv6LinkLocalAllNodes()
	na := []byte{136, 0, 0, 0, 0xa0, 0, 0, 0} // type, code, checksum; router and override
	na = append(na, addr.AsSlice()...)
	na = append(na, 2, 1) // option: target link-layer address, 8 bytes
	na = append(na, mac...)
	binary.BigEndian.PutUint16(na[2:], checksum6(addr, dst, unix.IPPROTO_ICMPV6, na))

	b := []byte{0x60, 0, 0, 0, 0, byte(len(na)), unix.IPPROTO_ICMPV6, 255}
	b = append(b, addr.AsSlice()...)
	b = append(b, dst.AsSlice()...)
	return append(b, na...)
}

// checksum6 is the Internet checksum with IPv6's pseudo-header (RFC 8200 section
// 8.1). The payload's length is even.
func checksum6(src, dst netip.Addr, proto byte, payload []byte) uint16 {
	b := append(src.AsSlice(), dst.AsSlice()...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, 0, 0, 0, proto)
	b = append(b, payload...)
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
