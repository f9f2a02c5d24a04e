package retry

import (
	"errors"
	"time"
)

// Waiting is the error of an attempt that lacks something outside, such as a link:
// that is no fault, and only a change outside makes another attempt worth while.
type Waiting string

// Error names what is waited for.
func (w Waiting) Error() string { return "waiting for " + string(w) }

// Progress is how far one object is. The zero value is one that was not tried yet.
type Progress struct {
	Built   bool   // it was as wanted at some time
	Wait    error  // what it waits for; nil: nothing
	Failure *State // nil: the last attempt did not fail
}

// Settle notes the outcome of an attempt.
func (p *Progress) Settle(err error, now time.Time) {
	var w Waiting
	switch {
	case err == nil:
		*p = Progress{Built: true}
	case errors.As(err, &w):
		p.Wait, p.Failure = w, nil
	default:
		if p.Failure == nil {
			p.Failure = &State{}
		}
		p.Wait = nil
		p.Failure.Again(err, now)
	}
}

// Due reports whether it is time for an attempt.
func (p *Progress) Due(now time.Time) bool { return p.Failure == nil || p.Failure.Due(now) }

// Kick makes what failed due again: something outside has changed.
func (p *Progress) Kick() {
	if p.Failure != nil {
		p.Failure.At = time.Time{}
	}
}

// Sooner is next, or the time of the next attempt after a failure if that is before.
// A zero time is never, a nil failure none.
func Sooner(next time.Time, failure *State) time.Time {
	if failure != nil && (next.IsZero() || failure.At.Before(next)) {
		return failure.At
	}
	return next
}
