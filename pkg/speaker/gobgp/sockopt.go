package gobgp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/speaker"
)

// keepAlive finds dead peers of sessions without a hold time. Others lose it once
// they are established: it might end them before their hold time is over.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// maxTTL is what a sender under RFC 5082 uses.
const maxTTL = 255

func onSocket(c syscall.RawConn, f func(fd int) error) error {
	var err error
	if e := c.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

func setInt(fd, level, option, value int, name string) error {
	if err := unix.SetsockoptInt(fd, level, option, value); err != nil {
		return os.NewSyscallError("setsockopt "+name, err)
	}
	return nil
}

// setSession sets what a socket of a session with n needs, but for the MD5 key:
// TTL and TTL security. TCP_USER_TIMEOUT is left alone: with it the kernel ends a
// connection whose sending fails for a moment if it had failed before, a hold
// time ago or longer, however well it did in between.
func setSession(fd int, network string, n speaker.Neighbor) error {
	ttl := sessionTTL(n)
	var err error
	if network == "tcp6" {
		err = setInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttl, "IPV6_UNICAST_HOPS")
		if err == nil && n.TTLSecurity > 0 {
			err = setInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT, minTTL(n), "IPV6_MINHOPCOUNT")
		}
	} else {
		err = setInt(fd, unix.IPPROTO_IP, unix.IP_TTL, ttl, "IP_TTL")
		if err == nil && n.TTLSecurity > 0 {
			err = setInt(fd, unix.IPPROTO_IP, unix.IP_MINTTL, minTTL(n), "IP_MINTTL")
		}
	}
	return err
}

// sessionTTL is 255 under TTL security, that of the configuration for eBGP, 1
// for directly connected eBGP, and the system's usual one for iBGP.
func sessionTTL(n speaker.Neighbor) int {
	switch {
	case n.TTLSecurity > 0:
		return maxTTL
	case n.IsInternal():
		return 64
	case n.MultihopTTL > 1:
		return int(n.MultihopTTL)
	}
	return 1
}

func minTTL(n speaker.Neighbor) int { return maxTTL + 1 - int(n.TTLSecurity) }

// setMD5 sets the TCP-MD5 key (RFC 2385) for packets from and to addr. An empty
// key removes the one that is set.
func setMD5(fd int, addr netip.Addr, key string) error {
	sig := &unix.TCPMD5Sig{Keylen: uint16(len(key))}
	if len(key) > len(sig.Key) {
		return fmt.Errorf("password is longer than %d octets", len(sig.Key))
	}
	copy(sig.Key[:], key)
	if addr.Is4() {
		sig.Addr.Family = unix.AF_INET
		ip := addr.As4()
		copy(sig.Addr.Data[2:], ip[:]) // after the port
	} else {
		sig.Addr.Family = unix.AF_INET6
		ip := addr.As16()
		copy(sig.Addr.Data[6:], ip[:]) // after the port and the flow label
	}
	if err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, sig); err != nil {
		return os.NewSyscallError("setsockopt TCP_MD5SIG", err)
	}
	return nil
}

func unwrap(conn net.Conn) net.Conn {
	if r, ok := conn.(*replay); ok {
		return r.Conn
	}
	return conn
}
