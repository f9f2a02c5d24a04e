package daemon

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/watch"
)

// How events are recorded. The pauses bound what recording takes of a processor, however
// much happens: what the subscription can't keep meanwhile is lost, and counted.
const (
	turnTime     = 100 * time.Millisecond // at least, between two looks for events
	turnEvents   = 512                    // that are recorded without a pause
	turnPause    = 10                     // times as long as recording them took
	rareSync     = time.Second            // after which rare events survive a power failure
	frequentSync = 10 * time.Second
	retryTime    = 10 * time.Second // after an error
	lookTime     = time.Second      // between two looks whether the engine is in sync
)

// recorder writes the events of some kinds into one log of the journal. If events are lost,
// it records how many, and then the present state, so that the state is known again.
type recorder struct {
	chronicle *chronicle
	kinds     watch.Kind
	of        func(*journal.Journal) *journal.Log
	sync      time.Duration
	// state yields the present state as events, or returns errNoRoom if it will take more
	// than room octets. Takes are the kinds that it has.
	state func(ctx context.Context, room int64, yield func(watch.Event) error) error
	takes watch.Kind
	ready func(context.Context) bool // reports whether the engine has a state to record

	sub     *watch.Subscription
	log     *journal.Log // nil: not open yet
	due     time.Time    // when to sync; zero: everything is
	failed  error        // of the last attempt; nil: it succeeded
	again   time.Time    // when to try again
	dropped uint64       // events that no gap is recorded for yet
	why     string       // they were dropped
	retake  retake
	gaveUp  bool // the state is too large to be recorded

	trouble atomic.Pointer[string]   // why events are being lost; nil: they are not
	at      atomic.Pointer[progress] // nil: it does not record
	counts
}

// progress is how far the events of a subscription are recorded.
type progress struct {
	sub  *watch.Subscription
	done atomic.Uint64 // events that were recorded or lost
}

// catchTime is the longest time that a reader waits for events to be recorded.
const catchTime = time.Second

// caughtUp waits until what was published before is recorded, but not longer than a reader
// should wait.
func (r *recorder) caughtUp(ctx context.Context) {
	p := r.at.Load()
	if p == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, catchTime)
	defer cancel()
	for want := p.sub.Arrived(); p.done.Load() < want && ctx.Err() == nil; {
		rest(ctx, 5*time.Millisecond)
	}
}

// begin waits until the engine is in sync, and reports whether it is; otherwise ctx has
// ended. A table that loads at a start is not recorded change by change: with a million
// routes that would slow the start, and only displace what happened before.
func (r *recorder) begin(ctx context.Context) bool {
	r.open(time.Now())
	for !r.ready(ctx) {
		if rest(ctx, lookTime); ctx.Err() != nil {
			return false
		}
	}
	return true
}

// run records what sub has until ctx ends, and then what was published before.
func (r *recorder) run(ctx context.Context, sub *watch.Subscription) {
	defer sub.Close()
	r.sub = sub
	r.at.Store(&progress{sub: sub})
	defer r.at.Store(nil)
	r.retake.soon(time.Now())
	for ctx.Err() == nil {
		r.turn(ctx)
	}
	r.drain(ctx)
}

// end leaves the log, and forgets about it.
func (r *recorder) end() {
	if r.log != nil && r.failed == nil {
		if err := r.log.Sync(); err != nil {
			r.fail(err, time.Now())
		}
	}
	r.log, r.due, r.failed, r.dropped, r.retake, r.gaveUp = nil, time.Time{}, nil, 0, retake{}, false
	r.trouble.Store(nil)
}

// turn waits for events or for something that is due, and does it.
func (r *recorder) turn(ctx context.Context) {
	wait, cancel := context.WithDeadline(ctx, r.next(time.Now()))
	defer cancel()
	events, lost, err := r.sub.Next(wait)
	r.at.Load().done.Add(lost)
	r.missed(lost, "they came faster than the journal takes them")
	r.write(ctx, events)
	if errors.Is(err, watch.ErrEnded) {
		<-ctx.Done() // nothing more will be published
		return
	}
	now := time.Now()
	r.open(now)
	if !r.due.IsZero() && !now.Before(r.due) {
		r.flush(now)
	}
	switch {
	case !r.retake.isDue(now) || r.failed != nil:
	case r.ready(ctx):
		r.take(ctx)
	default:
		r.retake.at = now.Add(lookTime)
	}
}

