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
	changes []fib.Change // in the order in which they came
	folded  int          // length of changes without duplicates, when last known
	events  []fib.Event
	dead    map[string][]netip.Addr // by who knows; those that changed
	swapped []chan<- struct{}       // closed once groups are as dead says
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

// addChanges appends changes. Those that later ones supersede are taken out only
// once they may be half of all: so what waits is bounded by the prefixes there
// are, and the usual changes, which wait for no more than a turn, cost nothing.
func (in *input) addChanges(changes []fib.Change) {
	in.changes = append(in.changes, changes...)
	if len(in.changes) > 2*max(in.folded, minFold) {
		in.changes = fold(in.changes)
		in.folded = len(in.changes)
	}
}

// minFold is how many changes are not worth a look for superseded ones.
const minFold = 1 << 16

// fold leaves the last change of each prefix.
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
