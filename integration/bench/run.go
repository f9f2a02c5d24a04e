package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nvad/nvad/integration/rivals"
)

// Options select what to measure.
type Options struct {
	Rivals  []rivals.Rival // beside nvad
	Sizes   []int
	Rounds  int           // of all subjects; figures are medians
	Nvad    string        // path of the binary
	Probes  int           // single routes for the latency
	Settle  time.Duration // for a subject to tidy up before its memory is read
	Churn   time.Duration // of flapping; 0: none
	ChurnAt int           // size at which routes flap
	Phases  []string      // empty: all
	Log     io.Writer
}

// subjects are measured in each round: nvad, the rivals and the kernel alone.
func (o *Options) subjects() []string {
	names := []string{Nvad}
	for _, r := range o.Rivals {
		names = append(names, r.Name)
	}
	return append(names, Floor)
}

// timeout limits a phase with n routes, at five thousand routes a second.
func timeout(n int) time.Duration { return 60*time.Second + time.Duration(n)*time.Second/5000 }

// Run measures everything that o selects, round by round. If ctx ends, it returns the
// results so far.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := checkPhases(o.Phases); err != nil {
		return nil, err
	}
	if err := sweep(); err != nil {
		return nil, err
	}
	for _, r := range o.Rivals {
		if err := r.Prepare(); err != nil {
			return nil, err
		}
	}
	report := &Report{Machine: machine(o.Rivals)}
	for round := range o.Rounds {
		for _, size := range o.Sizes {
			for _, name := range o.subjects() {
				if ctx.Err() != nil {
					return report, ctx.Err()
				}
				res := Result{Subject: name, Size: size, Round: round, Values: map[string]float64{}}
				begin := time.Now()
				if err := measure(ctx, &o, &res); err != nil {
					return report, err
				}
				report.Results = append(report.Results, res)
				fmt.Fprintf(o.Log, "%s, %d routes, round %d: %v %v\n", name, size, round+1,
					time.Since(begin).Round(time.Millisecond), res.Errors)
			}
		}
	}
	return report, nil
}

// measure fills in a Result. It returns errors of the bench; errors of the subject are part
// of the result.
func measure(ctx context.Context, o *Options, res *Result) error {
	if res.Subject == Floor {
		return onBed(func(b *bed) error { return floor(ctx, o, b, res) })
	}
	for _, part := range []func(*trial){(*trial).cold, (*trial).warm} {
		sub, err := newSubject(res.Subject, o)
		if err != nil {
			return err
		}
		err = onBed(func(b *bed) error {
			t := &trial{Options: o, bed: b, sub: sub, res: res, n: res.Size, ctx: ctx}
			defer sub.running().kill()
			part(t)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func onBed(do func(*bed) error) error {
	b, err := newBed()
	if err != nil {
		return err
	}
	err = do(b)
	if cerr := b.close(); err == nil {
		err = cerr
	}
	return err
}

// trial measures one subject on one bed.
type trial struct {
	*Options
	*bed
	sub subject
	res *Result
	n   int
	ctx context.Context // of the phase
}

// phase runs do within its time. It reports whether all went well; if not, the phases that
// need this one make no sense.
func (t *trial) phase(name string, do func() error) bool {
	if len(t.Phases) > 0 && !slices.Contains(t.Phases, name) {
		return true
	}
	whole := t.ctx
	defer func() { t.ctx = whole }()
	var cancel context.CancelFunc
	limit := timeout(t.n)
	if name == "churn" {
		limit += t.Churn
	}
	t.ctx, cancel = context.WithTimeout(whole, limit)
	defer cancel()
	err := do()
	if err == nil {
		return true
	}
	text := name + ": " + err.Error()
	for _, p := range t.peers() {
		if why := p.why(); why != "" {
			text += "; session of " + p.name + " lost: " + why
		}
	}
	t.res.Errors = append(t.res.Errors, text)
	return false
}

func (t *trial) value(key string, v float64) { t.res.Values[key] = v }

// since records the time from begin until the time that ch receives.
func (t *trial) since(key string, begin time.Time, from *tracker, ch <-chan time.Time) error {
	at, err := from.await(t.ctx, ch)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	t.value(key, at.Sub(begin).Seconds())
	return nil
}

// rest waits for d, or until the phase ends.
func (t *trial) rest(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.ctx.Done():
	}
}
