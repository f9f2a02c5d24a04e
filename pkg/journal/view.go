package journal

import (
	"context"
	"fmt"
	"math"
	"time"
)

// View is the journal as it was at one moment. Its methods may be called one after the
// other, from one goroutine.
type View struct {
	rare, frequent *logView
	kinds          uint16 // of frequent
}

// View opens the journal for reading. Close must be called.
func (j *Journal) View() *View { return &View{j.Rare.view(), j.Frequent.view(), j.frequent} }

// Close ends the reading.
func (v *View) Close() {
	v.rare.close()
	v.frequent.close()
}

// of returns the logs which have records of kinds.
func (v *View) of(kinds uint16) (out []*logView) {
	if kinds&^v.kinds != 0 {
		out = append(out, v.rare)
	}
	if kinds&v.kinds != 0 {
		out = append(out, v.frequent)
	}
	return out
}

// Oldest returns the time of the oldest record; zero if there is none.
func (v *View) Oldest() time.Time {
	oldest := int64(math.MaxInt64)
	for _, l := range []*logView{v.rare, v.frequent} {
		for _, s := range l.list {
			if s.last > 0 {
				oldest = min(oldest, s.first)
			}
		}
	}
	if oldest == math.MaxInt64 {
		return time.Time{}
	}
	return time.Unix(0, oldest)
}

// selection selects the records that a reader gets.
type selection struct {
	kinds        uint16
	since, until int64 // nanoseconds
	want         func(key string) bool
}

func (s *selection) selects(e *entry) bool {
	n := nanoseconds(e.Time)
	return s.since <= n && n < s.until && s.wants(e)
}

// wants selects by everything but the time.
func (s *selection) wants(e *entry) bool {
	return !e.marks() && (e.Kind == 0 || e.Kind&s.kinds != 0) && s.want(e.Key)
}

// Events yields the records of kinds, and those of kind 0, from the time since until before
// the time until, the oldest first. A zero time is no bound. Want tells by the key which
// records are needed. A record is valid until yield returns; yield's first error ends the
// reading.
func (v *View) Events(ctx context.Context, kinds uint16, since, until time.Time, want func(key string) bool, yield func(*Record) error) error {
	sel := selection{kinds, math.MinInt64, math.MaxInt64, want}
	if !since.IsZero() {
		sel.since = nanoseconds(since)
	}
	if !until.IsZero() {
		sel.until = nanoseconds(until)
	}
	var sources []source
	for _, l := range v.of(kinds) {
		sources = append(sources, &eventReader{ctx: ctx, log: l, sel: sel})
	}
	return inOrder(sources, func(a, b *Record) bool { return b.Time.Before(a.Time) }, yield)
}

// State yields the last record before the time at of each thing of kinds that existed
// then, ordered by key, and for want and yield as for Events. [ErrNotKept] if the state is
// not known. A record that was written before another one counts as earlier, whatever its
// time: the clock may have been ahead.
func (v *View) State(ctx context.Context, kinds uint16, at time.Time, want func(key string) bool, yield func(*Record) error) error {
	var sources []source
	for _, l := range v.of(kinds) {
		r := &stateReader{ctx: ctx, log: l, sel: selection{kinds, math.MinInt64, nanoseconds(at), want}}
		if err := r.begin(); err != nil {
			return err
		}
		sources = append(sources, r)
	}
	return inOrder(sources, func(a, b *Record) bool { return b.Key < a.Key }, yield)
}

// source yields records in order; nil at its end.
type source interface{ next() (*Record, error) }

// inOrder merges sources, of which there are at most two.
func inOrder(sources []source, after func(a, b *Record) bool, yield func(*Record) error) error {
	heads := make([]*Record, len(sources))
	for i, s := range sources {
		var err error
		if heads[i], err = s.next(); err != nil {
			return err
		}
	}
	for {
		first := -1
		for i, r := range heads {
			if r != nil && (first < 0 || after(heads[first], r)) {
				first = i
			}
		}
		if first < 0 {
			return nil
		}
		if err := yield(heads[first]); err != nil {
			return err
		}
		var err error
		if heads[first], err = sources[first].next(); err != nil {
			return err
		}
	}
}

