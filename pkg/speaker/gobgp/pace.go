package gobgp

import (
	"sync"
	"time"
)

// Pace of dialling. With fewer than a hundred neighbors that cannot be reached
// nobody waits for it. Thousands of them, each tried twice a second, would keep
// two cores busy and fill the table of sockets.
const (
	dialRate  = 200 // attempts a second
	dialBurst = 100 // attempts at once after a quiet time
)

// pacer spreads attempts over time.
type pacer struct {
	mu   sync.Mutex
	next time.Time
}

// reserve takes the next attempt there is and returns how long to wait for it.
func (p *pacer) reserve(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if full := now.Add(-dialBurst * time.Second / dialRate); p.next.Before(full) {
		p.next = full
	}
	p.next = p.next.Add(time.Second / dialRate)
	return max(0, p.next.Sub(now))
}

// dialPace keeps neighbors apart: one whose session was lost a moment ago does
// not queue behind thousands that were never there.
type dialPace struct{ lost, absent pacer }

// recently is how long a neighbor counts as lost rather than as absent.
const recently = time.Minute

func (d *dialPace) reserve(now, lost time.Time) time.Duration {
	if now.Sub(lost) < recently {
		return d.lost.reserve(now)
	}
	return d.absent.reserve(now)
}
