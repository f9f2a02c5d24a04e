package api

import "time"

// SetSendTime has clients that do not read cut off after another time.
func (l *Limits) SetSendTime(d time.Duration) { l.sendTime = d }

// Unread is how many octets of answers wait for clients, and how many callers and
// calls there are.
func (l *Limits) Unread() (octets, callers, calls int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.total.calls {
		calls += n
	}
	return l.total.unread, len(l.callers), calls
}

// ConnectionsEach is how many connections one caller may have.
const ConnectionsEach = connectionsEach
