package fib

import "time"

// Limits of the wait before a failed object is tried again. The first is short
// because most failures are races with the link coming up.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// failure remembers what went wrong with one object and when to try it again.
type failure struct {
	err   error
	tries int
	at    time.Time
}

// again notes one more failed attempt.
func (b *failure) again(err error, now time.Time) {
	wait := lastRetry
	if b.tries < 10 {
		wait = min(firstRetry<<b.tries, lastRetry)
	}
	b.err, b.at = err, now.Add(wait)
	b.tries++
}
