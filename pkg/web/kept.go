package web

import (
	"context"
	"errors"
	"sync"
	"time"
)

// kept holds a value that was read from an NVA, and reads it again when it is old. Only one
// reading is under way at any time, however many clients ask. If it fails, the last value stays.
type kept[T any] struct {
	load  func(context.Context) (T, error)
	start func(func()) // runs a reading
	ctx   func() context.Context
	pause time.Duration // between two readings, however often the NVA changes
	wait  time.Duration // how long a request waits for a reading

	mu      sync.Mutex // guards the rest
	value   T
	known   bool // there is a value
	err     error
	taken   time.Time     // when value was read
	tried   time.Time     // when the last reading ended
	expired bool          // the NVA has changed since
	running chan struct{} // closed when the reading that is under way ends
}

// Times of reading.
const (
	loadTime   = 10 * time.Second // a reading fails after this time
	shortPause = 200 * time.Millisecond
	longPause  = time.Second // for large things
	waitTime   = 900 * time.Millisecond
	longWait   = 5 * time.Second
)

var errNoAnswerYet = errors.New("has not answered yet")

// get returns a value that is younger than fresh, and the time when it was read. If a new reading
// takes long or fails, it returns the last value and an error.
func (k *kept[T]) get(ctx context.Context, fresh time.Duration) (value T, taken time.Time, err error) {
	done, wait := k.refresh(fresh)
	if done != nil && wait {
		timer := time.NewTimer(k.wait)
		defer timer.Stop()
		select {
		case <-done:
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.known && k.err == nil {
		return k.value, k.taken, errNoAnswerYet
	}
	if k.running != nil && k.err == nil && time.Since(k.taken) > fresh+k.wait {
		return k.value, k.taken, errNoAnswerYet
	}
	return k.value, k.taken, k.err
}

// refresh starts a reading if the value is old. It returns a channel that is closed at its
// end, and whether waiting is worthwhile: not for an NVA that failed the last time.
func (k *kept[T]) refresh(fresh time.Duration) (done chan struct{}, wait bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.running == nil {
		if !k.expired && time.Since(k.tried) < fresh {
			return nil, false
		}
		k.running, k.expired = make(chan struct{}), false
		delay := k.pause - time.Since(k.tried)
		k.start(func() { k.read(delay) })
	}
	return k.running, k.err == nil
}

func (k *kept[T]) read(delay time.Duration) {
	ctx, cancel := context.WithTimeout(k.ctx(), loadTime)
	defer cancel()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
	}
	v, err := k.load(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err, k.tried = err, time.Now()
	if err == nil {
		k.value, k.known, k.taken = v, true, k.tried
	}
	close(k.running)
	k.running = nil
}

// expire makes the next get read again.
func (k *kept[T]) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.expired = true
}
