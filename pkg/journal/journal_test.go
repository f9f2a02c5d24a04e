package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/journal"
)

// Kinds of the tests. Those of frequent are 2 and 4.
const (
	rareKind = 1
	often    = 2
	oftener  = 4
	frequent = often | oftener
	all      = 0xffff
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func open(t testing.TB, dir string, size int64) *journal.Journal {
	t.Helper()
	j, notes, err := journal.Open(dir, size, frequent)
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	return j
}

// directory returns a directory in memory if there is one: the tests sync often.
func directory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "journal")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func yes(string) bool { return true }

// state returns what a journal says of a time.
func state(t testing.TB, j *journal.Journal, kinds uint16, at time.Time) (map[string]string, error) {
	t.Helper()
	v := j.View()
	defer v.Close()
	out := map[string]string{}
	last := ""
	err := v.State(t.Context(), kinds, at, yes, func(r *journal.Record) error {
		if r.Key <= last {
			t.Errorf("%q follows %q", r.Key, last)
		}
		last = r.Key
		out[r.Key] = string(r.Data)
		return nil
	})
	return out, err
}

func events(t testing.TB, j *journal.Journal, kinds uint16, since, until time.Time) (out []journal.Record) {
	t.Helper()
	v := j.View()
	defer v.Close()
	if err := v.Events(t.Context(), kinds, since, until, yes, func(r *journal.Record) error {
		c := *r
		c.Data = bytes.Clone(r.Data)
		out = append(out, c)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// world is a journal with a model of what it should say.
type world struct {
	t       *testing.T
	rnd     *rand.Rand
	dir     string
	size    int64
	j       *journal.Journal
	now     time.Time
	things  map[string]string               // as they are
	kinds   map[string]uint16               // of things
	seen    map[string]uint64               // sequence number of the last record of a thing
	pages   map[time.Time]map[string]string // as they were
	written int
}

func newWorld(t *testing.T, seed uint64, size int64) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), dir: directory(t), size: size, now: start,
		things: map[string]string{}, kinds: map[string]uint16{}, seen: map[string]uint64{}, pages: map[time.Time]map[string]string{}}
	w.j = open(t, w.dir, size)
	t.Cleanup(func() { _ = w.j.Close() })
	return w
}

func (w *world) log(kind uint16) *journal.Log {
	if kind&frequent != 0 {
		return w.j.Frequent
	}
	return w.j.Rare
}

func (w *world) record() journal.Record {
	kind := []uint16{rareKind, often, oftener}[w.rnd.IntN(3)]
	if kind == rareKind && w.rnd.IntN(20) > 0 {
		kind = often
	}
	w.written++
	r := journal.Record{Time: w.now, Kind: kind, Key: fmt.Sprintf("%c%03d", 'a'+kind, w.rnd.IntN(300)), Data: fmt.Appendf(nil, "%d%*s", w.written, w.rnd.IntN(100), "")}
	r.Gone = w.rnd.IntN(4) == 0
	if w.rnd.IntN(10) == 0 {
		r.Key = ""
	}
	return r
}

// step writes some records, and now and then sweeps or opens the journal anew.
func (w *world) step() {
	w.now = w.now.Add(time.Duration(1 + w.rnd.IntN(2e9)))
	switch w.rnd.IntN(60) {
	case 0:
		w.sweep()
	case 1:
		if err := w.j.Close(); err != nil {
			w.t.Fatal(err)
		}
		w.j = open(w.t, w.dir, w.size)
	default:
		for range w.rnd.IntN(20) {
			w.write(w.record())
		}
	}
	if n := size(w.t, w.dir); n > w.size || n != w.j.Octets() {
		w.t.Fatalf("%d octets on disk, %d counted, %d allowed", n, w.j.Octets(), w.size)
	}
}

func (w *world) write(r journal.Record) {
	seq := w.log(r.Kind).Next()
	if n, err := w.log(r.Kind).Append([]journal.Record{r}); n != 1 || err != nil {
		w.t.Fatal(n, err)
	}
	if r.Key == "" {
		return
	}
	w.things[r.Key], w.kinds[r.Key], w.seen[r.Key] = string(r.Data), r.Kind, seq
	if r.Gone {
		delete(w.things, r.Key)
	}
}

