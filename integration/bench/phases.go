package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// cold measures a start with a neighbor that only listens.
func (t *trial) cold() {
	t.phase("cold", func() error {
		l, err := t.routeServer.listen()
		if err != nil {
			return err
		}
		defer l.Close()
		routes := t.routeServer.announcements(t.n)
		complete := t.fib.expect(t.n)
		begin := time.Now()
		if err := t.sub.start(t.bed); err != nil {
			return err
		}
		if err := t.routeServer.accept(t.ctx, l); err != nil {
			return err
		}
		if err := t.routeServer.feed(routes); err != nil {
			return err
		}
		return t.since("cold", begin, t.fib.tracker, complete)
	})
}

// warmPhases are the phases with one process. Each leaves the state that the next ones need.
var warmPhases = []struct {
	name, needs string
	run         func(*trial) error
}{
	{"start", "", (*trial).idle},
	{"converge", "start", (*trial).converge},
	{"rest", "start", (*trial).atRest},
	{"latency", "start", (*trial).latency},
	{"churn", "converge", (*trial).churn},
	{"reload", "converge", (*trial).reload},
	{"withdraw", "converge", (*trial).withdraw},
	{"stall", "withdraw", (*trial).stall},
	{"loss", "stall", (*trial).loss},
	{"back", "loss", (*trial).back},
}

