package gobgp

import (
	"testing"
	"time"
)

// TestPace lets 5,000 neighbors dial as fast as they may for a minute, beside one
// that has just lost its session.
func TestPace(t *testing.T) {
	var pace dialPace
	begin := time.Now()
	now := begin
	ready := make([]time.Time, 5000)
	attempts, lostWaits := 0, time.Duration(0)
	for ; now.Sub(begin) < time.Minute; now = now.Add(100 * time.Millisecond) {
		for i := range ready {
			if !now.Before(ready[i]) {
				wait := pace.reserve(now, time.Time{})
				ready[i] = now.Add(wait + longPause)
				if now.Add(wait).Sub(begin) < time.Minute {
					attempts++
				}
			}
		}
		lostWaits = max(lostWaits, pace.reserve(now, begin))
	}
	if attempts > 60*dialRate+dialBurst || attempts < 50*dialRate {
		t.Errorf("%d attempts in a minute", attempts)
	}
	if lostWaits > 0 {
		t.Errorf("the neighbor that was there waits %s", lostWaits)
	}
}

// TestFewAreNotPaced: a hundred neighbors at the fastest pace there is for one
// that takes 600 ms to fail do not wait for each other beyond it.
func TestFewAreNotPaced(t *testing.T) {
	var pace dialPace
	now := time.Now()
	for range 100 {
		for range 100 {
			if wait := pace.reserve(now, time.Time{}); wait > 50*time.Millisecond {
				t.Fatalf("waits %s", wait)
			}
		}
		now = now.Add(dialTimeout + longPause)
	}
}
