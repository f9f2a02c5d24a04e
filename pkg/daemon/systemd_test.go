package daemon

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/engine"
)

// If the engine hangs, the watchdog gets no news; once it recovers, it does.
func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fed atomic.Int32
		hung := make(chan struct{})
		var hang atomic.Bool
		h := heartbeat{
			watchdog: 10 * time.Second,
			status: func(ctx context.Context) (engine.Status, error) {
				if hang.Load() {
					select {
					case <-hung:
					case <-ctx.Done():
						return engine.Status{}, ctx.Err()
					}
				}
				return engine.Status{}, nil
			},
			notify: func(state ...string) {
				if slices.Contains(state, "WATCHDOG=1") {
					fed.Add(1)
				}
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.run(ctx) }()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if n := fed.Load(); n != 5 {
			t.Errorf("fed %d times in 9 s", n)
		}
		hang.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := fed.Load(); n != 5 {
			t.Errorf("fed %d times though the engine hangs", n-5)
		}
		close(hung)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if n := fed.Load(); n < 7 {
			t.Errorf("fed %d times after the engine recovered", n-5)
		}
		cancel()
		<-done
	})
}

// systemd gets a status line when the status changes, not all the time.
func TestStatusChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		begin := time.Now()
		h := heartbeat{
			status: func(context.Context) (engine.Status, error) {
				if time.Since(begin) < 10*statusInterval {
					return engine.Status{}, nil
				}
				return engine.Status{Neighbors: 2, Established: 1, Prefixes: 7, InSync: true}, nil
			},
			notify: func(state ...string) { told = append(told, state...) },
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.run(ctx) }()
		time.Sleep(20 * statusInterval)
		cancel()
		<-done
		want := "STATUS=0 of 0 neighbors established, 0 prefixes, not in sync yet;STATUS=1 of 2 neighbors established, 7 prefixes"
		if got := strings.Join(told, ";"); got != want {
			t.Errorf("told %s", got)
		}
	})
}
