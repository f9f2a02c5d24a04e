package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/journal"
)

// However many records of frequent kinds there are, the rare ones stay; and if the state of
// the frequent ones outgrows the journal, it is given up in words, while events go on.
func TestFlood(t *testing.T) {
	dir, limit := directory(t), int64(512<<10)
	j := open(t, dir, limit)
	defer j.Close()
	if _, err := j.Rare.Append([]journal.Record{{Time: start, Kind: rareKind, Key: "a", Data: []byte("drain")}}); err != nil {
		t.Fatal(err)
	}
	now := start
	write := func(keys int) {
		for i := range 5000 {
			now = now.Add(time.Millisecond)
			if _, err := j.Frequent.Append([]journal.Record{{Time: now, Kind: often, Key: fmt.Sprint(i % keys), Data: make([]byte, 4000)}}); err != nil {
				t.Fatal(err)
			}
			if n := size(t, dir); n > limit {
				t.Fatalf("%d octets", n)
			}
		}
	}
	write(5000)
	_, err := state(t, j, often, now.Add(1))
	if !errors.Is(err, journal.ErrNotKept) || !bytes.Contains([]byte(err.Error()), []byte("larger size of [journal]")) {
		t.Errorf("a state that is too large: %v", err)
	}
	if list := events(t, j, all, time.Time{}, time.Time{}); len(list) < 20 || string(list[0].Data) != "drain" {
		t.Errorf("%d events", len(list))
	}
	if got, err := state(t, j, rareKind, now.Add(1)); err != nil || got["a"] != "drain" {
		t.Errorf("rare things: %v, %v", got, err)
	}
	before := j.Frequent.Next()
	write(3)
	if err := j.Frequent.Sweep(now, all, before); err != nil {
		t.Fatal(err)
	}
	now = now.Add(1)
	if got, err := state(t, j, often, now); err != nil || len(got) != 3 {
		t.Errorf("after everything was recorded anew: %d things, %v", len(got), err)
	}
	write(3)
	if got, err := state(t, j, often, now.Add(1)); err != nil || len(got) != 3 {
		t.Errorf("once that is in the base: %d things, %v", len(got), err)
	}
	if err := j.Frequent.GiveUp(now); err != nil {
		t.Fatal(err)
	}
	if _, err = state(t, j, often, now.Add(1)); !errors.Is(err, journal.ErrNotKept) {
		t.Errorf("a state that was given up: %v", err)
	}
}

// A smaller size takes effect, also at the next start.
func TestResize(t *testing.T) {
	w := newWorld(t, 3, 512<<10)
	for range 1500 {
		w.step()
	}
	if n := w.j.Octets(); n < 300<<10 {
		t.Fatalf("%d octets", n)
	}
	w.size = 256 << 10
	w.j.Resize(w.size)
	for _, kind := range []uint16{rareKind, often} {
		w.write(journal.Record{Time: w.now, Kind: kind, Key: fmt.Sprint(kind)})
	}
	for range 100 {
		w.step()
	}
	if got, err := state(t, w.j, all, w.now.Add(1)); err != nil || !maps.Equal(got, w.things) {
		t.Errorf("%d things, %v, want %d", len(got), err, len(w.things))
	}
}

// A directory that others can change is refused.
func TestForeignDirectory(t *testing.T) {
	dir := filepath.Join(directory(t), "journal")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, err := journal.Open(dir, 1<<20, frequent); err == nil {
		t.Error("a directory that everybody can change is taken")
	}
	link := filepath.Join(directory(t), "link")
	if err := os.Symlink(directory(t), link); err != nil {
		t.Fatal(err)
	}
	if _, _, err := journal.Open(link, 1<<20, frequent); err == nil {
		t.Error("a link is taken")
	}
}