// sweep takes half of the frequent things anew; the others end.
func (w *world) sweep() {
	before := w.j.Frequent.Next()
	kinds := []uint16{often, all}[w.rnd.IntN(2)]
	for key := range maps.Clone(w.things) {
		if w.kinds[key]&frequent != 0 && w.rnd.IntN(2) == 0 {
			w.write(journal.Record{Time: w.now, Kind: w.kinds[key], Key: key, Taken: true, Data: []byte("anew")})
		}
	}
	if err := w.j.Frequent.Sweep(w.now, kinds, before); err != nil {
		w.t.Fatal(err)
	}
	maps.DeleteFunc(w.things, func(key, _ string) bool {
		return w.kinds[key]&frequent&kinds != 0 && w.seen[key] < before
	})
}

func size(t testing.TB, dir string) (n int64) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

// The state rebuilt at a thousand random instants is the state as it was then, while
// segments retire, the journal is opened anew, and everything is recorded anew. The
// directory never grows beyond its size.
func TestStateAtAnyTime(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, seed, 400<<10)
			var instants []time.Time
			answered := 0
			check := func(at time.Time) {
				got, err := state(t, w.j, all, at)
				if errors.Is(err, journal.ErrNotKept) && at.Before(instants[len(instants)*9/10]) {
					return
				}
				if err != nil || !maps.Equal(got, w.pages[at]) {
					t.Fatalf("at %v: %d things, %v; want %d", at, len(got), err, len(w.pages[at]))
				}
				answered++
			}
			for len(instants) < 1000 {
				w.step()
				w.now = w.now.Add(1)
				w.pages[w.now] = maps.Clone(w.things)
				instants = append(instants, w.now)
				if w.rnd.IntN(10) == 0 {
					check(instants[w.rnd.IntN(len(instants))])
				}
			}
			for _, at := range instants {
				check(at)
			}
			if w.j.Octets() < w.size/2 || answered < 250 {
				t.Errorf("%d octets are used of %d, %d instants answered", w.j.Octets(), w.size, answered)
			}
		})
	}
}

// A state of many keys needs several pages.
func TestLargeState(t *testing.T) {
	j := open(t, directory(t), 64<<20)
	defer j.Close()
	const n = 70000
	var batch []journal.Record
	for i := range n {
		batch = append(batch, journal.Record{Time: start, Kind: often, Key: fmt.Sprint(i * 7919 % n), Data: []byte{1}})
	}
	batch = append(batch, journal.Record{Time: start, Kind: often, Key: "77", Gone: true})
	if _, err := j.Frequent.Append(batch); err != nil {
		t.Fatal(err)
	}
	got, err := state(t, j, all, start.Add(1))
	if err != nil || len(got) != n-1 {
		t.Errorf("%d things, %v", len(got), err)
	}
}

// The events of both logs come in the order of their times, within what is asked for.
func TestEvents(t *testing.T) {
	w := newWorld(t, 9, 64<<10)
	for range 300 {
		w.step()
	}
	list := events(t, w.j, all, time.Time{}, time.Time{})
	if !slices.IsSortedFunc(list, func(a, b journal.Record) int { return a.Time.Compare(b.Time) }) || len(list) < 100 {
		t.Errorf("%d events, not in order", len(list))
	}
	v := w.j.View()
	defer v.Close()
	if oldest := v.Oldest(); !oldest.Equal(list[0].Time) {
		t.Errorf("the oldest is of %v, not %v", oldest, list[0].Time)
	}
	since, until := list[len(list)/2].Time, list[len(list)*3/4].Time
	part := events(t, w.j, often, since, until)
	want := slices.DeleteFunc(slices.Clone(list), func(r journal.Record) bool {
		return r.Kind != often || r.Time.Before(since) || !r.Time.Before(until)
	})
	if len(part) != len(want) || len(part) == 0 {
		t.Errorf("%d events, want %d", len(part), len(want))
	}
}

// A reader sees the journal as it was when it began, although its segments retire and
// their files are removed meanwhile.
func TestReaderOutlivesSegments(t *testing.T) {
	w := newWorld(t, 5, 256<<10)
	for range 600 {
		w.step()
	}
	at := w.now.Add(1)
	want, err := state(t, w.j, all, at)
	if err != nil {
		t.Fatal(err)
	}
	v := w.j.View()
	defer v.Close()
	for range 800 {
		w.step()
	}
	got := map[string]string{}
	if err := v.State(t.Context(), all, at, yes, func(r *journal.Record) error { got[r.Key] = string(r.Data); return nil }); err != nil || !maps.Equal(got, want) {
		t.Errorf("%d things, %v; want %d", len(got), err, len(want))
	}
	if err := w.j.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := v.Events(t.Context(), all, time.Time{}, time.Time{}, yes, func(*journal.Record) error { n++; return nil }); err != nil || n < 100 {
		t.Errorf("%d events, %v", n, err)
	}
}
