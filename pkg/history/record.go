package history

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// Kept is how many configurations are kept.
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

// Entry is one configuration that came into force.
type Entry struct {
	Version int       `json:"version"` // from 1, never used again
	Time    time.Time `json:"time"`
	Cause   string    `json:"cause"`            // start, reload, rollback
	By      string    `json:"by,omitempty"`     // who; empty for a start
	Origin  int       `json:"origin,omitempty"` // of a rollback: the version whose text it has
	Result  string    `json:"result"`
	Judge   string    `json:"judge,omitempty"` // who confirmed it or rolled it back
	Sum     string    `json:"sum,omitempty"`   // [Sum] of its text; empty: not known
}

// Discarded reports whether somebody, or a deadline, judged that it should not run.
func (e Entry) Discarded() bool {
	return e.Result == Unconfirmed || e.Result == RolledBack || e.Result == Replaced
}

// Source is the version that first had the entry's text.
func (e Entry) Source() int {
	if e.Origin != 0 {
		return e.Origin
	}
	return e.Version
}

// Pending is the wait for the confirmation of the running version.
type Pending struct {
	Deadline time.Time     `json:"deadline"`
	Wait     time.Duration `json:"wait_ns"`  // from the change to the deadline
	Fallback int           `json:"fallback"` // the version to go back to
}

// Left is the time until the deadline at now. It is never more than the whole
// wait: a clock that was set back must not prolong it.
func (p Pending) Left(now time.Time) time.Duration { return min(p.Deadline.Sub(now), p.Wait) }

// Record is the history at one moment. It is a value: the methods that change
// something return the record that follows.
type Record struct {
	File    string   `json:"file"`    // the configuration file it is about
	Entries []Entry  `json:"entries"` // oldest first
	Running int      `json:"running"` // version in force; 0: none
	Pending *Pending `json:"pending,omitempty"`
	// HeldBack is the [Sum] of the file at the time of a rollback. As long as
	// the file stays as it was then, a start goes on with the running version.
	HeldBack string `json:"held_back,omitempty"`
}

// Sum identifies a text.
func Sum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Find is the entry of a version, and whether it is kept.
func (r Record) Find(version int) (Entry, bool) {
	for _, e := range r.Entries {
		if e.Version == version {
			return e, true
		}
	}
	return Entry{}, false
}

// Next is the record after e came into force, under the next version. Nothing
// waits then, and no file is held back. Of more than [Kept] entries the oldest
// go.
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

// NextPending is Next, but e waits for its confirmation from now on. Where the
// version before waits too, what it would have gone back to stays the fallback,
// and is kept however old it is.
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

// Prolong is the record with a new deadline for what waits.
func (r Record) Prolong(now time.Time, wait time.Duration) Record {
	r.Pending = &Pending{Deadline: now.Add(wait), Wait: wait, Fallback: r.Pending.Fallback}
	return r
}

// Confirm is the record after the running version was confirmed.
func (r Record) Confirm(by string) Record {
	r = r.judged(Confirmed, by)
	r.Pending = nil
	return r
}

// Lapsed is the record after the running version was not confirmed in time, and
// before it is known what runs in its place.
func (r Record) Lapsed() Record {
	r = r.judged(Unconfirmed, "")
	r.Pending = nil
	return r
}

// Back is the record after the text of version came into force again: e says
// when and by whom, result what became of the version that ran until now.
func (r Record) Back(version int, e Entry, result string) Record {
	if to, ok := r.Find(version); ok {
		e.Origin = to.Source()
	}
	e.Cause = Rollback
	judge := e.By
	if result == Unconfirmed {
		judge = "" // nobody did
	}
	return r.judged(result, judge).Next(e)
}

// summed is r with the sum of the running version's text.
func (r Record) summed(sum string) Record {
	r.Entries = slices.Clone(r.Entries)
	for i := range r.Entries {
		if r.Entries[i].Version == r.Running {
			r.Entries[i].Sum = sum
		}
	}
	return r
}

// judged is r with the result of the running version.
func (r Record) judged(result, by string) Record {
	r.Entries = slices.Clone(r.Entries)
	for i := range r.Entries {
		if r.Entries[i].Version == r.Running {
			r.Entries[i].Result, r.Entries[i].Judge = result, by
		}
	}
	return r
}

// Before is the version that a rollback without a number goes to: what waits
// for its confirmation falls back; else the latest one before the running text
// that was not itself rolled back. 0: there is none.
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
