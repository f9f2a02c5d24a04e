package watch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// Sizes of what is kept.
const (
	mostWaiting = 16384   // events for one reader
	mostOctets  = 8 << 20 // of attribute sets that those refer to
	mostRecent  = 256     // events of the past
)

// ErrEnded is the error of a Subscription whose Hub was closed.
var ErrEnded = errors.New("nothing more will happen")

// Hub brings changes to those who watch. A nil *Hub has nobody who does.
type Hub struct {
	wanted atomic.Uint32 // kinds that somebody watches

	mu     sync.Mutex
	subs   []*Subscription
	recent []Event
	closed bool
}

// Wants reports whether a change of kind k is worth publishing.
func (h *Hub) Wants(k Kind) bool {
	return h != nil && (k&kept != 0 || Kind(h.wanted.Load())&k != 0)
}

// Publish hands events, in their order, to those who watch. It does not block.
func (h *Hub) Publish(events ...Event) {
	if h == nil || len(events) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ev := range events {
		if ev.Change.kind()&kept != 0 {
			h.remember(ev)
		}
	}
	for _, s := range h.subs {
		s.take(events)
	}
}

func (h *Hub) remember(ev Event) {
	if len(h.recent) == mostRecent {
		h.recent = slices.Delete(h.recent, 0, mostRecent/4)
	}
	h.recent = append(h.recent, ev)
}

// Recent returns the latest changes of neighbors and tunnels that f lets through,
// the oldest first.
func (h *Hub) Recent(f Filter) []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Event
	for _, ev := range h.recent {
		if f.lets(ev.Change) {
			out = append(out, ev)
		}
	}
	return out
}

// Subscribe watches what f lets through, until the Subscription is closed.
func (h *Hub) Subscribe(f Filter) *Subscription {
	s := &Subscription{hub: h, filter: f, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		s.ended = true
		s.poke()
		return s
	}
	h.subs = append(h.subs, s)
	h.count()
	return s
}

// Close ends all subscriptions, once they have read what waits for them.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, s := range h.subs {
		s.mu.Lock()
		s.ended = true
		s.mu.Unlock()
		s.poke()
	}
	h.subs = nil
	h.count()
}

// count notes which kinds are watched.
func (h *Hub) count() {
	var k Kind
	for _, s := range h.subs {
		k |= s.filter.Kinds
	}
	h.wanted.Store(uint32(k))
}

// Subscription is one who watches.
type Subscription struct {
	hub    *Hub
	filter Filter
	wake   chan struct{}

	mu      sync.Mutex
	waiting []Event
	octets  int // of waiting
	lost    uint64
	ended   bool
}

// Close ends the watch.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.subs = slices.DeleteFunc(s.hub.subs, func(o *Subscription) bool { return o == s })
	s.hub.count()
}

// Next waits for events. Lost is how many came before them that the reader was too
// slow for. The error is ErrEnded or the context's.
func (s *Subscription) Next(ctx context.Context) (events []Event, lost uint64, err error) {
	for {
		s.mu.Lock()
		events, lost = s.waiting, s.lost
		ended := s.ended
		s.waiting, s.octets, s.lost = nil, 0, 0
		s.mu.Unlock()
		switch {
		case len(events) > 0:
			return events, lost, nil
		case ended:
			return nil, 0, ErrEnded
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// take keeps what the reader wants to see. A reader that has not kept up loses all
// that waits: the latest is what it has the most use for.
func (s *Subscription) take(events []Event) {
	s.mu.Lock()
	for _, ev := range events {
		if !s.filter.lets(ev.Change) {
			continue
		}
		n := octets(ev.Change)
		if len(s.waiting) == mostWaiting || s.octets+n > mostOctets {
			s.lost += uint64(len(s.waiting))
			s.waiting, s.octets = nil, 0
		}
		s.waiting = append(s.waiting, ev)
		s.octets += n
	}
	s.mu.Unlock()
	s.poke()
}

// octets is what an event keeps from being freed: no route may hold its sets any more,
// and how large they are a neighbor chooses.
func octets(c Change) (n int) {
	r, _ := c.(Route)
	for _, b := range [...]Best{r.Old, r.New} {
		if b.Attrs != nil {
			n += b.Attrs.Octets()
		}
	}
	return n
}

func (s *Subscription) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
