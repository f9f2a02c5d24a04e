package bench

import "time"

const (
	flapsPerSecond = 1000
	flapTick       = 50 * time.Millisecond
)

// churn has routes flap, and watches how far the subject falls behind. It is
// measured at one size only.
func (t *trial) churn() error {
	if t.Churn == 0 || t.n != t.ChurnAt {
		return nil
	}
	ps := t.sub.running()
	memory, used, begin := ps.pss(), ps.cpu(), time.Now()
	p := t.probe(t.ctx, t.routeServer, t.nva, 0)
	err := t.flap(begin.Add(t.Churn))
	if err2 := t.endProbe(p); err == nil {
		err = err2
	}
	if err != nil {
		return err
	}
	t.value("churn-p99", p.quantile(0.99))
	t.value("churn-cpu", 100*(ps.cpu()-used).Seconds()/time.Since(begin).Seconds())
	t.rest(t.Settle)
	t.value("churn-growth", ps.pss()-memory)
	return nil
}

// flap withdraws some routes at each tick, and announces those of the tick
// before again.
func (t *trial) flap(end time.Time) error {
	const each = int(flapsPerSecond * flapTick / time.Second)
	tick := time.NewTicker(flapTick)
	defer tick.Stop()
	gone := -1 // first of those withdrawn
	for next := 0; time.Now().Before(end) && t.ctx.Err() == nil; next = (next + each) % (t.n - each) {
		var chunks [][]byte
		if gone >= 0 {
			chunks = t.routeServer.announcementsFrom(gone, each)
		}
		gone = next
		if err := t.routeServer.send(append(chunks, withdrawals(gone, each)...)...); err != nil {
			return err
		}
		<-tick.C
	}
	return t.routeServer.send(t.routeServer.announcementsFrom(gone, each)...)
}
