package fib

import (
	"errors"
	"io/fs"
	"slices"
	"time"
)

// Sync writes what is wanted and not believed to be in the kernel: first groups, then at
// most limit routes and, once nothing is left to add, at most limit deletions. It reports
// whether there is more to do at once.
func (f *FIB) Sync(now time.Time, limit int) (more bool) {
	f.judgeAnew(now)
	f.retryDue(now)
	if f.applied {
		f.applied = false
		if !f.plain {
			f.moveGroups()
		}
	}
	f.Swap(now)
	f.doubted = false
	f.putSets(now)
	f.write(f.take(limit), now)
	if len(f.dirty) > 0 || f.doubted || f.revive() {
		return true
	}
	f.remove(limit, now)
	if f.inSync && len(f.doomed) == 0 && f.sweepDue {
		f.sweep()
	}
	return len(f.dirty)+len(f.doomed) > 0
}

// retryDue queues the failed slots whose next attempt is due.
func (f *FIB) retryDue(now time.Time) {
	if f.retryAt.IsZero() || now.Before(f.retryAt) {
		return
	}
	f.retryAt = time.Time{}
	for s, b := range f.failed {
		if now.Before(b.At) {
			f.retryBy(b.At)
		} else {
			f.queue(s)
		}
	}
}

// take returns up to limit dirty slots that must and can be written now.
func (f *FIB) take(limit int) []*slot {
	var batch []*slot
	n := 0
	for ; n < len(f.dirty) && len(batch) < limit; n++ {
		s := f.dirty[n]
		if s.list != dirty {
			continue
		}
		s.list = none
		switch key := (routeKey{s.prefix, s.metric}); {
		case s.set != nil && !s.set.ok && !f.plain:
			s.list = waiting
			s.set.addWait(s)
			f.bad[s.set] = true
		case len(f.foreign[key]) > 0:
			f.setTaken(s, true)
			delete(f.failed, s)
		case s.have != f.wanted(s):
			batch = append(batch, s)
		default:
			f.settled(s)
		}
	}
	f.dirty = f.dirty[n:]
	if len(f.dirty) == 0 {
		f.dirty = nil
	}
	return batch
}

// settled records that a slot is as wanted.
func (f *FIB) settled(s *slot) {
	f.setTaken(s, false)
	delete(f.failed, s)
	f.report(s)
}

// writeBatch is the number of routes that are written with one call.
const writeBatch = 512

// write adds or replaces the routes of slots.
func (f *FIB) write(batch []*slot, now time.Time) {
	if len(batch) == 0 {
		return
	}
	for part := range slices.Chunk(batch, writeBatch) {
		ops := f.ops[:0]
		for _, s := range part {
			op := Op{Kind: ReplaceRoute, Route: s.kernelRoute(f.wanted(s))}
			if !s.have.present {
				op.Kind = AddRoute
			}
			ops = append(ops, op)
		}
		for i, err := range f.opt.Kernel.Do(ops) {
			f.wrote(part[i], err, now)
		}
		clear(ops)
		f.ops = ops
	}
}

// wrote takes in the kernel's answer to one route.
func (f *FIB) wrote(s *slot, err error, now time.Time) {
	switch {
	case err == nil:
		f.remember(s)
		f.setHave(s, f.wanted(s))
		f.settled(s)
		s.enter(now)
		f.count.Written++
	case errors.Is(err, fs.ErrExist):
		f.setTaken(s, true)
		f.needResync = true
		f.fail(s, err, now)
	default:
		f.doubt(s)
		f.fail(s, err, now)
	}
}

// doubt makes the group of a rejected route be written again before other routes go through
// it. If another program deleted the group a moment ago, the kernel would otherwise
// reject all routes of the group one by one.
func (f *FIB) doubt(s *slot) {
	if s.set == nil || f.plain {
		return
	}
	s.set.ok = false
	f.bad[s.set] = true
	f.doubted, f.needResync = true, true
}

// fail records a failed attempt on a slot.
func (f *FIB) fail(s *slot, err error, now time.Time) {
	b := f.failed[s]
	if b == nil {
		s.enter(now)
		f.reportFailed(s, err)
	}
	b = b.After(err, now)
	f.failed[s] = b
	f.retryBy(b.At)
	f.count.Failures++
}

// remove deletes up to limit routes that are not wanted. It picks them at random, because
// the kernel takes ten times as long to empty its trie in ascending order.
func (f *FIB) remove(limit int, now time.Time) {
	var batch []*slot
	var ops []Op
	for len(f.doomed) > 0 && len(batch) < limit {
		last := len(f.doomed) - 1
		i := f.rng.IntN(len(f.doomed))
		f.doomed[i], f.doomed[last] = f.doomed[last], f.doomed[i]
		s := f.doomed[last]
		f.doomed = f.doomed[:last]
		if s.list != doomed {
			continue
		}
		s.list = none
		if !s.have.present {
			f.drop(s)
			continue
		}
		batch = append(batch, s)
		ops = append(ops, Op{Kind: DeleteRoute, Route: s.kernelRoute(s.have)})
	}
	if len(f.doomed) == 0 {
		f.doomed = nil
		defer f.shrink()
	}
	if len(batch) == 0 {
		return
	}
	for i, err := range f.opt.Kernel.Do(ops) {
		if err != nil {
			f.fail(batch[i], err, now)
			continue
		}
		f.remember(batch[i])
		f.setHave(batch[i], have{})
		f.report(batch[i])
		f.drop(batch[i])
		f.count.Deleted++
	}
}

// Flush deletes every route and object of nvad, wanted or not, and forgets what was wanted.
// It returns the errors of the routes that could not be deleted.
func (f *FIB) Flush(now time.Time) error {
	for _, first := range f.slots {
		for s := first; s != nil; s = s.next {
			f.setWant(s, nil, nil, false, now)
		}
	}
	clear(f.refused)
	f.count.Outranked = 0
	f.dirty = nil
	f.InSync()
	for f.remove(flushBatch, now); len(f.doomed) > 0; f.remove(flushBatch, now) {
	}
	f.sweep()
	var errs []error
	for s, b := range f.failed {
		errs = append(errs, &RouteError{Prefix: s.prefix, Err: b.Err})
	}
	return errors.Join(errs...)
}

const flushBatch = 10_000
