// Package retry schedules further attempts at something that failed.
//
// The kernel refuses a route because its link is still coming up, a metadata service
// does not answer while a machine boots: most failures pass by themselves, and some do
// not. So the wait between two attempts starts short and doubles up to a limit.
//
// Promise: values only. The package has no clock, no goroutine and no state of its own;
// the caller passes the time and decides when to look again.
package retry

import (
	"errors"
	"time"
)

// First and longest wait between two attempts on a kernel object.
const (
	First   = 50 * time.Millisecond
	longest = 30 * time.Second
)

// backoff returns the wait after the given number of consecutive failures, 1 or more: First
// after one failure, then twice as long after each, up to longest.
func backoff(failures int) time.Duration {
	wait := First
	for ; failures > 1 && wait < longest; failures-- {
		wait *= 2
	}
	return min(wait, longest)
}

// State describes an object whose last attempt failed. A nil *State means that the
// last attempt succeeded, or that there was none.
type State struct {
	Err      error     // of the last attempt
	At       time.Time // of the next attempt
	failures int       // consecutive ones
}

// After returns the state that follows an attempt which ended with err. It is nil if
// err is nil. s may be nil.
func (s *State) After(err error, now time.Time) *State {
	if err == nil {
		return nil
	}
	if s == nil {
		s = &State{}
	}
	s.failures++
	s.Err, s.At = err, now.Add(backoff(s.failures))
	return s
}

// Due reports whether it is time for an attempt: always if the last one succeeded.
func (s *State) Due(now time.Time) bool { return s == nil || !now.Before(s.At) }

// Earlier returns next or, if that comes first, the time of the attempt that s waits
// for. A zero next means never.
func (s *State) Earlier(next time.Time) time.Time {
	if s != nil && (next.IsZero() || s.At.Before(next)) {
		return s.At
	}
	return next
}

// Waiting is the error of an attempt that lacks a precondition, such as a link. It is no
// failure: only a change of the precondition makes another attempt worthwhile, so
// none is scheduled.
type Waiting string

// Error names the precondition.
func (w Waiting) Error() string { return "waiting for " + string(w) }

// Progress tracks one object that is kept as wanted: a tunnel, a NIC's rules, the NAT
// table. The zero value has not been tried yet.
type Progress struct {
	Built   bool   // it was as wanted once: a difference now is another program's doing
	Wait    error  // the missing precondition; nil: none
	Failure *State // nil: the last attempt did not fail
}

// Settle records the outcome of an attempt.
func (p *Progress) Settle(err error, now time.Time) {
	var w Waiting
	if errors.As(err, &w) {
		p.Wait, p.Failure = w, nil
		return
	}
	p.Built, p.Wait, p.Failure = p.Built || err == nil, nil, p.Failure.After(err, now)
}

// Due reports whether it is time for an attempt.
func (p *Progress) Due(now time.Time) bool { return p.Failure.Due(now) }

// Kick makes an object that failed due at once. Call it when something changed that
// may have caused the failure.
func (p *Progress) Kick() {
	if p.Failure != nil {
		p.Failure.At = time.Time{}
	}
}
