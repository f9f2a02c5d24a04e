package gobgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
	"github.com/nvad/nvad/pkg/telemetry"
)

const (
	defaultPort = 179
	eventQueue  = 256
)

// Options are what a Speaker is made with. ASN, RouterID and Interner are
// required.
type Options struct {
	ASN      uint32
	RouterID netip.Addr // BGP Identifier (RFC 6286)
	Interner *route.Interner
	Log      *slog.Logger
	Port     uint16 // to listen on; 0 means 179
	// Restarting says that the kernel still forwards by an earlier run's routes:
	// OPEN has the Restart State bit until Restarted is called, and the
	// Forwarding State bits (RFC 4724 3).
	Restarting bool
}

// Speaker holds the sessions of this router with its neighbors. Its methods are
// safe for concurrent use, and none but Close waits for a neighbor or for the
// reader of events.
type Speaker struct {
	opts        Options
	engine      *engine
	events      chan speaker.Event
	ctx         context.Context
	cancel      context.CancelFunc
	sessions    atomic.Uint64
	restarting  atomic.Bool
	preserved   atomic.Bool
	background  sync.WaitGroup
	strangers   telemetry.Throttle
	pace        dialPace
	md5         md5Reader
	descriptors int // the least number that a neighbor's socket must not have
	// handshakeTime is that of the sessions to come; tests have less of it.
	handshakeTime time.Duration

	mu      sync.RWMutex // guards the rest
	closed  bool
	peers   map[netip.Addr]*peer
	leaving map[netip.Addr]*peer

	sockets sockets
}

