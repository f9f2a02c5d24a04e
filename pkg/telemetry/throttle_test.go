package telemetry

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

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
