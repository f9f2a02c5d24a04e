package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Limits bound how often one event is logged. Further ones are counted; when the window ends, the
// latest of them is logged with the count as the key "suppressed". Debug messages are not
// limited: whoever turns them on wants all of them.
type Limits struct {
	Window time.Duration
	Object int // lines in a window for one message about one object
	Total  int // lines in a window for one message
}

// DefaultLimits show each flap of a neighbor, up to one every six seconds.
var DefaultLimits = Limits{Window: time.Minute, Object: 10, Total: 200}

// objectKeys are the keys that identify what an event is about.
var objectKeys = map[string]bool{"neighbor": true, "tunnel": true, "object": true, "session": true, "name": true}

// limiter counts events. Its map contains at most the events of two windows.
type limiter struct {
	limits Limits
	mu     sync.Mutex
	counts map[event]*count
	swept  time.Time
}

// event is one message about one object. An empty object stands for all objects together.
type event struct {
	level           slog.Level
	message, object string
}

type count struct {
	since      time.Time
	lines      int
	suppressed int
	last       slog.Record // the latest suppressed one
	next       slog.Handler
	timer      *time.Timer
}

func newLimiter(l Limits) *limiter { return &limiter{limits: l, counts: map[event]*count{}} }

// take decides whether a record is logged now.
func (l *limiter) take(ev event, r slog.Record, next slog.Handler) bool {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	total := l.count(event{level: ev.level, message: ev.message}, now)
	if total.lines >= l.limits.Total { // before counting the object: there may be any number of objects
		l.suppress(total, r, next)
		return false
	}
	one := l.count(ev, now)
	if one.lines >= l.limits.Object {
		l.suppress(one, r, next)
		return false
	}
	one.lines++
	if one != total {
		total.lines++
	}
	return true
}

// count returns the count of an event in the present window.
func (l *limiter) count(ev event, now time.Time) *count {
	c := l.counts[ev]
	if c == nil || now.Sub(c.since) >= l.limits.Window && c.suppressed == 0 {
		c = &count{since: now}
		l.counts[ev] = c
	}
	return c
}

func (l *limiter) suppress(c *count, r slog.Record, next slog.Handler) {
	c.suppressed++
	c.last, c.next = r.Clone(), next
	if c.suppressed == 1 {
		c.timer = time.AfterFunc(time.Until(c.since.Add(l.limits.Window)), func() { l.emit(c) })
	}
}

// emit logs how many events of a window were suppressed, and begins the next window.
func (l *limiter) emit(c *count) {
	l.mu.Lock()
	n, r, next := c.suppressed, c.last, c.next
	c.since, c.lines, c.suppressed = time.Now(), 0, 0
	c.last, c.next = slog.Record{}, nil
	l.mu.Unlock()
	if n == 0 {
		return // flush was faster
	}
	r.AddAttrs(slog.Int("suppressed", n))
	_ = next.Handle(context.Background(), r)
}

// flush logs the counts of everything that is suppressed.
func (l *limiter) flush() {
	l.mu.Lock()
	var held []*count
	for _, c := range l.counts {
		if c.suppressed > 0 {
			c.timer.Stop()
			held = append(held, c)
		}
	}
	l.mu.Unlock()
	for _, c := range held {
		l.emit(c)
	}
}

// sweep forgets the counts of windows that are over.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < l.limits.Window {
		return
	}
	l.swept = now
	for ev, c := range l.counts {
		if c.suppressed == 0 && now.Sub(c.since) >= l.limits.Window {
			delete(l.counts, ev)
		}
	}
}

// limitHandler passes on the records that its limiter lets through.
type limitHandler struct {
	next    slog.Handler
	limiter *limiter
	object  string // from WithAttrs
}

// Enabled implements [slog.Handler].
func (h limitHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle implements [slog.Handler].
func (h limitHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return h.next.Handle(ctx, r)
	}
	ev := event{level: r.Level, message: r.Message, object: h.object}
	r.Attrs(func(a slog.Attr) bool {
		if objectKeys[a.Key] {
			ev.object = a.Value.Resolve().String()
		}
		return ev.object == ""
	})
	if !h.limiter.take(ev, r, h.next) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h limitHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.next = h.next.WithAttrs(attrs)
	for _, a := range attrs {
		if objectKeys[a.Key] {
			h.object = a.Value.Resolve().String()
		}
	}
	return h
}

// WithGroup implements [slog.Handler].
func (h limitHandler) WithGroup(name string) slog.Handler {
	h.next = h.next.WithGroup(name)
	return h
}

// mostTexts is the number of different texts about one subject that [Throttle.First] lets
// through: some texts are a neighbor's own words.
const mostTexts = 8

// Throttle keeps the log readable while one condition lasts: an address that cannot be
// listened on is tried every few seconds and deserves one line, not one for each attempt.
// Callers name the subject, such as an address or a tunnel. The zero value is ready, and
// goroutines may share it. Use one Throttle for the lines of one place in the code.
//
// [Limits] come on top of it: they bound the lines of whoever asks no Throttle.
type Throttle struct {
	mu       sync.Mutex
	subjects map[string]*subject
}

type subject struct {
	texts  []string  // First: those that were logged; Changed: the present state alone
	logged time.Time // Every: the last line
	events int       // Every: since then
}

func (t *Throttle) subject(name string) *subject {
	s := t.subjects[name]
	if s == nil {
		s = &subject{}
		if t.subjects == nil {
			t.subjects = map[string]*subject{}
		}
		t.subjects[name] = s
	}
	return s
}

// Changed records the state of a subject and reports whether it differs from the one
// before, which it returns. A subject begins with the state "" and is forgotten when it
// returns to it.
func (t *Throttle) Changed(name, state string) (was string, changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.subjects[name]; s != nil {
		was = s.texts[0]
	}
	switch {
	case was == state:
		return was, false
	case state == "":
		delete(t.subjects, name)
	default:
		t.subject(name).texts = []string{state}
	}
	return was, true
}

// First reports whether text is new about a subject. After eight different texts nothing is new
// any more. When an outage is over, replace the Throttle by a new one.
func (t *Throttle) First(name, text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.subject(name)
	if len(s.texts) == mostTexts || slices.Contains(s.texts, text) {
		return false
	}
	s.texts = append(s.texts, text)
	return true
}

// Every counts an event and reports whether a line is due, at most one in each interval.
// It returns how many events that line stands for.
func (t *Throttle) Every(name string, interval time.Duration) (events int, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.subject(name)
	s.events++
	if time.Since(s.logged) < interval {
		return 0, false
	}
	events, s.events, s.logged = s.events, 0, time.Now()
	return events, true
}
