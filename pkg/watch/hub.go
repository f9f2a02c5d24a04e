// Package watch publishes changes as they happen to those who watch.
//
// It promises that a publisher never waits: events that a reader is too slow for are
// dropped, and the reader learns how many. While nobody watches routes, a changed route
// costs no more than a call of [Hub.Wants]. The latest changes of the other kinds, which
// are rare, are kept.
//
// The package decides nothing and formats nothing. [Hub] owns the lists of readers.
package watch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// Bounds of what is kept.
const (
	mostWaiting = 16384   // events for one reader
	mostOctets  = 8 << 20 // of attribute sets that those refer to
	mostRecent  = 256     // events of the past
)

// ErrEnded is the error of a Subscription whose Hub was closed.
var ErrEnded = errors.New("nothing more will happen")

// Hub passes changes to those who watch. Nobody watches a nil *Hub.
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

// Publish passes events, in order, to those who watch. It does not block.
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

// Recent returns the latest changes that match f, the oldest first. Changes of best paths
// and of the kernel's routes are not among them.
func (h *Hub) Recent(f Filter) []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Event
	for _, ev := range h.recent {
		if f.Selects(ev.Change) {
			out = append(out, ev)
		}
	}
	return out
}

// Subscribe watches the changes that match f, until the Subscription is closed.
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

// Close ends all subscriptions. Each may still read the events that wait for it.
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

// count records which kinds are watched.
func (h *Hub) count() {
	var k Kind
	for _, s := range h.subs {
		k |= s.filter.Kinds
	}
	h.wanted.Store(uint32(k))
}

// Subscription is one reader of a Hub.
type Subscription struct {
	hub    *Hub
	filter Filter
	wake   chan struct{}

	mu      sync.Mutex
	waiting []Event
	octets  int    // of waiting
	arrived uint64 // events so far, with those that were lost
	lost    uint64
	ended   bool
}

// Arrived returns how many events the subscription got so far: read, waiting or lost.
func (s *Subscription) Arrived() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrived
}

// Close ends the watch.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.subs = slices.DeleteFunc(s.hub.subs, func(o *Subscription) bool { return o == s })
	s.hub.count()
}

// Next waits for events. Lost is how many events before them were dropped because the
// reader was too slow. The error is ErrEnded or that of the context.
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

// take queues the events that the reader wants. A reader that is too slow loses all
// waiting events, because the latest ones are the most useful.
func (s *Subscription) take(events []Event) {
	s.mu.Lock()
	for _, ev := range events {
		if !s.filter.Selects(ev.Change) {
			continue
		}
		s.arrived++
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

// octets returns how much memory an event keeps from being freed: routes may not use
// its attribute sets any more, and a neighbor chooses how large they are.
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
