// Package retry keeps, for one object that could not be brought to its wanted
// state, what went wrong or is waited for, and when to try again. It has no clock and no state but
// that of its values.
package retry

import "time"

// Limits of the wait between two attempts. The first is short because most
// failures are races with a link that is coming up.
const (
	First = 50 * time.Millisecond
	last  = 30 * time.Second
)

// State is a failed object's. The zero value is one that has not failed.
type State struct {
	Err   error
	At    time.Time // of the next attempt
	tries int
}

// Again notes one more failed attempt: the wait doubles each time.
func (s *State) Again(err error, now time.Time) {
	wait := last
	if s.tries < 10 {
		wait = min(First<<s.tries, last)
	}
	s.Err, s.At = err, now.Add(wait)
	s.tries++
}

// Due reports whether it is time for another attempt.
func (s *State) Due(now time.Time) bool { return !now.Before(s.At) }
