package dataplane

import (
	"context"
	"net/netip"
	"sync"

	"github.com/nvad/nvad/pkg/fib"
)

// maxEvents bounds the events that wait. If there are more, one full compare is cheaper.
const maxEvents = 1 << 16

// inbox holds what others hand over to the loop: the latest of everything.
type inbox struct {
	mu    sync.Mutex
	in    input
	spare []fib.Change  // for the changes of a later input
	wake  chan struct{} // of capacity 1
}

// input holds everything that the loop takes from the inbox at once.
type input struct {
	wanted    *Wanted
	changes   []fib.Change // in the order in which they came
	folded    int          // length of changes after the last fold
	events    []fib.Event
	dead      map[string][]netip.Addr // by observer; only those that changed
	neighbors *[]fib.Protected        // dynamic ones
	swapped   []chan<- struct{}       // to be closed once groups match dead
	inSync    bool
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// put changes the input and wakes the loop.
func (b *inbox) put(change func(*input)) {
	b.mu.Lock()
	change(&b.in)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take returns the input and leaves the inbox empty.
func (b *inbox) take() input {
	b.mu.Lock()
	defer b.mu.Unlock()
	in := b.in
	b.in = input{changes: b.spare}
	b.spare = nil
	return in
}

// mostSpare is the number of changes whose room is used again.
const mostSpare = 8192

// reuse gives back the room of changes that were taken in.
func (b *inbox) reuse(changes []fib.Change) {
	if cap(changes) == 0 || cap(changes) > mostSpare {
		return
	}
	clear(changes)
	b.mu.Lock()
	b.spare = changes[:0]
	b.mu.Unlock()
}

func (in *input) addEvents(events []fib.Event) {
	if len(in.events)+len(events) > maxEvents {
		in.events = []fib.Event{{Kind: fib.LostEvent}}
		return
	}
	in.events = append(in.events, events...)
}

// addChanges appends changes. It removes those that later ones supersede only when they may
// be half of all. So the input is bounded by the number of prefixes, and the usual few
// changes, which wait for one step, cost nothing.
func (in *input) addChanges(changes []fib.Change) {
	in.changes = append(in.changes, changes...)
	if len(in.changes) > 2*max(in.folded, minFold) {
		in.changes = fold(in.changes)
		in.folded = len(in.changes)
	}
}

// minFold is the number of changes up to which superseded ones are left in.
const minFold = 1 << 16

// fold removes all but the last change of each prefix.
func fold(changes []fib.Change) []fib.Change {
	at := make(map[netip.Prefix]int, len(changes)/2)
	out := changes[:0]
	for _, c := range changes {
		if i, ok := at[c.Prefix]; ok {
			out[i] = c
			continue
		}
		at[c.Prefix] = len(out)
		out = append(out, c)
	}
	clear(changes[len(out):])
	return out
}

// factsBox delivers the latest facts in a goroutine of its own, so that the loop never waits
// for the receiver.
type factsBox struct {
	fn     func(fib.Facts)
	latest chan fib.Facts // of capacity 1; only the loop sends
}

// set replaces the facts that wait. Facts that are not whole yet, because links or routes were
// not read so far, are not delivered: the receiver would take all next hops for dead.
func (b *factsBox) set(f fib.Facts, whole bool) {
	if b.fn == nil || !whole {
		return
	}
	select {
	case <-b.latest:
	default:
	}
	b.latest <- f
}

func (b *factsBox) deliver(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case f := <-b.latest:
			b.fn(f)
		}
	}
}
