package probe

import (
	"errors"
	"fmt"
	"time"
)

// slack is how many rounds of all flows may be under way while a stream flows: a busy machine
// delivers late.
const slack = 10

// Flowing waits until every flow has arrived without a break for the duration of steady, after
// which an outage is over. It fails after timeout.
func (s *Stream) Flowing(steady, timeout time.Duration) error {
	var since time.Time
	for deadline := time.Now().Add(timeout); ; time.Sleep(5 * time.Millisecond) {
		now := time.Now()
		missing := s.missing()
		switch {
		case missing > 0:
			since = time.Time{}
		case since.IsZero():
			since = now
		case now.Sub(since) >= steady:
			return nil
		}
		if now.After(deadline) {
			return fmt.Errorf("after %v: %w", timeout, errDead(missing))
		}
	}
}

// missing counts the flows that do not arrive at the moment.
func (s *Stream) missing() (count int) {
	number := s.number.Load()
	for i := range s.last {
		if s.last[i].Load()+slack*uint64(len(s.flows)) <= number || s.last[i].Load() == 0 {
			count++
		}
	}
	return count
}

func errDead(missing int) error {
	if missing == 0 {
		return errors.New("the flows are not steady")
	}
	return fmt.Errorf("%d flows do not arrive", missing)
}