// next returns when something is due even if nothing happens.
func (r *recorder) next(now time.Time) time.Time {
	at := now.Add(time.Minute)
	for _, t := range []time.Time{r.due, r.retake.at} {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	if r.failed != nil {
		at = r.again
	}
	return at
}

// write records events, a turn after the other.
func (r *recorder) write(ctx context.Context, events []watch.Event) {
	for part := range slices.Chunk(events, turnEvents) {
		began := time.Now()
		records := make([]journal.Record, len(part))
		for i, ev := range part {
			records[i] = api.EventRecord(ev, false)
			if op, ok := ev.Change.(watch.Operation); ok && op.Error == "" && (op.What == "reload" || op.What == "rollback") {
				r.retake.soon(ev.At) // neighbors and tunnels may have gone
			}
		}
		r.append(records)
		r.at.Load().done.Add(uint64(len(part)))
		pause := turnPause * time.Since(began)
		if len(part) < turnEvents {
			pause = max(pause, turnTime)
		}
		rest(ctx, pause)
	}
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// drain records what waits at this moment.
func (r *recorder) drain(ctx context.Context) {
	over, cancel := context.WithCancel(ctx)
	cancel() // so that Next does not wait
	events, lost, _ := r.sub.Next(over)
	r.missed(lost, "they came faster than the journal takes them")
	r.write(ctx, events)
}

// append writes records to the log. What can't be written is dropped.
func (r *recorder) append(records []journal.Record) {
	now := time.Now()
	if !r.open(now) {
		r.missed(uint64(len(records)), reasonOf(r.failed))
		return
	}
	n, err := r.log.Append(records)
	r.written.Add(uint64(n))
	r.syncSoon(now)
	if err != nil {
		r.fail(err, now)
		r.missed(uint64(len(records)-n), reasonOf(err))
	}
}

func (r *recorder) syncSoon(now time.Time) {
	if r.due.IsZero() {
		r.due = now.Add(r.sync)
	}
}

// missed counts events that are not recorded.
func (r *recorder) missed(n uint64, why string) {
	if n > 0 {
		r.dropped, r.why = r.dropped+n, why
		r.lost.Add(n)
	}
}

// open makes the log ready for events, and reports whether it is. It records what is
// missing before them.
func (r *recorder) open(now time.Time) bool {
	if r.failed != nil && now.Before(r.again) {
		return false
	}
	if err := r.prepare(now); err != nil {
		r.fail(err, now)
		return false
	}
	if r.failed != nil {
		r.chronicle.log.Info("the journal is written again", "after", now.Sub(r.again.Add(-retryTime)).Round(time.Second))
		r.failed = nil
		r.trouble.Store(nil)
	}
	return true
}

func (r *recorder) prepare(now time.Time) error {
	if r.log == nil {
		j, err := r.chronicle.open()
		if err != nil {
			return err
		}
		log := r.of(j)
		// Whatever an earlier run recorded is over.
		if err := log.Sweep(now, allKinds, log.Next()); err != nil {
			return err
		}
		r.log = log
		if r.kinds == frequentKinds {
			return r.gap(0, "nvad started: until it is in sync, it records no changes of routes", now)
		}
	}
	if r.dropped == 0 {
		return nil
	}
	if err := r.gap(r.dropped, r.why, now); err != nil {
		return err
	}
	r.dropped = 0
	r.retake.later(now)
	return nil
}

const allKinds = 0xffff

// gap records that events are missing.
func (r *recorder) gap(lost uint64, why string, now time.Time) error {
	_, err := r.log.Append([]journal.Record{api.GapRecord(now, lost, why, false)})
	r.syncSoon(now)
	return err
}

// fail notes that the journal can't be written now.
func (r *recorder) fail(err error, now time.Time) {
	r.again = now.Add(retryTime)
	why := reasonOf(err)
	if r.failed == nil || reasonOf(r.failed) != why {
		r.chronicle.log.Warn("the journal can't be written, events are lost until it can", "reason", err)
	}
	r.failed = err
	r.trouble.Store(&why)
}

// flush makes what was written survive a power failure.
func (r *recorder) flush(now time.Time) {
	r.due = time.Time{}
	if err := r.log.Sync(); err != nil {
		r.fail(err, now)
	}
}

// reasonOf says in the operator's words why a file can't be written.
func reasonOf(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk is full"
	case errors.Is(err, syscall.EROFS):
		return "the file system is read-only"
	case errors.As(err, &path):
		return path.Path + ": " + path.Err.Error()
	}
	return err.Error()
}
