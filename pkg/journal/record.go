package journal

import (
	"errors"
	"time"
)

// Record is one entry of the journal.
type Record struct {
	Time time.Time
	Kind uint16 // one bit; 0: it belongs to all kinds, as a gap does
	// Key identifies the thing that the record is about, in at most 255 octets. The last
	// record of a key says what the thing is like. Empty: the record is not part of the state.
	Key  string
	Gone bool // the thing does not exist any more
	// Taken marks a record of the present state, for example after a gap. Nothing changed
	// at its time.
	Taken bool
	Data  []byte // at most [MostData] octets
}

// MostData bounds Data of a Record, in octets.
const MostData = 16 << 10

// ErrNotKept is the error for the state at a time for which the journal does not have
// all of it. The errors that wrap it say why, for people.
var ErrNotKept = errors.New("the state at that time is not known")