// logView is a log as it was at one moment.
type logView struct {
	base     *file
	head     header
	baseSize int64
	list     []segment
}

func (l *Log) view() *logView {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &logView{base: l.base, head: l.head, baseSize: l.baseSize, list: make([]segment, len(l.list))}
	if v.base != nil {
		v.base.hold()
	}
	for i, s := range l.list {
		s.hold()
		v.list[i] = *s
	}
	return v
}

func (v *logView) close() {
	_ = v.base.release()
	for i := range v.list {
		_ = v.list[i].release()
	}
}

// missing reports whether segments are missing before the segment i.
func (v *logView) missing(i int) bool {
	if i == 0 {
		return v.list[0].number != v.head.number+1
	}
	return v.list[i].number != v.list[i-1].number+1
}

// before returns the sequence number of the last record before a time; 0 if no segment has
// one.
func (v *logView) before(until int64) (seq uint64) {
	for i := len(v.list) - 1; i >= 0; i-- {
		s := &v.list[i]
		switch {
		case s.last == 0 || s.first >= until:
			continue
		case s.stop < until:
			return s.last
		}
		in := newScanner(s, s.size)
		for e := in.next(); e != nil; e = in.next() {
			if nanoseconds(e.Time) < until {
				seq = e.seq
			}
		}
		return seq
	}
	return 0
}

// known returns an error if the log does not reach back before a time.
func (v *logView) known(before int64) error {
	begin := v.head.upto
	if v.base == nil && len(v.list) > 0 {
		begin = v.list[0].first
	}
	if begin < before {
		return nil
	}
	return fmt.Errorf("%w: the journal reaches back to %s; a larger size of [journal] would keep more",
		ErrNotKept, time.Unix(0, begin).UTC().Format(time.RFC3339))
}

// err says for people why a state is not known.
func (u unknown) err() error {
	switch u.why {
	case damaged:
		return fmt.Errorf("%w: the journal is damaged before it", ErrNotKept)
	case tooLarge:
		return fmt.Errorf("%w: it is too large for the journal; a larger size of [journal] would keep it", ErrNotKept)
	}
	return nil
}

// patience is how many records are read between two looks at the context.
const patience = 1024

// eventReader reads the segments of a log in order.
type eventReader struct {
	ctx    context.Context
	log    *logView
	sel    selection
	at     int      // segment
	in     *scanner // of it; nil: not begun
	read   int
	damage Record
}

// next implements source.
func (r *eventReader) next() (*Record, error) {
	for {
		if r.in == nil {
			if r.at == len(r.log.list) {
				return nil, nil
			}
			if d := r.enter(); d != nil {
				return d, nil
			}
		}
		e := r.in.next()
		if r.read++; r.read%patience == 0 && r.ctx.Err() != nil {
			return nil, r.ctx.Err()
		}
		switch {
		case e == nil:
			if d := r.leave(); d != nil {
				return d, nil
			}
		case r.sel.selects(e):
			return &e.Record, nil
		}
	}
}

// enter begins with a segment. It returns a record if segments before it are missing.
func (r *eventReader) enter() *Record {
	s, size := &r.log.list[r.at], int64(0)
	if s.stop >= r.sel.since && s.first < r.sel.until {
		size = s.size
	}
	r.in = newScanner(s, size)
	if r.log.missing(r.at) && s.last > 0 {
		return r.damaged(s.first)
	}
	return nil
}

// leave ends a segment. It returns a record if the rest of the segment is damaged.
func (r *eventReader) leave() *Record {
	s := &r.log.list[r.at]
	broken := s.broken || r.in.broken
	r.at, r.in = r.at+1, nil
	if broken {
		return r.damaged(s.stop)
	}
	return nil
}

// damaged returns the record which says that records are missing at a time; nil if the
// reader did not ask for that time.
func (r *eventReader) damaged(at int64) *Record {
	if at < r.sel.since || at >= r.sel.until {
		return nil
	}
	r.damage = Record{Time: time.Unix(0, at), Damaged: true}
	return &r.damage
}
