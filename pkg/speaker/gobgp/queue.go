package gobgp

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// queue holds what a session has yet to send. A change replaces the queued one of its
// prefix. So a withdrawal and the announcement after it are sent as one implicit
// replacement, a route that was announced and withdrawn again in the queue is not sent at
// all, and the queue is no longer than the Adj-RIB-Out before and after it.
type queue struct {
	wake chan struct{} // has a token while there is something to send

	mu sync.Mutex
	*load
	eor     route.Family
	refresh route.Family
	limit   int // prefixes of each family that the neighbor accepts; 0: any number

	writing atomic.Int64 // taken, not yet on the wire
}

// load is the room for the changes of one batch. It is used again for a later batch, of
// whatever session: a burst would make garbage of several times the size of its routes.
type load struct {
	changes  []speaker.Change
	index    map[netip.Prefix]int // into changes
	members  []int                // see writer.group
	prefixes []netip.Prefix
}

// loads has unused ones, until the garbage collector takes them.
var loads = sync.Pool{New: func() any { return &load{index: map[netip.Prefix]int{}} }}

// largestLoad is the number of changes up to which a load is used again.
const largestLoad = 4096

// free empties l for a later batch. The caller has no use for its slices any more.
func (l *load) free() {
	if max(len(l.changes), cap(l.prefixes)) > largestLoad {
		return
	}
	if len(l.changes) < largestLoad/64 {
		for _, c := range l.changes {
			delete(l.index, c.Prefix) // clear takes as long as the largest batch before did
		}
	} else {
		clear(l.index)
	}
	clear(l.changes) // frees the attribute sets
	l.changes = l.changes[:0]
	loads.Put(l)
}

// batch is what a writer takes at once. It sends the changes first, then the markers.
type batch struct {
	load    *load
	changes []speaker.Change
	eor     route.Family
	refresh route.Family
	limit   int
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), load: loads.Get().(*load)}
}

func (q *queue) add(changes []speaker.Change) {
	q.mu.Lock()
	for _, c := range changes {
		i, ok := q.index[c.Prefix]
		switch {
		case !ok:
			q.index[c.Prefix] = len(q.changes)
			q.changes = append(q.changes, c)
		case c.Attrs == nil && q.changes[i].New:
			q.drop(i)
		default:
			c.New = q.changes[i].New // false if it replaces a withdrawal: the neighbor has the route
			q.changes[i] = c
		}
	}
	q.mu.Unlock()
	q.signal()
}

// drop removes change i and moves the last one to its place. The caller has the lock.
func (q *queue) drop(i int) {
	delete(q.index, q.changes[i].Prefix)
	last := len(q.changes) - 1
	if i < last {
		q.changes[i] = q.changes[last]
		q.index[q.changes[i].Prefix] = i
	}
	q.changes[last] = speaker.Change{} // frees its attribute set
	q.changes = q.changes[:last]
}

// endOfRIB queues a marker behind all changes so far.
func (q *queue) endOfRIB(f route.Family) {
	q.mu.Lock()
	q.eor |= f
	q.mu.Unlock()
	q.signal()
}

func (q *queue) requestRefresh(f route.Family) {
	q.mu.Lock()
	q.refresh |= f
	q.mu.Unlock()
	q.signal()
}

// setLimit applies to everything that is taken later.
func (q *queue) setLimit(prefixes int) {
	q.mu.Lock()
	q.limit = prefixes
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (q *queue) take() batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := batch{q.load, q.changes, q.eor, q.refresh, q.limit}
	q.writing.Store(int64(len(b.changes)))
	q.load, q.eor, q.refresh = loads.Get().(*load), 0, 0
	return b
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.changes) + int(q.writing.Load())
}
