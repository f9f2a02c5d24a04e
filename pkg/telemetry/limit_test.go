package telemetry

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// collected is a Logger that writes to a buffer.
func collected() (Logger, *buffer) {
	b := &buffer{}
	return newLogger(newTextHandler(b, slog.LevelDebug), DefaultLimits), b
}

// buffer may be read while the log's timers write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A neighbor that flaps is told of ten times in a minute, and then in one line.
func TestLimitOfOneObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := collected()
		of := log.With("neighbor", "10.0.210.4")
		for i := range 1000 {
			of.Warn("neighbor down", "reason", fmt.Sprint("reason ", i))
			log.Warn("neighbor down", "neighbor", "10.0.210.5", "reason", "only once")
			time.Sleep(10 * time.Millisecond)
		}
		if n := strings.Count(out.String(), "10.0.210.4"); n != 10 {
			t.Errorf("%d lines in ten seconds", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, want := range []string{
			"neighbor=10.0.210.4 reason=\"reason 999\" suppressed=990\n",
			"neighbor=10.0.210.5 reason=\"only once\" suppressed=990\n",
		} {
			if strings.Count(out.String(), want) != 1 {
				t.Errorf("%q is not there once in\n%s", want, out)
			}
		}
		before := strings.Count(out.String(), "\n")
		of.Warn("neighbor down", "reason", "again")
		if n := strings.Count(out.String(), "\n"); n != before+1 {
			t.Error("the next minute's first event is missing")
		}
	})
}

// Any number of objects fill no more than the total of a message, and cost no more
// memory.
func TestLimitOfManyObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := collected()
		for i := range 100_000 {
			log.Info("connection refused", "neighbor", i)
		}
		if n := strings.Count(out.String(), "\n"); n != DefaultLimits.Total {
			t.Errorf("%d lines", n)
		}
		if n := len(log.limit.counts); n > DefaultLimits.Total+1 {
			t.Errorf("%d counts are kept", n)
		}
		log.Info("something else")
		log.Flush()
		log.Flush() // nothing twice
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := strings.Count(out.String(), "neighbor=99999 suppressed=99800\n"); n != 1 {
			t.Errorf("the rest was told %d times", n)
		}
		if n := strings.Count(out.String(), "something else"); n != 1 {
			t.Errorf("%d lines of another event", n)
		}
	})
}

// Debug messages are for somebody who wants them all.
func TestDebugIsNotLimited(t *testing.T) {
	log, out := collected()
	for range 500 {
		log.Debug("packet discarded", "neighbor", "10.0.210.4")
	}
	if n := strings.Count(out.String(), "\n"); n != 500 {
		t.Errorf("%d lines", n)
	}
}

func TestThrottleLogsAStateOnceForAsLongAsItLasts(t *testing.T) {
	var th Throttle
	for _, step := range []struct {
		state, was string
		changed    bool
	}{{"", "", false}, {"refused", "", true}, {"refused", "refused", false}, {"no route", "refused", true}, {"", "no route", true}, {"", "", false}} {
		if was, changed := th.Changed("10.0.0.4", step.state); was != step.was || changed != step.changed {
			t.Errorf("%q: was %q, changed %t; want %q, %t", step.state, was, changed, step.was, step.changed)
		}
	}
	if _, changed := th.Changed("10.0.0.5", "refused"); !changed {
		t.Error("another subject counts with the first")
	}
}

func TestThrottleLogsEachTextOnceInAnOutage(t *testing.T) {
	var th Throttle
	logged := 0
	for i := range 300 {
		if th.First("not up", fmt.Sprint(i%100)) {
			logged++
		}
	}
	if logged != mostTexts {
		t.Errorf("%d texts of one neighbor, want %d", logged, mostTexts)
	}
	th = Throttle{}
	if !th.First("not up", "0") {
		t.Error("not new after the outage")
	}
}

func TestThrottleCountsWhatItHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th Throttle
		var lines []int
		for range 25 {
			if n, due := th.Every("", 10*time.Second); due {
				lines = append(lines, n)
			}
			time.Sleep(time.Second)
		}
		if fmt.Sprint(lines) != "[1 10 10]" {
			t.Errorf("lines stand for %v events", lines)
		}
	})
}
