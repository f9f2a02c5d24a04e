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

// keepAlive finds dead neighbors of sessions without a hold time. It is turned off when a
// session with a hold time is established, which it could end too early.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// maxTTL is the TTL of a sender under RFC 5082.
const maxTTL = 255

func onSocket(c syscall.RawConn, f func(fd int) error) error {
	var err error
	if e := c.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

// option is one integer socket option.
type option struct {
	level, number int
	name          string
}

func (o option) set(fd, value int) error {
	return os.NewSyscallError("setsockopt "+o.name, unix.SetsockoptInt(fd, o.level, o.number, value))
}

// options are those of a network, "tcp4" or "tcp6".
var options = map[string]struct{ ttl, minTTL, freeBind option }{
	"tcp4": {
		option{unix.IPPROTO_IP, unix.IP_TTL, "IP_TTL"},
		option{unix.IPPROTO_IP, unix.IP_MINTTL, "IP_MINTTL"},
		option{unix.IPPROTO_IP, unix.IP_FREEBIND, "IP_FREEBIND"},
	},
	"tcp6": {
		option{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, "IPV6_UNICAST_HOPS"},
		option{unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT, "IPV6_MINHOPCOUNT"},
		option{unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, "IPV6_FREEBIND"},
	},
}

// setListening lets the address come later, and sets the TTL of the SYN-ACK, which a
// neighbor under RFC 5082 checks too.
func setListening(fd int, network string) error {
	if err := options[network].freeBind.set(fd, 1); err != nil {
		return err
	}
	return options[network].ttl.set(fd, maxTTL)
}

// setSession sets TTL and TTL security of a socket for a session with n. It leaves
// TCP_USER_TIMEOUT alone: with that, the kernel ends a connection at the first failed
// transmission if another one had failed a hold time ago or longer, however well
// the connection did in between.
func setSession(fd int, network string, n speaker.Neighbor) error {
	err := options[network].ttl.set(fd, sessionTTL(n))
	if err == nil && n.TTLSecurity > 0 {
		err = options[network].minTTL.set(fd, minTTL(n))
	}
	return err
}

// sessionTTL returns 255 under TTL security, the system's usual TTL for iBGP, the
// configured one for multihop eBGP, and 1 for directly connected eBGP.
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

// setMD5 sets the TCP-MD5 key (RFC 2385) for segments from and to the addresses of a
// prefix. An empty key removes the one that is set. The kernel uses the key of the longest
// prefix.
func setMD5(fd int, of netip.Prefix, key string) error {
	addr := of.Addr()
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
	number := unix.TCP_MD5SIG
	if !of.IsSingleIP() {
		number = unix.TCP_MD5SIG_EXT
		sig.Flags, sig.Prefixlen = unix.TCP_MD5SIG_FLAG_PREFIX, uint8(of.Bits())
	}
	if err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, number, sig); err != nil {
		return os.NewSyscallError("setsockopt TCP_MD5SIG", err)
	}
	return nil
}

// unwrap returns the socket of a connection.
func unwrap(conn net.Conn) net.Conn {
	if r, ok := conn.(*replay); ok {
		return r.Conn
	}
	return conn
}

// unanswered reports whether a segment has waited for an acknowledgment for as long as
// since. The kernel of a neighbor that is alive acknowledges, even if the neighbor's
// daemon does not read.
func unanswered(conn net.Conn, since time.Duration) bool {
	info := tcpInfo(conn)
	silence := since * 9 / 10 // the kernel counts in ticks of up to 10 ms
	return info != nil && info.Unacked > 0 && time.Duration(info.Last_ack_recv)*time.Millisecond >= silence
}

// tcpInfo returns nil if conn is closed, or is not a TCP socket.
func tcpInfo(conn net.Conn) (info *unix.TCPInfo) {
	tcp, ok := unwrap(conn).(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	_ = onSocket(raw, func(fd int) error {
		info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err
	})
	return info
}

func withoutKeepAlive(conn net.Conn) {
	if tcp, ok := unwrap(conn).(*net.TCPConn); ok {
		_ = tcp.SetKeepAlive(false)
	}
}
