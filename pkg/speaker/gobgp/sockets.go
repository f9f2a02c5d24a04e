package gobgp

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// sockets are the listening sockets. Whoever takes mu as well as Speaker.mu takes mu
// first.
type sockets struct {
	mu      sync.Mutex // guards the rest, and the keys of what is open
	wanted  map[netip.Addr]speaker.Neighbor
	open    map[netip.Addr]*listener
	missing map[netip.Addr]error // why an address is not listened on, or lacks a key
}

// listenInterval is the time between attempts to listen on what is missing.
const listenInterval = 5 * time.Second

// Prepare opens the listening sockets that neighbors need and sets their keys, as
// Configure does, so that a reload is refused before a session is touched. An error
// leaves all as it was. What is missing already is no error: a reload that has
// nothing to do with it must be possible.
func (s *Speaker) Prepare(neighbors []speaker.Neighbor) error {
	k := &s.sockets
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.ctx.Err() != nil {
		return errors.New("speaker is closed")
	}
	var errs []error
	for addr, err := range s.openSockets(wantedListeners(byAddress(neighbors)), false) {
		if k.missing[addr] == nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		s.listen()
	}
	return errors.Join(errs...)
}

// Missing says, an error each, where nvad wants to listen and can't, and who has the
// port.
func (s *Speaker) Missing() []error {
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	var out []error
	for _, addr := range slices.SortedFunc(maps.Keys(s.sockets.missing), netip.Addr.Compare) {
		out = append(out, s.sockets.missing[addr])
	}
	return out
}

// listen brings the listening sockets in line with the neighbors that are wanted.
func (s *Speaker) listen() {
	k := &s.sockets
	now := s.openSockets(wantedListeners(k.wanted), true)
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

// listenAgain tries what is missing again until the Speaker is closed.
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

// openSockets opens and keys the sockets that are wanted, and returns what failed, by
// address. One that can't be opened does not keep the others from it. Without prune,
// sockets and keys that are not wanted stay, unless they are in the way: the kernel
// refuses every address beside one of them, and the reverse.
func (s *Speaker) openSockets(wanted map[netip.Addr]map[netip.Addr]string, prune bool) map[netip.Addr]error {
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

// inTheWay reports whether addr has to be closed for something that is wanted.
func inTheWay(addr netip.Addr, wanted map[netip.Addr]map[netip.Addr]string) bool {
	for a := range wanted {
		if a.Is4() == addr.Is4() && (a.IsUnspecified() || addr.IsUnspecified()) {
			return true
		}
	}
	return false
}

// keyed reports whether l has the key of p: without, the kernel lets everybody in who
// claims the address.
func (s *Speaker) keyed(l *listener, p *peer) bool {
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	return l.keys[p.cfg.Address] == p.cfg.Password
}
