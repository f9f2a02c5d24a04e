package gobgp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// A dynamic neighbor comes into being with its first connection. Its place counts against
// the limit of its group until
//
//   - it has no connection;
//   - it needs not be held back any more: a neighbor that flaps keeps its place until its
//     flaps are forgotten, so that it does not come back without them;
//   - the engine has forgotten its last session, whose routes graceful restart may keep.
//     Otherwise somebody with many addresses could leave the routes of one after another.

// errNoSuchNeighbor refuses a stranger, errOwnAddress a local user.
var (
	errNoSuchNeighbor = errors.New("no such neighbor at this address")
	errOwnAddress     = errors.New("the address is one of this machine's, so it is no dynamic neighbor's")
)

// rangeOf returns the longest range that contains addr.
func rangeOf(ranges []speaker.Range, addr netip.Addr) (best speaker.Range, ok bool) {
	for _, r := range ranges {
		if r.Prefix.Contains(addr) && (!ok || r.Prefix.Bits() > best.Prefix.Bits()) {
			best, ok = r, true
		}
	}
	return best, ok
}

// expects returns the settings of the neighbor that may connect from addr, and the prefix
// to which its TCP-MD5 key belongs.
func (s *Speaker) expects(addr netip.Addr) (n speaker.Neighbor, key netip.Prefix, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.peers[addr]; p != nil && !p.cfg.Dynamic {
		return p.cfg, single(addr), true
	}
	if _, configured := s.sockets.wanted[addr]; configured {
		return n, key, false // it is shut down
	}
	r, ok := rangeOf(s.sockets.ranges, addr)
	return r.At(addr), r.Prefix, ok
}

// joins reports whether a connection from addr would make a new dynamic neighbor.
func (s *Speaker) joins(addr netip.Addr) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := rangeOf(s.sockets.ranges, addr)
	return ok && s.peers[addr] == nil && s.taken(r.Group) < r.Limit
}

// single returns the prefix of one address.
func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// hand gives a connection to its neighbor, which it creates if the address is in a range.
// The lock keeps a neighbor from vanishing, or being removed, before it has the connection.
func (s *Speaker) hand(addr netip.Addr, conn net.Conn) error {
	s.mu.RLock()
	p := s.peers[addr]
	if p != nil {
		p.offer(conn)
	}
	s.mu.RUnlock()
	if p != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.peers[addr]; p != nil {
		p.offer(conn)
		return nil
	}
	r, ok := rangeOf(s.sockets.ranges, addr)
	if _, configured := s.sockets.wanted[addr]; s.closed || !ok || configured {
		return errNoSuchNeighbor
	}
	if s.taken(r.Group) >= r.Limit {
		s.refused[r.Group]++
		return fmt.Errorf("peer-group %s has as many dynamic neighbors as listen-limit allows, or some of them need their places for a while yet", r.Group)
	}
	p = newPeer(s, r.At(addr), s.leaving[addr])
	p.group = r.Group
	delete(s.leaving, addr)
	s.peers[addr] = p
	p.offer(conn) // before run looks whether it may end
	go p.run()
	return nil
}

// taken counts the places of a group. s.mu is held.
func (s *Speaker) taken(group string) int {
	n := 0
	for _, p := range s.peers {
		if p.cfg.Dynamic && p.group == group {
			n++
		}
	}
	return n
}

// Ranges returns how full the groups of dynamic neighbors are.
func (s *Speaker) Ranges() map[string]speaker.RangeStats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[string]speaker.RangeStats{}
	for _, r := range s.sockets.ranges {
		if _, done := out[r.Group]; !done {
			out[r.Group] = speaker.RangeStats{Taken: s.taken(r.Group), Limit: r.Limit, Refused: s.refused[r.Group]}
		}
	}
	return out
}

// Release gives up the place of a dynamic neighbor that was kept for a session that is
// over. It does nothing if a later session has been established.
func (s *Speaker) Release(addr netip.Addr, session uint64) {
	if p := s.find(addr); p != nil {
		p.released.Store(session)
		select {
		case p.hint <- struct{}{}:
		default:
		}
	}
}

// vanish ends the neighbor if it is dynamic and nothing needs it any more.
func (p *peer) vanish() bool {
	if !p.cfg.Dynamic || p.current != nil || p.second != nil || p.lastUp > p.released.Load() || time.Now().Before(p.rest) {
		return false
	}
	p.sp.mu.Lock()
	defer p.sp.mu.Unlock()
	if p.sp.peers[p.cfg.Address] != p || len(p.incoming) > 0 {
		return false // a farewellOrder, or a connection, is there
	}
	delete(p.sp.peers, p.cfg.Address)
	return true
}

// retain keeps the place of a dynamic neighbor whose session s has ended for as long as
// that is needed.
func (p *peer) retain(s *session, now time.Time) {
	if !p.cfg.Dynamic {
		return
	}
	p.rest = p.backoff.forgets(now)
	if s.announced {
		p.lastUp = s.number
	} else if n, due := p.sp.strangers.Every("dynamic", strangerInterval); due {
		p.log.Warn("dynamic neighbor not up", keyReason, p.failure, "count", n)
	}
}
