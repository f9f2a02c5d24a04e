package gobgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
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

// Options configure a Speaker. ASN, RouterID and Interner are required.
type Options struct {
	ASN      uint32
	RouterID netip.Addr // BGP Identifier (RFC 6286)
	Interner *route.Interner
	Log      *slog.Logger
	Port     uint16 // to listen on; 0 means 179
	// Restarting says that the kernel still forwards by an earlier run's routes. OPENs
	// have the Forwarding State bits and, until Restarted is called, the Restart State
	// bit (RFC 4724 3).
	Restarting bool
	// Own reports whether an address is one of this machine's. A dynamic neighbor may not
	// have such an address: any local user can connect from it. It is asked before a dynamic
	// neighbor gets a place, so that a flood of other connections does not cost a call
	// each. nil: none is.
	Own func(netip.Addr) bool
}

// Speaker runs the sessions of this router with its neighbors. Its methods are
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
	descriptors int // a neighbor's socket must have a lower number
	// handshakeTime is for the sessions to come; tests shorten it.
	handshakeTime time.Duration

	mu      sync.RWMutex // guards the rest
	closed  bool
	peers   map[netip.Addr]*peer
	leaving map[netip.Addr]*peer
	refused map[string]uint64 // connections, by group of dynamic neighbors

	sockets sockets
}

// New starts a Speaker without neighbors. The caller must Close it.
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
		refused: map[string]uint64{},
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

// Events returns the queue of events. Sockets are not read while it is full. Close
// closes it.
func (s *Speaker) Events() <-chan speaker.Event { return s.events }

// Restarted ends the graceful restart of this router (RFC 4724 4.1): later OPENs have no
// Restart State bit. They have the Forwarding State bits, because the kernel keeps
// forwarding when a single session is lost.
func (s *Speaker) Restarted() {
	s.restarting.Store(false)
	s.preserved.Store(true)
}

func (s *Speaker) restart() wire.Restart {
	return wire.Restart{Restarted: s.restarting.Load(), Preserved: s.preserved.Load()}
}

// Configure replaces the set of neighbors. An unchanged neighbor keeps its session; a
// changed one is reset with Cease/Other Configuration Change, a removed one ends with
// Cease/Peer De-configured, a disabled one with Cease/Administrative Shutdown (RFC 4486).
//
// If a listening socket can't be opened, or a key can't be set, nvad still dials, and
// tries to listen again every few seconds: see Missing.
//
// A dynamic neighbor, which connected from one of the ranges, is treated like one that is
// configured with the settings of its range. If these change, it has to connect again.
func (s *Speaker) Configure(neighbors []speaker.Neighbor, ranges ...speaker.Range) {
	wanted := byAddress(neighbors)
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	maps.DeleteFunc(s.leaving, func(_ netip.Addr, p *peer) bool { return isClosed(p.done) })
	for addr, p := range s.peers {
		n, ok := wanted[addr]
		if !ok && p.cfg.Dynamic {
			var r speaker.Range
			r, ok = rangeOf(ranges, addr)
			n, p.group = r.At(addr), r.Group
		}
		if ok && n == p.cfg {
			continue
		}
		delete(s.peers, addr)
		s.leaving[addr] = p
		p.stop <- farewellOrder{notification: speaker.Cease(departure(n, ok))}
	}
	s.sockets.wanted, s.sockets.ranges = wanted, ranges
	maps.DeleteFunc(s.refused, func(group string, _ uint64) bool {
		return !slices.ContainsFunc(ranges, func(r speaker.Range) bool { return r.Group == group })
	})
	s.listen() // before the first SYN, because a neighbor may answer with its own
	for addr, n := range wanted {
		if s.peers[addr] == nil && !n.Disabled {
			p := newPeer(s, n, s.leaving[addr])
			delete(s.leaving, addr)
			s.peers[addr] = p
			go p.run()
		}
	}
}

// byAddress indexes neighbors. One without families gets that of its address.
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

