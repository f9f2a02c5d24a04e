package journal_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/journal"
)

// TestClockAhead starts with a clock that is decades ahead, as a machine may before it has asked
// for the time. Once the clock is right, so is the state, also after the records have become
// part of the base.
func TestClockAhead(t *testing.T) {
	j := open(t, directory(t), 1<<20)
	put := func(at time.Time, key string) {
		if _, err := j.Frequent.Append([]journal.Record{{Time: at, Kind: often, Key: key, Data: make([]byte, 100)}}); err != nil {
			t.Fatal(err)
		}
	}
	future := start.AddDate(70, 0, 0)
	put(start, "before the restart")
	if err := j.Frequent.Sweep(future, all, j.Frequent.Next()); err != nil {
		t.Fatal(err)
	}
	put(future, "recorded too early")
	put(start.Add(time.Minute), "0")
	check := func(when string, n int) {
		t.Helper()
		got, err := state(t, j, often, start.Add(time.Hour))
		_, early := got["recorded too early"]
		if _, old := got["before the restart"]; err != nil || len(got) != n || !early || old {
			t.Errorf("%s: %d keys, %v, %v, %v", when, len(got), early, old, err)
		}
	}
	check("in a segment", 2)
	for i := range 40_000 {
		put(start.Add(2*time.Minute+time.Duration(i)), fmt.Sprint(i%10))
	}
	check("in the base", 11)
}

// TestFarTimes asks for times that are not within 292 years of 1970.
func TestFarTimes(t *testing.T) {
	j := open(t, directory(t), 1<<20)
	if _, err := j.Rare.Append([]journal.Record{{Time: start, Kind: rareKind, Key: "a"}}); err != nil {
		t.Fatal(err)
	}
	past, future := time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := events(t, j, rareKind, past, future); len(got) != 1 {
		t.Errorf("events: %v", got)
	}
	if got, err := state(t, j, rareKind, future); err != nil || len(got) != 1 {
		t.Errorf("state: %v, %v", got, err)
	}
}

// TestStrangeDirectory has a name that would be a pattern.
func TestStrangeDirectory(t *testing.T) {
	dir := filepath.Join(directory(t), "a[1]*")
	for n := range 3 {
		j := open(t, dir, 1<<20)
		if got := events(t, j, rareKind, time.Time{}, time.Time{}); len(got) != n {
			t.Errorf("%d events after %d starts", len(got), n)
		}
		if _, err := j.Rare.Append([]journal.Record{{Time: start, Kind: rareKind, Key: "a"}}); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
