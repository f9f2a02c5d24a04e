package rawbgp

import (
	"maps"
	"net/netip"
	"sync"
	"time"
)

// perUpdate is how many prefixes share an UPDATE at most, so that it stays below 4,096 octets
// whatever its attributes are.
const perUpdate = 100

// Session is a session that keeps what the neighbor announces. Its methods may be used by
// several goroutines.
type Session struct {
	*Conn
	watch func(Update)

	mu      sync.Mutex
	table   map[netip.Prefix]Heard
	changed time.Time
}

func (p Peer) serve(conn *Conn) *Session {
	s := &Session{Conn: conn, watch: p.Watch, table: map[netip.Prefix]Heard{}, changed: time.Now()}
	go s.Serve(s.take, func() {})
	return s
}

// take records what an UPDATE announces and withdraws.
func (s *Session) take(typ byte, body []byte) error {
	if typ != TypeUpdate {
		return nil
	}
	u, err := ParseUpdate(body)
	if err != nil {
		return err
	}
	if s.watch != nil {
		s.watch(u)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range u.Withdrawn {
		delete(s.table, p)
	}
	for _, p := range u.Announced {
		s.table[p] = u.Attrs
	}
	s.changed = time.Now()
	return nil
}

// Table returns the routes that the neighbor announces now.
func (s *Session) Table() map[netip.Prefix]Heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.table)
}

// Quiet returns how long the neighbor has announced and withdrawn nothing.
func (s *Session) Quiet() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.changed)
}

// Announce sends routes, as Routes does, and then End-of-RIB.
func (s *Session) Announce(routes []Route) error {
	if err := s.Routes(routes); err != nil {
		return err
	}
	return s.Send(UpdateMessage(nil, nil, nil))
}

// Routes sends routes in their order, consecutive ones with the same attributes
// together.
func (s *Session) Routes(routes []Route) error {
	for len(routes) > 0 {
		var list []netip.Prefix
		attrs := routes[0].Attrs
		for len(routes) > 0 && len(list) < perUpdate && routes[0].Attrs == attrs {
			list = append(list, routes[0].Prefix)
			routes = routes[1:]
		}
		if err := s.Send(UpdateMessage(nil, attrs.encode(), nlri(list))); err != nil {
			return err
		}
	}
	return nil
}

// Withdraw withdraws prefixes, no more than 100.
func (s *Session) Withdraw(prefixes ...netip.Prefix) error {
	return s.Send(UpdateMessage(nlri(prefixes), nil, nil))
}
