package gobgp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/speaker"
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
	n, key, ok := s.expects(addr)
	if ok && !s.keyed(l, key, n.Password) {
		conn.Close() // the listener lacks its key: anybody could have opened this
		return
	}
	err := errNoSuchNeighbor
	if ok && n.Dynamic && s.opts.Own != nil && s.joins(addr) && s.opts.Own(addr) {
		ok, err = false, errOwnAddress
	}
	if ok && listensAt(n, conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr()) {
		if err = s.prepare(conn, n); err == nil {
			err = s.hand(addr, conn)
		}
	}
	if err == nil {
		return
	}
	conn.Close()
	if count, due := s.strangers.Every("", strangerInterval); due {
		s.opts.Log.Warn("connection refused", keyNeighbor, addr.String(), keyReason, err, "count", count)
	}
}

// prepare sets the socket options of a connection from n.
func (s *Speaker) prepare(conn *net.TCPConn, n speaker.Neighbor) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	return onSocket(raw, func(fd int) error {
		if fd >= s.descriptors {
			return errDescriptors
		}
		return setSession(fd, network(n.Address), n)
	})
}

var errDescriptors = errors.New("too few file descriptors are left (LimitNOFILE)")

// listensAt reports whether n may connect to our address local.
func listensAt(n speaker.Neighbor, local netip.Addr) bool {
	return !n.LocalAddress.IsValid() || n.LocalAddress == local.Unmap()
}

// pause waits, at most until the Speaker is closed.
func (s *Speaker) pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(s.ctx, d)
	defer cancel()
	<-ctx.Done()
}

// keyed reports whether l has the key of the neighbors in a prefix. Without it, the kernel
// would accept anybody who claims an address.
func (s *Speaker) keyed(l *listener, of netip.Prefix, key string) bool {
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	return l.keys[of] == key
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
