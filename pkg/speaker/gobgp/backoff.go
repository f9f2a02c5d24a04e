package gobgp

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Times for neighbors that fail.
const (
	longDamping = 5 * time.Second  // the longest pause after handshakes that failed
	steadyTime  = 10 * time.Second // a session that lasted this long is no flap
	firstHold   = 4 * time.Second  // after the third flap; doubles with each further one
	longHold    = 64 * time.Second
	calmTime    = 2 * time.Minute // without a flap; then all flaps are forgotten
)

// Failures in a row that cost only a short pause before dialling: a neighbor that is
// being set up fails once or twice, and should be back at once.
const (
	freeFlaps    = 2
	freeRefusals = 4
)

// backoff decides how long to wait before the neighbor is dialled again and, if it
// fails over and over, before its connections are accepted (DampPeerOscillations of
// RFC 4271 8.1.1). Each session costs a walk of the table, so flaps count most: sessions
// that end soon after they were established, whatever the reason. A neighbor that restarts
// gracefully has been up for longer than that.
//
// Connections that nvad dialled and those that the neighbor opened are counted apart. If
// two nvads hold each other back, each refuses the connections of the other. If a refusal
// counted against the other's connections too, each would go on refusing because it is
// refused, and neither would accept the other again.
type backoff struct {
	unreachable int // attempts without a connection, in a row
	refused     int // dialled connections that came to no session, in a row
	failed      int // the neighbor's connections that came to no session, in a row
	flaps       int // sessions that lasted less than steadyTime
	lastFlap    time.Time
	until       time.Time // neither dialled nor accepted before
	deaf        time.Time // not accepted before
	there       time.Time // when its last session ended, or it was configured
}

// ended counts the end of a connection, ours or the neighbor's. since is when it was
// established; zero: never. An end that an operator asked for does not count.
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

// accepts reports whether the neighbor's connections are accepted.
func (b *backoff) accepts(now time.Time) bool { return !now.Before(b.until) && !now.Before(b.deaf) }

// hold returns how long the last flap holds the neighbor back.
func (b *backoff) hold() time.Duration {
	if b.flaps <= freeFlaps {
		return 0
	}
	return min(firstHold<<min(b.flaps-freeFlaps-1, 8), longHold)
}

// forgets returns when a neighbor that has just lost its connection is like any other that
// connects for the first time.
func (b *backoff) forgets(now time.Time) time.Time {
	switch {
	case b.flaps > 0 && now.Sub(b.lastFlap) < calmTime:
		return b.lastFlap.Add(calmTime)
	case b.failed > 0:
		return now.Add(longDamping)
	}
	return now
}

// held returns how much longer the neighbor is held back; 0: it is not.
func (b *backoff) held(now time.Time) time.Duration { return max(0, b.until.Sub(now)) }

// reason says that the neighbor is held back for its flaps; it is empty if it is not.
func (b *backoff) reason(now time.Time) string {
	if b.flaps <= freeFlaps || b.held(now) == 0 || b.refused > 0 {
		return ""
	}
	return fmt.Sprintf("held back for %s after %d flaps", b.hold(), b.flaps)
}

// pause returns how long to wait before dialling, with jitter.
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

// damping returns the pause after a number of failures, two or more.
func damping(failed int) time.Duration {
	return min(2*firstPause<<min(failed-2, 8), longDamping)
}

// The pace of dialling. Fewer than a hundred neighbors that can't be reached never wait
// for it. Thousands of them, each dialled twice a second, would keep two cores busy and
// fill the table of sockets.
const (
	dialRate  = 200 // attempts a second
	dialBurst = 100 // attempts at once after a quiet time
)

// pacer spreads attempts over time. next is when the last attempt handed out is due; after
// a quiet time it lies back far enough for a burst.
type pacer struct {
	mu   sync.Mutex
	next time.Time
}

// reserve takes the next free attempt and returns how long to wait for it.
func (p *pacer) reserve(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if full := now.Add(-dialBurst * time.Second / dialRate); p.next.Before(full) {
		p.next = full
	}
	p.next = p.next.Add(time.Second / dialRate)
	return max(0, p.next.Sub(now))
}

// dialPace has two queues, so that a neighbor whose session was lost a moment ago does not
// wait behind thousands that were never there.
type dialPace struct{ lost, absent pacer }

// recently is how long a neighbor counts as lost; after that it counts as absent.
const recently = time.Minute

func (d *dialPace) reserve(now, lost time.Time) time.Duration {
	if now.Sub(lost) < recently {
		return d.lost.reserve(now)
	}
	return d.absent.reserve(now)
}
