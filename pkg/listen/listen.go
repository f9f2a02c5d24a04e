// Package listen opens TCP listeners at configured addresses, and bounds what their clients may
// use.
//
// nvad often starts before DHCP is done, so an address need not exist yet to listen on it. If the
// port is taken, the error says by whom. A [Pool] limits connections, so that clients never use up the
// file descriptors that nvad needs for routing.
//
// Listeners belong to the caller, a pool keeps count of its connections. BGP's listeners are not made
// here, because they have keys and a TTL: see package speaker/gobgp.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// TCP listens at an address, which need not exist yet (IP_FREEBIND).
func TCP(at netip.AddrPort) (net.Listener, error) {
	return open(at, Option{unix.IPPROTO_IP, unix.IP_FREEBIND, 1})
}

// Shared is [TCP] for an address that may overlap with one on which this process listens already
// (SO_REUSEPORT): a reload replaces 0.0.0.0 by one address, or the reverse.
func Shared(at netip.AddrPort) (net.Listener, error) {
	return open(at, Option{unix.IPPROTO_IP, unix.IP_FREEBIND, 1}, Option{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1})
}

// Option is the level, the name and the value of an integer option of a socket.
type Option [3]int

// Config returns a configuration that sets options before the socket is bound.
func Config(options []Option) *net.ListenConfig {
	return &net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var errs []error
		err := c.Control(func(fd uintptr) {
			for _, o := range options {
				if err := unix.SetsockoptInt(int(fd), o[0], o[1], o[2]); err != nil {
					errs = append(errs, fmt.Errorf("socket option %d/%d: %w", o[0], o[1], err))
				}
			}
		})
		return errors.Join(append(errs, err)...)
	}}
}

func open(at netip.AddrPort, options ...Option) (net.Listener, error) {
	network := "tcp4"
	if at.Addr().Is6() {
		network = "tcp6"
	}
	l, err := Config(options).Listen(context.Background(), network, at.String())
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %s", at, Holder(at))
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", at, err)
	}
	return l, nil
}
