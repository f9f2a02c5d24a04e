package retry_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/retry"
)

func TestTheWaitDoublesUpToALimit(t *testing.T) {
	now := time.Unix(1000, 0)
	var s *retry.State
	var waits []time.Duration
	for range 12 {
		if !s.Due(now) {
			t.Fatalf("not due at %s, the time of the attempt", now)
		}
		s = s.After(errors.New("refused"), now)
		waits = append(waits, s.At.Sub(now))
		if s.Due(s.At.Add(-1)) {
			t.Fatal("due before its time")
		}
		now = s.At
	}
	if waits[0] != 50*time.Millisecond || waits[1] != 100*time.Millisecond || waits[9] != 25600*time.Millisecond || waits[11] != 30*time.Second {
		t.Errorf("waits %v", waits)
	}
	if s = s.After(nil, now); s != nil || !s.Due(now) {
		t.Errorf("after a success: %+v", s)
	}
}

func TestWaitingIsNoFailure(t *testing.T) {
	var p retry.Progress
	now := time.Unix(1000, 0)
	p.Settle(nil, now)
	p.Settle(retry.Waiting("link eth1"), now)
	if !p.Due(now) || p.Failure != nil || !p.Built || p.Wait.Error() != "waiting for link eth1" {
		t.Errorf("%+v", p)
	}
	p.Settle(errors.New("refused"), now)
	if p.Due(now) || p.Wait != nil || !p.Built {
		t.Errorf("%+v", p)
	}
	if p.Kick(); !p.Due(now) {
		t.Error("not due after Kick")
	}
}
