package gobgp

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Times of backing off.
const (
	longDamping = 5 * time.Second  // the longest pause after handshakes that failed
	steadyTime  = 10 * time.Second // a session that lasted so long was no flap
	firstHold   = 4 * time.Second  // after the third flap; it doubles with each further one
	longHold    = 64 * time.Second
	calmTime    = 2 * time.Minute // without a flap, after which all are forgotten
)

// Failures in a row that have no more effect than a short pause before dialling: a
// neighbor that is being set up fails once or twice, and shall be back at once.
const (
	freeFlaps    = 2
	freeRefusals = 4
)

// backoff says how long to wait before the next attempt to dial and, with a
// neighbor that fails over and over, before its connections are accepted
// (DampPeerOscillations of RFC 4271 8.1.1). Each session costs a walk of the
// table, so what counts most are sessions that end soon after they were
// established, whatever ended them: a neighbor that restarts gracefully has been
// up for longer than that.
//
// Connections that we dialled and those of the neighbor's are counted apart. If two
// nvads hold each other back, each refuses what the other dials. Were that a reason to
// refuse what the other dials, neither would ever accept the other again.
type backoff struct {
	unreachable int // attempts without a connection, in a row
	refused     int // connections dialled without a session, in a row
	failed      int // connections of the neighbor's without a session, in a row
	flaps       int // sessions that lasted less than steadyTime
	lastFlap    time.Time
	until       time.Time // neither dialled nor accepted before
	deaf        time.Time // not accepted before
	there       time.Time // when it was there last, or was configured
}

// ended counts the end of a connection, ours or the neighbor's, that was established
// since then, or never (zero). One that an operator asked for does not count.
func (b *backoff) ended(since, now time.Time, ours, asked bool) {
	switch {
	case asked:
	case since.IsZero() && ours:
		b.refused++
		return
	case since.IsZero():
		if b.failed++; b.failed > freeRefusals {
			b.deaf = now.Add(damping(b.failed))
		}
		return
	case now.Sub(since) < steadyTime:
		if now.Sub(b.lastFlap) > calmTime {
			b.flaps = 0
		}
		b.flaps++
		b.lastFlap = now
		b.until = now.Add(b.hold())
	}
	b.refused, b.failed, b.there = 0, 0, now
}

// accepts reports whether a connection of the neighbor's is accepted.
func (b *backoff) accepts(now time.Time) bool { return !now.Before(b.until) && !now.Before(b.deaf) }

// hold is how long the neighbor is held back for its flaps.
func (b *backoff) hold() time.Duration {
	if b.flaps <= freeFlaps {
		return 0
	}
	return min(firstHold<<min(b.flaps-freeFlaps-1, 8), longHold)
}

// held is how long the neighbor is held back from now on, or not at all.
func (b *backoff) held(now time.Time) time.Duration { return max(0, b.until.Sub(now)) }

// reason says that the neighbor is held back for its flaps; empty: it is not.
func (b *backoff) reason(now time.Time) string {
	if b.flaps <= freeFlaps || b.held(now) == 0 || b.refused > 0 {
		return ""
	}
	return fmt.Sprintf("held back for %s after %d flaps", b.hold(), b.flaps)
}

// pause is how long to wait before dialling.
func (b *backoff) pause(now time.Time) time.Duration {
	pause := time.Duration(0)
	if b.unreachable > 0 {
		pause = min(firstPause<<min(b.unreachable-1, 8), longPause)
	}
	failed := b.refused
	if now.Sub(b.lastFlap) < steadyTime {
		failed = max(failed, b.flaps)
	}
	if failed > 1 {
		pause = max(pause, damping(failed))
	}
	return pause - time.Duration(rand.Int64N(int64(pause)/4+1))
}

// damping is the pause after so many failures, two or more.
func damping(failed int) time.Duration {
	return min(2*firstPause<<min(failed-2, 8), longDamping)
}
