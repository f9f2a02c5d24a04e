package bfd

import "time"

// Event tells that a session has come up, or that it is up no longer.
type Event struct {
	Key   Key
	State State // Up or Down
	Diag  Diag
	// Reason is in words: "nothing received for 900ms".
	Reason string
	// Administrative is set if the peer has taken the session down on purpose.
	// RFC 5882 3.2: the path may be fine, clients should not act on it.
	Administrative bool
	// Extended is how much later than its detection time the session was declared
	// down because this process was held up.
	Extended time.Duration
	At       time.Time
}

// backlog holds events that the consumer has not taken: at most two of each
// session, a Down and the Up that follows it.
type backlog []Event

// add appends an event. A Down makes all that is queued of its session void.
func (b *backlog) add(e Event) {
	if e.State != Up {
		b.forget(e.Key)
	}
	*b = append(*b, e)
}

// forget removes what is queued of a session.
func (b *backlog) forget(k Key) {
	kept := (*b)[:0]
	for _, e := range *b {
		if e.Key != k {
			kept = append(kept, e)
		}
	}
	*b = kept
}

// head is the first event and where it goes; without an event the channel is nil,
// which no select chooses.
func (b backlog) head(to chan Event) (chan<- Event, Event) {
	if len(b) == 0 {
		return nil, Event{}
	}
	return to, b[0]
}
