package bench

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// tracker knows which routes somebody has, the kernel or a neighbor, and tells
// the moment at which it has so many, or a certain one.
type tracker struct {
	mu      sync.Mutex
	bits    []uint64
	count   int // without probes
	want    int
	reached chan time.Time // of capacity 1; nil: nobody waits
	probe   int
	arrived chan time.Time // of capacity 1; nil: nobody waits
}

func newTracker() *tracker { return &tracker{bits: make([]uint64, numbers/64)} }

// set notes that a route is there, or is not. It may be told what it knows.
func (t *tracker) set(number int, there bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if there && t.arrived != nil && number == t.probe {
		t.arrived <- time.Now()
		t.arrived = nil
	}
	word, bit := &t.bits[number/64], uint64(1)<<(number%64)
	if (*word&bit != 0) == there {
		return
	}
	*word ^= bit
	if number >= probeBase {
		return
	}
	if there {
		t.count++
	} else {
		t.count--
	}
	t.check()
}

func (t *tracker) check() {
	if t.reached != nil && t.count == t.want {
		t.reached <- time.Now()
		t.reached = nil
	}
}

// reset forgets all routes.
func (t *tracker) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.bits)
	t.count = 0
	t.check()
}

// expect returns a channel that gets the time when there are n routes, which
// may be now.
func (t *tracker) expect(n int) <-chan time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	ch := make(chan time.Time, 1)
	t.want, t.reached = n, ch
	t.check()
	return ch
}

// expectProbe returns a channel that gets the time when the route arrives.
func (t *tracker) expectProbe(number int) <-chan time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	ch := make(chan time.Time, 1)
	t.probe, t.arrived = number, ch
	return ch
}

func (t *tracker) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// await waits until what expect or expectProbe has promised.
func (t *tracker) await(ctx context.Context, ch <-chan time.Time) (time.Time, error) {
	select {
	case at := <-ch:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("%w with %d routes", ctx.Err(), t.len())
	}
}
