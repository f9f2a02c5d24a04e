package bfd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// classControl is DSCP CS6, network control.
	classControl = 0xc0
	// receiveBuffer takes what arrives while the process is starved: some 1,000
	// packets.
	receiveBuffer = 1 << 20
)

// option is a socket option to set before the socket is bound.
type option struct{ level, name, value int }

func senderOptions(v6 bool, device int) []option {
	options := []option{
		{unix.IPPROTO_IP, unix.IP_TTL, maxHopLimit},
		{unix.IPPROTO_IP, unix.IP_TOS, classControl},
	}
	if v6 {
		options = []option{
			{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
			{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, maxHopLimit},
			{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, classControl},
		}
	}
	if device != 0 {
		options = append(options, option{unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, device})
	}
	return options
}

func receiverOptions(v6 bool) []option {
	buffer := option{unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer}
	if v6 {
		return []option{
			{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
			{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
			{unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
			buffer,
		}
	}
	return []option{{unix.IPPROTO_IP, unix.IP_PKTINFO, 1}, {unix.IPPROTO_IP, unix.IP_RECVTTL, 1}, buffer}
}

// bind opens a UDP socket with options. Its errors do not name the port, which may
// be another one at each attempt.
func bind(at netip.AddrPort, options []option) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = set(int(fd), options) }); e != nil {
			return e
		}
		return err
	}}
	network := "udp4"
	if at.Addr().Is6() {
		network = "udp6"
	}
	conn, err := config.ListenPacket(context.Background(), network, at.String())
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return nil, fmt.Errorf("%v: %w", at.Addr(), op.Err)
	}
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

func set(fd int, options []option) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return fmt.Errorf("socket option %d/%d: %w", o.level, o.name, err)
		}
	}
	return nil
}
