package gobgp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// acceptFrom hands connections to their neighbors until the listener is closed.
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
// addresses: one stranger can open many.
const strangerInterval = 10 * time.Second

// arrived hands an accepted connection to its neighbor. The neighbor's socket options are
// set before anything is read.
func (s *Speaker) arrived(l *listener, conn *net.TCPConn) {
	addr := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	p := s.find(addr)
	if p != nil && !s.keyed(l, p) {
		conn.Close() // the listener lacks its key: anybody could have opened this
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

// pause waits, at most until the Speaker is closed.
func (s *Speaker) pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(s.ctx, d)
	defer cancel()
	<-ctx.Done()
}

// keyed reports whether l has the key of p. Without it, the kernel would accept anybody
// who claims the address.
func (s *Speaker) keyed(l *listener, p *peer) bool {
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	return l.keys[p.cfg.Address] == p.cfg.Password
}

// The share of the process's descriptors that neighbors can't use up, however many
// connections they open: the kernel's sockets, operators and health probes need it.
const (
	descriptorShare = 4 // one in four
	fewDescriptors  = 64
)

// descriptorLimit returns the number that the descriptor of an accepted connection must
// stay below. The kernel always gives out the lowest free number, so the number of a new
// descriptor says how many there are.
func descriptorLimit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fewDescriptors
	}
	most := int(min(limit.Cur, 1<<20))
	return max(most-most/descriptorShare, fewDescriptors)
}
