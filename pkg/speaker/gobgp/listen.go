package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/listen"
	"github.com/nvad/nvad/pkg/speaker"
)

// listener is one listening socket with the keys of the neighbors that may
// connect to it.
type listener struct {
	*net.TCPListener
	keys      map[netip.Addr]string // TCP-MD5, by neighbor
	accepting bool
}

// wantedListeners says where to listen: at the local address of each neighbor
// or, if one has none, at every address of its family. The two cannot be mixed,
// the kernel refuses the address if the wildcard is taken.
func wantedListeners(neighbors map[netip.Addr]speaker.Neighbor) map[netip.Addr]map[netip.Addr]string {
	any4, any6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	wildcard := map[netip.Addr]bool{}
	at := func(n speaker.Neighbor) (local, family netip.Addr) {
		family = any4
		if n.Address.Is6() {
			family = any6
		}
		if local = n.LocalAddress; !local.IsValid() {
			local = family
		}
		return local, family
	}
	for _, n := range neighbors {
		if local, family := at(n); local == family && !n.Disabled {
			wildcard[family] = true
		}
	}
	out := map[netip.Addr]map[netip.Addr]string{}
	for _, n := range neighbors {
		if n.Disabled {
			continue
		}
		local, family := at(n)
		if wildcard[family] {
			local = family
		}
		if out[local] == nil {
			out[local] = map[netip.Addr]string{}
		}
		if n.Password != "" {
			out[local][n.Address] = n.Password
		}
	}
	return out
}

// openListener opens a socket at an address that need not exist yet (IP_FREEBIND).
func openListener(ctx context.Context, addr netip.Addr, port uint16) (*listener, error) {
	c := net.ListenConfig{
		KeepAliveConfig: keepAlive,
		Control: func(network, _ string, c syscall.RawConn) error {
			return onSocket(c, func(fd int) error { return setListening(fd, network) })
		},
	}
	c.SetMultipathTCP(false) // knows no TCP-MD5
	l, err := c.Listen(ctx, network(addr), netip.AddrPortFrom(addr, port).String())
	if err != nil {
		reason := errText(err)
		if errors.Is(err, unix.EADDRINUSE) {
			reason = listen.Holder(netip.AddrPortFrom(addr, port))
		}
		return nil, fmt.Errorf("listen on %s port %d: %s", addr, port, reason)
	}
	return &listener{TCPListener: l.(*net.TCPListener), keys: map[netip.Addr]string{}}, nil
}

// setListening sets the TTL of the SYN-ACK, which a neighbor under RFC 5082
// checks too, and lets the address come later.
func setListening(fd int, network string) error {
	if network == "tcp6" {
		if err := setInt(fd, unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1, "IPV6_FREEBIND"); err != nil {
			return err
		}
		return setInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, maxTTL, "IPV6_UNICAST_HOPS")
	}
	if err := setInt(fd, unix.IPPROTO_IP, unix.IP_FREEBIND, 1, "IP_FREEBIND"); err != nil {
		return err
	}
	return setInt(fd, unix.IPPROTO_IP, unix.IP_TTL, maxTTL, "IP_TTL")
}

// rekey brings the TCP-MD5 keys of the socket in line with keys. Without prune those
// that are not among them stay.
func (l *listener) rekey(keys map[netip.Addr]string, prune bool) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	return onSocket(raw, func(fd int) error {
		var errs []error
		for addr := range l.keys {
			if _, ok := keys[addr]; !ok && prune {
				errs = append(errs, setMD5(fd, addr, ""))
				delete(l.keys, addr)
			}
		}
		for addr, key := range keys {
			if l.keys[addr] == key {
				continue
			}
			if err := setMD5(fd, addr, key); err != nil {
				errs = append(errs, fmt.Errorf("neighbor %s: %w", addr, err))
				continue
			}
			l.keys[addr] = key
		}
		return errors.Join(errs...)
	})
}

// acceptFrom hands connections to the neighbors they come from until the
// listener is closed.
func (s *Speaker) acceptFrom(l *listener) {
	for {
		conn, err := l.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			s.opts.Log.Warn("accept failed", keyReason, errText(err))
			s.pause(firstPause)
		default:
			s.arrived(l, conn)
		}
	}
}

// strangerInterval is the least time between two log lines about connections from unknown
// addresses, of which an eager one opens many.
const strangerInterval = 10 * time.Second

// arrived finds the neighbor of an accepted connection. Options that the
// neighbor's sockets need are set before anything is read.
func (s *Speaker) arrived(l *listener, conn *net.TCPConn) {
	addr := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	p := s.find(addr)
	if p != nil && !s.keyed(l, p) {
		conn.Close() // its key could not be set: anybody could have sent this
		return
	}
	if p == nil || !p.listensAt(conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr()) {
		conn.Close()
		if n, due := s.strangers.Every("", strangerInterval); due {
			s.opts.Log.Warn("connection refused", keyNeighbor, addr.String(), keyReason, "no such neighbor at this address", "count", n)
		}
		return
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = onSocket(raw, func(fd int) error {
			if fd >= s.descriptors {
				return errDescriptors
			}
			return setSession(fd, network(addr), p.cfg)
		})
	}
	if err != nil {
		p.log.Warn("connection refused", keyReason, err)
		conn.Close()
		return
	}
	p.offer(conn)
}

var errDescriptors = errors.New("too few file descriptors are left (LimitNOFILE)")

// listensAt reports whether the neighbor may connect to our address local.
func (p *peer) listensAt(local netip.Addr) bool {
	return !p.cfg.LocalAddress.IsValid() || p.cfg.LocalAddress == local.Unmap()
}

// pause waits, unless the Speaker is closed.
func (s *Speaker) pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(s.ctx, d)
	defer cancel()
	<-ctx.Done()
}
