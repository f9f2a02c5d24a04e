package api

import "time"

// SetSendTime changes how long a client may take to read a message.
func (l *Limits) SetSendTime(d time.Duration) { l.sendTime = d }

// Unread returns how many octets of answers wait for clients, and how many callers and
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
