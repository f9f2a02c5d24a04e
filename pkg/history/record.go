package history

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// Kept is the number of configurations that are kept.
const Kept = 10

// Causes of an [Entry].
const (
	Start    = "start"
	Reload   = "reload"
	Rollback = "rollback"
)

// Results of an [Entry].
const (
	Applied     = "applied"
	Waiting     = "waiting"
	Confirmed   = "confirmed"
	Unconfirmed = "not confirmed"
	RolledBack  = "rolled back"
	Replaced    = "replaced"
)

// Entry is a configuration that was activated.
type Entry struct {
	Version int       `json:"version"` // from 1, never reused
	Time    time.Time `json:"time"`
	Cause   string    `json:"cause"`            // start, reload, rollback
	By      string    `json:"by,omitempty"`     // user; empty for a start
	Origin  int       `json:"origin,omitempty"` // of a rollback: the version whose text was activated again
	Result  string    `json:"result"`
	Judge   string    `json:"judge,omitempty"` // user who confirmed it or rolled it back
	Sum     string    `json:"sum,omitempty"`   // [Sum] of its text; empty: unknown
}

// Discarded reports whether a user or an expired deadline decided against the entry.
func (e Entry) Discarded() bool {
	return e.Result == Unconfirmed || e.Result == RolledBack || e.Result == Replaced
}

// Source returns the version that had the entry's text first.
func (e Entry) Source() int {
	if e.Origin != 0 {
		return e.Origin
	}
	return e.Version
}

// Pending says that the running version waits for confirmation.
type Pending struct {
	Deadline time.Time     `json:"deadline"`
	Wait     time.Duration `json:"wait_ns"`  // from the change to the deadline
	Fallback int           `json:"fallback"` // the version to go back to
}

// Left returns the time from now to the deadline. It is at most the whole wait, so that a
// clock that was set back does not prolong the wait.
func (p Pending) Left(now time.Time) time.Duration { return min(p.Deadline.Sub(now), p.Wait) }

// Record is the history at one moment. It is a value: methods that change something
// return a new record.
type Record struct {
	File    string   `json:"file"`    // path of the configuration file
	Entries []Entry  `json:"entries"` // oldest first
	Running int      `json:"running"` // active version; 0: none
	Pending *Pending `json:"pending,omitempty"`
	// HeldBack is the [Sum] of the file at the time of a rollback. As long as the file
	// still has that sum, it contains the change that was rolled back, so a start
	// ignores it and runs the running version.
	HeldBack string `json:"held_back,omitempty"`
}

// Sum returns the SHA-256 of a text, which identifies it.
func Sum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Find returns the entry of a version, and whether it is still kept.
func (r Record) Find(version int) (Entry, bool) {
	for _, e := range r.Entries {
		if e.Version == version {
			return e, true
		}
	}
	return Entry{}, false
}

// Next returns the record after e was activated as the next version. Afterwards, nothing
// waits for confirmation and no file is held back. Only the latest [Kept] entries stay.
func (r Record) Next(e Entry) Record {
	e.Version = 1
	if n := len(r.Entries); n > 0 {
		e.Version = r.Entries[n-1].Version + 1
	}
	if e.Result == "" {
		e.Result = Applied
	}
	r.Entries = append(slices.Clone(r.Entries), e)
	r.Entries = r.Entries[max(0, len(r.Entries)-Kept):]
	r.Running, r.Pending, r.HeldBack = e.Version, nil, ""
	return r
}

// NextPending is like Next, but e waits for confirmation. If the version before also
// waits, its fallback remains the fallback, and is kept however old it is.
func (r Record) NextPending(e Entry, now time.Time, wait time.Duration) Record {
	fallback := r.Running
	if r.Pending != nil {
		fallback = r.Pending.Fallback
		r = r.judged(Replaced, "")
	}
	safe, _ := r.Find(fallback)
	e.Result = Waiting
	next := r.Next(e)
	if _, kept := next.Find(fallback); !kept {
		next.Entries = slices.Insert(next.Entries[1:], 0, safe)
	}
	next.Pending = &Pending{Deadline: now.Add(wait), Wait: wait, Fallback: fallback}
	return next
}

// Prolong returns the record with a new deadline for the version that waits.
func (r Record) Prolong(now time.Time, wait time.Duration) Record {
	r.Pending = &Pending{Deadline: now.Add(wait), Wait: wait, Fallback: r.Pending.Fallback}
	return r
}

// Confirm returns the record after the running version was confirmed.
func (r Record) Confirm(by string) Record {
	r = r.judged(Confirmed, by)
	r.Pending = nil
	return r
}

// Lapsed returns the record after the running version was not confirmed in time, before
// another version replaces it.
func (r Record) Lapsed() Record {
	r = r.judged(Unconfirmed, "")
	r.Pending = nil
	return r
}

// Back returns the record after the text of version was activated again. e says when and
// by whom; result is the result of the version that ran until then.
func (r Record) Back(version int, e Entry, result string) Record {
	if to, ok := r.Find(version); ok {
		e.Origin = to.Source()
	}
	e.Cause = Rollback
	judge := e.By
	if result == Unconfirmed {
		judge = "" // no user decided
	}
	return r.judged(result, judge).Next(e)
}

// judged returns r with the result of the running version.
func (r Record) judged(result, by string) Record {
	return r.edited(func(e *Entry) { e.Result, e.Judge = result, by })
}

// edited returns r with another entry for the running version.
func (r Record) edited(edit func(*Entry)) Record {
	r.Entries = slices.Clone(r.Entries)
	for i := range r.Entries {
		if r.Entries[i].Version == r.Running {
			edit(&r.Entries[i])
		}
	}
	return r
}

// Before returns the version to which a rollback without a number goes: the fallback of a
// version that waits for confirmation; otherwise the latest version before the running
// text that was not discarded. It returns 0 if there is none.
func (r Record) Before() int {
	if r.Pending != nil {
		return r.Pending.Fallback
	}
	running, _ := r.Find(r.Running)
	for _, e := range slices.Backward(r.Entries) {
		if e.Version < running.Source() && !e.Discarded() {
			return e.Version
		}
	}
	return 0
}
