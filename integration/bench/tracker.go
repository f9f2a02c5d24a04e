package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// tracker follows which routes the kernel or a neighbor has, and records the moment at which
// it has a certain number of them, or a certain one.
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

// set records that a route is there, or is not. Calls that change nothing are allowed.
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

// await waits for the time that a channel of expect or expectProbe receives.
func (t *tracker) await(ctx context.Context, ch <-chan time.Time) (time.Time, error) {
	select {
	case at := <-ch:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("%w with %d routes", ctx.Err(), t.len())
	}
}

// probe announces single routes at one neighbor and waits for each at another,
// then withdraws them.
type probe struct {
	from, to *peer
	first    int // number of the first route
	delays   []time.Duration
	err      error
	stop     context.CancelFunc
	done     chan struct{}
}

// probeGap is the time between the arrival of a route and the next.
const probeGap = 5 * time.Millisecond

// probe probes until endProbe, or most times unless that is 0. No route is used twice on a
// bed: if it was withdrawn and announced again quickly, a subject might send nothing.
func (b *bed) probe(ctx context.Context, from, to *peer, most int) *probe {
	p := &probe{from: from, to: to, first: b.nextProbe, done: make(chan struct{})}
	stopping, stop := context.WithCancel(ctx)
	p.stop = stop
	go func() {
		defer close(p.done)
		for n := 0; (most == 0 || n < most) && stopping.Err() == nil && p.err == nil; n++ {
			p.err = p.once(ctx, n)
			select {
			case <-stopping.Done():
			case <-time.After(probeGap):
			}
		}
	}()
	return p
}

func (p *probe) once(ctx context.Context, n int) error {
	number := p.first + n
	m := p.from.announcement(nil, number, 1)
	arrived := p.to.told.expectProbe(number)
	begin := time.Now()
	if err := p.from.send(m); err != nil {
		return err
	}
	at, err := p.to.told.await(ctx, arrived)
	if err == nil {
		p.delays = append(p.delays, at.Sub(begin))
	}
	return err
}

// endProbe waits for the last route of a probe and withdraws all.
func (b *bed) endProbe(p *probe) error {
	p.stop()
	<-p.done
	b.nextProbe = p.first + len(p.delays) + 1
	if p.err != nil {
		return p.err
	}
	slices.Sort(p.delays)
	return p.from.send(withdrawals(p.first, len(p.delays))...)
}

// quantile is a quantile of the delays, in milliseconds, once ended.
func (p *probe) quantile(q float64) float64 {
	if len(p.delays) == 0 {
		return 0
	}
	i := min(int(q*float64(len(p.delays))), len(p.delays)-1)
	return float64(p.delays[i]) / float64(time.Millisecond)
}