// checkPhases fails if a selected phase does not exist, or if one that it needs is not
// selected.
func checkPhases(chosen []string) error {
	known := []string{"cold", "add", "delete"} // the last two are the kernel's own, see floor
	for _, p := range warmPhases {
		known = append(known, p.name)
		if slices.Contains(chosen, p.name) && p.needs != "" && !slices.Contains(chosen, p.needs) {
			return fmt.Errorf("phase %q needs %q before it: name both", p.name, p.needs)
		}
	}
	for _, name := range chosen {
		if !slices.Contains(known, name) {
			return fmt.Errorf("no phase %q: choose from %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// warm measures everything else with one process.
func (t *trial) warm() {
	if err := t.sub.start(t.bed); err != nil {
		t.res.Errors = append(t.res.Errors, err.Error())
		return
	}
	for _, p := range warmPhases {
		if !t.phase(p.name, func() error { return p.run(t) }) {
			return
		}
	}
	t.value("peak", t.sub.running().peak())
}

func (t *trial) idle() error {
	if err := t.connect(t.ctx); err != nil {
		return err
	}
	t.rest(t.Settle)
	// The session may be lost if the subject dialled at the same time.
	if err := t.connect(t.ctx); err != nil {
		return err
	}
	t.value("idle", t.sub.running().pss())
	return nil
}

// converge has the Route Server announce all.
func (t *trial) converge() error {
	routes := t.routeServer.announcements(t.n)
	complete, nva, second := t.fib.expect(t.n), t.nva.told.expect(t.n), t.second.told.expect(t.n)
	used := t.sub.running().cpu()
	begin := time.Now()
	if err := t.routeServer.feed(routes); err != nil {
		return err
	}
	if err := t.since("fib", begin, t.fib.tracker, complete); err != nil {
		return err
	}
	if err := t.since("told-nva", begin, t.nva.told, nva); err != nil {
		return err
	}
	if err := t.since("told-rs2", begin, t.second.told, second); err != nil {
		return err
	}
	t.value("cpu", (t.sub.running().cpu() - used).Seconds())
	t.value("packing", float64(t.nva.updates.Load())/float64(t.nva.routes.Load()))
	return nil
}

func (t *trial) atRest() error {
	quiet := 2 * t.Settle
	t.rest(t.Settle)
	t.value("memory", t.sub.running().pss())
	t.rest(t.Settle)
	used := t.sub.running().cpu()
	t.rest(quiet)
	t.value("rest", 100*(t.sub.running().cpu()-used).Seconds()/quiet.Seconds())
	return nil
}

// latencyTime is the most that the single routes of a latency may take. FRR, at a twentieth of a
// second each, gets through some four hundred.
const latencyTime = 20 * time.Second

// latency announces one route after the other, each once the one before has
// arrived.
func (t *trial) latency() error {
	p := t.probe(t.ctx, t.routeServer, t.nva, t.Probes)
	select {
	case <-p.done:
	case <-time.After(latencyTime):
	}
	if err := t.endProbe(p); err != nil {
		return err
	}
	t.value("p50", p.quantile(0.5))
	t.value("p99", p.quantile(0.99))
	return nil
}

// reload changes the import policy so that all routes are sent to the NVA again.
func (t *trial) reload() error {
	t.nva.told.reset()
	told := t.nva.told.expect(t.n)
	p := t.probe(t.ctx, t.nva, t.second, 0)
	begin := time.Now()
	if err := t.sub.reload(); err != nil {
		return err
	}
	err := t.since("reload", begin, t.nva.told, told)
	if err2 := t.endProbe(p); err == nil {
		err = err2
	}
	t.value("stall-reload", p.quantile(1))
	return err
}

func (t *trial) withdraw() error {
	messages := withdrawals(0, t.n)
	empty, nva, second := t.fib.expect(0), t.nva.told.expect(0), t.second.told.expect(0)
	p := t.probe(t.ctx, t.nva, t.second, 0)
	begin := time.Now()
	if err := t.routeServer.feed(messages); err != nil {
		return err
	}
	if err := t.since("withdraw", begin, t.fib.tracker, empty); err != nil {
		return err
	}
	for p, ch := range map[*peer]<-chan time.Time{t.nva: nva, t.second: second} {
		at, err := p.told.await(t.ctx, ch)
		if err != nil {
			return fmt.Errorf("told to %s: %w", p.name, err)
		}
		t.value("withdraw-told", max(t.res.Values["withdraw-told"], at.Sub(begin).Seconds()))
	}
	err := t.endProbe(p)
	t.value("stall-withdraw", p.quantile(1))
	return err
}

// stall announces all routes once more, and measures how long a single route of another
// neighbor is held up meanwhile.
func (t *trial) stall() error {
	routes := t.routeServer.announcements(t.n)
	complete, told := t.fib.expect(t.n), t.second.told.expect(t.n)
	p := t.probe(t.ctx, t.nva, t.second, 0)
	if err := t.routeServer.feed(routes); err != nil {
		return err
	}
	if _, err := t.fib.await(t.ctx, complete); err != nil {
		return err
	}
	if _, err := t.second.told.await(t.ctx, told); err != nil {
		return err
	}
	err := t.endProbe(p)
	t.value("stall-feed", p.quantile(1))
	t.value("keepalive", t.second.keepalives.max().Seconds())
	return err
}

func (t *trial) loss() error {
	t.rest(t.Settle)
	empty := t.fib.expect(0)
	p := t.probe(t.ctx, t.nva, t.second, 0)
	begin := time.Now()
	t.routeServer.close()
	err := t.since("loss", begin, t.fib.tracker, empty)
	if err2 := t.endProbe(p); err == nil {
		err = err2
	}
	t.value("stall-loss", p.quantile(1))
	return err
}

// back is convergence in the other direction.
func (t *trial) back() error {
	if err := t.routeServer.connect(t.ctx); err != nil {
		return err
	}
	t.rest(t.Settle)
	routes := t.nva.announcements(t.n)
	complete, told := t.fib.expect(t.n), t.routeServer.told.expect(t.n)
	begin := time.Now()
	if err := t.nva.feed(routes); err != nil {
		return err
	}
	if err := t.since("back-fib", begin, t.fib.tracker, complete); err != nil {
		return err
	}
	return t.since("back-told", begin, t.routeServer.told, told)
}

const (
	flapsPerSecond = 1000
	flapTick       = 50 * time.Millisecond
)

// churn has routes flap, and measures how far the subject falls behind. It runs at one size
// only.
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
