// Package listen opens TCP listeners at the addresses of a configuration.
//
// Promise: an address that the NIC gets later can be listened on now, and an error
// says who has the port. What it opened is the caller's. The listeners of BGP are
// not made here: they carry keys and a TTL, see speaker/gobgp.
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

// TCP listens at an address that need not exist yet (IP_FREEBIND).
func TCP(at netip.AddrPort) (net.Listener, error) {
	return open(at, option{unix.IPPROTO_IP, unix.IP_FREEBIND})
}

// Shared is [TCP] for an address that overlaps with one this process has already:
// one in the place of all, or the reverse (SO_REUSEPORT).
func Shared(at netip.AddrPort) (net.Listener, error) {
	return open(at, option{unix.IPPROTO_IP, unix.IP_FREEBIND}, option{unix.SOL_SOCKET, unix.SO_REUSEPORT})
}

type option struct{ level, name int }

func open(at netip.AddrPort, options ...option) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var errs []error
		err := c.Control(func(fd uintptr) {
			for _, o := range options {
				errs = append(errs, unix.SetsockoptInt(int(fd), o.level, o.name, 1))
			}
		})
		return errors.Join(err, errors.Join(errs...))
	}}
	network := "tcp4"
	if at.Addr().Is6() {
		network = "tcp6"
	}
	l, err := config.Listen(context.Background(), network, at.String())
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %s", at, Holder(at))
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", at, err)
	}
	return l, nil
}
