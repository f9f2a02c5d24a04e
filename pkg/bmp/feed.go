package bmp

import (
	"net/netip"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

const (
	// FeedOctets is how much memory may wait for one station.
	FeedOctets = 16 << 20
	// roomShare is the part of it, as 1/n, that may wait while a station is still sent what
	// there is: changes have the rest.
	roomShare = 4
)

// Feed queues what one connection still has to send to a station. It implements
// engine.Monitor.
type Feed struct {
	news chan struct{} // holds one value while there may be something to take
	done chan struct{} // closed once the Feed has ended
	room func()        // wakes the engine: Room or Ended have changed

	mu     sync.Mutex
	items  []item
	octets int
	most   int    // FeedOctets, or less in a test
	ended  bool   // nothing is accepted, and nothing is left
	reason string // why; empty: the connection ended first
}

// item is one of: a session that came up, one that went down, routes, End-of-RIB.
type item struct {
	octets int
	up     *speaker.Established
	down   *speaker.Down
	at     time.Time
	routes []rib.Heard
	peer   netip.Addr   // of End-of-RIB
	family route.Family // of End-of-RIB
}

const itemOctets = int(unsafe.Sizeof(item{}))

func newFeed(room func()) *Feed {
	return &Feed{news: make(chan struct{}, 1), done: make(chan struct{}), room: room, most: FeedOctets}
}

// PeerUp implements engine.Monitor.
func (f *Feed) PeerUp(up speaker.Established, since time.Time) {
	f.put(item{up: &up, at: since, octets: int(unsafe.Sizeof(up)) + len(up.OpenSent) + len(up.OpenReceived)})
}

// PeerDown implements engine.Monitor.
func (f *Feed) PeerDown(down speaker.Down, at time.Time) {
	f.put(item{down: &down, at: at, octets: int(unsafe.Sizeof(down)) + len(down.Message)})
}

// Routes implements engine.Monitor. It keeps the list.
func (f *Feed) Routes(list []rib.Heard) { f.put(item{routes: list, octets: routesOctets(list)}) }

// EndOfRIB implements engine.Monitor.
func (f *Feed) EndOfRIB(peer netip.Addr, family route.Family) {
	f.put(item{peer: peer, family: family})
}

// routesOctets returns how much memory a list keeps from being freed: the RIB may not use
// its attribute sets any more, and a neighbor chooses how large they are. Routes in a row
// that share a set count it once.
func routesOctets(list []rib.Heard) int {
	n := cap(list) * int(unsafe.Sizeof(rib.Heard{}))
	var last [2]*route.Attrs
	for i := range list {
		for j, a := range [...]*route.Attrs{list[i].Received, list[i].Accepted} {
			if a != nil && a != last[0] && a != last[1] {
				n += a.Octets()
			}
			last[j] = a
		}
	}
	return n
}

// put queues it. If there is no room, the Feed ends.
func (f *Feed) put(it item) {
	it.octets += itemOctets
	f.mu.Lock()
	switch {
	case f.ended:
	case f.octets+it.octets > f.most:
		f.end("it reads too slowly")
	default:
		f.items = append(f.items, it)
		f.octets += it.octets
	}
	f.mu.Unlock()
	f.poke()
}

func (f *Feed) poke() {
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// take returns the next item, and whether there was one.
func (f *Feed) take() (it item, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.items) == 0 {
		return item{}, false
	}
	it = f.items[0]
	f.items[0] = item{}
	if f.items = f.items[1:]; len(f.items) == 0 {
		f.items = nil
	}
	full := !f.hasRoom()
	if f.octets -= it.octets; full && f.hasRoom() {
		f.room()
	}
	return it, true
}

// Room implements engine.Monitor.
func (f *Feed) Room() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.ended && f.hasRoom()
}

func (f *Feed) hasRoom() bool { return f.octets < f.most/roomShare }

// Octets implements engine.Monitor.
func (f *Feed) Octets() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.octets
}

// Ended implements engine.Monitor.
func (f *Feed) Ended() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// End implements engine.Monitor. Only the first reason counts.
func (f *Feed) End(reason string) {
	f.mu.Lock()
	if !f.ended {
		f.end(reason)
	}
	f.mu.Unlock()
	f.room()
}

// end is called with mu locked.
func (f *Feed) end(reason string) {
	f.ended, f.reason = true, reason
	f.items, f.octets = nil, 0
	close(f.done)
}

// endedBy returns why the Feed has ended.
func (f *Feed) endedBy() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reason
}

// sorted returns a list by neighbor, so that routes of one can share UPDATEs, and otherwise
// in its order. The list itself is shared.
func sorted(list []rib.Heard) []rib.Heard {
	byNeighbor := func(a, b rib.Heard) int { return a.Neighbor.Compare(b.Neighbor) }
	if slices.IsSortedFunc(list, byNeighbor) {
		return list
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, byNeighbor)
	return list
}