// departure returns the subcode of Cease for a neighbor whose configuration changed
// to n or, without ok, was removed.
func departure(n speaker.Neighbor, ok bool) uint8 {
	switch {
	case !ok:
		return speaker.CeaseDeconfigured
	case n.Disabled:
		return speaker.CeaseShutdown
	}
	return speaker.CeaseConfigChange
}

// Send queues changes of the Adj-RIB-Out of a session. A change replaces a queued one of
// the same prefix. Changes for a session that is over are dropped: the next session
// begins with an empty Adj-RIB-Out.
func (s *Speaker) Send(addr netip.Addr, session uint64, changes []speaker.Change) {
	if out := s.outgoing(addr, session); out != nil {
		out.add(changes)
	}
}

// SendEndOfRIB sends End-of-RIB (RFC 4724 2) after all changes queued so far.
func (s *Speaker) SendEndOfRIB(addr netip.Addr, session uint64, family route.Family) {
	if out := s.outgoing(addr, session); out != nil {
		out.endOfRIB(family)
	}
}

// SetLimit sets how many prefixes of each family the neighbor of a session accepts;
// 0: any number. Queued changes are then sent in an order in which the neighbor never has
// more, provided that the Adj-RIB-Out does not.
func (s *Speaker) SetLimit(addr netip.Addr, session uint64, prefixes int) {
	if out := s.outgoing(addr, session); out != nil {
		out.setLimit(prefixes)
	}
}

// RequestRefresh asks the neighbor of a session to announce all routes of some families
// again (RFC 2918). Queued requests become one. It does nothing if the session is over,
// or if the neighbor did not announce the capability.
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

// Reset ends a session with n and dials again at once; without a session it only dials.
// session is the number of an established one: if that is over by now, Reset does nothing,
// so that it never ends the handshake of the next. 0 means any session.
func (s *Speaker) Reset(addr netip.Addr, session uint64, n speaker.Notification) {
	if p := s.find(addr); p != nil {
		select {
		case p.resets <- resetOrder{session, n}:
		default: // another reset is under way
		}
	}
}

// Stats returns the counters of a neighbor, or false if there is no such neighbor.
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

// Hint dials all neighbors that have no session, at once. The engine calls it when an
// address or a link has changed.
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

// CloseOptions say how to end the sessions.
type CloseOptions struct {
	// Graceful closes the TCP connections without a NOTIFICATION where graceful restart
	// is negotiated, so that the neighbors keep our routes (RFC 4724 4.1).
	Graceful bool
	// Unreachable are neighbors whose packets this process carries itself. Graceful does not
	// apply to them: once the process has ended, the routes that they keep lead nowhere.
	Unreachable []netip.Addr
	// Message is sent to all other neighbors with Cease/Administrative Shutdown
	// (RFC 9003). It may be empty.
	Message string
}

// Close ends all sessions and the Speaker, and closes the queue of events. If ctx ends
// first, Close returns its error, and the remaining sessions end in the background.
func (s *Speaker) Close(ctx context.Context, o CloseOptions) error {
	s.sockets.mu.Lock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.sockets.mu.Unlock()
		return nil
	}
	s.closed = true
	s.sockets.wanted, s.sockets.ranges = nil, nil
	for _, l := range s.sockets.open {
		l.Close()
	}
	s.sockets.mu.Unlock()
	n := speaker.Cease(speaker.CeaseShutdown)
	n.Message = o.Message
	peers := slices.Collect(maps.Values(s.peers))
	for addr, p := range s.peers {
		p.stop <- farewellOrder{notification: n, graceful: o.Graceful && !slices.Contains(o.Unreachable, addr)}
	}
	peers = slices.AppendSeq(peers, maps.Values(s.leaving))
	clear(s.peers)
	s.mu.Unlock()
	s.cancel() // ends dials, and Down events that nobody reads

	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for _, p := range peers {
			<-p.done
		}
		s.engine.stop()
		s.background.Wait()
		close(s.events)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
