package dataplane

import (
	"net/netip"
	"sync"

	"github.com/nvad/nvad/pkg/fib"
)

// maxEvents bounds the events that wait. Beyond it they are worth less than one
// full compare.
const maxEvents = 1 << 16

// inbox is what others hand to the loop: the latest of each thing.
type inbox struct {
	mu   sync.Mutex
	in   input
	wake chan struct{} // of capacity 1
}

// input is what the loop takes from the inbox in one go.
type input struct {
	wanted  *Wanted
	changes map[netip.Prefix]fib.Change
	events  []fib.Event
	dead    map[string][]netip.Addr // by who knows; those that changed
	inSync  bool
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// put changes what waits and wakes the loop.
func (b *inbox) put(change func(*input)) {
	b.mu.Lock()
	change(&b.in)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take returns what waits and leaves the inbox empty.
func (b *inbox) take() input {
	b.mu.Lock()
	defer b.mu.Unlock()
	in := b.in
	b.in = input{}
	return in
}

func (in *input) addEvents(events []fib.Event) {
	if len(in.events)+len(events) > maxEvents {
		in.events = []fib.Event{{Kind: fib.LostEvent}}
		return
	}
	in.events = append(in.events, events...)
}

func (in *input) addChanges(changes []fib.Change) {
	if in.changes == nil {
		in.changes = make(map[netip.Prefix]fib.Change, len(changes))
	}
	for _, c := range changes {
		in.changes[c.Prefix] = c
	}
}