// New starts a Speaker without neighbors. Close must be called.
func New(o Options) (*Speaker, error) {
	switch {
	case o.ASN == 0:
		return nil, errors.New("ASN is missing")
	case !o.RouterID.Is4():
		return nil, fmt.Errorf("router ID %s is not an IPv4 address", o.RouterID)
	case o.Interner == nil:
		return nil, errors.New("interner is missing")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Port == 0 {
		o.Port = defaultPort
	}
	s := &Speaker{
		opts:    o,
		events:  make(chan speaker.Event, eventQueue),
		peers:   map[netip.Addr]*peer{},
		leaving: map[netip.Addr]*peer{},
		sockets: sockets{open: map[netip.Addr]*listener{}, missing: map[netip.Addr]error{}},

		descriptors:   descriptorLimit(),
		handshakeTime: handshakeTime,
	}
	s.restarting.Store(o.Restarting)
	s.preserved.Store(o.Restarting)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var err error
	if s.engine, err = newEngine(o.ASN, o.RouterID, o.Log); err != nil {
		s.cancel()
		return nil, err
	}
	s.background.Go(s.listenAgain)
	return s, nil
}

// Events is the queue of what happens. Sockets are not read while it is full.
// Close closes it.
func (s *Speaker) Events() <-chan speaker.Event { return s.events }

// Restarted ends the time in which this router is known to have restarted
// (RFC 4724 4.1): OPENs from now on do not say so. They say that forwarding
// state is preserved, since a session that is lost later does not touch it.
func (s *Speaker) Restarted() {
	s.restarting.Store(false)
	s.preserved.Store(true)
}

func (s *Speaker) restart() wire.Restart {
	return wire.Restart{Restarted: s.restarting.Load(), Preserved: s.preserved.Load()}
}

// Configure makes the given neighbors the ones to have sessions with. Neighbors
// that are equal to what they were keep their session; changed ones are reset
// with Cease/Other Configuration Change, those that are gone with Cease/Peer
// De-configured, disabled ones with Cease/Administrative Shutdown (RFC 4486).
//
// Where a listening socket can't be opened or keyed, nvad goes on dialling, and tries
// to listen again every few seconds: see Missing.
func (s *Speaker) Configure(neighbors []speaker.Neighbor) {
	wanted := byAddress(neighbors)
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	maps.DeleteFunc(s.leaving, func(_ netip.Addr, p *peer) bool { return p.gone() })
	for addr, p := range s.peers {
		n, ok := wanted[addr]
		if ok && n == p.cfg {
			continue
		}
		delete(s.peers, addr)
		s.leaving[addr] = p
		p.stop <- farewellOrder{notification: speaker.Cease(departure(n, ok))}
	}
	s.sockets.wanted = wanted
	s.listen() // before the first SYN: a neighbor may answer with its own
	for addr, n := range wanted {
		if s.peers[addr] == nil && !n.Disabled {
			p := newPeer(s, n, s.leaving[addr])
			delete(s.leaving, addr)
			s.peers[addr] = p
			go p.run()
		}
	}
}

// byAddress is the neighbors by their addresses, each with its families.
func byAddress(neighbors []speaker.Neighbor) map[netip.Addr]speaker.Neighbor {
	out := make(map[netip.Addr]speaker.Neighbor, len(neighbors))
	for _, n := range neighbors {
		if n.Families == 0 {
			n.Families = route.FamilyOf(netip.PrefixFrom(n.Address, 0))
		}
		out[n.Address] = n
	}
	return out
}

// departure is the subcode of Cease for a neighbor whose configuration changed
// to n or, if there is none, went away.
func departure(n speaker.Neighbor, ok bool) uint8 {
	switch {
	case !ok:
		return speaker.CeaseDeconfigured
	case n.Disabled:
		return speaker.CeaseShutdown
	}
	return speaker.CeaseConfigChange
}

// Send changes the Adj-RIB-Out of a session. A change replaces one of the same
// prefix that has not left yet. Changes for a session that is over are dropped:
// the next one begins with an empty Adj-RIB-Out.
func (s *Speaker) Send(addr netip.Addr, session uint64, changes []speaker.Change) {
	if out := s.outgoing(addr, session); out != nil {
		out.add(changes)
	}
}

// SendEndOfRIB sends the marker of RFC 4724 2 after all changes queued so far.
func (s *Speaker) SendEndOfRIB(addr netip.Addr, session uint64, family route.Family) {
	if out := s.outgoing(addr, session); out != nil {
		out.endOfRIB(family)
	}
}

// SetLimit tells how many prefixes of each family the neighbor of a session takes;
// 0: any number. What is queued is sent such that the neighbor never has more,
// as long as the Adj-RIB-Out has no more.
func (s *Speaker) SetLimit(addr netip.Addr, session uint64, prefixes int) {
	if out := s.outgoing(addr, session); out != nil {
		out.setLimit(prefixes)
	}
}

// RequestRefresh asks the neighbor of a session to announce all of some families again
// (RFC 2918). Requests that have not left yet become one. It does nothing if the
// session is over, or if the neighbor did not announce the capability.
func (s *Speaker) RequestRefresh(addr netip.Addr, session uint64, families route.Family) {
	if out := s.outgoing(addr, session); out != nil {
		out.requestRefresh(families)
	}
}

func (s *Speaker) outgoing(addr netip.Addr, session uint64) *queue {
	p := s.find(addr)
	if p == nil {
		return nil
	}
	if ses := p.session.Load(); ses != nil && ses.number == session {
		return ses.out
	}
	return nil
}

// Reset ends a session with n and dials again at once. Without a session it
// only does the latter. Session is the number of an established one: if that is over
// by now, Reset does nothing, so that it never ends the handshake of the next. 0 is
// whatever session there is.
func (s *Speaker) Reset(addr netip.Addr, session uint64, n speaker.Notification) {
	if p := s.find(addr); p != nil {
		select {
		case p.resets <- resetOrder{session, n}:
		default: // another reset is under way
		}
	}
}

// Stats returns the counters of a neighbor; false if there is no such neighbor.
func (s *Speaker) Stats(addr netip.Addr) (speaker.Stats, bool) {
	p := s.find(addr)
	if p == nil {
		return speaker.Stats{}, false
	}
	st := p.counters.stats()
	if ses := p.session.Load(); ses != nil {
		st.Queued = ses.out.len()
		st.Octets = ses.octets(st.Queued)
	}
	return st, true
}

// Hint tells that addresses or links have changed: neighbors without a session
// are dialled now.
func (s *Speaker) Hint() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.peers {
		select {
		case p.hint <- struct{}{}:
		default:
		}
	}
}

func (s *Speaker) find(addr netip.Addr) *peer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.peers[addr]
}
