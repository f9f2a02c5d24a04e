package bench

import (
	"context"
	"slices"
	"time"
)

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

// probe probes until end, or most times unless that is 0. No route is used twice
// on a bed: one that is withdrawn and comes back at once may be no news.
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
