package gobgp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/listen"
	"github.com/nvad/nvad/pkg/speaker"
)

// sockets are the listening sockets. Code that takes both mu and Speaker.mu takes mu
// first.
type sockets struct {
	mu sync.Mutex // guards the rest, and the keys of what is open
	// Who may connect. Both are written with Speaker.mu held too, which is enough to read.
	wanted  map[netip.Addr]speaker.Neighbor
	ranges  []speaker.Range
	open    map[netip.Addr]*listener
	missing map[netip.Addr]error // why an address is not listened on, or lacks a key
}

// listenInterval is the time between attempts to open what is missing.
const listenInterval = 5 * time.Second

// Prepare opens the listening sockets that neighbors need and sets their keys, as
// Configure does, so that a reload can be refused before a session is touched. An error
// leaves everything as it was. A socket that was missing before is no error, because a
// reload that does not concern it must be possible.
func (s *Speaker) Prepare(neighbors []speaker.Neighbor, ranges ...speaker.Range) error {
	k := &s.sockets
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.ctx.Err() != nil {
		return errors.New("speaker is closed")
	}
	var errs []error
	for addr, err := range s.openSockets(wantedListeners(byAddress(neighbors), ranges), false) {
		if k.missing[addr] == nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		s.listen()
	}
	return errors.Join(errs...)
}

// Missing returns an error for each address on which nvad should listen and can't; it
// names the process that has the port.
func (s *Speaker) Missing() []error {
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	var out []error
	for _, addr := range slices.SortedFunc(maps.Keys(s.sockets.missing), netip.Addr.Compare) {
		out = append(out, s.sockets.missing[addr])
	}
	return out
}

// listen opens and closes sockets until they match the wanted neighbors, and logs what
// has become missing or is there again.
func (s *Speaker) listen() {
	k := &s.sockets
	now := s.openSockets(wantedListeners(k.wanted, k.ranges), true)
	for addr, err := range now {
		if k.missing[addr] == nil {
			s.opts.Log.Warn("not listening, tried again every few seconds", keyReason, err)
		}
	}
	for addr := range k.missing {
		if now[addr] == nil && k.open[addr] != nil {
			s.opts.Log.Info("listening", "address", k.open[addr].Addr())
		}
	}
	k.missing = now
	for _, l := range k.open {
		if !l.accepting {
			l.accepting = true
			s.background.Go(func() { s.acceptFrom(l) })
		}
	}
}

// listenAgain retries what is missing until the Speaker is closed.
func (s *Speaker) listenAgain() {
	for s.ctx.Err() == nil {
		s.pause(listenInterval)
		s.sockets.mu.Lock()
		if len(s.sockets.missing) > 0 && s.ctx.Err() == nil {
			s.listen()
		}
		s.sockets.mu.Unlock()
	}
}

// openSockets opens the wanted sockets, sets their keys, and returns what failed, by
// address. Without prune, sockets and keys that are not wanted stay, unless they are in
// the way.
func (s *Speaker) openSockets(wanted map[netip.Addr]keyring, prune bool) map[netip.Addr]error {
	failed := map[netip.Addr]error{}
	for addr, l := range s.sockets.open {
		if wanted[addr] == nil && (prune || inTheWay(addr, wanted)) {
			l.Close()
			delete(s.sockets.open, addr)
		}
	}
	for addr, keys := range wanted {
		l := s.sockets.open[addr]
		if l == nil {
			var err error
			if l, err = openListener(s.ctx, addr, s.opts.Port); err != nil {
				failed[addr] = err
				continue
			}
			s.sockets.open[addr] = l
		}
		if err := l.rekey(keys, prune); err != nil {
			failed[addr] = err
		}
	}
	return failed
}

// inTheWay reports whether a socket at addr keeps a wanted one from being opened: beside a
// wildcard the kernel allows no single address, and the reverse.
func inTheWay(addr netip.Addr, wanted map[netip.Addr]keyring) bool {
	for a := range wanted {
		if a.Is4() == addr.Is4() && (a.IsUnspecified() || addr.IsUnspecified()) {
			return true
		}
	}
	return false
}

// listener is one listening socket with the keys of the neighbors that may
// connect to it.
type listener struct {
	*net.TCPListener
	keys      keyring
	accepting bool
}

// keyring has the TCP-MD5 keys of a listening socket, by the address of a neighbor or the
// prefix of a range.
type keyring map[netip.Prefix]string

// wantedListeners returns where to listen, with the keys: at the local address of each
// neighbor or, if one neighbor of a family has none, at the wildcard address instead,
// because the kernel does not allow both.
func wantedListeners(neighbors map[netip.Addr]speaker.Neighbor, ranges []speaker.Range) map[netip.Addr]keyring {
	from := slices.Clone(ranges)
	for _, n := range neighbors {
		from = append(from, speaker.Range{Prefix: single(n.Address), Neighbor: n})
	}
	from = slices.DeleteFunc(from, func(r speaker.Range) bool { return r.Disabled })
	any4, any6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	wildcard := map[netip.Addr]bool{}
	at := func(r speaker.Range) (local, family netip.Addr) {
		family = any4
		if r.Prefix.Addr().Is6() {
			family = any6
		}
		if local = r.LocalAddress; !local.IsValid() {
			local = family
		}
		return local, family
	}
	for _, r := range from {
		if local, family := at(r); local == family {
			wildcard[family] = true
		}
	}
	out := map[netip.Addr]keyring{}
	for _, r := range from {
		local, family := at(r)
		if wildcard[family] {
			local = family
		}
		if out[local] == nil {
			out[local] = keyring{}
		}
		if r.Password != "" {
			out[local][r.Prefix] = r.Password
		}
	}
	return out
}

// openListener listens on an address, which need not exist yet (IP_FREEBIND).
func openListener(ctx context.Context, addr netip.Addr, port uint16) (*listener, error) {
	c := net.ListenConfig{
		KeepAliveConfig: keepAlive,
		Control: func(network, _ string, c syscall.RawConn) error {
			return onSocket(c, func(fd int) error { return setListening(fd, network) })
		},
	}
	c.SetMultipathTCP(false) // it has no TCP-MD5
	l, err := c.Listen(ctx, network(addr), netip.AddrPortFrom(addr, port).String())
	if err != nil {
		reason := errText(err)
		if errors.Is(err, unix.EADDRINUSE) {
			reason = listen.Holder(netip.AddrPortFrom(addr, port))
		}
		return nil, fmt.Errorf("listen on %s port %d: %s", addr, port, reason)
	}
	return &listener{TCPListener: l.(*net.TCPListener), keys: keyring{}}, nil
}

// rekey sets the TCP-MD5 keys of the socket. With prune it removes all others.
func (l *listener) rekey(keys keyring, prune bool) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	return onSocket(raw, func(fd int) error {
		var errs []error
		for of := range l.keys {
			if _, ok := keys[of]; !ok && prune {
				errs = append(errs, setMD5(fd, of, ""))
				delete(l.keys, of)
			}
		}
		for of, key := range keys {
			if l.keys[of] == key {
				continue
			}
			if err := setMD5(fd, of, key); err != nil {
				errs = append(errs, fmt.Errorf("neighbor %s: %w", prefixText(of), err))
				continue
			}
			l.keys[of] = key
		}
		return errors.Join(errs...)
	})
}

// prefixText returns an address, or a prefix of several.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
